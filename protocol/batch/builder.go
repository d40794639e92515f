package batch

import "encoding/binary"

// Builder builds one batch out of records: for internal topics, control
// batches and tests. The zero value is not ready, NewBuilder is. The exported
// fields may be changed until Build.
type Builder struct {
	BaseOffset    int64
	LeaderEpoch   int32
	Codec         Codec
	ProducerID    int64
	ProducerEpoch int16
	BaseSequence  int32
	Transactional bool
	Control       bool
	// LogAppendTime, unless NoTimestamp, is the timestamp of all records.
	LogAppendTime int64

	records   []byte
	count     int32
	lastDelta int32
	baseTime  int64
	maxTime   int64
}

// NewBuilder returns a builder of a batch as a producer without idempotence
// sends it: base offset 0, no leader epoch, no producer.
func NewBuilder() *Builder {
	return &Builder{
		LeaderEpoch:   NoLeaderEpoch,
		ProducerID:    NoProducerID,
		ProducerEpoch: NoProducerEpoch,
		BaseSequence:  NoSequence,
		LogAppendTime: NoTimestamp,
		lastDelta:     -1,
		baseTime:      NoTimestamp,
		maxTime:       NoTimestamp,
	}
}

// Add appends a record at the next offset and returns the builder. The offset
// in r is ignored; AddAt heeds it.
func (w *Builder) Add(r Record) *Builder {
	return w.add(w.lastDelta+1, r)
}

// AddAt appends a record at the offset it says, for batches with the gaps that
// compaction leaves. Offsets are relative to BaseOffset, which must have been set.
func (w *Builder) AddAt(r Record) *Builder {
	return w.add(int32(r.Offset-w.BaseOffset), r)
}

func (w *Builder) add(delta int32, r Record) *Builder {
	if w.count == 0 {
		w.baseTime = r.Timestamp
	}
	w.maxTime = max(w.maxTime, r.Timestamp)
	w.lastDelta = max(w.lastDelta, delta)
	w.count++
	w.records = AppendRecord(w.records, delta, r.Timestamp-w.baseTime, r)
	return w
}

// Len is how many records there are; Size how many bytes, before compression.
func (w *Builder) Len() int  { return int(w.count) }
func (w *Builder) Size() int { return HeaderSize + len(w.records) }

// Build returns the finished batch. The builder can go on from there: the
// batch shares nothing with it. It panics for a codec that there is not.
func (w *Builder) Build() Batch {
	b := make(Batch, HeaderSize, HeaderSize+len(w.records))
	b = appendCompressed(b, w.Codec, w.records)
	attributes := uint16(w.Codec)
	if w.Transactional {
		attributes |= transactionalBit
	}
	if w.Control {
		attributes |= controlBit
	}
	maxTime := w.maxTime
	if w.LogAppendTime != NoTimestamp {
		attributes |= logAppendTimeBit
		maxTime = w.LogAppendTime
	}
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-logOverhead))
	b[magicAt] = Magic
	binary.BigEndian.PutUint16(b[attributesAt:], attributes)
	binary.BigEndian.PutUint32(b[lastOffsetDeltaAt:], uint32(max(w.lastDelta, 0)))
	binary.BigEndian.PutUint64(b[baseTimestampAt:], uint64(w.baseTime))
	binary.BigEndian.PutUint64(b[maxTimestampAt:], uint64(maxTime))
	binary.BigEndian.PutUint64(b[producerIDAt:], uint64(w.ProducerID))
	binary.BigEndian.PutUint16(b[producerEpochAt:], uint16(w.ProducerEpoch))
	binary.BigEndian.PutUint32(b[baseSequenceAt:], uint32(w.BaseSequence))
	binary.BigEndian.PutUint32(b[countAt:], uint32(w.count))
	b.Stamp(w.BaseOffset, w.LeaderEpoch)
	b.putCRC()
	return b
}
