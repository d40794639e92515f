package logstore

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TruncateTo removes everything from an offset on. If that offset lies inside a batch, the batch goes too. The
// high watermark goes along if it has to. An offset at or behind the end of the log changes nothing.
//
// Readers that hold slices of what goes keep them: the file that they have open is replaced, not cut.
func (l *Log) TruncateTo(offset int64) error {
	if offset < 0 {
		return fmt.Errorf("%s: truncation to %d: %w", l.tp.name(), offset, kerr.OffsetOutOfRange)
	}
	if offset <= l.logStart.Load() && offset < l.logEnd.Load() {
		return l.TruncateFullyAndStartAt(offset)
	}
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	if offset >= l.logEnd.Load() {
		return l.usable()
	}
	segments := *l.segments.Load()
	keep := segmentAt(segments, offset)
	seg := segments[keep]
	pos, end, err := seg.cutPoint(offset)
	if errors.Is(err, errMoved) {
		return l.truncationRaced(offset)
	}
	if err != nil {
		return l.failed("truncate", err)
	}
	if err := l.beforeTruncation(end); err != nil {
		return err
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return errClosed(l.tp.name())
	}
	if now := *l.segments.Load(); len(now) < len(segments) || now[len(now)-1].base < seg.base || seg.isRemoved() {
		return l.truncationRaced(offset)
	}
	segments = *l.segments.Load()
	keep = segmentAt(segments, offset)
	// Kafka lets the log end at the offset that was asked for, even if that lies inside a batch that goes.
	l.logEnd.Store(offset)
	l.SetHighWatermark(min(l.highWatermark.Load(), offset))
	list := segments[: keep+1 : keep+1]
	l.segments.Store(&list)
	if err := l.discardAll(segments[keep+1:]); err != nil {
		return l.failedHalfway("truncate", err)
	}
	if err := seg.truncate(pos, offset); err != nil {
		return l.failedHalfway("truncate", err)
	}
	l.epochs.truncateFromEnd(offset)
	if err := l.reloadProducers(math.MaxInt64); err != nil {
		return l.failedHalfway("truncate", err)
	}
	return nil
}

func (l *Log) truncationRaced(offset int64) error {
	return fmt.Errorf("%s: truncation to %d while retention was at it: %w", l.tp.name(), offset, kerr.KafkaStorageError)
}

// TruncateFullyAndStartAt removes everything and makes offset both start and end of the log.
func (l *Log) TruncateFullyAndStartAt(offset int64) error {
	if offset < 0 {
		return fmt.Errorf("%s: truncation to %d: %w", l.tp.name(), offset, kerr.OffsetOutOfRange)
	}
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	start := l.logStart.Load()
	if err := l.beforeTruncation(min(offset, start)); err != nil {
		return err
	}
	// The new start goes to disk first: a crash that takes only some of the segments along must not leave a log that
	// ends below where it did.
	l.logStart.Store(offset)
	if err := l.dir.Checkpoint(); err != nil {
		l.logStart.Store(start)
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return errClosed(l.tp.name())
	}
	return l.failedHalfway("truncate", l.startAnew(offset))
}

// startAnew replaces all segments by an empty one. Called under mu, or before anybody knows the log.
func (l *Log) startAnew(offset int64) error {
	var old []*segment
	if list := l.segments.Load(); list != nil {
		old = *list
	}
	if err := l.discardAll(old); err != nil {
		return err
	}
	seg, err := l.createSegment(offset, l.dir.nowMs())
	if err != nil {
		return err
	}
	list := []*segment{seg}
	l.segments.Store(&list)
	l.logStart.Store(offset)
	l.logEnd.Store(offset)
	l.highWatermark.Store(offset)
	l.recoveryPoint.Store(min(l.recoveryPoint.Load(), offset))
	l.epochs.clear()
	l.producers.reset(offset)
	l.undecided.Store(math.MaxInt64)
	l.undecide(0)
	for len(l.snapshots) > 0 {
		if err := l.removeSnapshot(l.snapshots[len(l.snapshots)-1]); err != nil {
			return err
		}
	}
	l.lastSnapshot = offset
	return nil
}

// beforeTruncation puts the recovery point, in memory and on disk, where it will not be ahead of what is rewritten.
// Otherwise recovery would trust, unread, batches that were appended after the truncation and never synced.
func (l *Log) beforeTruncation(offset int64) error {
	if err := l.usable(); err != nil {
		return err
	}
	if err := l.touch(); err != nil {
		return err
	}
	// What is appended where cleaned records were is dirty; who cleans now has not noted yet how far that went.
	l.cutTo = min(l.cutTo, offset)
	dirtied := l.cleaned.Load() > offset
	if dirtied {
		l.cleaned.Store(offset)
	}
	if l.recoveryPoint.Load() <= offset && !dirtied {
		return nil
	}
	l.recoveryPoint.Store(min(l.recoveryPoint.Load(), offset))
	return l.dir.Checkpoint()
}

// discardAll discards segments from the newest down, so that a crash leaves the log's beginning and never only its
// end. Called under mu.
func (l *Log) discardAll(segments []*segment) error {
	for _, s := range slices.Backward(segments) {
		if err := l.discard(s); err != nil {
			return err
		}
	}
	return nil
}

// discard takes a segment out of service and its files out of the folder, at once: its names may be needed again.
// Called under mu.
func (l *Log) discard(s *segment) error {
	l.namesDirty.Store(true)
	s.retire()
	err := l.dir.removeIfExists(s.path())
	for x := range s.indexes() {
		err = errors.Join(err, l.dir.removeIfExists(x.path))
	}
	return err
}

