package group

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
)

// TestTransactionsModel lets seeded random requests loose on a Coordinator, several at a time, over a store that fails
// now and then, with restarts in between. What can be read then is compared with logModel.
func TestTransactionsModel(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { newModelRun(t, seed).run(150) })
	}
}

// logModel is what Kafka does with __consumer_offsets: commits have a position in the log, and a marker takes over what
// is pending unless what is there was written later.
type logModel struct {
	end       int64
	committed map[modelKey]modelOffset
	pending   map[int64]map[modelKey]modelOffset // by producer
}

type modelKey struct {
	group string
	TopicPartition
}

type modelOffset struct{ value, position int64 }

func (m *logModel) commit(k modelKey, value int64) {
	m.end++
	m.committed[k] = modelOffset{value, m.end}
}

func (m *logModel) commitTxn(producer int64, k modelKey, value int64) {
	m.end++
	if m.pending[producer] == nil {
		m.pending[producer] = make(map[modelKey]modelOffset)
	}
	m.pending[producer][k] = modelOffset{value, m.end}
}

func (m *logModel) marker(producer int64, commit bool) {
	for k, o := range m.pending[producer] {
		if commit && o.position > m.committed[k].position {
			m.committed[k] = o
		}
	}
	delete(m.pending, producer)
}

func (m *logModel) tombstone(which func(modelKey) bool) {
	del := func(all map[modelKey]modelOffset) {
		maps.DeleteFunc(all, func(k modelKey, _ modelOffset) bool { return which(k) })
	}
	del(m.committed)
	for _, all := range m.pending {
		del(all)
	}
}

func (m *logModel) stable(k modelKey) bool {
	for _, all := range m.pending {
		if _, ok := all[k]; ok {
			return false
		}
	}
	return true
}

type modelRun struct {
	t     *testing.T
	rand  *rand.Rand
	model logModel
	gate  gate
	store *controller.MemStore
	clock *clock
	c     *Coordinator
	// guards that a marker has not made void, by producer; those of which it is not known are not in it
	guards map[int64][]TxnGuard
	void   map[int64][]TxnGuard
	value  int64
}

const modelProducers = 4

var (
	modelGroups     = []string{"a", "b", "c"}
	modelPartitions = []TopicPartition{{"t", 0}, {"t", 1}, {"t", 63}, {"t", 64}, {"u", 0}}
)

func newModelRun(t *testing.T, seed uint64) *modelRun {
	r := &modelRun{t: t, rand: rand.New(rand.NewPCG(seed, 0)), clock: newClock(),
		model:  logModel{committed: make(map[modelKey]modelOffset), pending: make(map[int64]map[modelKey]modelOffset)},
		guards: make(map[int64][]TxnGuard), void: make(map[int64][]TxnGuard)}
	r.store = controller.NewFaultyMemStore(controller.Faults{BeforeTxn: r.gate.before, AfterTxn: r.gate.after})
	r.c = open(t, r.store, r.clock, nil)
	return r
}

// request is one that was sent: done waits for its answer and brings the model up to date.
type request struct {
	name string
	wait func() error
	done func()
}

func (r *modelRun) run(rounds int) {
	for range rounds {
		switch r.rand.IntN(20) {
		case 0:
			old := r.c
			r.c = open(r.t, r.store, r.clock, nil)
			old.Close()
			clear(r.guards)
			clear(r.void)
		case 1:
			r.gate.fail(1, 0)
		case 2:
			// It takes place, and is told to have failed: only one request, of which that is known.
			r.gate.fail(0, 1)
			r.finish(true, r.send())
		}
		var sent []request
		for range 1 + r.rand.IntN(6) {
			sent = append(sent, r.send())
		}
		r.finish(false, sent...)
		r.compare()
	}
	r.gate.fail(0, 0)
	for id := range int64(modelProducers) {
		r.finish(false, r.end(id, true))
	}
	r.compare()
	kvs, _, err := r.store.Range(r.t.Context(), groupsPrefix)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, kv := range kvs {
		if _, rest, _ := parseKey(kv.Key); rest[:2] == pendingName {
			r.t.Errorf("left in the store: %s", kv.Key)
		}
	}
}

// finish waits for the answers. A request that failed has not taken place, unless all have.
func (r *modelRun) finish(all bool, sent ...request) {
	for _, q := range sent {
		switch err := q.wait(); {
		case err == nil, all:
			q.done()
		case errors.Is(err, kerr.CoordinatorNotAvailable), errors.Is(err, kerr.GroupIDNotFound):
		default:
			r.t.Errorf("%s: %v", q.name, err)
		}
	}
	r.gate.fail(0, 0)
	(&txnPlay{t: r.t, c: r.c}).settle()
}

