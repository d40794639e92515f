package logstore

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Before the first batch of a transaction is appended, somebody asks the transaction's coordinator whether the
// partition belongs to it (KIP-890). While the answer is on its way the transaction may end: a marker comes, and the
// batch would be in a transaction that nobody ends. So the log notes that somebody asks, forgets it when a marker of the
// producer is written, and takes the batch only if the note is still there.

// Verification is such a note: BeginVerification gives it, WriteAsLeader wants it back. The zero value is none.
type Verification struct{ of *verification }

// verification is the note of one producer (Kafka's VerificationStateEntry). It is compared by its address, so that one
// that was made later is never taken for it.
type verification struct {
	at       int64 // ms, when it was made
	epoch    int16
	lowest   int32 // sequence number in that epoch: what is above waits, since a lower one may come again
	implicit bool  // the coordinator adds the partition if it is not in the transaction
}

// maxVerifications is how many notes a log has at most. They are made for whoever asks: only the coordinator knows whether
// there is such a producer.
const maxVerifications = 10_000

// SetTransactionVerification changes transaction.partition.verification.enable for all logs of the directory. Without,
// any transactional batch may begin a transaction.
func (d *Dir) SetTransactionVerification(enabled bool) { d.producers.unverified.Store(!enabled) }

// BeginVerification is called before the coordinator is asked about a producer's batch. With implicitAdd (a producer that
// speaks Produce from version 12 on) the coordinator adds the partition to the transaction by the same question. Nothing
// needs to be asked if the transaction is open here already.
//
// Errors: kerr.InvalidProducerEpoch for an epoch that was fenced; kerr.KafkaStorageError.
func (l *Log) BeginVerification(producerID int64, epoch int16, firstSequence int32, implicitAdd bool) (v Verification, needed bool, err error) {
	if err := l.usable(); err != nil {
		return Verification{}, false, err
	}
	now := l.dir.nowMs()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &l.producers
	p := s.producers[producerID]
	if err := p.checkEpoch(producerID, epoch); err != nil {
		return Verification{}, false, fmt.Errorf("%s: %w", l.tp.name(), err)
	}
	if p.ongoing(epoch) {
		return Verification{}, false, nil
	}
	if s.verifications == nil {
		s.verifications = make(map[int64]*verification)
	}
	w := s.verifications[producerID]
	if w == nil {
		s.boundVerifications()
		w = &verification{at: now, epoch: epoch, lowest: firstSequence, implicit: implicitAdd}
		s.verifications[producerID] = w
	}
	if epoch > w.epoch || epoch == w.epoch && firstSequence < w.lowest {
		w.epoch, w.lowest = epoch, firstSequence
	}
	return Verification{w}, true, nil
}

// boundVerifications makes room for a note where there are too many, by forgetting any of them: a producer that is wronged
// gets INVALID_TXN_STATE, and aborts.
func (s *producerState) boundVerifications() {
	if len(s.verifications) < maxVerifications {
		return
	}
	for id := range s.verifications {
		delete(s.verifications, id)
		if len(s.verifications) < maxVerifications*7/8 {
			return
		}
	}
}

// verified says whether a transactional batch may begin a transaction.
func (s *producerState) verified(id int64, v Verification) bool {
	return s.settings.unverified.Load() || v.of != nil && v.of == s.verifications[id]
}

// checkVerification holds a batch's first sequence number against the producer's note. (p is nil if the producer is not
// known.) A batch that comes when a lower one was sent back with an error to be tried again would make that one
// out of order for good. And the first batch of a transaction of a producer that adds partitions by writing is its first
// in this epoch: the log, which knows none, can tell by that.
func (s *producerState) checkVerification(id int64, p *producer, first int32) error {
	w := s.verifications[id]
	switch {
	case w == nil:
	case w.implicit && first != 0 && (p == nil || p.n == 0):
		return fmt.Errorf("producer %d begins with sequence number %d: %w", id, first, kerr.OutOfOrderSequenceNumber)
	case first > w.lowest:
		return fmt.Errorf("producer %d: sequence number %d while %d is awaited: %w", id, first, w.lowest, kerr.OutOfOrderSequenceNumber)
	}
	return nil
}

// settle drops the producer's note when a batch of its transaction is in the log, or its marker. But a marker of the
// epoch that the note is about, of a producer that adds partitions by writing, has ended the transaction before that.
func (s *producerState) settle(id int64, epoch int16, control bool) {
	if w := s.verifications[id]; w != nil && !(control && w.implicit && w.epoch == epoch) {
		delete(s.verifications, id)
	}
}
