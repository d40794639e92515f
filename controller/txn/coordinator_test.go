package txn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
	"blumfeld/controller/shard"
)

// These tests run the Coordinator with its goroutines, on a store in memory, in the time of a synctest bubble.

// leaders are a MarkerWriter of leaders that say what a test wants.
type leaders struct {
	say func(m Markers, tp TopicPartition) error // nil: they take everything

	mu   sync.Mutex
	took []Markers
	hold []func() // done, not called
	held bool
}

func (l *leaders) WriteMarkers(_ context.Context, m Markers, done func([]error)) {
	errs := make([]error, len(m.Partitions))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took = append(l.took, m)
	for i, tp := range m.Partitions {
		if l.say != nil {
			errs[i] = l.say(m, tp)
		}
	}
	if l.held {
		l.hold = append(l.hold, func() { done(errs) })
		return
	}
	done(errs)
}

func (l *leaders) markers() []Markers {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.took)
}

// open starts a Coordinator that ends with the test.
func open(tb testing.TB, store controller.Store, markers MarkerWriter) *Coordinator {
	tb.Helper()
	var last atomic.Int64
	last.Store(999)
	c := New(Options{Store: store, Config: DefaultConfig(), Markers: markers,
		NextProducerID: func(context.Context) (int64, error) { return last.Add(1), nil }})
	if err := c.Start(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func initialize(tb testing.TB, c *Coordinator, id string) (producerID int64, epoch int16) {
	tb.Helper()
	r := <-c.InitProducerID(InitProducerIDRequest{5, id, 60_000, -1, -1})
	if r.Err != nil {
		tb.Fatal(r.Err)
	}
	return r.ProducerID, r.Epoch
}

// add comes again while the transaction before is being completed.
func add(tb testing.TB, c *Coordinator, id string, producerID int64, epoch int16, partitions ...TopicPartition) {
	tb.Helper()
	for {
		err := <-c.AddPartitions(AddPartitionsRequest{5, id, producerID, epoch, partitions})
		if err == nil {
			return
		}
		if !errors.Is(err, kerr.ConcurrentTransactions) {
			tb.Fatal(err)
		}
	}
}

func end(tb testing.TB, c *Coordinator, id string, producerID int64, epoch int16, commit bool) int16 {
	tb.Helper()
	r := <-c.EndTxn(EndTxnRequest{5, id, producerID, epoch, commit})
	if r.Err != nil {
		tb.Fatal(r.Err)
	}
	return r.Epoch
}

func wantState(tb testing.TB, c *Coordinator, id string, want State) {
	tb.Helper()
	if d := <-c.Describe(id); d.Err != nil || d.State != want {
		tb.Fatalf("%s is %v (%v), want %v", id, d.State, d.Err, want)
	}
}

var t0, t1 = TopicPartition{"t", 0}, TopicPartition{"t", 1}

// TestFailedMarker: a leader that does not take its marker gets it again until it does, and no other gets it twice.
func TestFailedMarker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tries int
		l := &leaders{say: func(_ Markers, tp TopicPartition) error {
			if tp != t1 {
				return nil
			}
			if tries++; tries < 5 {
				return kerr.NotLeaderForPartition
			}
			return nil
		}}
		c := open(t, controller.NewMemStore(), l)
		pid, epoch := initialize(t, c, "id")
		add(t, c, "id", pid, epoch, t0, t1)
		end(t, c, "id", pid, epoch, true)
		wantState(t, c, "id", PrepareCommit)
		if d := <-c.Describe("id"); !slices.Equal(d.Partitions, []TopicPartition{t1}) {
			t.Errorf("still open: %v", d.Partitions)
		}
		if err := <-c.AddPartitions(AddPartitionsRequest{5, "id", pid, epoch + 1, []TopicPartition{t0}}); !errors.Is(err, kerr.ConcurrentTransactions) {
			t.Errorf("the next transaction begins: %v", err)
		}
		time.Sleep(time.Second)
		wantState(t, c, "id", CompleteCommit)
		for i, m := range l.markers() {
			if want := 1; i > 0 && len(m.Partitions) != want || m.Epoch != epoch+1 || !m.Commit {
				t.Errorf("attempt %d: %+v", i, m)
			}
		}
		if tries != 5 {
			t.Errorf("%d attempts", tries)
		}
	})
}

