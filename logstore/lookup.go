package logstore

import (
	"io"
	"math"
)

// OffsetForTimestamp returns the first record whose timestamp is at least ms, at or behind the start of the log;
// false if there is none. Timestamps need not ascend: it is the first by offset.
//
// As in Kafka the first segment whose largest timestamp reaches ms is searched from the last time index entry below
// it on, batch by batch, and the first batch that reaches it record by record. Should its records lie below the
// start of the log, the search goes on behind them.
func (l *Log) OffsetForTimestamp(ms int64) (TimestampOffset, bool, error) {
	for {
		if err := l.usable(); err != nil {
			return TimestampOffset{}, false, err
		}
		start := l.logStart.Load()
		segments := *l.segments.Load()
		found, ok, err := offsetForTimestamp(segments, ms, start)
		if err != nil && anyRemoved(segments) {
			continue
		}
		return found, ok, l.failed("look up a timestamp", err)
	}
}

func offsetForTimestamp(segments []*segment, ms, start int64) (TimestampOffset, bool, error) {
	for _, s := range segments[segmentAt(segments, start):] {
		largest, err := s.maxTimestamp()
		if err != nil {
			return TimestampOffset{}, false, err
		}
		if largest.timestamp < ms {
			continue
		}
		found, ok, err := s.firstAtOrAfter(ms, start)
		if err != nil || ok {
			return found, ok, err
		}
	}
	return TimestampOffset{}, false, nil
}

// firstAtOrAfter is OffsetForTimestamp within one segment.
func (s *segment) firstAtOrAfter(ms, start int64) (TimestampOffset, bool, error) {
	from, err := s.lastTimeBelow(ms)
	if err != nil {
		return TimestampOffset{}, false, err
	}
	var found TimestampOffset
	ok := false
	err = s.scanBatches(max(from, start), func(c *cursor, h header) (bool, error) {
		if h.b.MaxTimestamp() < ms || h.b.LastOffset() < start {
			return true, nil
		}
		b, err := c.whole(h)
		if err != nil {
			return false, err
		}
		for r, err := range b.Records() {
			if err != nil {
				return false, err
			}
			if r.Timestamp >= ms && r.Offset >= start {
				found, ok = TimestampOffset{Offset: r.Offset, Timestamp: r.Timestamp, LeaderEpoch: b.LeaderEpoch()}, true
				return false, nil
			}
		}
		return true, nil
	})
	return found, ok, err
}

// lastTimeBelow returns an offset such that no record with a timestamp of at least ms is below it: that of the last
// time index entry below ms. (An entry of exactly ms says where its batch ends, and the record may be inside.)
func (s *segment) lastTimeBelow(ms int64) (int64, error) {
	s.mu.Lock()
	v, err := s.view(&s.times)
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	defer v.release()
	var entry [timeEntryWidth]byte
	i, err := v.floor(entry[:], func(e []byte) bool { return getTimeEntry(e, s.base).timestamp < ms })
	if err != nil || i < 0 {
		return s.base, err
	}
	return getTimeEntry(entry[:], s.base).offset, nil
}

// scanBatches walks the segment from the first batch that reaches an offset on, until visit returns false.
func (s *segment) scanBatches(from int64, visit func(*cursor, header) (more bool, err error)) error {
	h, size, _, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	s.mu.Lock()
	v, err := s.view(&s.offsets)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	defer v.release()
	first, err := s.find(h, &v, from, size)
	if err == io.EOF {
		return nil
	}
	if err != nil {
		return err
	}
	c := newCursor(h.f, s.path(), first.pos, size)
	defer c.close()
	for {
		b, err := c.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if more, err := visit(&c, b); err != nil || !more {
			return err
		}
	}
}

// MaxTimestampOffset returns the first record that has the largest timestamp of the log; false if none has any.
func (l *Log) MaxTimestampOffset() (TimestampOffset, bool, error) {
	for {
		if err := l.usable(); err != nil {
			return TimestampOffset{}, false, err
		}
		segments := *l.segments.Load()
		found, ok, err := maxTimestampOffset(segments)
		if err != nil && anyRemoved(segments) {
			continue
		}
		return found, ok, l.failed("look up the largest timestamp", err)
	}
}

func maxTimestampOffset(segments []*segment) (TimestampOffset, bool, error) {
	largest := timeEntry{timestamp: math.MinInt64}
	var in *segment
	for _, s := range segments {
		t, err := s.maxTimestamp()
		if err != nil {
			return TimestampOffset{}, false, err
		}
		if t.timestamp > largest.timestamp {
			largest, in = t, s
		}
	}
	var found TimestampOffset
	ok := false
	if in == nil || largest.timestamp < 0 {
		return found, false, nil
	}
	err := in.scanBatches(largest.offset, func(c *cursor, h header) (bool, error) {
		if h.b.MaxTimestamp() != largest.timestamp {
			return true, nil
		}
		b, err := c.whole(h)
		if err != nil {
			return false, err
		}
		for r, err := range b.Records() {
			if err != nil {
				return false, err
			}
			if r.Timestamp == largest.timestamp {
				found, ok = TimestampOffset{Offset: r.Offset, Timestamp: r.Timestamp, LeaderEpoch: b.LeaderEpoch()}, true
				return false, nil
			}
		}
		return true, nil
	})
	return found, ok, err
}
