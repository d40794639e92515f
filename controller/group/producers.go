package group

import (
	"math"
	"time"
)

// Producers that have nothing pending are forgotten after producerPause, at the latest after twice that time, or when
// there are more than maxProducers. Kafka keeps them for producer.id.expiration.ms; here it is the time by which a marker
// of an earlier coordinator may be late, and a commit behind its verification.
const (
	producerPause = time.Hour
	maxProducers  = 100_000
)

// producers are those that committed offsets in transactions, or of which a marker came. They are in two maps: those
// seen since the last turn, and the others.
type producers struct {
	seen, before map[int64]*producer
	turnAt       time.Time // zero: when the next one comes
	added        int       // to seen, since the last turn
	markers      uint64    // taken so far
	// What is known of markers is complete for those after this one; guards that are older are void.
	forgotten, forgottenNext uint64
}

// producer is what the groups of a shard know of a producer id.
type producer struct {
	epoch            int16    // the last that was here
	coordinatorEpoch int32    // of the last marker; -1: not known
	groups           []*group // that may have something pending of it; some have not, any more
	// The transactions of all epochs up to ended are over since the marker of this number; -1: none is.
	ended       int16
	endedMarker uint64
}

func newProducers() producers {
	return producers{seen: make(map[int64]*producer), before: make(map[int64]*producer)}
}

// find returns nil if the producer is not known.
func (p *producers) find(id int64) *producer {
	if e := p.seen[id]; e != nil {
		return e
	}
	return p.before[id]
}

// touch returns what is known of a producer; it will be for some time.
func (p *producers) touch(id int64, now time.Time) *producer {
	if p.turnAt.IsZero() {
		p.turnAt = now.Add(producerPause)
	} else if !now.Before(p.turnAt) || p.added >= maxProducers {
		p.turn(now)
	}
	e := p.seen[id]
	if e != nil {
		return e
	}
	if e = p.before[id]; e == nil {
		e = &producer{epoch: -1, coordinatorEpoch: -1, ended: -1}
	}
	delete(p.before, id)
	p.seen[id] = e
	p.added++
	return e
}

// turn forgets who was not seen since the turn before.
func (p *producers) turn(now time.Time) {
	for id, e := range p.before {
		if len(e.groups) > 0 {
			p.seen[id] = e
		}
	}
	// Who is forgotten now had its last marker before the turn before.
	p.forgotten, p.forgottenNext = p.forgottenNext, p.markers
	p.before, p.seen, p.added = p.seen, make(map[int64]*producer), 0
	p.turnAt = now.Add(producerPause)
}

// guard is of now.
func (p *producers) guard(s *core) TxnGuard { return TxnGuard{s, p.markers} }

// void says whether the transaction of an epoch may have ended since a guard was given out.
func (p *producers) void(g TxnGuard, s *core, id int64, epoch int16) bool {
	if g.shard != s || g.markers < p.forgotten {
		return true
	}
	e := p.find(id)
	return e != nil && epoch <= e.ended && e.endedMarker > g.markers
}

// marked takes a marker.
func (p *producers) marked(e *producer, r *EndTxnRequest) {
	p.markers++
	e.epoch, e.coordinatorEpoch, e.groups = r.Epoch, r.CoordinatorEpoch, nil
	if through := r.lastEpoch(); through >= e.ended {
		e.ended, e.endedMarker = through, p.markers
	}
}

// lastEpoch is the highest epoch of a transaction that the marker may end. From transaction.version 2 on the marker has
// the next epoch, unless there is none.
func (r *EndTxnRequest) lastEpoch() int16 {
	if r.TransactionVersion >= 2 && r.Epoch < math.MaxInt16 {
		return r.Epoch - 1
	}
	return r.Epoch
}
