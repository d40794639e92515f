package group

import (
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
	"blumfeld/controller/shard"
)

// core owns the groups of a shard. It never waits for the store: that is what flights are for, of which one is under way
// at a time. Whatever comes in meanwhile goes into the next.
type core struct {
	*shard.Loop[call, flight]
	c     *Coordinator
	owner *shard.Owner // the writer's

	groups    map[string]*group
	producers producers
	alarms    shard.Alarms[*group]
	expireAt  time.Time                      // zero: never
	queue     []*group                       // with work; each once
	failed    []string                       // groups to be read again
	forget    map[string]map[string]struct{} // by group that failed: topics deleted meanwhile
	flight    *flight                        // under way
	lost      bool                           // another process owns the groups
	now       time.Time
}

// Turn is [shard.Core]'s.
func (s *core) Turn(landed *flight, came []call) *flight {
	s.now = s.c.opts.Now()
	if landed != nil {
		s.land(landed)
	}
	for _, c := range came {
		if s.lost {
			c.Fail(kerr.NotCoordinator)
			continue
		}
		c.handle(s)
	}
	s.fire()
	return s.takeOff()
}

// End fails everything that waits.
func (s *core) End(came []call) {
	for _, c := range came {
		c.Fail(kerr.NotCoordinator)
	}
	if s.flight != nil {
		s.failReplies(s.flight.entries, kerr.NotCoordinator)
	}
	for _, g := range s.groups {
		s.abandon(g, kerr.NotCoordinator)
	}
}

// Wait is [shard.Core]'s.
func (s *core) Wait() time.Duration {
	at := s.expireAt
	if next, ok := s.alarms.Next(); ok && (at.IsZero() || next.Before(at)) {
		at = next
	}
	if at.IsZero() {
		return time.Hour
	}
	return max(at.Sub(s.c.opts.Now()), 0)
}

// fire wakes the groups whose time has come.
func (s *core) fire() {
	for g, ok := s.alarms.Due(s.now); ok; g, ok = s.alarms.Due(s.now) {
		s.step(g, tickEvent{})
	}
	if !s.expireAt.IsZero() && !s.expireAt.After(s.now) {
		s.expireAt = s.now.Add(time.Duration(s.c.opts.Config.OffsetsRetentionCheckMs) * time.Millisecond)
		if !s.recovering() {
			s.expire()
		}
	}
}

// schedule wakes the group when its machine wants; the sessions of its members move with every heartbeat, the alarm does
// not.
func (s *core) schedule(g *group) {
	if !g.wake.IsZero() && !g.failed {
		s.alarms.Set(&g.alarm, g, g.wake)
	}
}

// recovering: a write failed, and until the store has been read again nothing more is written.
func (s *core) recovering() bool {
	return len(s.failed) > 0 || s.flight != nil && s.flight.reload != nil
}

// lookup returns nil if the group does not exist.
func (s *core) lookup(id string) (*group, error) {
	g := s.groups[id]
	if g != nil && g.failed {
		return nil, kerr.CoordinatorNotAvailable
	}
	return g, nil
}

// memberGroup finds the group of a call by one of its members, or fails the call.
func (s *core) memberGroup(c call, id string) *group {
	g, err := s.lookup(id)
	if err == nil && g == nil {
		err = kerr.UnknownMemberID
	}
	if err != nil {
		c.Fail(err)
		return nil
	}
	return g
}

func (s *core) create(id string) *group {
	g := &group{machine: newMachine(id, &s.c.opts.Config, s.now), prefix: groupPrefix(id)}
	s.groups[id] = g
	return g
}

func (s *core) step(g *group, ev event) {
	s.apply(g, g.machine.step(ev, s.now))
	s.schedule(g)
}

