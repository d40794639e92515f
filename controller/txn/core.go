package txn

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller/shard"
)

// lazyPause is how long a completed transaction may wait for a flight that carries its record along, in milliseconds.
const lazyPause = 1000

// txn is one transactional id of a shard.
type txn struct {
	*machine
	key    string
	change *persist // waits for a flight; nil: nothing does
	isLazy bool     // it is in the shard's list of lazy ones
	alarm  shard.Alarm[*txn]
}

// core owns the transactional ids of a shard. It never waits for the store: that is what flights are for, of which one is
// under way at a time. Whatever comes in meanwhile goes into the next.
type core struct {
	*shard.Loop[call, flight]
	opts  *Options
	owner *shard.Owner    // the writer's
	ctx   context.Context // ends with the Coordinator
	spawn func(func())    // runs a goroutine that the Coordinator waits for

	txns   map[string]*txn
	base   int64 // from which intervals are counted
	alarms shard.Alarms[*txn]
	queue  []*txn  // with a change that is waited for
	lazy   []*txn  // with a change that is not, or no more
	unsure []reply // to be confirmed
	lazyAt int64   // when a flight takes off for lazy alone; never: there is none
	flight *flight
	doubt  bool // the ownership key has to be moved
	failed bool // a write failed: everything is to be read again, and until then nothing is known
	lost   bool // another process owns the ids
	held   []heldMarkers
	epoch  int32 // of the coordinator
	now    int64

	stock    []int64 // producer ids to give out
	parked   []call  // that wait for one
	fetching bool
	dry      bool // the last fetch failed, or there was none
}

type heldMarkers struct {
	t    *txn
	send sendMarkers
}

func (s *core) config() *Config           { return &s.opts.Config }
func (s *core) transactionVersion() int16 { return s.opts.TransactionVersion() }

// Turn is [shard.Core]'s.
func (s *core) Turn(landed *flight, came []call) *flight {
	s.now = millis(s.opts.Now())
	if landed != nil {
		s.land(landed)
	}
	for _, c := range came {
		s.handle(c)
	}
	s.fire()
	s.refill()
	return s.takeOff()
}

func (s *core) handle(c call) {
	if s.lost {
		c.Fail(kerr.NotCoordinator)
		return
	}
	c.handle(s)
}

// End fails everything that waits.
func (s *core) End(came []call) {
	for _, c := range came {
		c.Fail(kerr.NotCoordinator)
	}
	if s.flight != nil {
		failAll(s.flight.replies, kerr.NotCoordinator)
	}
	s.drop(kerr.NotCoordinator)
	s.failParked(kerr.NotCoordinator)
}

// drop forgets all ids, and answers who waits for the store.
func (s *core) drop(err error) {
	for _, t := range s.txns {
		if t.busy() {
			fail(t.owed, err)
		}
	}
	failAll(s.unsure, err)
	s.unsure = nil
	s.txns, s.queue, s.lazy, s.held, s.lazyAt = nil, nil, nil, nil, never
	s.alarms = shard.Alarms[*txn]{}
}

// Wait is [shard.Core]'s.
func (s *core) Wait() time.Duration {
	at := s.lazyAt
	if s.flight != nil {
		at = never // landing comes first
	}
	if next, ok := s.alarms.Next(); ok {
		at = min(at, millis(next))
	}
	const long = int64(time.Hour / time.Millisecond)
	return time.Duration(min(max(at-millis(s.opts.Now()), 0), long)) * time.Millisecond
}

// fire wakes the ids whose time has come.
func (s *core) fire() {
	now := time.UnixMilli(s.now)
	for t, ok := s.alarms.Due(now); ok; t, ok = s.alarms.Due(now) {
		s.tick(t)
	}
}

func (s *core) tick(t *txn) {
	if !s.step(t, tickEvent{}) {
		s.park(&tickCall{s, t})
	}
}

// schedule wakes the id when its machine wants. It does with every transaction, and the alarm need not move.
func (s *core) schedule(t *txn) {
	at, interval := t.wake()
	if at == never {
		return
	}
	if interval > 0 {
		steps := max(at-s.base+interval-1, 0) / interval
		at = s.base + steps*interval
	}
	s.wakeAt(t, at)
}

func (s *core) wakeAt(t *txn, at int64) { s.alarms.Set(&t.alarm, t, time.UnixMilli(at)) }

// lookup returns nil if the id is not known.
func (s *core) lookup(id string) (*txn, error) {
	if s.unknown() {
		return nil, kerr.CoordinatorLoadInProgress
	}
	return s.txns[id], nil
}

