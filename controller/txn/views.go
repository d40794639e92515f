package txn

import (
	"cmp"
	"regexp"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

type describeCall struct {
	id string
	ch chan Description
}

func (c *describeCall) Fail(err error) {
	c.ch <- Description{Err: err, ProducerID: noProducerID, Epoch: noEpoch, StartMs: -1}
}
func (c *describeCall) handle(s *core) {
	t, err := s.lookup(c.id)
	if err == nil && (t == nil || t.dying || t.meta.epoch == noEpoch) {
		err = kerr.TransactionalIDNotFound
	}
	if err != nil {
		c.Fail(err)
		return
	}
	c.ch <- t.describe()
}

func (m *machine) describe() Description {
	d := Description{nil, m.meta.state, m.meta.producerID, m.meta.epoch, m.meta.timeoutMs, m.meta.start, m.meta.partitions}
	if m.meta.state.preparing() {
		d.Partitions = m.unmarked
	}
	return d
}

type listCall struct {
	req     ListRequest
	pattern *regexp.Regexp
	ch      chan ListResponse
}

func (c *listCall) Fail(err error) { c.ch <- ListResponse{Err: err} }
func (c *listCall) handle(s *core) {
	if s.unknown() {
		c.Fail(kerr.CoordinatorLoadInProgress)
		return
	}
	var out ListResponse
	var states []State
	for _, name := range c.req.States {
		if i := slices.Index(stateNames[:], name); i >= 0 {
			states = append(states, State(i))
		} else {
			out.UnknownStates = append(out.UnknownStates, name)
		}
	}
	for id, t := range s.txns {
		d := &t.meta
		switch {
		case t.dying || d.epoch == noEpoch:
		case len(c.req.ProducerIDs) > 0 && !slices.Contains(c.req.ProducerIDs, d.producerID):
		case len(c.req.States) > 0 && !slices.Contains(states, d.state):
		case c.req.DurationMs >= 0 && s.now-d.start <= c.req.DurationMs:
		case c.pattern != nil && !c.pattern.MatchString(id):
		default:
			out.Transactions = append(out.Transactions, Listing{id, d.producerID, d.state})
		}
	}
	slices.SortFunc(out.Transactions, func(a, b Listing) int { return cmp.Compare(a.TransactionalID, b.TransactionalID) })
	c.ch <- out
}
