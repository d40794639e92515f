package integration

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"blumfeld/integration/process"
)

var seed = flag.Uint64("seed", 0, "of a TestKilled; 0: another each time")

// recovery bounds how long after a start all groups may take to come to rest and to have committed all that was written
// until then. Members that are gone have to be missed first.
const recovery = time.Minute

// Members of several groups join, leave, vanish and commit while the broker is killed at any moment and started again on
// its directory. No acknowledged commit is lost, no committed offset and no generation goes back, no record is skipped,
// and after each start every group comes to rest and catches up.
func TestKilledInRebalances(t *testing.T) {
	at := *seed
	if at == 0 {
		at = rand.Uint64()
	}
	t.Logf("-seed %d", at)
	random := rand.New(rand.NewPCG(at, 1))
	o := options(t, t.TempDir(), "--override", "num.partitions="+strconv.Itoa(torturedPartitions),
		"--override", "group.min.session.timeout.ms=1000")
	b := start(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(*rounds+2)*(recovery+20*time.Second))
	defer cancel()

	plain := func() *kgo.Client {
		// Not OffsetCommit and OffsetFetch version 10: those name topics by id.
		versions := kversion.Stable()
		versions.SetMaxKeyVersion(8, 9)
		versions.SetMaxKeyVersion(9, 9)
		return client(t, b, kgo.MaxVersions(versions), kgo.RetryTimeout(rebalanceTimeout))
	}
	cl := plain()
	var (
		background           sync.WaitGroup
		living, endLives     = context.WithCancel(ctx)
		written              writer
		commits              tally
		constant, simple     = &ledger{t: t, group: "constant", all: &commits}, &ledger{t: t, group: "simple", all: &commits}
		churned              = &ledger{t: t, group: "churned", all: &commits}
		ledgers, oneByOne    = []*ledger{constant, simple, churned}, []*ledger{constant, simple, churned}
		troupes              []*troupe
		ending               sync.WaitGroup // members on their way out: a broker that is down is waited for
		producing, endWrites = context.WithCancel(ctx)
	)
	for _, c := range []struct {
		group    string
		static   bool
		balancer kgo.GroupBalancer
	}{
		{"range", false, kgo.RangeBalancer()},
		{"cooperative", false, kgo.CooperativeStickyBalancer()},
		{"static", true, kgo.RangeBalancer()},
		{"static-cooperative", true, kgo.CooperativeStickyBalancer()},
	} {
		tr := &troupe{ledger: &ledger{t: t, group: c.group, all: &commits}, static: c.static, balancer: c.balancer}
		troupes = append(troupes, tr)
		ledgers = append(ledgers, tr.ledger)
	}
	defer func() {
		endWrites()
		endLives()
		for _, tr := range troupes {
			for len(tr.members) > 0 {
				tr.remove(&ending, 0, true)
			}
		}
		ending.Wait()
		background.Wait()
		written.wait()
	}()

	written.start(producing, t, client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(-1)))
	for slices.Contains(written.ends(), 0) {
		if err := written.all.await(ctx, 1); err != nil {
			t.Fatal("not all partitions can be written: ", err)
		}
	}
	alone := formGroup(ctx, t, cl, constant.group)
	for _, live := range []func(*kgo.Client){
		func(cl *kgo.Client) { commitConstantly(living, constant, cl, alone.MemberID, alone.Generation) },
		func(cl *kgo.Client) { commitConstantly(living, simple, cl, "", -1) },
		func(cl *kgo.Client) { churn(living, churned, cl, false) },
		func(cl *kgo.Client) { churn(living, churned, cl, true) },
		func(cl *kgo.Client) { churn(living, churned, cl, true) },
		func(cl *kgo.Client) { observe(living, cl, ledgers) },
	} {
		cl := plain()
		background.Go(func() { live(cl) })
	}

	act := func() { troupes[random.IntN(len(troupes))].act(t, b, random, &ending) }
	for round := range *rounds {
		// The moment is meant to be arbitrary: in the middle of some of these.
		for range 3 + random.IntN(8) {
			act()
			if err := commits.await(ctx, int64(1+random.IntN(300))); err != nil {
				t.Fatalf("round %d: nothing is committed: %v", round, err)
			}
		}
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		if random.IntN(2) == 0 {
			act() // members also come and go while nobody is there
		}
		b = start(t, o)
		began, ends := time.Now(), written.ends()
		await := func(healthy func() (reason string)) {
			for {
				reason := healthy()
				if reason == "" {
					return
				}
				if t.Failed() || ctx.Err() != nil || time.Since(began) > recovery {
					t.Fatalf("round %d, %v after the start: %s", round, time.Since(began), reason)
				}
			}
		}
		for _, l := range oneByOne {
			before := l.count()
			await(func() string {
				if _, err := fetchOffsets(ctx, cl, l.group); err != nil || l.count() == before {
					return fmt.Sprintf("group %s commits nothing (%v)", l.group, err)
				}
				return ""
			})
		}
		for _, tr := range troupes {
			if len(tr.members) == 0 {
				tr.add(t, b, 0)
			}
			await(func() string { return tr.health(ctx, cl, ends) })
		}
	}

	// In the end all that was written has been read by every group, and committed.
	endWrites()
	ends := written.wait()
	for _, tr := range troupes {
		for began := time.Now(); !tr.caughtUp(ends); {
			if reason := tr.health(ctx, cl, ends); reason != "" && (t.Failed() || time.Since(began) > recovery) {
				t.Fatal(reason)
			}
		}
	}
	endLives()
	for _, l := range ledgers {
		lows := l.lows()
		offsets, err := fetchOffsets(ctx, cl, l.group)
		if err != nil {
			t.Fatal(err)
		}
		for p := range int32(torturedPartitions) {
			l.fetched(lows, p, offsets[p])
		}
		t.Logf("group %s: %d commits acknowledged", l.group, l.count())
	}
	t.Logf("%d kills, %d records a group", *rounds, sum(ends))
}

