package logstore

import (
	"errors"
	"fmt"
	"io"

	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// recover checks the segments from the recovery point on, batch by batch, and ends the log at the first that is
// torn or wrong: what lies behind it was never promised to anybody. Indexes are built anew for what was checked.
//
// Below the recovery point files, index entries included, are on disk since before the point moved there, and are
// believed. So the work is proportional to what was appended since the last flush, not to the segment. A log that was
// not written to since it was closed in order, while others were, is read at its end and not changed.
func (l *Log) recover() error {
	segments := *l.segments.Load()
	point := l.recoveryPoint.Load()
	// A snapshot above the point may be of records that a truncation removed before it removed the snapshot: both
	// removals may have come undone, or one. But where the log begins nothing else says what was before.
	for n := len(l.snapshots); n > 0 && l.snapshots[n-1] > max(point, segments[0].base); n-- {
		if err := l.touch(); err != nil {
			return err
		}
		if err := l.removeSnapshot(l.snapshots[n-1]); err != nil {
			return err
		}
	}
	// If the point is where a segment begins, the one before may have been sealed since the flush that moved it.
	first := segmentAt(segments, point-1)
	for i, s := range segments[first:] {
		i += first
		end := point
		if i+1 < len(segments) {
			end = segments[i+1].base
		}
		if ok, err := l.intact(s, end); err != nil {
			return err
		} else if ok && end <= point {
			continue
		}
		if err := l.touch(); err != nil {
			return err
		}
		// A segment that is all below the point is looked at for its end alone. The point stays where it is, or crash
		// after crash it would go back, segment by segment.
		below := i+1 < len(segments) && segments[i+1].base <= point
		cut, err := l.recoverSegment(s, point, below)
		if err == nil && below && !cut {
			err = errors.Join(s.seal(), s.sync())
		}
		if err != nil {
			return err
		}
		_, end = s.extent()
		// A segment that ends before the next one begins has lost its tail, unless all of that is below the recovery
		// point: there compaction leaves gaps.
		if i+1 < len(segments) && !cut && (end == segments[i+1].base || end < segments[i+1].base && segments[i+1].base <= point) {
			s.mu.Lock()
			s.next = segments[i+1].base
			s.mu.Unlock()
			continue
		}
		if i+1 < len(segments) {
			l.logger.Warn("segments behind a damaged one are dropped", "segment", s.path(), "end", end, "dropped", len(segments)-i-1)
			if err := l.discardAll(segments[i+1:]); err != nil {
				return err
			}
		}
		list := segments[: i+1 : i+1]
		l.segments.Store(&list)
		break
	}
	return nil
}

// recoverSegment checks a segment from the last index entry below the recovery point on, cuts it behind the last
// good batch, and says whether anything was cut. Index entries behind that are written anew. synced says that the
// caller makes them durable before anything else happens.
func (l *Log) recoverSegment(s *segment, point int64, synced bool) (cut bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, err := s.open()
	if err != nil {
		return false, err
	}
	cfg := l.cfg.Load()
	r := batchReader{f: h.f, path: s.path(), end: s.size, chunk: recoveryChunk}
	anchor, err := s.anchor(&r, point)
	if err != nil {
		return false, err
	}
	if err := errors.Join(s.offsets.truncate(s.fs, anchor.offsets), s.times.truncate(s.fs, anchor.times)); err != nil {
		return false, err
	}
	if err := s.recoverTxns(point); err != nil {
		return false, err
	}
	s.maxTime, s.hasMaxTime = timeEntry{timestamp: batch.NoTimestamp, offset: s.base}, false
	if err := s.loadMaxTime(); err != nil {
		return false, err
	}
	s.hasFirstTime = false
	s.next = s.base
	s.sinceIndex = 0
	if anchor.size > 0 {
		s.sinceIndex = anchor.size
		s.next = anchor.offset + 1
	}
	// Epochs from here on are learnt from the batches again: the file may be older than they are, or newer than what
	// is left of them.
	l.epochs.truncateFromEnd(s.next)
	r.pos = anchor.pos + anchor.size
	valid := r.pos
	anew := anchor.size == 0 && point > s.base && !synced
	for {
		b, err := r.next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = l.acceptable(s, b)
		}
		var code *kerr.Error
		if errors.As(err, &code) {
			l.logger.Warn("recovery ends the log at a damaged batch", "segment", s.path(), "position", valid, "offset", s.next, "error", err)
			break
		}
		if err != nil {
			return false, err
		}
		if anew && s.sinceIndex > int64(cfg.IndexIntervalBytes) && b.LastOffset() < point {
			// An entry that a later recovery would believe is about to be written anew, unsynced.
			if err := l.dir.lowerRecoveryPoint(l, s.base); err != nil {
				return false, err
			}
			anew = false
		}
		if err := s.account(b, valid, int64(len(b)), cfg); err != nil {
			return false, err
		}
		l.epochs.assign(b.LeaderEpoch(), b.BaseOffset())
		s.next = b.LastOffset() + 1
		valid += int64(len(b))
	}
	// Cut even if nothing is wrong: blocks may be preallocated behind the end.
	if err := h.f.Truncate(valid); err != nil {
		return false, err
	}
	cut = valid < s.size
	if cut && s.next < point {
		if err := s.recoverTxns(s.next); err != nil {
			return false, err
		}
	}
	s.size, s.allocated = valid, valid
	s.ownFrom = anchor.pos
	s.unsynced = true
	return cut, s.indexMaxTime()
}

