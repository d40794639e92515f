package txn

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller/shard"
)

// A call is a request on its way through a shard. It is answered exactly once, by answer, by Fail, or by handle itself.
type call interface {
	shard.Call
	handle(s *core)
}

// An answerer is a call to which a machine answers.
type answerer interface {
	call
	answer(body any)
}

func answer(r reply) {
	if r.to != nil {
		r.to.(answerer).answer(r.body)
	}
}

func fail(r reply, err error) {
	if r.to != nil {
		r.to.(answerer).Fail(err)
	}
}

func failAll(list []reply, err error) {
	for _, r := range list {
		fail(r, err)
	}
}

// ask finds the machine of a call and steps it. An id that is not known has no producer ids.
func (s *core) ask(c answerer, id string, ev event) {
	t, err := s.lookup(id)
	switch {
	case err != nil:
		c.Fail(err)
	case t == nil:
		c.Fail(kerr.InvalidProducerIDMapping)
	case !s.step(t, ev):
		s.park(c)
	}
}

type initCall struct {
	req InitProducerIDRequest
	ch  chan InitProducerIDResponse
}

func (c *initCall) answer(body any) { c.ch <- body.(InitProducerIDResponse) }
func (c *initCall) Fail(err error)  { c.ch <- InitProducerIDResponse{err, noProducerID, noEpoch} }
func (c *initCall) handle(s *core) {
	id := c.req.TransactionalID
	t, err := s.lookup(id)
	if err != nil {
		c.Fail(err)
		return
	}
	if t == nil {
		producerID, ok := s.producerID()
		if !ok {
			s.park(c)
			return
		}
		t = &txn{machine: newMachine(id, s, producerID), key: idKey(id)}
		s.txns[id] = t
	}
	if !s.step(t, initEvent{c, &c.req}) {
		s.park(c)
	}
}

type addCall struct {
	req AddPartitionsRequest
	ch  chan error
}

func (c *addCall) answer(body any) { c.ch <- asError(body) }
func (c *addCall) Fail(err error)  { c.ch <- err }
func (c *addCall) handle(s *core)  { s.ask(c, c.req.TransactionalID, addEvent{c, &c.req}) }

func asError(body any) error {
	err, _ := body.(error)
	return err
}

type verifyCall struct {
	req AddPartitionsRequest
	ch  chan VerifyResponse
}

func (c *verifyCall) answer(body any) { c.ch <- body.(VerifyResponse) }
func (c *verifyCall) Fail(err error)  { c.ch <- VerifyResponse{Err: err} }
func (c *verifyCall) handle(s *core)  { s.ask(c, c.req.TransactionalID, verifyEvent{c, &c.req}) }

type endCall struct {
	req EndTxnRequest
	ch  chan EndTxnResponse
}

func (c *endCall) answer(body any) { c.ch <- body.(EndTxnResponse) }
func (c *endCall) Fail(err error)  { c.ch <- EndTxnResponse{err, noProducerID, noEpoch} }
func (c *endCall) handle(s *core)  { s.ask(c, c.req.TransactionalID, endEvent{c, &c.req}) }

// markersCall brings the outcome of an attempt to write markers.
type markersCall struct {
	t       *txn
	attempt int
	errs    []error
}

func (c *markersCall) Fail(error) {}
func (c *markersCall) handle(s *core) {
	if s.txns[c.t.id] == c.t { // it has not been read again since
		s.step(c.t, markersEvent{c.attempt, c.errs})
	}
}

// tickCall is a tick that waited for a producer id.
type tickCall struct {
	s *core
	t *txn
}

func (c *tickCall) handle(s *core) {
	if s.txns[c.t.id] == c.t {
		s.tick(c.t)
	}
}

// Fail: who gives out producer ids cannot now. It is called by the shard itself.
func (c *tickCall) Fail(error) {
	if c.s.txns[c.t.id] == c.t {
		c.s.wakeAt(c.t, c.s.now+tickPause)
	}
}

// tickPause lies between attempts to abort a transaction that needs a producer id while there is none, in milliseconds.
const tickPause = 1000