func (r *modelRun) send() request {
	group := modelGroups[r.rand.IntN(len(modelGroups))]
	producer := r.rand.Int64N(modelProducers)
	var offsets []OffsetToCommit
	var keys []modelKey
	for _, tp := range modelPartitions {
		if r.rand.IntN(3) == 0 {
			r.value++
			offsets = append(offsets, OffsetToCommit{tp.Topic, tp.Partition, r.value, -1, ""})
			keys = append(keys, modelKey{group, tp})
		}
	}
	if len(keys) == 0 {
		return r.end(producer, r.rand.IntN(2) == 0)
	}
	commit := CommitRequest{Group: group, Generation: -1, Offsets: offsets}
	switch r.rand.IntN(12) {
	case 0, 1, 2:
		ch := r.c.Commit(commit)
		return request{"commit", func() error { return (<-ch).Errs[0] }, func() {
			for i, k := range keys {
				r.model.commit(k, offsets[i].Offset)
			}
		}}
	case 3, 4, 5, 6:
		begin := <-r.c.BeginTxnCommit(group, producer, 0)
		if begin.Err != nil {
			return request{"begin", func() error { return begin.Err }, func() {}}
		}
		guard := begin.Guard
		r.guards[producer] = append(r.guards[producer], guard)
		if known := r.guards[producer]; r.rand.IntN(2) == 0 {
			guard = known[r.rand.IntN(len(known))]
		}
		ch := r.c.CommitTxn(TxnCommitRequest{commit, producer, 0, guard})
		return request{"txn", func() error { return (<-ch).Errs[0] }, func() {
			for i, k := range keys {
				r.model.commitTxn(producer, k, offsets[i].Offset)
			}
		}}
	case 7:
		if void := r.void[producer]; len(void) > 0 {
			ch := r.c.CommitTxn(TxnCommitRequest{commit, producer, 0, void[r.rand.IntN(len(void))]})
			return request{"late", func() error {
				err := (<-ch).Errs[0]
				if errors.Is(err, kerr.InvalidTxnState) {
					return nil
				} else if err == nil {
					r.t.Error("a late commit was accepted")
				}
				return err
			}, func() {}}
		}
		return r.end(producer, true)
	case 8:
		r2 := DeleteOffsetsRequest{Group: group}
		for _, k := range keys {
			r2.Partitions = append(r2.Partitions, k.TopicPartition)
		}
		ch := r.c.DeleteOffsets(r2)
		return request{"delete offsets", func() error { return (<-ch).Err }, func() {
			r.model.tombstone(func(k modelKey) bool { return slices.Contains(keys, k) })
		}}
	case 9:
		if r.rand.IntN(2) == 0 {
			r.c.TopicsDeleted([]string{"u"}) // not even a store that fails prevents it
			return request{"topics deleted", func() error { return nil }, func() {
				r.model.tombstone(func(k modelKey) bool { return k.Topic == "u" })
			}}
		}
		ch := r.c.Delete([]string{group})
		return request{"delete", func() error { return (<-ch)[group] }, func() {
			r.model.tombstone(func(k modelKey) bool { return k.group == group })
		}}
	default:
		return r.end(producer, r.rand.IntN(3) > 0)
	}
}

func (r *modelRun) end(producer int64, commit bool) request {
	ch := r.c.EndTxn(EndTxnRequest{ProducerID: producer, Commit: commit})
	guards := r.guards[producer]
	delete(r.guards, producer)
	return request{"marker", func() error { return <-ch }, func() {
		r.model.marker(producer, commit)
		r.void[producer] = guards
	}}
}

func (r *modelRun) compare() {
	r.t.Helper()
	topics := make(map[string][]int32)
	for _, tp := range modelPartitions {
		topics[tp.Topic] = append(topics[tp.Topic], tp.Partition)
	}
	for _, group := range modelGroups {
		for _, stable := range []bool{false, true} {
			f := r.c.FetchOffsets(FetchRequest{Group: group, Topics: topics, RequireStable: stable})
			if f.Err != nil {
				r.t.Fatal(f.Err)
			}
			for _, o := range f.Offsets {
				k := modelKey{group, TopicPartition{o.Topic, o.Partition}}
				want := int64(-1)
				if c, ok := r.model.committed[k]; ok {
					want = c.value
				}
				if stable && !r.model.stable(k) {
					if !errors.Is(o.Err, kerr.UnstableOffsetCommit) {
						r.t.Fatalf("%v: %+v, want it unstable", k, o)
					}
				} else if o.Err != nil || o.Offset != want {
					r.t.Fatalf("%v: %+v, want %d", k, o, want)
				}
			}
		}
	}
}
