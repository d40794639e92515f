package txn

import "github.com/twmb/franz-go/pkg/kerr"

// OpenTransaction is a transaction that is open in the log of a partition.
type OpenTransaction struct {
	ProducerID int64
	Epoch      int16
	Partition  TopicPartition
}

// Outcome is how an open transaction ends.
type Outcome uint8

const (
	Pending   Outcome = iota // its markers will come
	Committed                // it has ended, and so its markers will not come any more
	Aborted                  // likewise, or nobody knows of it
)

// OutcomesResponse has an Outcome for each transaction of the request.
type OutcomesResponse struct {
	Err      error
	Outcomes []Outcome
}

// Outcomes says how transactions end that logs have open. Those that are not Pending are hanging: a marker was written and
// lost with the machine's power, while the store, which does not lose what it has, says that it was written; or the store
// lost the transactional id. Nobody else would ever end them.
func (c *Coordinator) Outcomes(open []OpenTransaction) <-chan OutcomesResponse {
	call := &outcomesCall{open, make(chan OutcomesResponse, 1)}
	c.core.Send(call)
	return call.ch
}

type outcomesCall struct {
	open []OpenTransaction
	ch   chan OutcomesResponse
}

func (c *outcomesCall) Fail(err error) { c.ch <- OutcomesResponse{Err: err} }
func (c *outcomesCall) handle(s *core) {
	if s.unknown() {
		c.Fail(kerr.CoordinatorLoadInProgress)
		return
	}
	owners := make(map[int64][]*txn)
	for _, o := range c.open {
		owners[o.ProducerID] = nil
	}
	for _, t := range s.txns {
		for _, id := range []int64{t.meta.producerID, t.meta.prevProducerID} {
			if of, asked := owners[id]; asked && (len(of) == 0 || of[len(of)-1] != t) {
				owners[id] = append(of, t)
			}
		}
	}
	out := OutcomesResponse{Outcomes: make([]Outcome, len(c.open))}
	for i, o := range c.open {
		out.Outcomes[i] = Aborted
		for _, t := range owners[o.ProducerID] {
			if is := t.meta.outcome(&o); is != Aborted {
				out.Outcomes[i] = is
			}
		}
	}
	c.ch <- out
}

// outcome is what this id means for a transaction. What is open in a log has been in the store before.
func (d *metadata) outcome(o *OpenTransaction) Outcome {
	switch {
	case (d.state == Ongoing || d.state.preparing()) && d.producerID == o.ProducerID && d.contains(o.Partition):
		return Pending
	case d.state != CompleteCommit:
		return Aborted
	}
	// The transaction that has committed was under the epoch before the bump, or, in the old protocol, under the present one.
	epoch := d.epoch
	if d.version >= 2 {
		epoch = d.lastEpoch
	}
	if o.Epoch == epoch && (d.producerID == o.ProducerID || d.epoch == 0) {
		return Committed
	}
	return Aborted
}