// apply queues what is to be written and lets replies out as soon as what they tell is stored.
func (s *core) apply(g *group, effects []effect) {
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
func (s *core) enqueue(g *group, replies ...reply) {
	g.work.replies = append(g.work.replies, replies...)
	if !g.work.queued {
		g.work.queued = true
		s.queue = append(s.queue, g)
	}
}

// whenWritten sends a reply when everything that is under way has been written: at once if nothing is.
func (s *core) whenWritten(r reply) {
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
func (s *core) mayHold(g *group, id blockID) bool {
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
func (s *core) blocksOf(g *group) (list []blockID) {
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

// takeOff returns what waits to be written, unless something is being written already.
func (s *core) takeOff() *flight {
	if s.flight != nil || s.lost {
		return nil
	}
	if len(s.failed) > 0 {
		s.flight = &flight{reload: s.failed}
		s.failed = nil
		return s.flight
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
	}
	return s.flight
}

// tooLarge finds values that the store cannot take.
func tooLarge(ops []controller.Op) bool {
	return slices.ContainsFunc(ops, func(o controller.Op) bool { return shard.Size(o) > shard.TxnBytes })
}

// refuse gives up work that cannot be written. Nothing of it has been, so that this is the affair of one group: those
// that wait are told what Kafka says when its log takes no such record, and the group goes on from there; if it goes ahead
// of the store with its pending offsets, after it has been read again.
func (s *core) refuse(g *group) {
	given := g.work
	g.work = work{}
	for _, r := range given.replies {
		if r.to != nil {
			r.to.(answerer).Fail(kerr.UnknownServerError)
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
func (s *core) land(f *flight) {
	s.flight = nil
	switch {
	case f.reload != nil && f.err == nil:
		for _, id := range f.reload {
			s.replace(id, f.loaded[id])
		}
	case f.reload != nil:
		if errors.Is(f.err, shard.ErrLost) {
			s.c.opts.Logger.Error("another broker coordinates these groups now", "shard", s.owner.Key())
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
func (s *core) failQueue() {
	for _, g := range s.queue {
		if g.work.queued {
			s.fail(g, kerr.CoordinatorNotAvailable)
		}
	}
	s.queue = nil
}

func (s *core) failReplies(entries []*entry, err error) {
	for _, e := range entries {
		for _, r := range e.replies {
			if r.to != nil {
				r.to.(answerer).Fail(err)
			}
		}
	}
}

// abandon answers everything that waits for a group with an error.
func (s *core) abandon(g *group, err error) {
	for _, r := range g.work.replies {
		if r.to != nil {
			r.to.(answerer).Fail(err)
		}
	}
	g.work = work{}
	for _, e := range g.machine.abandon(err) {
		deliver(e.(reply))
	}
}

// fail gives a group up until it has been read from the store again.
func (s *core) fail(g *group, err error) {
	if g.failed {
		return
	}
	s.remember(g.id, g.work.topics)
	s.abandon(g, err)
	s.alarms.Clear(&g.alarm)
	g.failed = true
	g.txns = nil // producers may still know of it
	s.failed = append(s.failed, g.id)
}

// replace puts a group as it was read in the place of one that failed; nil: the store has none.
func (s *core) replace(id string, g *group) {
	delete(s.groups, id)
	if g != nil {
		s.adopt(g)
		s.forgetTopics(g, s.forget[id])
	}
	delete(s.forget, id)
}

// adopt begins with a group as it was read.
func (s *core) adopt(g *group) {
	s.groups[g.id] = g
	s.schedule(g)
	for id, t := range g.txns {
		p := s.producers.touch(id, s.now)
		p.epoch, p.coordinatorEpoch = max(p.epoch, t.epoch), max(p.coordinatorEpoch, t.coordinatorEpoch)
		p.groups = append(slices.DeleteFunc(p.groups, func(g *group) bool { return g.failed }), g)
	}
}

func (s *core) drop(g *group) {
	s.alarms.Clear(&g.alarm)
	if s.groups[g.id] == g {
		delete(s.groups, g.id)
	}
}

// lose gives all groups up.
func (s *core) lose() {
	s.lost = true
	for _, g := range s.groups {
		s.abandon(g, kerr.NotCoordinator)
	}
	s.groups, s.queue, s.failed, s.forget, s.expireAt = nil, nil, nil, nil, time.Time{}
	s.alarms, s.producers = shard.Alarms[*group]{}, newProducers()
}
