package logstore

import (
	"encoding/binary"
	"fmt"
	"math"

	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Marker is how a transaction ends: what its coordinator has a partition's leader write (Kafka's EndTransactionMarker
// and WriteTxnMarkersRequest).
type Marker struct {
	ProducerID       int64
	Epoch            int16 // with transaction.version 2 that of the producer's next transaction
	Commit           bool
	CoordinatorEpoch int32
	// TransactionVersion is the level of the feature transaction.version under which the transaction was ended: from
	// level 2 on (KIP-890) the epoch has to be larger than that of the transaction.
	TransactionVersion int16
}

// The record of a marker: its key is a version, int16, and a [batch.ControlType], int16; its value a version, int16, and
// the coordinator's epoch, int32.
const (
	markerKeySize   = 2 + 2
	markerValueSize = 2 + 4
)

// batch is the marker as a control batch.
func (m *Marker) batch(now int64) batch.Batch {
	kind := batch.Abort
	if m.Commit {
		kind = batch.Commit
	}
	be := binary.BigEndian
	w := batch.NewBuilder()
	w.ProducerID, w.ProducerEpoch = m.ProducerID, m.Epoch
	w.Transactional, w.Control = true, true
	w.Add(batch.Record{
		Timestamp: now,
		Key:       be.AppendUint16(make([]byte, 2, markerKeySize), uint16(kind)),
		Value:     be.AppendUint32(make([]byte, 2, markerValueSize), uint32(m.CoordinatorEpoch)),
	})
	return w.Build()
}

// markerRecord is what a marker in the log says beyond its header.
type markerRecord struct {
	empty            bool // compaction has left the header alone
	kind             batch.ControlType
	coordinatorEpoch int32
}

// readMarker reads a control batch; false if it is not about a transaction.
func readMarker(b batch.Batch) (m markerRecord, ok bool) {
	kind, empty, err := b.ControlType()
	if err != nil || !empty && kind != batch.Abort && kind != batch.Commit {
		return m, false
	}
	m.kind, m.empty, m.coordinatorEpoch = kind, empty, -1
	for r := range b.Records() {
		if len(r.Value) >= markerValueSize {
			m.coordinatorEpoch = int32(binary.BigEndian.Uint32(r.Value[2:]))
		}
		break
	}
	return m, true
}

// hasAbort says whether one of the batches aborts a transaction.
func hasAbort(p []byte) bool {
	for len(p) > 0 {
		b, rest, err := batch.Next(p)
		if err != nil {
			return false
		}
		if b.IsControl() {
			if m, ok := readMarker(b); ok && !m.empty && m.kind == batch.Abort {
				return true
			}
		}
		p = rest
	}
	return false
}

// AppendMarker ends a producer's transaction, if it has one open here: it writes the control batch as [Log.WriteAsLeader]
// writes others. A marker for which there is nothing to end is written too, and so is one that comes again, unless the
// producer's next transaction has begun.
//
// Errors: kerr.InvalidProducerEpoch for an epoch that was fenced, or that does not end the open transaction by the rule
// of its version; kerr.TransactionCoordinatorFenced from a coordinator that is not the last one; kerr.KafkaStorageError.
func (l *Log) AppendMarker(m Marker, leaderEpoch int32) (AppendInfo, error) {
	cfg, now := l.cfg.Load(), l.dir.nowMs()
	b := m.batch(now)
	if err := l.writable(len(b)); err != nil {
		return AppendInfo{}, err
	}
	info := AppendInfo{LogAppendTime: -1}
	if cfg.LogAppendTime {
		b.StampLogAppendTime(now)
		info.LogAppendTime = now
	}
	err := func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.closed.Load() {
			return errClosed(l.tp.name())
		}
		info.LogStart = l.logStart.Load()
		if err := l.producers.checkMarker(m); err != nil {
			return fmt.Errorf("%s: %w", l.tp.name(), err)
		}
		return l.place(b, leaderEpoch, cfg, now, &info)
	}()
	if err != nil {
		return info, err
	}
	info.FlushDue = l.flushDue(cfg, info.LastOffset+1)
	return info, nil
}

// checkMarker decides whether a marker may be appended (Kafka's ProducerAppendInfo.appendEndTxnMarker).
//
// With transaction.version 2 a marker ends the transactions of earlier epochs. One of the present epoch is one that
// comes again, as long as the producer has begun nothing with it; when it has, the transaction that the marker was about
// is over. There is no epoch behind the last one, in which a producer can write only what is fenced.
func (s *producerState) checkMarker(m Marker) error {
	p := s.producers[m.ProducerID]
	if p == nil {
		return nil
	}
	if err := p.checkEpoch(m.ProducerID, m.Epoch); err != nil {
		return err
	}
	if m.TransactionVersion >= 2 && m.Epoch == p.epoch && p.txnStart >= 0 && m.Epoch != math.MaxInt16 {
		return fmt.Errorf("producer %d, epoch %d: the marker is not of the transaction that begins at offset %d: %w",
			m.ProducerID, m.Epoch, p.txnStart, kerr.InvalidProducerEpoch)
	}
	if m.CoordinatorEpoch < p.coordinatorEpoch {
		return fmt.Errorf("marker for producer %d from a coordinator of epoch %d, the last seen is %d: %w",
			m.ProducerID, m.CoordinatorEpoch, p.coordinatorEpoch, kerr.TransactionCoordinatorFenced)
	}
	return nil
}
