package integration

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/integration/process"
	"blumfeld/integration/proxy"
	"blumfeld/integration/txncheck"
)

var (
	goOn    = flag.Duration("for", 0, "how long TestTransactions goes on, in long rounds; 0: two short ones")
	against = flag.String("against", "", "host:port of a broker for TestTransactions, Apache Kafka say: it is neither killed nor paused")
)

// settling bounds how long after the last fault all transactions may take to end, all groups to come to the end of what
// they read, and all readers to see it.
const settling = time.Minute

// deck is what happens in a round, in another order each time.
var deck = [...]string{"client killed", "client killed", "client usurped", "broker killed", "broker killed", "broker killed", "broker paused", "broker paused"}

// Plain producers, transactional ones and groups that consume, process and produce work on six partitions, each client by
// the protocol of KIP-890 or by the one before it, while the broker is killed and paused at any moment, clients are killed
// in the middle of transactions and replaced by others with the same transactional id, or only replaced, and requests are
// late, come twice or come after their client has gone. Package txncheck judges what became of it.
func TestTransactions(t *testing.T) {
	at := *seed
	for at == 0 {
		at = rand.Uint64()
	}
	t.Logf("-seed %d", at)
	run := &txnRun{t: t, random: rand.New(rand.NewPCG(at, 6)), counts: make(map[string]int)}
	if *against != "" {
		run.addr = *against
	} else {
		run.o = options(t, t.TempDir(), "--override", "transaction.abort.timed.out.transaction.cleanup.interval.ms=500",
			"--override", "group.min.session.timeout.ms=1000",
			"--override", "log.segment.bytes=1048576") // so that kills meet rolls too
		run.addr = run.o.Addr()
		run.b = start(t, run.o)
	}
	began := time.Now()
	for n := 0; n == 0 || n == 1 && *goOn == 0 || time.Since(began) < *goOn; n++ {
		faults := 5 * len(deck)
		if *goOn == 0 {
			faults = len(deck)
		}
		if run.round(n, faults); t.Failed() {
			break
		}
	}
	t.Logf("%d transactions committed, %d aborted, %d of which the client knows no end; %d records outside of transactions; %d late requests answered",
		run.outcomes[txncheck.Committed], run.outcomes[txncheck.Aborted], run.outcomes[txncheck.Unknown], run.plain, run.late)
	var faults []string
	for _, name := range slices.Sorted(maps.Keys(run.counts)) {
		faults = append(faults, fmt.Sprintf("%s %d", name, run.counts[name]))
	}
	t.Logf("faults: %s", strings.Join(faults, ", "))
	t.Logf("all transactions had ended %v after the last fault at the latest; the timeout is %v", run.slowest.Round(time.Millisecond), txnTimeout)
}

// txnRun is what all rounds have in common: the broker and its directory, the transactional ids, and the sums.
type txnRun struct {
	t      *testing.T
	random *rand.Rand
	addr   string
	o      process.Options
	b      *process.Broker // nil: one that is not ours to kill

	outcomes [3]int // of transactions
	plain    int
	late     int
	slowest  time.Duration // after the last fault, until the last transaction of a round had ended

	mu     sync.Mutex
	counts map[string]int // of faults
}

func (r *txnRun) count(fault string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[fault]++
}

// txnRound is a history from its first record to its judgement, in topics and groups of its own.
type txnRound struct {
	*txnRun
	cl      *kgo.Client // without faults
	post    *proxy.Post
	history *recorder
	healed  atomic.Bool   // no faults any more
	ending  chan struct{} // sent to, if torment listens, when the end of a transaction is asked for, or its offsets come

	source, derived string // topics
	groups          []string
}

func (r *txnRound) partitions() (list []txncheck.TP) {
	for _, topic := range []string{r.source, r.derived} {
		for p := range int32(txnPartitions) {
			list = append(list, txncheck.TP{Topic: topic, Partition: p})
		}
	}
	return list
}

