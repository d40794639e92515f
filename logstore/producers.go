package logstore

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"sync/atomic"

	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// keptBatches is how many batches are remembered for each producer: a client has at most that many requests under
// way (max.in.flight.requests.per.connection), so no retry is ever of an older one.
const keptBatches = 5

// producerBatch is a batch that a producer has in the log.
type producerBatch struct {
	lastSequence int32
	offsetDelta  int32 // last offset less first offset
	lastOffset   int64
	timestamp    int64 // ms, the batch's largest
}

// firstSequence wraps as sequence numbers do.
func (b producerBatch) firstSequence() int32 {
	first := int64(b.lastSequence) - int64(b.offsetDelta)
	if first < 0 {
		first += math.MaxInt32 + 1
	}
	return int32(first)
}

// producer is what a log knows of one producer id.
type producer struct {
	epoch            int16 // NoProducerEpoch if it has only ended a transaction of which nothing is left
	coordinatorEpoch int32 // of the transaction coordinator that last ended a transaction of it, or -1
	lastTimestamp    int64 // ms
	txnStart         int64 // first offset of its open transaction, or -1
	n                int   // batches kept, oldest first
	batches          [keptBatches]producerBatch
}

func (p *producer) lastSequence() int32 {
	if p.n == 0 {
		return batch.NoSequence
	}
	return p.batches[p.n-1].lastSequence
}

func (p *producer) add(b producerBatch) {
	if p.n == keptBatches {
		copy(p.batches[:], p.batches[1:])
		p.n--
	}
	p.batches[p.n] = b
	p.n++
}

// producerState is the idempotent and transactional state of a log: Kafka's ProducerStateManager without its files.
// It is a pure state machine, guarded by the log's writer lock.
//
// check and checkMarker decide about what a client and a transaction coordinator want to append; apply takes a batch
// that is in the log, whoever decided about it. State is what applying all batches in [snapshot, end) to the snapshot
// gives, so replay after a crash rebuilds it. Verifications alone are not in the log; see verification.go.
type producerState struct {
	settings  *producerSettings
	producers map[int64]*producer
	end       int64 // everything below was applied

	// openTxns are the first offsets of open transactions, ascending, with their producers.
	openTxns []openTxn

	verifications map[int64]*verification // by producer; nil until there is one
}

// producerSettings are the Dir's, for all its logs.
type producerSettings struct {
	expirationMs atomic.Int64 // producer.id.expiration.ms
	unverified   atomic.Bool  // transaction.partition.verification.enable is false
}

type openTxn struct {
	start      int64
	producerID int64
}

// endedTxn is a transaction that a marker has ended.
type endedTxn struct {
	txnEntry
	aborted bool
}

// SetProducerIDExpiration changes producer.id.expiration.ms, in ms, for all logs of the directory; it counts from the
// next time that producers are looked through.
func (d *Dir) SetProducerIDExpiration(ms int64) { d.producers.expirationMs.Store(ms) }

func newProducerState(settings *producerSettings) producerState {
	return producerState{settings: settings, producers: make(map[int64]*producer)}
}

