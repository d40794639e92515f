package controller

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
)

// MemStore is the Store of tests and simulations: all in memory, the same contract as etcd, and faults on demand.
//
// One mutex guards everything. A watch is a cursor into the history of transactions, which Compact shortens; the
// goroutine of each watch ends with its context or with Close, which waits for it.
type MemStore struct {
	faults Faults

	mu        sync.Mutex
	kvs       map[string]KV
	rev       int64
	compacted int64         // changes up to this revision are forgotten
	history   []memChange   // ascending revisions, all >= compacted
	changed   chan struct{} // closed and replaced at every change
	closed    bool
	done      chan struct{} // closed when closed is set
	watches   sync.WaitGroup
}

type memChange struct {
	rev    int64
	events []Event
}

// Faults are hooks into a MemStore. Each may block, to delay, and each may be nil. They are called without locks.
type Faults struct {
	// BeforeTxn: an error is returned to the caller, nothing is applied.
	BeforeTxn func(ctx context.Context, conds []Cond, ops []Op) error
	// AfterTxn: an error is returned to the caller although the transaction took place, if it did.
	AfterTxn func(ctx context.Context, conds []Cond, ops []Op) error
	// BeforeRange: an error is returned to the caller.
	BeforeRange func(ctx context.Context, prefix string) error
	// BeforeDeliver is called with each batch before a watch delivers it; an error closes that watch.
	BeforeDeliver func(ctx context.Context, batch []Event) error
}

// NewMemStore returns an empty store without faults.
func NewMemStore() *MemStore { return NewFaultyMemStore(Faults{}) }

// NewFaultyMemStore returns an empty store that calls f's hooks.
func NewFaultyMemStore(f Faults) *MemStore {
	// An empty etcd is at revision 1.
	return &MemStore{faults: f, kvs: make(map[string]KV), rev: 1, changed: make(chan struct{}), done: make(chan struct{})}
}

// Txn is Store's.
func (s *MemStore) Txn(ctx context.Context, conds []Cond, ops []Op) (int64, bool, error) {
	if err := CheckBounds(conds, ops); err != nil {
		return 0, false, err
	}
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	if f := s.faults.BeforeTxn; f != nil {
		if err := f(ctx, conds, ops); err != nil {
			return 0, false, err
		}
	}
	rev, ok, err := s.txn(conds, ops)
	if err != nil {
		return 0, false, err
	}
	if f := s.faults.AfterTxn; f != nil {
		if err := f(ctx, conds, ops); err != nil {
			return 0, false, err
		}
	}
	return rev, ok, nil
}

func (s *MemStore) txn(conds []Cond, ops []Op) (int64, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, false, ErrClosed
	}
	for _, c := range conds {
		if !s.holds(c) {
			return s.rev, false, nil
		}
	}
	rev := s.rev + 1
	var events []Event
	for _, o := range ops {
		switch o.Kind {
		case OpPut:
			kv := KV{Key: o.Key, Value: bytes.Clone(o.Value), ModRevision: rev}
			s.kvs[o.Key] = kv
			events = append(events, Event{KV: kv})
		case OpDelete:
			if _, ok := s.kvs[o.Key]; ok {
				delete(s.kvs, o.Key)
				events = append(events, Event{KV: KV{Key: o.Key, ModRevision: rev}, Deleted: true})
			}
		case OpDeletePrefix:
			for _, kv := range s.sorted(o.Key) {
				delete(s.kvs, kv.Key)
				events = append(events, Event{KV: KV{Key: kv.Key, ModRevision: rev}, Deleted: true})
			}
		}
	}
	if len(events) > 0 { // what changes nothing takes no revision, as in etcd
		s.rev = rev
		s.history = append(s.history, memChange{rev, events})
		s.wake()
	}
	return s.rev, true, nil
}

// wake tells all watches that something changed. mu is held.
func (s *MemStore) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *MemStore) holds(c Cond) bool {
	kv, ok := s.kvs[c.Key]
	switch c.Kind {
	case CondExists:
		return ok
	case CondValue:
		return ok && bytes.Equal(kv.Value, c.Value)
	default:
		return kv.ModRevision == c.Rev
	}
}

func (s *MemStore) sorted(prefix string) []KV {
	var kvs []KV
	for k, kv := range s.kvs {
		if strings.HasPrefix(k, prefix) {
			kvs = append(kvs, kv)
		}
	}
	slices.SortFunc(kvs, func(a, b KV) int { return strings.Compare(a.Key, b.Key) })
	return kvs
}

// Progress is Store's: an entry for each revision, and no elections.
func (s *MemStore) Progress() (term, committed int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return 1, s.rev
}

// Range is Store's.
func (s *MemStore) Range(ctx context.Context, prefix string) ([]KV, int64, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	if f := s.faults.BeforeRange; f != nil {
		if err := f(ctx, prefix); err != nil {
			return nil, 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, 0, ErrClosed
	}
	return s.sorted(prefix), s.rev, nil
}

// Watch is Store's.
func (s *MemStore) Watch(ctx context.Context, prefix string, from int64) <-chan []Event {
	ch := make(chan []Event)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(ch)
		return ch
	}
	s.watches.Go(func() {
		defer close(ch)
		for {
			batch, next, wait, ok := s.since(prefix, from)
			if !ok {
				return
			}
			from = next
			if len(batch) > 0 {
				if f := s.faults.BeforeDeliver; f != nil && f(ctx, batch) != nil {
					return
				}
				select {
				case ch <- batch:
					continue
				case <-ctx.Done():
					return
				case <-s.done:
					return
				}
			}
			select {
			case <-wait:
			case <-ctx.Done():
				return
			case <-s.done:
				return
			}
		}
	})
	return ch
}

// since returns the events with the prefix from revision from on, the revision to go on from, and a channel that is
// closed at the next change. ok is false if from was compacted or the store is closed.
func (s *MemStore) since(prefix string, from int64) (batch []Event, next int64, wait <-chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || from < s.compacted {
		return nil, 0, nil, false
	}
	i, _ := slices.BinarySearchFunc(s.history, from, func(c memChange, rev int64) int { return cmp.Compare(c.rev, rev) })
	for _, c := range s.history[i:] {
		for _, ev := range c.events {
			if strings.HasPrefix(ev.Key, prefix) {
				batch = append(batch, ev)
			}
		}
	}
	return batch, max(from, s.rev+1), s.changed, true
}

// Compact forgets the changes before rev: a watch from an earlier revision is closed.
func (s *MemStore) Compact(_ context.Context, rev int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	rev = min(rev, s.rev)
	if rev > s.compacted {
		s.compacted = rev
		i, _ := slices.BinarySearchFunc(s.history, rev, func(c memChange, rev int64) int { return cmp.Compare(c.rev, rev) })
		s.history = slices.Clone(s.history[i:])
		s.wake()
	}
	return nil
}

// Close is Store's.
func (s *MemStore) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
	s.mu.Unlock()
	s.watches.Wait()
	return nil
}
