package group

import (
	"container/heap"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
)

// shard owns the groups whose ids fall to it. Its goroutine alone touches them and never waits for the store: that is
// what the writer's goroutine is for, which has one flight at a time. Whatever comes in meanwhile goes into the next.
type shard struct {
	c     *Coordinator
	owner owner // the writer's

	mu     sync.Mutex
	inbox  []call
	closed error // why no more calls are taken; nil: they are
	bell   chan struct{}

	groups    map[string]*group
	producers producers
	alarms    alarmHeap
	expireAt  time.Time                      // zero: never
	queue     []*group                       // with work; each once
	failed    []string                       // groups to be read again
	forget    map[string]map[string]struct{} // by group that failed: topics deleted meanwhile
	flight    *flight                        // under way
	lost      bool                           // another process owns the groups
	now       time.Time

	flights chan *flight
	landed  chan *flight
}

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

// shut keeps calls out and returns those that were not handled.
func (s *shard) shut(err error) []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = err
	rest := s.inbox
	s.inbox = nil
	return rest
}

func (s *shard) run(ctx context.Context) {
	var writer sync.WaitGroup
	writer.Go(func() { s.write(ctx) })
	defer writer.Wait()
	defer s.end()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	var batch []call
	for {
		timer.Reset(s.untilNext())
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
		s.now = s.c.opts.Now()
		if f != nil {
			s.land(f)
		}
		s.mu.Lock()
		batch, s.inbox = s.inbox, batch[:0]
		s.mu.Unlock()
		for _, c := range batch {
			if s.lost {
				c.fail(kerr.NotCoordinator)
				continue
			}
			c.handle(s)
		}
		clear(batch)
		s.fire()
		s.takeOff()
	}
}

// end fails everything that waits.
func (s *shard) end() {
	close(s.flights)
	for _, c := range s.shut(kerr.NotCoordinator) {
		c.fail(kerr.NotCoordinator)
	}
	if s.flight != nil {
		s.failReplies(s.flight.entries, kerr.NotCoordinator)
	}
	for _, g := range s.groups {
		s.abandon(g, kerr.NotCoordinator)
	}
}

func (s *shard) untilNext() time.Duration {
	at := s.expireAt
	if len(s.alarms) > 0 && (at.IsZero() || s.alarms[0].at.Before(at)) {
		at = s.alarms[0].at
	}
	if at.IsZero() {
		return time.Hour
	}
	return max(at.Sub(s.c.opts.Now()), 0)
}

// fire wakes the groups whose time has come.
func (s *shard) fire() {
	for len(s.alarms) > 0 && !s.alarms[0].at.After(s.now) {
		g := heap.Pop(&s.alarms).(*alarm).g
		s.step(g, tickEvent{})
	}
	if !s.expireAt.IsZero() && !s.expireAt.After(s.now) {
		s.expireAt = s.now.Add(time.Duration(s.c.opts.Config.OffsetsRetentionCheckMs) * time.Millisecond)
		if !s.recovering() {
			s.expire()
		}
	}
}

// schedule keeps the group's alarm no later than its machine wants. One that is too early only costs a tick, and spares
// moving it with every heartbeat.
func (s *shard) schedule(g *group) {
	a := &g.alarm
	switch wake := g.wake; {
	case wake.IsZero() || g.failed:
	case !a.set:
		*a = alarm{g: g, at: wake, set: true}
		heap.Push(&s.alarms, a)
	case wake.Before(a.at):
		a.at = wake
		heap.Fix(&s.alarms, a.index)
	}
}

func (s *shard) unschedule(g *group) {
	if g.alarm.set {
		heap.Remove(&s.alarms, g.alarm.index)
	}
}

// recovering: a write failed, and until the store has been read again nothing more is written.
func (s *shard) recovering() bool {
	return len(s.failed) > 0 || s.flight != nil && s.flight.reload != nil
}

// lookup returns nil if the group does not exist.
func (s *shard) lookup(id string) (*group, error) {
	g := s.groups[id]
	if g != nil && g.failed {
		return nil, kerr.CoordinatorNotAvailable
	}
	return g, nil
}

// memberGroup finds the group of a call by one of its members, or fails the call.
func (s *shard) memberGroup(c call, id string) *group {
	g, err := s.lookup(id)
	if err == nil && g == nil {
		err = kerr.UnknownMemberID
	}
	if err != nil {
		c.fail(err)
		return nil
	}
	return g
}

