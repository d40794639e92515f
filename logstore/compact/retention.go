package compact

import (
	"blumfeld/protocol/batch"
)

// Producer is the last that a log knows of a producer that is still active: the last offset of its last data batch, -1
// if only its marker is left, and its epoch.
type Producer struct {
	LastDataOffset int64
	Epoch          int16
}

// Retention says what stays of each batch of a log (the filter of Kafka's Cleaner.cleanInto). Batches are shown to it
// in order, from the first of the log on.
type Retention struct {
	Map       *OffsetMap
	Txns      *Txns
	Producers map[int64]Producer
	Now       int64 // ms
	// DeleteRetentionMs is delete.retention.ms: how long tombstones and markers stay, from the cleaning on that first
	// found nothing else of what they end.
	DeleteRetentionMs int64

	// Keyless counts records without key, which have no place in a compacted log and go.
	Keyless int64
}

// Filter says what stays of a batch; ok is false if nothing does, without a look at its records. end says that the
// batch is the last of those that become one segment: it stays, if only as a header, so that the segment still says
// where it ends. (Kafka keeps only the last batch of a whole cleaning. The others are 61 bytes each, and thanks to them
// recovery can take a gap between segments for what it is: loss.)
//
// Errors: kerr.InvalidRecord if a control batch cannot be read.
func (r *Retention) Filter(b batch.Batch, end bool) (f batch.Filter, ok bool, err error) {
	discard := false
	if b.IsControl() {
		kind, empty, err := b.ControlType()
		if err != nil {
			return f, false, err
		}
		f.Marker = r.Txns.Marker(b, kind, empty)
		horizon, has := b.DeleteHorizon()
		discard = f.Marker && has && horizon <= r.Now
	} else {
		discard = r.Txns.Data(b)
	}
	f.KeepEmpty = end || r.lastOfProducer(b)
	f.DeleteHorizon = r.Now + r.DeleteRetentionMs
	switch {
	case discard:
		f.Keep = func(batch.Record) bool { return false }
		return f, f.KeepEmpty, nil
	case b.IsControl():
		f.Keep = func(batch.Record) bool { return true }
	default:
		horizon, has := b.DeleteHorizon()
		over := has && r.Now >= horizon
		f.Keep = func(rec batch.Record) bool { return r.keep(rec, over) }
	}
	return f, true, nil
}

// lastOfProducer says whether the state of an active producer would be lost with the batch: its last sequence number
// or, if it has only ended transactions, its epoch.
func (r *Retention) lastOfProducer(b batch.Batch) bool {
	if !b.HasProducerID() {
		return false
	}
	p, ok := r.Producers[b.ProducerID()]
	switch {
	case !ok:
		return false
	case p.LastDataOffset >= 0:
		return b.LastOffset() == p.LastDataOffset
	}
	return b.IsControl() && b.ProducerEpoch() == p.Epoch
}

// keep says whether a record stays: it is the last of its key, as far as the map reaches, and no tombstone whose time is
// over.
func (r *Retention) keep(rec batch.Record, over bool) bool {
	if rec.Offset > r.Map.Latest() {
		return true
	}
	if rec.Key == nil {
		r.Keyless++
		return false
	}
	if over && rec.Value == nil {
		return false
	}
	return rec.Offset >= r.Map.Get(rec.Key)
}