// TestCrashBetweenPrepareAndComplete: who finds the decision in the store carries it out, and until then nobody else may
// use the id. The coordinator that died wrote nothing of the completion.
func TestCrashBetweenPrepareAndComplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := controller.NewMemStore()
		first := &leaders{held: true}
		c := open(t, store, first)
		pid, epoch := initialize(t, c, "id")
		add(t, c, "id", pid, epoch, t0, t1)
		end(t, c, "id", pid, epoch, true)
		c.Close()
		second := &leaders{held: true}
		d := open(t, store, second)
		wantState(t, d, "id", PrepareCommit)
		if r := <-d.InitProducerID(InitProducerIDRequest{5, "id", 60_000, -1, -1}); !errors.Is(r.Err, kerr.ConcurrentTransactions) {
			t.Errorf("InitProducerId: %v", r.Err)
		}
		before, after := first.markers()[0], second.markers()[0]
		if after.CoordinatorEpoch <= before.CoordinatorEpoch {
			t.Errorf("coordinator epochs %d, then %d", before.CoordinatorEpoch, after.CoordinatorEpoch)
		}
		if after.Epoch != epoch+1 || !after.Commit || !slices.Equal(after.Partitions, []TopicPartition{t0, t1}) {
			t.Errorf("markers %+v", after)
		}
		second.hold[0]()
		synctest.Wait()
		wantState(t, d, "id", CompleteCommit)
	})
}

// TestTimeoutDuringCrash: the time of an open transaction ends while there is no coordinator.
func TestTimeoutDuringCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := controller.NewMemStore()
		c := open(t, store, &leaders{})
		pid, epoch := initialize(t, c, "id")
		add(t, c, "id", pid, epoch, t0)
		c.Close()
		time.Sleep(2 * time.Minute)
		l := &leaders{}
		d := open(t, store, l)
		time.Sleep(20 * time.Second)
		wantState(t, d, "id", CompleteAbort)
		if m := l.markers(); len(m) != 1 || m[0].Commit || m[0].Epoch != epoch+1 {
			t.Errorf("markers %+v", m)
		}
		if r := <-d.EndTxn(EndTxnRequest{4, "id", pid, epoch, true}); !errors.Is(r.Err, kerr.ProducerFenced) {
			t.Errorf("a late commit: %v", r.Err)
		}
	})
}

// TestTimeout: nobody ends it, so the coordinator does, within the interval; an id that is not used is forgotten.
func TestTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := controller.NewMemStore()
		c := open(t, store, &leaders{})
		pid, epoch := initialize(t, c, "id")
		add(t, c, "id", pid, epoch, t0)
		time.Sleep(59 * time.Second)
		wantState(t, c, "id", Ongoing)
		time.Sleep(12 * time.Second)
		wantState(t, c, "id", CompleteAbort)
		time.Sleep(169 * time.Hour)
		if d := <-c.Describe("id"); !errors.Is(d.Err, kerr.TransactionalIDNotFound) {
			t.Errorf("after its expiration: %+v", d)
		}
		if kvs, _, _ := store.Range(t.Context(), idsPrefix); len(kvs) != 0 {
			t.Errorf("the store holds %v", kvs)
		}
	})
}

// TestCost is what the package doc promises: two transactions of the store for each, and many producers share them.
func TestCost(t *testing.T) {
	var txns atomic.Int64
	store := controller.NewFaultyMemStore(controller.Faults{AfterTxn: func(context.Context, []controller.Cond, []controller.Op) error {
		txns.Add(1)
		return nil
	}})
	c := open(t, store, &leaders{})
	pid, epoch := initialize(t, c, "id")
	const n = 50
	before := txns.Load()
	for range n {
		add(t, c, "id", pid, epoch, t0, t1)
		epoch = end(t, c, "id", pid, epoch, true)
	}
	if got := txns.Load() - before; got != 2*n {
		t.Errorf("%d transactions of the store for %d, want %d", got, n, 2*n)
	}
	// The last completion is stored although nothing else is.
	for {
		kvs, _, _ := store.Range(t.Context(), idKey("id"))
		if d, err := decodeMetadata(kvs[0].Value); err != nil || d.state == CompleteCommit {
			break
		}
		wantState(t, c, "id", CompleteCommit)
	}
}

