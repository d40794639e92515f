package txn

import "github.com/twmb/franz-go/pkg/kerr"

// init is InitProducerId of an id that has a machine: TransactionCoordinator.prepareInitProducerIdTransit.
func (m *machine) init(e initEvent, now int64) []effect {
	r := e.req
	fail := func(err error) []effect {
		return []effect{reply{e.to, InitProducerIDResponse{known(err, r.Version >= 4), noProducerID, noEpoch}}}
	}
	named := r.ProducerID != noProducerID // KIP-360: a producer that knows who it was wants to go on
	switch {
	case m.busy():
		return fail(kerr.ConcurrentTransactions)
	case named && !m.recognises(r.ProducerID, r.Epoch):
		return fail(kerr.ProducerFenced)
	case m.meta.state.preparing():
		return fail(kerr.ConcurrentTransactions)
	case m.meta.state == Ongoing:
		// The epoch of the abort is nobody's: the client comes again and gets another.
		return m.fence(now, e.to, InitProducerIDResponse{kerr.ConcurrentTransactions, noProducerID, noEpoch})
	}
	next := m.meta.change(Empty, now)
	next.timeoutMs, next.partitions, next.start = r.TimeoutMs, nil, -1
	switch {
	case exhausted(m.meta.epoch) && (!named || r.Epoch == m.meta.epoch):
		id, ok := m.around.producerID()
		if !ok {
			return []effect{needProducerID{}}
		}
		next.producerID, next.epoch, next.lastEpoch = id, 0, noEpoch
		if named {
			next.lastEpoch = m.meta.epoch
		}
	case !named:
		next.epoch, next.lastEpoch = m.meta.bumped(), noEpoch
	case m.meta.epoch == noEpoch || r.Epoch == m.meta.epoch:
		next.epoch, next.lastEpoch = m.meta.bumped(), m.meta.epoch
	case r.Epoch == m.meta.lastEpoch:
		// It succeeded before, and the answer was lost. No other producer came between: that would have left no last epoch.
		next.prevProducerID = m.meta.prevProducerID
	default:
		return fail(kerr.ProducerFenced)
	}
	return m.persist(next, e.to, InitProducerIDResponse{nil, next.producerID, next.epoch})
}

// recognises says whether a producer that names itself may be the one that this id belongs to: it is; or the id is new,
// and the producer an old one that has been forgotten; or its epochs were used up, and it did not hear of its new id. The
// epoch is looked at later.
func (m *machine) recognises(producerID int64, epoch int16) bool {
	return m.meta.epoch == noEpoch || producerID == m.meta.producerID ||
		producerID == m.meta.prevProducerID && exhausted(epoch)
}