// round has a history of so many faults, and judges it.
func (run *txnRun) round(n, faults int) {
	t := run.t
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(faults)*2*txnTimeout+3*settling)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(run.addr))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	unique := fmt.Sprintf("%d-%x", n, run.random.Uint32())
	r := &txnRound{txnRun: run, cl: cl, history: newRecorder(), ending: make(chan struct{}), post: proxy.NewPost(ctx, run.addr),
		source: "source-" + unique, derived: "derived-" + unique, groups: []string{"one-" + unique, "two-" + unique}}
	if err := r.createTopics(ctx); err != nil {
		t.Fatal(err)
	}

	// Readers are there from the first record to the last.
	var readers sync.WaitGroup
	defer readers.Wait()
	reading, endReading := context.WithCancel(ctx)
	defer endReading()
	names := []string{"reader 0", "reader 1"}
	for _, name := range names {
		l, err := r.actor("", "", nil).born(reading, nil)
		if err != nil {
			t.Fatal(err)
		}
		readers.Go(func() {
			defer l.line.Close()
			l.follow(reading, name)
		})
	}

	var actors []*actor
	for range 2 {
		actors = append(actors, r.actor("", "", writePlainly))
	}
	for i := range 4 {
		actors = append(actors, r.actor(fmt.Sprint("writer-", i), "", writeTransactions))
	}
	for i, group := range r.groups {
		for member := range 2 {
			a := r.actor(fmt.Sprintf("group-%d-%d", i, member), group, consumeProcessProduce)
			a.static = member == 0
			actors = append(actors, a)
		}
	}
	stop := r.play(ctx, actors)
	defer stop()
	r.torment(ctx, actors, faults)
	r.healed.Store(true)
	stop()
	r.post.Wait()

	h, err := r.settle(ctx, names)
	endReading()
	readers.Wait()
	if err != nil {
		t.Fatal(err)
	}
	outcomes, plain := r.history.close()
	h.Txns = r.history.txns
	for name, seen := range r.history.seen {
		h.Readers = append(h.Readers, txncheck.Reader{Name: name, Jumps: !slices.Contains(names, name), Seen: seen})
	}
	const most = 5 // anomalies of a kind to print
	kinds := make(map[txncheck.Kind]int)
	for _, a := range txncheck.Check(h) {
		if kinds[a.Kind]++; kinds[a.Kind] <= most {
			t.Error(a)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		t.Errorf("round %d: %s: %d", n, k, kinds[k])
	}
	if outcomes[txncheck.Committed] == 0 || plain == 0 {
		t.Errorf("round %d: %d transactions were committed, %d records written outside of them", n, outcomes[txncheck.Committed], plain)
	}
	for i, n := range outcomes {
		run.outcomes[i] += n
	}
	run.plain += plain
	run.late += r.post.Delivered()
	if err := r.deleteTopics(ctx); err != nil {
		t.Error(err)
	}
}

func (r *txnRound) actor(name, group string, live func(*life)) *actor {
	return &actor{round: r, name: name, group: group, seed: r.random.Uint64(), live: live, kill: make(chan struct{}), usurp: make(chan struct{})}
}

// play has actors live until stop is called, which gives them time to end what they have begun. It may be called again.
func (r *txnRound) play(ctx context.Context, actors []*actor) (stop func()) {
	acting, kill := context.WithCancel(ctx)
	ended, over := make(chan struct{}), make(chan struct{})
	var playing sync.WaitGroup
	for _, a := range actors {
		playing.Go(func() { a.play(acting, ended) })
	}
	return sync.OnceFunc(func() {
		close(ended)
		go func() {
			playing.Wait()
			close(over)
		}()
		select {
		case <-over:
		case <-time.After(2 * txnTimeout):
		}
		kill()
		<-over
	})
}

