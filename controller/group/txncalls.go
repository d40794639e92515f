package group

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

type beginTxnCall struct {
	group      string
	producerID int64
	epoch      int16
	ch         chan BeginTxnResponse
}

func (c *beginTxnCall) Fail(err error) { c.ch <- BeginTxnResponse{Err: err} }
func (c *beginTxnCall) handle(s *core) {
	g, err := s.lookup(c.group)
	if err != nil {
		c.Fail(err)
		return
	}
	needed := true
	if g != nil {
		// Of this group, not only of the producer: its partition has to be part of the transaction.
		t := g.txns[c.producerID]
		needed = t == nil || t.epoch != c.epoch
	}
	c.ch <- BeginTxnResponse{Guard: s.producers.guard(s), Needed: needed}
}

type commitTxnCall struct {
	req TxnCommitRequest
	ch  chan CommitResponse
}

func (c *commitTxnCall) answer(body any) { c.ch <- CommitResponse{body.([]error)} }
func (c *commitTxnCall) Fail(err error)  { c.ch <- failedCommit(&c.req.CommitRequest, err) }
func (c *commitTxnCall) handle(s *core) {
	r := &c.req
	g, err := s.lookup(r.Group)
	switch {
	case err != nil:
	case g == nil && r.Generation >= 0:
		err = kerr.IllegalGeneration
	case s.recovering():
		err = kerr.CoordinatorNotAvailable
	case g != nil:
		err = asError(g.step(commitEvent{c, &r.CommitRequest, true}, s.now)[0].(reply).body)
	}
	if err == nil {
		err = s.checkTxn(r)
	}
	if err != nil {
		c.Fail(err)
		return
	}
	errs := s.checkOffsets(r.Offsets)
	valid := false
	for i, o := range r.Offsets {
		if errs[i] != nil {
			continue
		}
		if !valid {
			valid = true
			if g == nil {
				g = s.create(r.Group)
			}
			s.beginTxn(g, r)
		}
		block, slot := blockOf(o.Topic, o.Partition)
		g.pend(r.ProducerID, block, committed{o.Offset, o.LeaderEpoch, slot, s.now.UnixMilli(), o.Metadata})
	}
	if !valid {
		c.answer(errs)
		return
	}
	s.enqueue(g, reply{c, errs})
}

// checkTxn says whether the transaction of a commit is still open, as far as can be told from here.
func (s *core) checkTxn(r *TxnCommitRequest) error {
	if r.ProducerID < 0 {
		return kerr.InvalidProducerIDMapping
	}
	if s.producers.void(r.Guard, s, r.ProducerID, r.Epoch) {
		return kerr.InvalidTxnState
	}
	if p := s.producers.find(r.ProducerID); p != nil && r.Epoch < p.epoch {
		return kerr.InvalidProducerEpoch
	}
	return nil
}

// beginTxn makes the group part of the transaction of a commit.
func (s *core) beginTxn(g *group, r *TxnCommitRequest) {
	p := s.producers.touch(r.ProducerID, s.now)
	p.epoch = r.Epoch
	t := g.txns[r.ProducerID]
	if t == nil {
		t = &openTxn{blocks: make(map[blockID]pendingBlock)}
		if g.txns == nil {
			g.txns = make(map[int64]*openTxn)
		}
		g.txns[r.ProducerID] = t
		p.groups = append(p.groups, g)
	}
	t.epoch, t.coordinatorEpoch = r.Epoch, p.coordinatorEpoch
}

// endTxnCall ends the transaction in the groups of one shard.
type endTxnCall struct {
	req EndTxnRequest
	end *ending
}

// ending is answered when all groups of all shards have it written.
type ending struct {
	mu   sync.Mutex
	left int
	err  error // the first
	ch   chan error
}

func (e *ending) add(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left += n
}

func (e *ending) done(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
	if e.left--; e.left == 0 {
		e.ch <- e.err
	}
}

func (c *endTxnCall) answer(any)     { c.end.done(nil) }
func (c *endTxnCall) Fail(err error) { c.end.done(err) }
func (c *endTxnCall) handle(s *core) {
	r := &c.req
	if s.recovering() {
		// A group that is being read again may have something pending of this producer.
		c.Fail(kerr.CoordinatorNotAvailable)
		return
	}
	p := s.producers.touch(r.ProducerID, s.now)
	if err := p.checkMarker(r); err != nil {
		c.Fail(err)
		return
	}
	groups := p.groups
	s.producers.marked(p, r)
	for _, g := range groups {
		if g.endTxn(r.ProducerID, r.Commit) {
			c.end.add(1)
			s.enqueue(g, reply{c, nil})
		}
	}
	// Its end by another marker may be under way.
	s.whenWritten(reply{c, nil})
}

// checkMarker follows ProducerAppendInfo: a marker of transaction.version 2 has an epoch above that of what it ends.
func (p *producer) checkMarker(r *EndTxnRequest) error {
	if r.Epoch < p.epoch {
		return kerr.InvalidProducerEpoch
	}
	for _, g := range p.groups {
		if t := g.txns[r.ProducerID]; t != nil && t.epoch > r.lastEpoch() {
			return kerr.InvalidProducerEpoch
		}
	}
	if r.CoordinatorEpoch < p.coordinatorEpoch {
		return kerr.TransactionCoordinatorFenced
	}
	return nil
}