// unknown: the store is being read.
func (s *core) unknown() bool { return s.failed || s.flight != nil && s.flight.reload }

// step returns false if the machine needs a producer id first.
func (s *core) step(t *txn, ev event) bool {
	for _, e := range t.step(ev, s.now) {
		if _, ok := e.(needProducerID); ok {
			return false
		}
		s.apply(t, e)
	}
	s.schedule(t)
	return true
}

func (s *core) apply(t *txn, e effect) {
	switch e := e.(type) {
	case persist:
		t.change = &e
		switch {
		case !e.lazy:
			s.queue = append(s.queue, t)
		case !t.isLazy:
			t.isLazy = true
			s.lazy = append(s.lazy, t)
			s.lazyAt = min(s.lazyAt, s.now+lazyPause)
		}
	case reply:
		answer(e)
	case confirm:
		s.unsure = append(s.unsure, e.reply)
	case sendMarkers:
		s.held = append(s.held, heldMarkers{t, e})
		s.sendHeld()
	case doubted:
		s.doubt = true
	case removed:
		s.alarms.Clear(&t.alarm)
		delete(s.txns, t.id)
	}
}

// sendHeld sends markers unless the coordinator epoch is about to change.
func (s *core) sendHeld() {
	if s.doubt || s.flight != nil && s.flight.retake {
		return
	}
	held := s.held
	s.held = nil
	for _, h := range held {
		m := h.send.markers
		m.CoordinatorEpoch = s.epoch
		s.opts.Markers.WriteMarkers(s.ctx, m, func(errs []error) {
			s.Send(&markersCall{h.t, h.send.attempt, errs})
		})
	}
}

// takeOff returns what waits to be written, unless something is being written already.
func (s *core) takeOff() *flight {
	if s.flight != nil || s.lost {
		return nil
	}
	f := &flight{}
	switch {
	case s.failed:
		f.reload, s.failed, s.doubt = true, false, false
	case s.doubt:
		f.retake, s.doubt = true, false
	default:
		var full bool
		if s.queue, full = f.fill(s.queue); !full && (len(f.entries) > 0 || s.lazyAt <= s.now) {
			done := s.lazy
			s.lazy, _ = f.fill(s.lazy)
			for _, t := range done[:len(done)-len(s.lazy)] {
				t.isLazy = false
			}
			if s.lazyAt = s.now + lazyPause; len(s.lazy) == 0 {
				s.lazyAt = never
			}
		}
		if len(f.entries) == 0 && len(s.unsure) == 0 {
			return nil
		}
		f.replies, s.unsure = s.unsure, nil
	}
	s.flight = f
	return f
}

// fill puts changes into the flight and returns what has no room. An id whose change has gone already is in the list for
// nothing.
func (f *flight) fill(list []*txn) (rest []*txn, full bool) {
	for i, t := range list {
		if t.change == nil {
			continue
		}
		if !f.add(t) {
			return list[i:], true
		}
		t.change = nil
	}
	return nil, false
}

// land takes back what the writer has done.
func (s *core) land(f *flight) {
	s.flight = nil
	switch {
	case f.err != nil && (f.reload || errors.Is(f.err, shard.ErrLost) && f.retake):
		s.opts.Logger.Error("transactional ids are no longer coordinated here", "err", f.err)
		s.lose()
	case f.err != nil:
		s.opts.Logger.Warn("transactional ids could not be written to the metadata store", "ids", len(f.entries), "err", f.err)
		s.failed = true
		failAll(f.replies, kerr.CoordinatorNotAvailable)
		s.drop(kerr.CoordinatorNotAvailable)
	case f.reload:
		s.epoch = f.epoch
		s.adopt(f.txns)
	case f.retake:
		s.epoch = f.epoch
		s.sendHeld()
	default:
		for _, e := range f.entries {
			if !e.lazy {
				s.step(e.t, storedEvent{})
			}
		}
		for _, r := range f.replies {
			answer(r)
		}
	}
}

// adopt begins with what the store holds.
func (s *core) adopt(txns map[string]*txn) {
	s.txns = txns
	for _, id := range slices.Sorted(maps.Keys(txns)) { // in an order, so that a simulation can be replayed
		t := txns[id]
		for _, e := range t.resume(s.now) {
			s.apply(t, e)
		}
		s.schedule(t)
	}
}

// lose gives everything up.
func (s *core) lose() {
	s.lost = true
	s.drop(kerr.NotCoordinator)
	s.failParked(kerr.NotCoordinator)
}