// check decides whether a batch from a client may be appended, given what was verified for it. dup is the batch that it
// repeats, if it does.
//
// Errors, as Kafka's UnifiedLog.analyzeAndValidateProducerState and ProducerAppendInfo: kerr.InvalidProducerEpoch from an
// epoch that was fenced; kerr.OutOfOrderSequenceNumber where sequence numbers leave a gap or go back further than is
// remembered; kerr.InvalidTxnState where a batch outside a transaction comes from a producer that has one open, and
// where one inside a transaction has neither an open one nor a verification to go by. A producer that the log does not
// know, because it is new or its records are gone, may begin with any number.
func (s *producerState) check(b batch.Batch, v Verification) (dup producerBatch, isDup bool, err error) {
	if !b.HasProducerID() {
		return producerBatch{}, false, nil
	}
	id, epoch, first, last := b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), b.LastSequence()
	p := s.producers[id]
	if p != nil && epoch == p.epoch {
		for _, old := range p.batches[:p.n] {
			if old.lastSequence == last && old.firstSequence() == first {
				return old, true, nil
			}
		}
	}
	if err := p.checkEpoch(id, epoch); err != nil {
		return producerBatch{}, false, err
	}
	if b.IsTransactional() && !p.ongoing(epoch) && !s.verified(id, v) {
		return producerBatch{}, false, fmt.Errorf("producer %d, epoch %d: record was not part of an ongoing transaction: %w",
			id, epoch, kerr.InvalidTxnState)
	}
	if err := s.checkVerification(id, p, first); err != nil {
		return producerBatch{}, false, err
	}
	if p == nil {
		return producerBatch{}, false, nil
	}
	switch {
	case p.epoch == batch.NoProducerEpoch:
	case epoch > p.epoch:
		if first != 0 {
			return producerBatch{}, false, fmt.Errorf("producer %d begins epoch %d, after %d, with sequence number %d: %w",
				id, epoch, p.epoch, first, kerr.OutOfOrderSequenceNumber)
		}
	default:
		if want := p.lastSequence(); first != want+1 && !(want == math.MaxInt32 && first == 0) {
			return producerBatch{}, false, fmt.Errorf("producer %d, epoch %d: sequence number %d after %d: %w",
				id, epoch, first, want, kerr.OutOfOrderSequenceNumber)
		}
	}
	if p.txnStart >= 0 && !b.IsTransactional() {
		return producerBatch{}, false, fmt.Errorf("producer %d has a transaction open from offset %d on: %w",
			id, p.txnStart, kerr.InvalidTxnState)
	}
	return producerBatch{}, false, nil
}

// checkEpoch says whether the producer, nil if it is not known, may still write in an epoch.
func (p *producer) checkEpoch(id int64, epoch int16) error {
	if p == nil || epoch >= p.epoch {
		return nil
	}
	return fmt.Errorf("producer %d has epoch %d, the last seen is %d: %w", id, epoch, p.epoch, kerr.InvalidProducerEpoch)
}

// ongoing says whether the producer, nil if it is not known, has a transaction open in its epoch.
func (p *producer) ongoing(epoch int16) bool { return p != nil && p.txnStart >= 0 && p.epoch == epoch }

// apply takes note of a batch in the log, and returns the transaction that it has ended, if it has. Only its header is
// looked at, but for control batches. Batches must come in the order of offsets.
func (s *producerState) apply(b batch.Batch) (t endedTxn, ended bool) {
	s.end = b.LastOffset() + 1
	if !b.HasProducerID() {
		return t, false
	}
	id := b.ProducerID()
	var m markerRecord
	if b.IsControl() {
		var ok bool
		if m, ok = readMarker(b); !ok {
			return t, false // not about a transaction
		}
	}
	if b.IsTransactional() {
		s.settle(id, b.ProducerEpoch(), b.IsControl())
	}
	p := s.producers[id]
	if p == nil {
		p = &producer{epoch: batch.NoProducerEpoch, coordinatorEpoch: -1, txnStart: -1}
		s.producers[id] = p
	}
	if e := b.ProducerEpoch(); e != p.epoch {
		p.epoch, p.n = e, 0
	}
	p.lastTimestamp = b.MaxTimestamp()
	if b.IsControl() {
		if !m.empty {
			p.coordinatorEpoch = m.coordinatorEpoch
		}
		if p.txnStart < 0 {
			return t, false
		}
		s.endTxn(p)
		t.producerID, t.first, t.last, t.stable = id, p.txnStart, b.LastOffset(), min(s.firstUndecided(), b.LastOffset()+1)
		t.aborted = !m.empty && m.kind == batch.Abort
		p.txnStart = -1
		return t, true
	}
	p.add(producerBatch{
		lastSequence: b.LastSequence(),
		offsetDelta:  b.LastOffsetDelta(),
		lastOffset:   b.LastOffset(),
		timestamp:    b.MaxTimestamp(),
	})
	if b.IsTransactional() && p.txnStart < 0 {
		p.txnStart = b.BaseOffset()
		s.beginTxn(openTxn{start: p.txnStart, producerID: id})
	}
	return t, false
}