// recoveryChunk is how much of a segment is read at once.
const recoveryChunk = 1 << 20

// acceptable says whether a batch of the right checksum can follow what was recovered so far. A leader epoch never
// goes back within a log; where it seems to, batches from before a truncation that did not reach the disk have come
// up again behind newer ones.
func (l *Log) acceptable(s *segment, b batch.Batch) error {
	if b.BaseOffset() < s.next || !s.fits(b.LastOffset()) {
		return fmt.Errorf("offsets %d to %d where %d is next: %w", b.BaseOffset(), b.LastOffset(), s.next, kerr.CorruptMessage)
	}
	if latest, ok := l.epochs.latest(); ok && b.LeaderEpoch() >= 0 && b.LeaderEpoch() < latest {
		return fmt.Errorf("leader epoch %d behind %d: %w", b.LeaderEpoch(), latest, kerr.CorruptMessage)
	}
	return nil
}

// anchored is the batch behind which a segment is checked; size 0 for its beginning. Up to it so many entries of both
// indexes are believed.
type anchored struct {
	offset         int64 // last of the batch
	pos            int64
	size           int64
	offsets, times int
}

// anchor finds the last offset index entry below the recovery point. What a crash left behind the entries that were
// synced can be anything, so only the prefix that ascends as it should counts, and the batch has to be there.
// Otherwise it is the beginning. Called under mu.
func (s *segment) anchor(r *batchReader, point int64) (anchored, error) {
	if point <= s.base || !s.offsets.exists || !s.times.exists {
		return anchored{}, nil
	}
	p, err := s.offsets.all(s.fs)
	if err != nil {
		return anchored{}, err
	}
	var a anchored
	last := offsetEntry{offset: s.base - 1}
	for ; len(p) > 0; p = p[offsetEntryWidth:] {
		e := getOffsetEntry(p, s.base)
		if e.offset <= last.offset || e.pos <= last.pos || e.offset >= point || e.pos >= s.size {
			break
		}
		last = e
		a.offsets++
	}
	if a.offsets == 0 {
		return anchored{}, nil
	}
	if p, err = s.times.all(s.fs); err != nil {
		return anchored{}, err
	}
	lastTime := timeEntry{timestamp: batch.NoTimestamp, offset: s.base}
	for ; len(p) > 0; p = p[timeEntryWidth:] {
		e := getTimeEntry(p, s.base)
		if e.timestamp <= lastTime.timestamp || e.offset < lastTime.offset || e.offset > last.offset {
			break
		}
		lastTime = e
		a.times++
	}
	r.pos = last.pos
	b, err := r.next()
	var code *kerr.Error
	if err != nil && err != io.EOF && !errors.As(err, &code) {
		return anchored{}, err
	}
	if err != nil || b.LastOffset() != last.offset {
		return anchored{}, nil
	}
	a.offset, a.pos, a.size = last.offset, last.pos, int64(len(b))
	return a, nil
}

// all reads the whole index.
func (x *index) all(fsys opener) ([]byte, error) {
	v, err := x.view(fsys)
	if err != nil {
		return nil, err
	}
	defer v.release()
	if v.n == 0 {
		return nil, nil
	}
	p := make([]byte, v.n*v.width)
	if v.tailFrom > 0 {
		if err := v.read(0, p[:v.tailFrom*v.width]); err != nil {
			return nil, err
		}
	}
	copy(p[v.tailFrom*v.width:], v.tail)
	return p, nil
}
