package txn

import (
	"container/heap"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// lazyPause is how long a completed transaction may wait for a flight that carries its record along, in milliseconds.
const lazyPause = 1000

// txn is one transactional id of a shard.
type txn struct {
	*machine
	key    string
	change *persist // waits for a flight; nil: nothing does
	isLazy bool     // it is in the shard's list of lazy ones
	alarm  alarm
}

// shard owns the transactional ids that fall to it. Its goroutine alone touches them and never waits for the store: that
// is what the writer's goroutine is for, which has one flight at a time. Whatever comes in meanwhile goes into the next.
type shard struct {
	opts  *Options
	owner owner           // the writer's
	ctx   context.Context // ends with the Coordinator
	spawn func(func())    // runs a goroutine that the Coordinator waits for

	mu     sync.Mutex
	inbox  []call
	closed error // why no more calls are taken; nil: they are
	bell   chan struct{}

	txns   map[string]*txn
	base   int64 // from which intervals are counted
	alarms alarmHeap
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

	flights chan *flight
	landed  chan *flight
}

type heldMarkers struct {
	t    *txn
	send sendMarkers
}

func (s *shard) config() *Config           { return &s.opts.Config }
func (s *shard) transactionVersion() int16 { return s.opts.TransactionVersion() }

// send hands a call over, or fails it.
func (s *shard) send(c call) {
	s.mu.Lock()
	err := s.closed
	if err == nil {
		s.inbox = append(s.inbox, c)
	}
	s.mu.Unlock()
	if err != nil {
		c.fail(err)
		return
	}
	select {
	case s.bell <- struct{}{}:
	default:
	}
}

// open lets calls in.
func (s *shard) open() {
	s.mu.Lock()
	s.closed = nil
	s.mu.Unlock()
}

func (s *shard) run(ctx context.Context) {
	var writer sync.WaitGroup
	writer.Go(func() { s.write(ctx) })
	defer writer.Wait()
	defer s.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var f *flight
		select {
		case <-ctx.Done():
			return
		case f = <-s.landed:
		case <-s.bell:
		case <-timer.C:
		}
		if ctx.Err() != nil {
			// A flight that Close cut off has landed with an error that is not the store's.
			return
		}
		s.turn(f)
		timer.Reset(s.untilNext())
	}
}

// turn takes back what the writer has done, handles what has come in, and gives the writer what is to be written.
func (s *shard) turn(f *flight) {
	s.now = millis(s.opts.Now())
	if f != nil {
		s.land(f)
	}
	s.mu.Lock()
	batch := s.inbox
	s.inbox = nil
	s.mu.Unlock()
	for _, c := range batch {
		s.handle(c)
	}
	s.fire()
	s.refill()
	s.takeOff()
}

func (s *shard) handle(c call) {
	if s.lost {
		c.fail(kerr.NotCoordinator)
		return
	}
	c.handle(s)
}

// end fails everything that waits.
func (s *shard) end() {
	close(s.flights)
	s.mu.Lock()
	rest := s.inbox
	s.closed, s.inbox = kerr.NotCoordinator, nil
	s.mu.Unlock()
	for _, c := range rest {
		c.fail(kerr.NotCoordinator)
	}
	if s.flight != nil {
		failAll(s.flight.replies, kerr.NotCoordinator)
	}
	s.drop(kerr.NotCoordinator)
	s.failParked(kerr.NotCoordinator)
}

// drop forgets all ids, and answers who waits for the store.
func (s *shard) drop(err error) {
	for _, t := range s.txns {
		if t.busy() {
			fail(t.owed, err)
		}
	}
	failAll(s.unsure, err)
	s.unsure = nil
	s.txns, s.queue, s.lazy, s.held, s.alarms, s.lazyAt = nil, nil, nil, nil, nil, never
}

func (s *shard) untilNext() time.Duration {
	at := s.lazyAt
	if s.flight != nil {
		at = never // landing comes first
	}
	if len(s.alarms) > 0 {
		at = min(at, s.alarms[0].at)
	}
	const long = int64(time.Hour / time.Millisecond)
	return time.Duration(min(max(at-millis(s.opts.Now()), 0), long)) * time.Millisecond
}

// fire wakes the ids whose time has come.
func (s *shard) fire() {
	for len(s.alarms) > 0 && s.alarms[0].at <= s.now {
		t := heap.Pop(&s.alarms).(*alarm).t
		s.tick(t)
	}
}

func (s *shard) tick(t *txn) {
	if !s.step(t, tickEvent{}) {
		s.park(&tickCall{s, t})
	}
}

// schedule keeps an id's alarm no later than its machine wants. One that is too early only costs a tick, and spares moving
// it with every transaction.
func (s *shard) schedule(t *txn) {
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

func (s *shard) wakeAt(t *txn, at int64) {
	switch a := &t.alarm; {
	case !a.set:
		*a = alarm{t: t, at: at, set: true}
		heap.Push(&s.alarms, a)
	case at < a.at:
		a.at = at
		heap.Fix(&s.alarms, a.index)
	}
}

// lookup returns nil if the id is not known.
func (s *shard) lookup(id string) (*txn, error) {
	if s.unknown() {
		return nil, kerr.CoordinatorLoadInProgress
	}
	return s.txns[id], nil
}

// unknown: the store is being read.
func (s *shard) unknown() bool { return s.failed || s.flight != nil && s.flight.reload }

// step returns false if the machine needs a producer id first.
func (s *shard) step(t *txn, ev event) bool {
	for _, e := range t.step(ev, s.now) {
		if _, ok := e.(needProducerID); ok {
			return false
		}
		s.apply(t, e)
	}
	s.schedule(t)
	return true
}

func (s *shard) apply(t *txn, e effect) {
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
		if t.alarm.set {
			heap.Remove(&s.alarms, t.alarm.index)
		}
		delete(s.txns, t.id)
	}
}

// sendHeld sends markers unless the coordinator epoch is about to change.
func (s *shard) sendHeld() {
	if s.doubt || s.flight != nil && s.flight.retake {
		return
	}
	held := s.held
	s.held = nil
	for _, h := range held {
		m := h.send.markers
		m.CoordinatorEpoch = s.epoch
		s.opts.Markers.WriteMarkers(s.ctx, m, func(errs []error) {
			s.send(&markersCall{h.t, h.send.attempt, errs})
		})
	}
}

// takeOff gives the writer what waits, unless it is busy.
func (s *shard) takeOff() {
	if s.flight != nil || s.lost {
		return
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
			return
		}
		f.replies, s.unsure = s.unsure, nil
	}
	s.flight = f
	s.flights <- f
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
func (s *shard) land(f *flight) {
	s.flight = nil
	switch {
	case f.err != nil && (f.reload || errors.Is(f.err, errLost) && f.retake):
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
func (s *shard) adopt(txns map[string]*txn) {
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
func (s *shard) lose() {
	s.lost = true
	s.drop(kerr.NotCoordinator)
	s.failParked(kerr.NotCoordinator)
}
