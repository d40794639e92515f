package batch

import (
	"encoding/binary"
	"fmt"
	"sync"
)

// Filter says what compaction leaves of a batch (the rules of Kafka's
// MemoryRecords.filterTo).
type Filter struct {
	// Keep says whether a record stays. It is asked once for each, in order; what
	// the record refers to is valid until it returns.
	Keep func(Record) bool
	// KeepEmpty keeps a header without records where none stays: it still says
	// which offsets, and which sequence numbers of its producer, there were.
	KeepEmpty bool
	// DeleteHorizon, ms, is the time from which what is deleted by being there
	// (tombstones, transaction markers) may go itself (KIP-534). A batch gets one
	// when the first such record is found that stays, and never another.
	DeleteHorizon int64
	// Marker says that the batch is a transaction marker of which nothing else is
	// left, which is such a record too.
	Marker bool
}

// DeleteHorizon is the time in ms from which compaction may drop the batch's
// tombstones, or the batch itself if it is a transaction marker; false if it has
// none yet.
func (b Batch) DeleteHorizon() (ms int64, ok bool) {
	return b.BaseTimestamp(), b.HasDeleteHorizon()
}

// AppendFiltered appends to dst what the filter leaves of the batch, which may be
// nothing, and says how many records that is. Offsets, sequence numbers, producer,
// epochs, codec and timestamps stay what they were; so does the range of offsets
// that the batch covers. A batch of which everything stays is copied bit by bit.
//
// The records are walked a second time if only some of them stay, instead of being
// held meanwhile: memory is bounded by the largest record, whatever the batch
// expands to. The batch must have passed Validate. After an error, which wraps
// kerr.InvalidRecord, dst is as it was.
func (b Batch) AppendFiltered(dst []byte, f Filter) (out []byte, kept int32, err error) {
	scratch := filters.Get().(*filterScratch)
	defer filters.Put(scratch)
	left, err := scratch.decide(b, f)
	if err != nil {
		return dst, 0, err
	}
	_, has := b.DeleteHorizon()
	begins := !has && (left.tombstone || f.Marker && b.IsControl())
	switch {
	case left.n == 0 && f.KeepEmpty:
		return b.appendEmpty(dst), 0, nil
	case left.n == 0:
		return dst, 0, nil
	case left.n == b.Count() && !begins:
		return append(dst, b...), left.n, nil
	}
	base := left.first
	if begins {
		base = f.DeleteHorizon
	} else if has {
		base = b.BaseTimestamp()
	}
	start := len(dst)
	sink := &sink{p: append(dst, b[:HeaderSize]...)}
	if err := scratch.rewrite(b, base, sink); err != nil {
		return dst[:start], 0, err
	}
	c := Batch(sink.p[start:])
	if begins {
		c[attributesLowByte] |= deleteHorizonBit
	}
	binary.BigEndian.PutUint64(c[baseTimestampAt:], uint64(base))
	if !b.LogAppendTime() {
		binary.BigEndian.PutUint64(c[maxTimestampAt:], uint64(left.max))
	}
	c.putSize(left.n)
	return sink.p, left.n, nil
}

// appendEmpty appends the header alone. What it says of records' form goes: Kafka
// writes such a batch uncompressed and without delete horizon.
func (b Batch) appendEmpty(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, b[:HeaderSize]...)
	c := Batch(dst[start:])
	c[attributesLowByte] &^= codecMask | deleteHorizonBit
	base := NoTimestamp
	binary.BigEndian.PutUint64(c[baseTimestampAt:], uint64(base))
	c.putSize(0)
	return dst
}

// putSize makes the header agree with the bytes and the number of records.
func (b Batch) putSize(count int32) {
	binary.BigEndian.PutUint32(b[countAt:], uint32(count))
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-logOverhead))
	b.putCRC()
}

// left is what stays of a batch.
type left struct {
	n          int32
	tombstone  bool
	first, max int64 // timestamps, ms
}

// filterScratch is what filtering a batch needs besides it.
type filterScratch struct {
	keep []uint64 // a bit for each record
	buf  []byte   // records on their way to the compressor
}

var filters = sync.Pool{New: func() any { return new(filterScratch) }}

// decide asks the filter about each record.
func (s *filterScratch) decide(b Batch, f Filter) (left, error) {
	l := left{max: NoTimestamp}
	s.keep = s.keep[:0]
	i := 0
	for r, err := range b.Records() {
		if err != nil {
			return l, err
		}
		if i%64 == 0 {
			s.keep = append(s.keep, 0) // as records arrive, not as many as the header claims
		}
		if f.Keep(r) {
			s.keep[i/64] |= 1 << (i % 64)
			if l.n == 0 {
				l.first = r.Timestamp
			}
			l.n++
			l.max = max(l.max, r.Timestamp)
			l.tombstone = l.tombstone || r.Value == nil
		}
		i++
	}
	return l, nil
}

// rewrite compresses the records that stay, with timestamps relative to base.
func (s *filterScratch) rewrite(b Batch, base int64, out *sink) error {
	w := newCompressor(Compression{Codec: b.Codec()}, out)
	defer w.release()
	const pieces = 16 << 10
	s.buf = s.buf[:0]
	i := 0
	for r, err := range b.Records() {
		if err != nil {
			return err
		}
		if s.keep[i/64]&(1<<(i%64)) != 0 {
			s.buf = AppendRecord(s.buf, int32(r.Offset-b.BaseOffset()), r.Timestamp-base, r)
			if len(s.buf) >= pieces {
				if _, err := w.Write(s.buf); err != nil {
					return fmt.Errorf("compress: %w", err)
				}
				s.buf = s.buf[:0]
			}
		}
		i++
	}
	if cap(s.buf) > 64<<10 {
		defer func() { s.buf = nil }()
	}
	if _, err := w.Write(s.buf); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("compress: %w", err)
	}
	return nil
}
