package txn

import "github.com/twmb/franz-go/pkg/kerr"

// end is EndTxn.
func (m *machine) end(e endEvent, now int64) []effect {
	r := e.req
	decide := m.endOld
	if r.Version >= 5 {
		decide = m.endNew
	}
	next, answer, err := decide(r, now)
	switch {
	case err == errNoProducerID:
		return []effect{needProducerID{}}
	case err != nil:
		return []effect{reply{e.to, EndTxnResponse{known(err, r.Version >= 2), noProducerID, noEpoch}}}
	case next == nil:
		return []effect{confirm{reply{e.to, answer}}}
	}
	return m.persist(next, e.to, answer)
}

// errNoProducerID never leaves this package.
var errNoProducerID = error(&kerr.Error{Message: "no producer id"})

func prepared(commit bool) State {
	if commit {
		return PrepareCommit
	}
	return PrepareAbort
}

// endOld is TransactionCoordinator.endTransactionWithTV1: the producer keeps its epoch, and a retry cannot be told from
// the end of the next transaction. next is nil if there is nothing to do.
func (m *machine) endOld(r *EndTxnRequest, now int64) (next *metadata, answer EndTxnResponse, err error) {
	answer = EndTxnResponse{nil, noProducerID, noEpoch}
	if err := m.mayUse(r.ProducerID, r.Epoch); err != nil {
		return nil, answer, err
	}
	switch s := m.meta.state; {
	case m.busy():
		return nil, answer, kerr.ConcurrentTransactions
	case s == Ongoing:
		return m.meta.prepare(prepared(r.Commit), 0, noProducerID, now), answer, nil
	case s == CompleteCommit && r.Commit || s == CompleteAbort && !r.Commit:
		return nil, answer, nil
	case s.preparing(): // whatever is asked for: the decision stands and its markers are on their way
		return nil, answer, kerr.ConcurrentTransactions
	default:
		return nil, answer, kerr.InvalidTxnState
	}
}

// endNew is TransactionCoordinator.endTransaction (KIP-890): every end bumps the epoch, so that a request with the epoch
// before is a retry of the last end, and one with the present epoch is about the next transaction. What holds nothing yet
// can be aborted, since the coordinator may not have heard of what the producer believes to have begun.
func (m *machine) endNew(r *EndTxnRequest, now int64) (next *metadata, answer EndTxnResponse, err error) {
	s := m.meta.state
	overflown := m.meta.prevProducerID == r.ProducerID && r.Epoch == maxEpoch-1 && m.meta.epoch == 0
	// Kafka does without lastEpoch: a producer that was fenced by one of the old protocol would be given its epoch.
	retry := r.Epoch == m.meta.lastEpoch && (overflown || m.meta.epoch-1 == r.Epoch) && r.Epoch >= 0
	current := m.meta.epoch == r.Epoch
	valid := current || retry && (s == CompleteCommit || s == CompleteAbort)
	switch {
	// First of all, as in Kafka: an abort of the next transaction, which is empty, may come while the markers of this one
	// are on their way.
	case m.busy() || s.preparing():
		return nil, answer, kerr.ConcurrentTransactions
	case m.meta.producerID != r.ProducerID && !overflown:
		return nil, answer, kerr.InvalidProducerIDMapping
	case !valid:
		return nil, answer, kerr.ProducerFenced
	case s == Ongoing:
		return m.endWith(prepared(r.Commit), now)
	case s == Empty && !r.Commit:
		return m.endWith(PrepareAbort, now)
	case s == Empty:
		return nil, answer, kerr.InvalidTxnState
	case retry && (s == CompleteCommit) == r.Commit:
		return nil, EndTxnResponse{nil, m.meta.producerID, m.meta.epoch}, nil
	case !retry && !r.Commit:
		return m.endWith(PrepareAbort, now)
	default:
		return nil, answer, kerr.InvalidTxnState
	}
}

// endWith decides under the new protocol and answers with what the producer has once it is complete.
func (m *machine) endWith(state State, now int64) (*metadata, EndTxnResponse, error) {
	id := int64(noProducerID)
	if exhausted(m.meta.epoch) {
		var ok bool
		if id, ok = m.around.producerID(); !ok {
			return nil, EndTxnResponse{}, errNoProducerID
		}
	}
	next := m.meta.prepare(state, 2, id, now)
	done := next.complete(now)
	return next, EndTxnResponse{nil, done.producerID, done.epoch}, nil
}