func (s *shard) create(id string) *group {
	g := &group{machine: newMachine(id, &s.c.opts.Config, s.now), prefix: groupPrefix(id)}
	s.groups[id] = g
	return g
}

func (s *shard) step(g *group, ev event) {
	s.apply(g, g.machine.step(ev, s.now))
	s.schedule(g)
}

// apply queues what is to be written and lets replies out as soon as what they tell is stored.
func (s *shard) apply(g *group, effects []effect) {
	for _, e := range effects {
		if p, ok := e.(persist); ok {
			g.work.snapshot = p.snapshot
			s.enqueue(g)
		}
	}
	held := &g.work.replies
	if !g.work.holds() {
		held = nil
		if e := s.flight.entry(g); e != nil && e.holds() {
			held = &e.replies
		}
	}
	for _, e := range effects {
		if r, ok := e.(reply); ok {
			if held != nil {
				*held = append(*held, r)
			} else {
				deliver(r)
			}
		}
	}
	if g.work.queued && s.recovering() {
		s.fail(g, kerr.CoordinatorNotAvailable)
	}
}

func deliver(r reply) {
	if r.to != nil {
		r.to.(answerer).answer(r.body)
	}
}

// enqueue has the group's work written, and the replies sent then.
func (s *shard) enqueue(g *group, replies ...reply) {
	g.work.replies = append(g.work.replies, replies...)
	if !g.work.queued {
		g.work.queued = true
		s.queue = append(s.queue, g)
	}
}

// whenWritten sends a reply when everything that is under way has been written: at once if nothing is.
func (s *shard) whenWritten(r reply) {
	// Each group is in the queue once, and they fly in its order.
	for _, g := range slices.Backward(s.queue) {
		if g.work.queued && !g.failed {
			g.work.replies = append(g.work.replies, r)
			return
		}
	}
	if s.flight != nil && len(s.flight.entries) > 0 {
		e := s.flight.entries[len(s.flight.entries)-1]
		e.replies = append(e.replies, r)
		return
	}
	deliver(r)
}

// mayHold says whether a block holds offsets, or will when everything under way is written.
func (s *shard) mayHold(g *group, id blockID) bool {
	if _, ok := g.blocks[id]; ok {
		return true
	}
	if _, ok := g.work.offsets[id]; ok {
		return true
	}
	e := s.flight.entry(g)
	return e != nil && len(e.blocks[id]) > 0
}

// blocksOf returns the blocks for which mayHold is true.
func (s *shard) blocksOf(g *group) (list []blockID) {
	for id := range g.blocks {
		list = append(list, id)
	}
	for id := range g.work.offsets {
		list = append(list, id)
	}
	if e := s.flight.entry(g); e != nil {
		for id := range e.blocks {
			list = append(list, id)
		}
	}
	return list
}

// takeOff gives the writer what waits, unless it is busy.
func (s *shard) takeOff() {
	if s.flight != nil || s.lost {
		return
	}
	if len(s.failed) > 0 {
		s.flight = &flight{reload: s.failed}
		s.failed = nil
		s.flights <- s.flight
		return
	}
	f := &flight{}
	for len(s.queue) > 0 {
		g := s.queue[0]
		if g.failed || !g.work.queued {
			s.queue = s.queue[1:]
			continue
		}
		e, ops := g.prepare()
		if tooLarge(ops) {
			s.queue = s.queue[1:]
			s.refuse(g)
			continue
		}
		if !f.add(e, ops) {
			break
		}
		g.work = work{}
		s.queue = s.queue[1:]
	}
	if len(f.entries) > 0 {
		s.flight = f
		s.flights <- f
	}
}

// tooLarge finds values that the store cannot take.
func tooLarge(ops []controller.Op) bool {
	return slices.ContainsFunc(ops, func(o controller.Op) bool { return opSize(o) > txnBytes })
}

// refuse gives up work that cannot be written. Nothing of it has been, so that this is the affair of one group: those
// that wait are told what Kafka says when its log takes no such record, and the group goes on from there; if it goes ahead
// of the store with its pending offsets, after it has been read again.
func (s *shard) refuse(g *group) {
	given := g.work
	g.work = work{}
	for _, r := range given.replies {
		if r.to != nil {
			r.to.(answerer).fail(kerr.UnknownServerError)
		}
	}
	if given.pending != nil {
		s.remember(g.id, given.topics)
		s.fail(g, kerr.CoordinatorNotAvailable)
		s.failQueue() // a marker may wait there for this group to have been written
		return
	}
	s.step(g, refusedEvent{})
	s.forgetTopics(g, given.topics)
}