func sum(list []int64) (n int64) {
	for _, v := range list {
		n += v
	}
	return n
}

// writer produces one record after the other to all partitions, a few hundred a second.
type writer struct {
	acked   [torturedPartitions]atomic.Int64
	all     tally          // records acknowledged
	running sync.WaitGroup // run; only it adds to done
	done    sync.WaitGroup // records under way
}

// start writes until ctx ends.
func (w *writer) start(ctx context.Context, t *testing.T, cl *kgo.Client) {
	w.running.Go(func() { w.run(ctx, t, cl) })
}

func (w *writer) run(ctx context.Context, t *testing.T, cl *kgo.Client) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		<-tick.C
		w.done.Add(1)
		r := &kgo.Record{Topic: torturedTopic, Partition: int32(n % torturedPartitions), Value: strconv.AppendInt(nil, int64(n), 10)}
		cl.Produce(context.WithoutCancel(ctx), r, func(r *kgo.Record, err error) {
			defer w.done.Done()
			if err != nil {
				t.Errorf("record %s: %v", r.Value, err)
				return
			}
			w.acked[r.Partition].Store(r.Offset + 1)
			w.all.add()
		})
	}
}

// ends is what was acknowledged of each partition: one after the last offset.
func (w *writer) ends() []int64 {
	list := make([]int64, torturedPartitions)
	for p := range list {
		list[p] = w.acked[p].Load()
	}
	return list
}

// wait is ends when all that was sent is acknowledged.
func (w *writer) wait() []int64 {
	w.running.Wait()
	w.done.Wait()
	return w.ends()
}

// observe reads committed offsets again and again: none goes back.
func observe(ctx context.Context, cl *kgo.Client, ledgers []*ledger) {
	for ctx.Err() == nil {
		for _, l := range ledgers {
			lows := l.lows()
			offsets, err := fetchOffsets(ctx, cl, l.group)
			if err != nil {
				continue
			}
			for p, low := range lows {
				if offset, ok := offsets[int32(p)]; ok || low > 0 {
					l.fetched(lows, int32(p), offset)
				}
			}
		}
	}
}

// troupe is a group of consumers that come and go.
type troupe struct {
	*ledger
	static   bool
	balancer kgo.GroupBalancer
	members  []*consumer
	slots    []int // of members: which instance id each has
}

const maxMembers = 4

// act has a member come or go.
func (tr *troupe) act(t *testing.T, b *process.Broker, random *rand.Rand, ending *sync.WaitGroup) {
	if n := len(tr.members); n > 1 && (n == maxMembers || random.IntN(2) == 0) {
		tr.remove(ending, random.IntN(n), random.IntN(3) == 0)
		return
	}
	// For a static member an id that nobody has now: of one that never was, or that the broker still waits for.
	slot := random.IntN(maxMembers)
	for slices.Contains(tr.slots, slot) {
		slot = (slot + 1) % maxMembers
	}
	tr.add(t, b, slot)
}

func (tr *troupe) add(t *testing.T, b *process.Broker, slot int) {
	opts := []kgo.Opt{kgo.Balancers(tr.balancer)}
	if tr.static {
		opts = append(opts, kgo.InstanceID("instance-"+strconv.Itoa(slot)))
	}
	tr.members = append(tr.members, startConsumer(t, b, tr.ledger, opts...))
	tr.slots = append(tr.slots, slot)
}

func (tr *troupe) remove(ending *sync.WaitGroup, i int, vanish bool) {
	m := tr.members[i]
	tr.members, tr.slots = slices.Delete(tr.members, i, i+1), slices.Delete(tr.slots, i, i+1)
	ending.Go(func() { m.stop(vanish) })
}

// health is what keeps a group from being at rest: stable, every partition assigned to one member, and all committed that
// was written before.
func (tr *troupe) health(ctx context.Context, cl *kgo.Client, ends []int64) (reason string) {
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{tr.group}
	resp, err := describe.RequestWith(ctx, cl)
	if err != nil {
		return fmt.Sprintf("group %s: %v", tr.group, err)
	}
	g := resp.Groups[0]
	if g.ErrorCode != 0 || g.State != "Stable" {
		return fmt.Sprintf("group %s is %s, %v", tr.group, g.State, kerr.ErrorForCode(g.ErrorCode))
	}
	owners := make([]int, torturedPartitions)
	for _, m := range g.Members {
		var a kmsg.ConsumerMemberAssignment
		if err := a.ReadFrom(m.MemberAssignment); err != nil {
			return fmt.Sprintf("group %s: assignment of %s: %v", tr.group, m.MemberID, err)
		}
		for _, t := range a.Topics {
			for _, p := range t.Partitions {
				owners[p]++
			}
		}
	}
	if slices.ContainsFunc(owners, func(n int) bool { return n != 1 }) {
		return fmt.Sprintf("group %s: its partitions have %v owners", tr.group, owners)
	}
	if !tr.caughtUp(ends) {
		return fmt.Sprintf("group %s does not catch up: committed %v of %v", tr.group, tr.lows(), ends)
	}
	return ""
}