func (s *producerState) beginTxn(t openTxn) {
	i, _ := s.openTxn(t.start)
	s.openTxns = slices.Insert(s.openTxns, i, t)
}

func (s *producerState) endTxn(p *producer) {
	if i, ok := s.openTxn(p.txnStart); ok {
		s.openTxns = slices.Delete(s.openTxns, i, i+1)
	}
}

func (s *producerState) openTxn(start int64) (i int, found bool) {
	return slices.BinarySearchFunc(s.openTxns, start, func(o openTxn, start int64) int { return cmp.Compare(o.start, start) })
}

// firstUndecided is the first offset of the oldest open transaction; MaxInt64 if there is none.
func (s *producerState) firstUndecided() int64 {
	if len(s.openTxns) == 0 {
		return math.MaxInt64
	}
	return s.openTxns[0].start
}

func (s *producerState) expired(p *producer, now int64) bool {
	return p.txnStart < 0 && now-p.lastTimestamp >= s.settings.expirationMs.Load()
}

// expire forgets producers that have been silent for producer.id.expiration.ms and have no transaction open, and
// verifications that are as old: nobody came back with them.
func (s *producerState) expire(now int64) {
	maps.DeleteFunc(s.producers, func(_ int64, p *producer) bool { return s.expired(p, now) })
	maps.DeleteFunc(s.verifications, func(_ int64, v *verification) bool { return now-v.at >= s.settings.expirationMs.Load() })
}

// reset forgets everything that is in the log; replay goes on from end.
func (s *producerState) reset(end int64) {
	clear(s.producers)
	s.openTxns = nil
	s.end = end
}

// restore adds the producers of a snapshot that have not expired, and makes end its offset.
func (s *producerState) restore(entries []snapshotEntry, end, now int64) {
	s.reset(end)
	for _, e := range entries {
		p := &producer{
			epoch:            e.epoch,
			coordinatorEpoch: e.coordinatorEpoch,
			lastTimestamp:    e.timestamp,
			txnStart:         -1,
		}
		if e.txnStart >= 0 {
			p.txnStart = e.txnStart
		}
		if e.lastOffset >= 0 {
			p.add(producerBatch{lastSequence: e.lastSequence, offsetDelta: e.offsetDelta, lastOffset: e.lastOffset, timestamp: e.timestamp})
		}
		if s.expired(p, now) {
			continue
		}
		s.producers[e.producerID] = p
		if p.txnStart >= 0 {
			s.beginTxn(openTxn{start: p.txnStart, producerID: e.producerID})
		}
	}
}

// entries yields the state for a snapshot, by producer id.
func (s *producerState) entries() iter.Seq[snapshotEntry] {
	return func(yield func(snapshotEntry) bool) {
		for _, id := range slices.Sorted(maps.Keys(s.producers)) {
			p := s.producers[id]
			e := snapshotEntry{
				producerID:       id,
				epoch:            p.epoch,
				lastSequence:     batch.NoSequence,
				lastOffset:       -1,
				timestamp:        p.lastTimestamp,
				coordinatorEpoch: p.coordinatorEpoch,
				txnStart:         p.txnStart,
			}
			if p.n > 0 {
				last := p.batches[p.n-1]
				e.lastSequence, e.lastOffset, e.offsetDelta = last.lastSequence, last.lastOffset, last.offsetDelta
			}
			if !yield(e) {
				return
			}
		}
	}
}

// ProducerState describes a producer that a log knows (DescribeProducers).
type ProducerState struct {
	ProducerID            int64
	Epoch                 int16
	LastSequence          int32 // -1 if none
	LastTimestamp         int64 // ms
	CoordinatorEpoch      int32 // -1 if none
	CurrentTxnStartOffset int64 // -1 if none
}

func (s *producerState) describe() []ProducerState {
	list := make([]ProducerState, 0, len(s.producers))
	for e := range s.entries() {
		list = append(list, ProducerState{
			ProducerID:            e.producerID,
			Epoch:                 e.epoch,
			LastSequence:          e.lastSequence,
			LastTimestamp:         e.timestamp,
			CoordinatorEpoch:      e.coordinatorEpoch,
			CurrentTxnStartOffset: e.txnStart,
		})
	}
	return list
}