// TestReplaced: another Coordinator takes over; the first grants nothing more, and is told by the store.
func TestReplaced(t *testing.T) {
	store := controller.NewMemStore()
	c := open(t, store, &leaders{held: true})
	pid, epoch := initialize(t, c, "id")
	add(t, c, "id", pid, epoch, t0)
	d := open(t, store, &leaders{})
	end(t, d, "id", pid, epoch, true)
	// It has the partition in memory, but what it knows is old.
	if err := <-c.AddPartitions(AddPartitionsRequest{5, "id", pid, epoch, []TopicPartition{t0}}); !errors.Is(err, kerr.CoordinatorNotAvailable) {
		t.Errorf("a grant of one that was replaced: %v", err)
	}
	for {
		err := <-c.AddPartitions(AddPartitionsRequest{5, "id", pid, epoch, []TopicPartition{t0}})
		if errors.Is(err, kerr.NotCoordinator) {
			break
		}
		if !errors.Is(err, kerr.CoordinatorLoadInProgress) {
			t.Fatalf("one that was replaced: %v", err)
		}
	}
	wantState(t, d, "id", CompleteCommit)
}

// TestStoreFails: the outcome of a write is not known; it is read again, and nothing that was decided is lost.
func TestStoreFails(t *testing.T) {
	for _, applied := range []bool{true, false} {
		t.Run(fmt.Sprintf("applied=%v", applied), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var fail atomic.Bool
				fault := func(_ context.Context, _ []controller.Cond, ops []controller.Op) error {
					if len(ops) > 0 && strings.HasPrefix(ops[0].Key, idsPrefix) && fail.CompareAndSwap(true, false) {
						return errors.New("the store failed")
					}
					return nil
				}
				f := controller.Faults{BeforeTxn: fault}
				if applied {
					f = controller.Faults{AfterTxn: fault}
				}
				l := &leaders{}
				c := open(t, controller.NewFaultyMemStore(f), l)
				pid, epoch := initialize(t, c, "id")
				add(t, c, "id", pid, epoch, t0)
				fail.Store(true)
				if r := <-c.EndTxn(EndTxnRequest{5, "id", pid, epoch, true}); !errors.Is(r.Err, kerr.CoordinatorNotAvailable) {
					t.Fatalf("EndTxn while the store fails: %v", r.Err)
				}
				synctest.Wait()
				want := Ongoing
				if applied {
					want = CompleteCommit
				}
				wantState(t, c, "id", want)
				if got := end(t, c, "id", pid, epoch, true); got != epoch+1 {
					t.Errorf("the retry is given epoch %d", got)
				}
				synctest.Wait()
				wantState(t, c, "id", CompleteCommit)
			})
		})
	}
}

// TestDoubt: a marker that may still be on its way is overtaken by one of a higher coordinator epoch.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n int
		l := &leaders{say: func(Markers, TopicPartition) error {
			if n++; n == 1 {
				return kerr.RequestTimedOut
			}
			return nil
		}}
		c := open(t, controller.NewMemStore(), l)
		pid, epoch := initialize(t, c, "id")
		add(t, c, "id", pid, epoch, t0)
		end(t, c, "id", pid, epoch, false)
		time.Sleep(time.Second)
		wantState(t, c, "id", CompleteAbort)
		if m := l.markers(); len(m) != 2 || m[1].CoordinatorEpoch <= m[0].CoordinatorEpoch {
			t.Errorf("markers %+v", m)
		}
	})
}

func TestProducerIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		var last atomic.Int64
		c := New(Options{Store: controller.NewMemStore(), Config: DefaultConfig(), Markers: &leaders{},
			NextProducerID: func(context.Context) (int64, error) {
				if broken.Load() {
					return 0, errors.New("no ids")
				}
				return last.Add(1), nil
			}})
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if r := <-c.InitProducerID(InitProducerIDRequest{5, "id", 60_000, -1, -1}); !errors.Is(r.Err, kerr.CoordinatorLoadInProgress) {
			t.Errorf("without producer ids: %v", r.Err)
		}
		broken.Store(false)
		seen := make(map[int64]bool)
		var answers []<-chan InitProducerIDResponse
		for i := range 50 {
			answers = append(answers, c.InitProducerID(InitProducerIDRequest{5, fmt.Sprint("id", i), 60_000, -1, -1}))
		}
		for _, a := range answers {
			r := <-a
			if r.Err != nil || seen[r.ProducerID] {
				t.Errorf("%+v", r)
			}
			seen[r.ProducerID] = true
		}
	})
}

