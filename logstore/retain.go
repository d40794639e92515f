package logstore

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Retain deletes the oldest segments as cleanup.policy=delete asks: those below the start of the log, those that
// retention.bytes leaves no room for, and those whose newest record is older than retention.ms. now is in ms. It
// returns how many went. Nothing at or above the high watermark goes; the active segment is rolled if it has to go.
//
// The rules are those of Kafka's UnifiedLog.deleteOldSegments. Without the policy only what is below the start of
// the log goes.
func (l *Log) Retain(now int64) (deletedSegments int, err error) {
	if err := l.usable(); err != nil {
		return 0, err
	}
	cfg := l.cfg.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return 0, errClosed(l.tp.name())
	}
	start := l.logStart.Load()
	n, err := l.deleteOldest(now, func(s *segment, size, upTo int64) (bool, error) {
		return upTo <= start && s != l.active(), nil
	})
	if err != nil || !cfg.Delete {
		return n, err
	}
	if cfg.RetentionBytes >= 0 {
		excess := l.Size() - cfg.RetentionBytes
		more, err := l.deleteOldest(now, func(s *segment, size, _ int64) (bool, error) {
			if excess-size < 0 {
				return false, nil
			}
			excess -= size
			return true, nil
		})
		n += more
		if err != nil {
			return n, err
		}
	}
	if cfg.RetentionMs >= 0 {
		more, err := l.deleteOldest(now, func(s *segment, _, _ int64) (bool, error) {
			t, err := s.largestTime()
			return now-t > cfg.RetentionMs, err
		})
		n += more
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// deleteOldest deletes the longest prefix of segments for which due holds: given the segment, its size and the
// offset below which it ends. Called under mu.
func (l *Log) deleteOldest(now int64, due func(s *segment, size, upTo int64) (bool, error)) (int, error) {
	segments := *l.segments.Load()
	hw := l.highWatermark.Load()
	n := 0
	for i, s := range segments {
		size, _ := s.extent()
		upTo := l.logEnd.Load()
		last := i == len(segments)-1
		if !last {
			upTo = segments[i+1].base
		}
		if hw < upTo || last && size == 0 {
			break
		}
		ok, err := due(s, size, upTo)
		if err != nil {
			return 0, l.failed("retention", err)
		}
		if !ok {
			break
		}
		n++
	}
	if n == 0 {
		return 0, nil
	}
	if err := l.touch(); err != nil {
		return 0, err
	}
	if n == len(segments) {
		_, base := l.active().extent()
		if _, err := l.roll(base, now); err != nil {
			return 0, l.failed("roll", err)
		}
		segments = *l.segments.Load()
	}
	// First readers are told that the log begins later, then they lose the segments, then the segments their names.
	l.raiseStart(segments[n].base)
	list := segments[n:len(segments):len(segments)]
	l.segments.Store(&list)
	if err := l.deleteFiles(segments[:n]); err != nil {
		return n, l.failed("retention", err)
	}
	return n, nil
}

// deleteFiles renames the files of segments out of the way, and removes them file.delete.delay.ms later. Readers
// that have them open go on. Called under mu.
func (l *Log) deleteFiles(segments []*segment) error {
	var gone []string
	aborted := false
	out := func(name string) error {
		renamed, err := l.dir.renameIfExists(name, name+deletedSuffix)
		if renamed {
			gone = append(gone, name+deletedSuffix)
		}
		return err
	}
	var first error
	for _, s := range segments {
		s.retire()
		if first != nil {
			continue // one that stays must not stay alone: the next start would find a log with a hole
		}
		if first = out(s.path()); first != nil {
			continue // and it must not lose its indexes
		}
		for x := range s.indexes() {
			if err := out(x.path); err != nil && first == nil {
				first = err
			}
			aborted = aborted || x == s.txns
		}
		l.logger.Info("deleted segment", "segment", s.path())
	}
	// A snapshot belongs to the segment that begins at its offset; that of the first segment left stays.
	begins := (*l.segments.Load())[0].base
	for len(l.snapshots) > 0 && l.snapshots[0] < begins {
		if err := l.removeSnapshot(l.snapshots[0]); err != nil && first == nil {
			first = err
		}
	}
	l.namesDirty.Store(true)
	l.dir.after(l.cfg.Load().FileDeleteDelayMs, func() {
		if aborted {
			// A crash that brings a segment back brings back what tells that it lacks its transaction index.
			if err := l.dir.syncFolder(l.path); err != nil {
				if !errors.Is(err, fs.ErrNotExist) { // the log was deleted meanwhile, and they with it
					l.logger.Warn("deleted segments are not removed", "error", l.failed("retention", err))
				}
				return
			}
		}
		for _, name := range gone {
			if err := l.dir.removeIfExists(name); err != nil {
				l.logger.Warn("removing a deleted segment", "file", name, "error", err)
			}
		}
	})
	return first
}

// raiseStart moves the start of the log. Called under mu.
func (l *Log) raiseStart(offset int64) {
	if offset <= l.logStart.Load() {
		return
	}
	l.logStart.Store(offset)
	l.epochs.truncateFromStart(offset)
	l.logger.Info("log start moved", "offset", offset)
}

// DeleteRecordsBefore moves the start of the log to an offset; -1 means the high watermark. It returns where the
// log now starts. Retain deletes the segments that are then below.
//
// Errors: kerr.OffsetOutOfRange above the high watermark.
func (l *Log) DeleteRecordsBefore(offset int64) (logStart int64, err error) {
	if err := l.usable(); err != nil {
		return 0, err
	}
	if err := l.touch(); err != nil {
		return 0, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return 0, errClosed(l.tp.name())
	}
	hw := l.highWatermark.Load()
	if offset == -1 {
		offset = hw
	}
	if offset < 0 || offset > hw {
		return 0, fmt.Errorf("%s: delete records before %d, the high watermark is %d: %w", l.tp.name(), offset, hw, kerr.OffsetOutOfRange)
	}
	l.raiseStart(offset)
	return l.logStart.Load(), nil
}

// RollIfDue begins a new segment if the active one is older than segment.ms by the clock. Kafka decides that only
// when something is appended; here an idle log too lets go of old records in time, if housekeeping asks.
// now is in ms.
func (l *Log) RollIfDue(now int64) (rolled bool, err error) {
	if err := l.usable(); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return false, errClosed(l.tp.name())
	}
	seg := l.active()
	if size, _ := seg.extent(); size == 0 {
		return false, nil
	}
	waited, err := seg.waitedForRoll(now, now)
	if err != nil {
		return false, l.failed("roll", err)
	}
	if waited <= l.cfg.Load().maxSegmentMs()-seg.jitterMs {
		return false, nil
	}
	return l.forceRoll(now)
}

// Roll begins a new segment, unless the active one is empty. now is in ms.
func (l *Log) Roll(now int64) (rolled bool, err error) {
	if err := l.usable(); err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return false, errClosed(l.tp.name())
	}
	if size, _ := l.active().extent(); size == 0 {
		return false, nil
	}
	return l.forceRoll(now)
}

func (l *Log) forceRoll(now int64) (bool, error) {
	if err := l.touch(); err != nil {
		return false, err
	}
	_, base := l.active().extent()
	_, err := l.roll(base, now)
	return err == nil, l.failed("roll", err)
}