// torment does to the broker and to clients what can happen to them, so often. In the end half of the clients die of it.
func (r *txnRound) torment(ctx context.Context, actors []*actor, faults int) {
	tell := func(what func(*actor) chan struct{}) {
		select {
		case what(actors[r.random.IntN(len(actors))]) <- struct{}{}:
		case <-time.After(100 * time.Millisecond): // it is between two lives
		}
	}
	kill, usurp := func(a *actor) chan struct{} { return a.kill }, func(a *actor) chan struct{} { return a.usurp }
	// The moments are meant to be arbitrary.
	wait := func(atMost time.Duration) {
		select {
		case <-time.After(time.Duration(r.random.Int64N(int64(atMost)))):
		case <-ctx.Done():
			r.t.Fatal(ctx.Err())
		}
	}
	short := faults == len(deck)
	between := time.Second
	if short {
		between /= 2
	}
	var cards []string
	for range faults {
		if len(cards) == 0 {
			cards = slices.Clone(deck[:])
			r.random.Shuffle(len(cards), func(i, j int) { cards[i], cards[j] = cards[j], cards[i] })
		}
		card := cards[0]
		cards = cards[1:]
		wait(between)
		switch card {
		case "client killed":
			tell(kill)
			continue // play counts
		case "client usurped":
			tell(usurp)
			continue
		}
		if r.b == nil {
			continue
		}
		r.count(card)
		if r.random.IntN(2) == 0 {
			// Moments are arbitrary too when a transaction is being ended, but they are rare.
			select {
			case <-r.ending:
				wait(3 * time.Millisecond)
			case <-time.After(time.Second):
			}
		}
		if card == "broker killed" {
			if err := r.b.Kill(); err != nil {
				r.t.Fatal(err)
			}
			if r.random.IntN(3) == 0 {
				wait(time.Second)
			}
			r.b = start(r.t, r.o)
			continue
		}
		if err := r.b.Pause(); err != nil {
			r.t.Fatal(err)
		}
		if !short && r.random.IntN(4) == 0 {
			wait(2 * txnTimeout) // transactions and members time out meanwhile
		} else {
			wait(time.Second)
		}
		if err := r.b.Resume(); err != nil {
			r.t.Fatal(err)
		}
	}
	for range len(actors) / 2 {
		tell(kill)
	}
}

// settle waits until every transaction has ended and every group and reader has come to the end, and returns what is there
// then. Where that does not happen, the history shows it.
func (r *txnRound) settle(ctx context.Context, readers []string) (*txncheck.History, error) {
	h := &txncheck.History{Groups: make(map[string]map[txncheck.TP]int64)}
	// await tries until nothing is left, or for too long; only the last error counts.
	await := func(left func() (bool, error)) error {
		deadline := time.Now().Add(settling)
		for {
			more, err := left()
			if err == nil && !more || time.Now().After(deadline) {
				return err
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	ended := func() (open bool, err error) {
		h.Ends, err = r.ends(ctx)
		for _, e := range h.Ends {
			open = open || e.LastStable != e.HighWatermark
		}
		return open, err
	}
	healed := time.Now()
	if err := await(ended); err != nil {
		return nil, err
	}
	r.slowest = max(r.slowest, time.Since(healed))
	inputs, err := r.visible(ctx)
	if err != nil {
		return nil, err
	}

	var members []*actor
	for i, group := range r.groups {
		members = append(members, r.actor(fmt.Sprintf("group-%d-0", i), group, consumeProcessProduce))
	}
	stop := r.play(ctx, members)
	defer stop()
	for _, group := range r.groups {
		err := await(func() (left bool, err error) {
			h.Groups[group], err = r.committed(ctx, group)
			for tp, offset := range h.Groups[group] {
				if list := inputs[tp]; len(list) > 0 {
					left = left || offset <= list[len(list)-1].Offset
				}
			}
			return left, err
		})
		if err != nil {
			return nil, err
		}
	}
	stop()
	if err := await(ended); err != nil {
		return nil, err
	}
	if h.Visible, err = r.visible(ctx); err != nil {
		return nil, err
	}
	if h.Log, err = r.log(ctx); err != nil {
		return nil, err
	}
	for _, group := range r.groups {
		if h.Groups[group], err = r.committed(ctx, group); err != nil {
			return nil, err
		}
	}
	err = await(func() (left bool, _ error) {
		for tp, list := range h.Visible {
			for _, name := range readers {
				left = left || r.history.last(name, tp) < list[len(list)-1].Offset
			}
		}
		return left, nil
	})
	return h, err
}

func (r *txnRound) createTopics(ctx context.Context) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	for _, name := range []string{r.source, r.derived} {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, txnPartitions, 1
		req.Topics = append(req.Topics, topic)
	}
	resp, err := req.RequestWith(ctx, r.cl)
	if err != nil {
		return err
	}
	for _, topic := range resp.Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return err
		}
	}
	return nil
}

func (r *txnRound) deleteTopics(ctx context.Context) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	for _, name := range []string{r.source, r.derived} {
		topic := kmsg.NewDeleteTopicsRequestTopic()
		topic.Topic = &name
		req.Topics, req.TopicNames = append(req.Topics, topic), append(req.TopicNames, name)
	}
	resp, err := req.RequestWith(ctx, r.cl)
	if err != nil {
		return err
	}
	for _, topic := range resp.Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return err
		}
	}
	return nil
}