func TestRefused(t *testing.T) {
	c := open(t, controller.NewMemStore(), &leaders{})
	for _, r := range []struct {
		req  InitProducerIDRequest
		want error
	}{
		{InitProducerIDRequest{5, "", 60_000, -1, -1}, kerr.InvalidRequest},
		{InitProducerIDRequest{5, "id", 60_000, 1, -1}, kerr.InvalidRequest},
		{InitProducerIDRequest{5, "id", 60_000, -1, 1}, kerr.InvalidRequest},
		{InitProducerIDRequest{5, "id", 0, -1, -1}, kerr.InvalidTransactionTimeout},
		{InitProducerIDRequest{5, "id", -1, -1, -1}, kerr.InvalidTransactionTimeout},
		{InitProducerIDRequest{5, "id", 900_001, -1, -1}, kerr.InvalidTransactionTimeout},
	} {
		if got := <-c.InitProducerID(r.req); !errors.Is(got.Err, r.want) || got.ProducerID != -1 || got.Epoch != -1 {
			t.Errorf("%+v: %+v", r.req, got)
		}
	}
	if err := <-c.AddOffsets(AddOffsetsRequest{4, "", 1, 0, t0}); !errors.Is(err, kerr.InvalidRequest) {
		t.Errorf("AddOffsets without an id: %v", err)
	}
	if err := <-c.AddOffsets(AddOffsetsRequest{4, "id", 1, 0, t0}); !errors.Is(err, kerr.InvalidProducerIDMapping) {
		t.Errorf("AddOffsets of an unknown id: %v", err)
	}
	if r := <-c.VerifyPartitions(AddPartitionsRequest{5, "id", 1, 0, []TopicPartition{t0}}); !errors.Is(r.Err, kerr.InvalidProducerIDMapping) {
		t.Errorf("verification of an unknown id: %v", r.Err)
	}
	if d := <-c.Describe(""); !errors.Is(d.Err, kerr.InvalidRequest) {
		t.Errorf("Describe without an id: %v", d.Err)
	}
	if l := <-c.List(ListRequest{Pattern: "("}); !errors.Is(l.Err, kerr.InvalidRegularExpression) {
		t.Errorf("a pattern that is none: %v", l.Err)
	}
	// A transaction over more partitions than a record holds loses only the last ones.
	pid, epoch := initialize(t, c, "id")
	var many []TopicPartition
	for i := range int32(maxPartitionBytes / 5) {
		many = append(many, TopicPartition{"topic", i})
	}
	if err := <-c.AddPartitions(AddPartitionsRequest{5, "id", pid, epoch, many}); !errors.Is(err, kerr.UnknownServerError) {
		t.Errorf("too many partitions: %v", err)
	}
	many = many[:len(many)-10]
	long := strings.Repeat("x", 1<<15-1)
	pid, epoch = initialize(t, c, long)
	add(t, c, long, pid, epoch, many...)
	end(t, c, long, pid, epoch, true)
	c.Close()
	if err := <-c.AddPartitions(AddPartitionsRequest{5, "id", pid, epoch, many}); !errors.Is(err, kerr.NotCoordinator) {
		t.Errorf("after Close: %v", err)
	}
}