// retire marks the segment removed and gives up its files.
func (s *segment) retire() {
	s.mu.Lock()
	s.removed = true
	s.unsynced = false
	for x := range s.indexes() {
		x.unsynced = false
	}
	s.mu.Unlock()
	s.closeFiles()
}

// cutPoint returns the position behind the last batch that stays if everything from offset on goes, and the offset
// at which that batch ends: less than offset if there is a gap, or if a batch that goes contains it.
func (s *segment) cutPoint(offset int64) (pos, end int64, err error) {
	h, size, _, err := s.acquire()
	if err != nil {
		return 0, 0, err
	}
	defer h.release()
	s.mu.Lock()
	v, err := s.view(&s.offsets)
	s.mu.Unlock()
	if err != nil {
		return 0, 0, err
	}
	defer v.release()
	first, err := s.find(h, &v, offset, size)
	switch {
	case err == io.EOF:
		pos = size
	case err != nil:
		return 0, 0, err
	default:
		pos = first.pos
	}
	c, err := s.seek(h, &v, pos, func(e []byte) bool { return positionOf(e) < pos })
	if err != nil {
		return 0, 0, err
	}
	defer c.close()
	for end = s.base; ; {
		b, err := c.next()
		if err == io.EOF {
			return pos, end, nil
		}
		if err != nil {
			return 0, 0, err
		}
		end = b.b.LastOffset() + 1
	}
}

// truncate cuts the segment at a position, behind which are the batches that reach end. Called under the log's mu.
//
// If readers have the file open it is copied up to there and replaced, since a shorter file would be a fault for
// who reads it through a mapping, and other bytes for who reads it by pread. The copy is synced, for the sake of
// what was durable before: the one place where a sync happens under the writer lock, which nobody could use anyway.
func (s *segment) truncate(pos, end int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, err := s.open()
	if err != nil {
		return err
	}
	s.cut++
	if h.shared() && pos < s.size {
		if h, err = s.copyPrefix(h, pos); err != nil {
			return err
		}
		s.file.release()
		s.file = h
	} else if err := h.f.Truncate(pos); err != nil {
		return err
	}
	s.size, s.allocated = pos, pos
	s.ownFrom = min(s.ownFrom, pos)
	s.verified.cut(pos)
	s.unsynced = true
	s.recent = recent{}
	s.warmth = s.warmth[:min(int64(len(s.warmth)), (pos+warmGranule-1)/warmGranule)]

	// Entries for batches that stay are those of lower positions; time entries those of lower offsets.
	var entry [timeEntryWidth]byte
	v, err := s.view(&s.offsets)
	if err != nil {
		return err
	}
	i, err := v.floor(entry[:], func(e []byte) bool { return positionOf(e) < pos })
	v.release()
	if err != nil {
		return err
	}
	if err := s.offsets.truncate(s.fs, i+1); err != nil {
		return err
	}
	s.sinceIndex = pos
	if i >= 0 {
		s.sinceIndex -= positionOf(entry[:])
	}
	if v, err = s.view(&s.times); err != nil {
		return err
	}
	i, err = v.floor(entry[:], func(e []byte) bool { return getTimeEntry(e, s.base).offset < end })
	v.release()
	if err != nil {
		return err
	}
	if err := s.times.truncate(s.fs, i+1); err != nil {
		return err
	}
	if err := s.truncateTxns(end); err != nil {
		return err
	}
	if pos == 0 {
		s.hasFirstTime = false
		s.created = s.modTime
	}
	return s.loadAfterCut()
}

// loadAfterCut finds again where the last batch ends, and the largest timestamp: that of the last time index entry,
// or of a batch behind it. Called under mu.
func (s *segment) loadAfterCut() error {
	s.next = s.base
	s.maxTime, s.hasMaxTime = timeEntry{timestamp: -1, offset: s.base}, false
	if err := s.loadMaxTime(); err != nil {
		return err
	}
	v, err := s.view(&s.offsets)
	if err != nil {
		return err
	}
	defer v.release()
	rel := s.maxTime.offset - s.base
	if s.times.n == 0 {
		rel = -1
	}
	c, err := s.seek(s.file, &v, s.size, func(e []byte) bool { return relativeOf(e) <= rel })
	if err != nil {
		return err
	}
	defer c.close()
	for {
		b, err := c.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		s.next = b.b.LastOffset() + 1
		s.sawTime(b.b)
	}
}

// copyPrefix replaces the file by a new one with its first n bytes. A crash leaves the old one, and perhaps the
// half-made new one under a name that opening a log removes. Called under mu.
func (s *segment) copyPrefix(h *handle, n int64) (*handle, error) {
	tmp := s.path() + copySuffix
	c, err := s.fs.openFile(tmp, true)
	if err != nil {
		return nil, err
	}
	if err := copyFile(c.f, h.f, n); err != nil {
		c.release()
		return nil, err
	}
	if err := s.fs.log.rename(tmp, s.path()); err != nil {
		c.release()
		return nil, err
	}
	return c, nil
}

func copyFile(dst, src vfs.File, n int64) error {
	if err := dst.Truncate(0); err != nil {
		return err
	}
	buf := make([]byte, min(n, 1<<20))
	for at := int64(0); at < n; {
		p := buf[:min(int64(len(buf)), n-at)]
		if m, err := src.ReadAt(p, at); m < len(p) {
			return err
		}
		if _, err := dst.WriteAt(p, at); err != nil {
			return err
		}
		at += int64(len(p))
	}
	return syncFile(dst)
}
