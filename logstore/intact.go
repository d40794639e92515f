package logstore

import (
	"errors"
	"io"

	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// intact says whether a segment is as closing it left it: all of it is below the recovery point, up to which it reaches,
// and its indexes have the entries that it should. Then a crash of others is no reason to write to it. It reads what
// recovery would, from the last index entry on, and takes note of what it finds. Called before anybody knows the log.
func (l *Log) intact(s *segment, end int64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.offsets.exists || !s.times.exists {
		return false, nil
	}
	last, ok, err := s.believedOffsets(end)
	if err != nil || !ok {
		return false, err
	}
	newest, ok, err := s.believedTimes(end)
	if err != nil || !ok {
		return false, err
	}
	h, err := s.open()
	if err != nil {
		return false, err
	}
	r := batchReader{f: h.f, path: s.path(), pos: last.pos, end: s.size, chunk: recoveryChunk}
	next, first, largest := s.base, true, batch.NoTimestamp
	for {
		b, err := r.next()
		if err == io.EOF {
			break
		}
		if _, damaged := errors.AsType[*kerr.Error](err); damaged {
			return false, nil // for recovery, which says so
		}
		if err != nil {
			return false, err
		}
		if first && last.pos > 0 && b.LastOffset() != last.offset || b.BaseOffset() < next || b.MaxTimestamp() > newest.timestamp {
			return false, nil
		}
		next, first, largest = b.LastOffset()+1, false, max(largest, b.MaxTimestamp())
	}
	if next != end || last.pos == 0 && largest != newest.timestamp {
		return false, nil
	}
	s.next, s.sinceIndex, s.ownFrom = end, s.size-last.pos, last.pos
	s.maxTime, s.hasMaxTime = newest, true
	return true, nil
}

// believedOffsets returns the last entry of the offset index, zero if there is none; false if an entry is none that a
// segment has which ends at an offset. Called under mu.
func (s *segment) believedOffsets(end int64) (last offsetEntry, ok bool, err error) {
	p, err := s.offsets.all(s.fs)
	last = offsetEntry{offset: s.base - 1}
	for ; len(p) > 0; p = p[offsetEntryWidth:] {
		e := getOffsetEntry(p, s.base)
		if e.offset <= last.offset || e.pos <= last.pos || e.offset >= end || e.pos >= s.size {
			return last, false, err
		}
		last = e
	}
	return last, err == nil, err
}

// believedTimes is believedOffsets for the time index.
func (s *segment) believedTimes(end int64) (last timeEntry, ok bool, err error) {
	p, err := s.times.all(s.fs)
	last = timeEntry{timestamp: batch.NoTimestamp, offset: s.base}
	for ; len(p) > 0; p = p[timeEntryWidth:] {
		e := getTimeEntry(p, s.base)
		if e.timestamp <= last.timestamp || e.offset < last.offset || e.offset >= end {
			return last, false, err
		}
		last = e
	}
	return last, err == nil, err
}