func TestViews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t, controller.NewMemStore(), &leaders{held: true})
		pids := make(map[string]int64)
		for _, id := range []string{"open-a", "open-b", "decided", "empty"} {
			pid, epoch := initialize(t, c, id)
			pids[id] = pid
			if id == "empty" {
				continue
			}
			add(t, c, id, pid, epoch, t1, t0)
			if id == "decided" {
				end(t, c, id, pid, epoch, false)
			}
			time.Sleep(time.Second)
		}
		for _, r := range []struct {
			req     ListRequest
			want    string
			unknown string
		}{
			{ListRequest{DurationMs: -1}, "decided empty open-a open-b", ""},
			{ListRequest{DurationMs: -1, States: []string{"Ongoing", "Nonsense"}}, "open-a open-b", "Nonsense"},
			{ListRequest{DurationMs: -1, States: []string{"Nonsense"}}, "", "Nonsense"},
			{ListRequest{DurationMs: -1, ProducerIDs: []int64{pids["decided"], pids["empty"]}}, "decided empty", ""},
			{ListRequest{DurationMs: 1500, States: []string{"Ongoing", "PrepareAbort"}}, "open-a open-b", ""},
			{ListRequest{DurationMs: 1500}, "empty open-a open-b", ""}, // what has no start is as old as can be
			{ListRequest{DurationMs: -1, Pattern: "open"}, "", ""},
			{ListRequest{DurationMs: -1, Pattern: "open-.|empty"}, "empty open-a open-b", ""},
		} {
			got := <-c.List(r.req)
			var ids []string
			for _, l := range got.Transactions {
				ids = append(ids, l.TransactionalID)
				if l.ProducerID != pids[l.TransactionalID] {
					t.Errorf("%s has producer id %d", l.TransactionalID, l.ProducerID)
				}
			}
			if strings.Join(ids, " ") != r.want || strings.Join(got.UnknownStates, " ") != r.unknown {
				t.Errorf("%+v lists %v, unknown %v", r.req, ids, got.UnknownStates)
			}
		}
		d := <-c.Describe("open-a")
		if d.State != Ongoing || d.TimeoutMs != 60_000 || d.ProducerID != pids["open-a"] || d.StartMs != time.Now().Add(-3*time.Second).UnixMilli() ||
			!slices.Equal(d.Partitions, []TopicPartition{t0, t1}) {
			t.Errorf("%+v", d)
		}
		if d := <-c.Describe("empty"); d.State != Empty || d.StartMs != -1 {
			t.Errorf("%+v", d)
		}
	})
}

// TestDamaged: a record that cannot be read must not be passed over.
func TestDamaged(t *testing.T) {
	for key, want := range map[string]error{idKey("id"): errMalformed, ownerKey(0): shard.ErrDamaged} {
		store := controller.NewMemStore()
		if _, _, err := store.Txn(t.Context(), nil, []controller.Op{controller.Put(key, []byte{9})}); err != nil {
			t.Fatal(err)
		}
		c := New(Options{Store: store, Config: DefaultConfig(), Markers: &leaders{}})
		if err := c.Start(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: %v", key, err)
		}
		if r := <-c.EndTxn(EndTxnRequest{5, "id", 1, 0, true}); !errors.Is(r.Err, kerr.CoordinatorLoadInProgress) {
			t.Errorf("%s: %v", key, r.Err)
		}
		c.Close()
	}
}

// TestClose: whoever waits is told, whatever it waits for.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		block := make(chan struct{})
		var stuck atomic.Bool
		store := controller.NewFaultyMemStore(controller.Faults{BeforeTxn: func(ctx context.Context, _ []controller.Cond, _ []controller.Op) error {
			if stuck.Load() {
				close(block)
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}})
		c := open(t, store, &leaders{})
		pid, epoch := initialize(t, c, "id")
		stuck.Store(true)
		first := c.AddPartitions(AddPartitionsRequest{5, "id", pid, epoch, []TopicPartition{t0}})
		<-block
		verified := c.VerifyPartitions(AddPartitionsRequest{5, "id", pid, epoch, []TopicPartition{t0}})
		second := c.InitProducerID(InitProducerIDRequest{5, "other", 60_000, -1, -1})
		synctest.Wait()
		c.Close()
		if err := <-first; !errors.Is(err, kerr.NotCoordinator) {
			t.Errorf("on its way to the store: %v", err)
		}
		if r := <-verified; !errors.Is(r.Err, kerr.NotCoordinator) {
			t.Errorf("to be confirmed: %v", r.Err)
		}
		if r := <-second; !errors.Is(r.Err, kerr.NotCoordinator) {
			t.Errorf("queued: %v", r.Err)
		}
	})
}