// land takes back what the writer has done.
func (s *shard) land(f *flight) {
	s.flight = nil
	switch {
	case f.reload != nil && f.err == nil:
		for _, id := range f.reload {
			s.replace(id, f.loaded[id])
		}
	case f.reload != nil:
		if errors.Is(f.err, errLost) {
			s.c.opts.Logger.Error("another broker coordinates these groups now", "shard", s.owner.key)
		}
		s.lose()
	case f.err != nil:
		s.c.opts.Logger.Warn("groups could not be written to the metadata store", "groups", len(f.entries), "err", f.err)
		s.failReplies(f.entries, kerr.CoordinatorNotAvailable)
		for _, e := range f.entries {
			s.remember(e.g.id, e.topics)
			s.fail(e.g, kerr.CoordinatorNotAvailable)
		}
		s.failQueue()
	default:
		for _, e := range f.entries {
			e.landed()
			if e.remove {
				s.drop(e.g)
			}
			for _, r := range e.replies {
				deliver(r)
			}
		}
	}
}

// failQueue gives up what has not been sent yet: it could wait for long, and the clients with it.
func (s *shard) failQueue() {
	for _, g := range s.queue {
		if g.work.queued {
			s.fail(g, kerr.CoordinatorNotAvailable)
		}
	}
	s.queue = nil
}

func (s *shard) failReplies(entries []*entry, err error) {
	for _, e := range entries {
		for _, r := range e.replies {
			if r.to != nil {
				r.to.(answerer).fail(err)
			}
		}
	}
}

// abandon answers everything that waits for a group with an error.
func (s *shard) abandon(g *group, err error) {
	for _, r := range g.work.replies {
		if r.to != nil {
			r.to.(answerer).fail(err)
		}
	}
	g.work = work{}
	for _, e := range g.machine.abandon(err) {
		deliver(e.(reply))
	}
}

// fail gives a group up until it has been read from the store again.
func (s *shard) fail(g *group, err error) {
	if g.failed {
		return
	}
	s.remember(g.id, g.work.topics)
	s.abandon(g, err)
	s.unschedule(g)
	g.failed = true
	g.txns = nil // producers may still know of it
	s.failed = append(s.failed, g.id)
}

// replace puts a group as it was read in the place of one that failed; nil: the store has none.
func (s *shard) replace(id string, g *group) {
	delete(s.groups, id)
	if g != nil {
		s.adopt(g)
		s.forgetTopics(g, s.forget[id])
	}
	delete(s.forget, id)
}

// adopt begins with a group as it was read.
func (s *shard) adopt(g *group) {
	s.groups[g.id] = g
	s.schedule(g)
	for id, t := range g.txns {
		p := s.producers.touch(id, s.now)
		p.epoch, p.coordinatorEpoch = max(p.epoch, t.epoch), max(p.coordinatorEpoch, t.coordinatorEpoch)
		p.groups = append(slices.DeleteFunc(p.groups, func(g *group) bool { return g.failed }), g)
	}
}

func (s *shard) drop(g *group) {
	s.unschedule(g)
	if s.groups[g.id] == g {
		delete(s.groups, g.id)
	}
}

// lose gives all groups up.
func (s *shard) lose() {
	s.lost = true
	for _, g := range s.groups {
		s.abandon(g, kerr.NotCoordinator)
	}
	s.groups, s.queue, s.failed, s.forget, s.alarms, s.expireAt = nil, nil, nil, nil, nil, time.Time{}
	s.producers = newProducers()
}

// alarm is a group's place in its shard's heap.
type alarm struct {
	g     *group
	at    time.Time
	index int
	set   bool
}

type alarmHeap []*alarm

func (h alarmHeap) Len() int           { return len(h) }
func (h alarmHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h alarmHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *alarmHeap) Push(x any) {
	a := x.(*alarm)
	a.index = len(*h)
	*h = append(*h, a)
}
func (h *alarmHeap) Pop() any {
	a := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	a.set = false
	return a
}
