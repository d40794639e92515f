package logstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"slices"
	"strings"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// load opens the log's folder, or makes it. clean says that the directory was closed in order, so that files can be
// believed; otherwise everything from the recovery point on is checked. Nobody else knows the log yet.
//
// After a clean stop it lists the folder, asks for the length of each .log, and reads the end of the last: neither
// more of the data nor any index but the last one's, and it syncs nothing.
func (l *Log) load(clean bool) error {
	entries, err := l.dir.fs.ReadDir(l.path)
	if errors.Is(err, fs.ErrNotExist) {
		return l.create()
	}
	if err != nil {
		return err
	}
	if err := l.loadTopicID(); err != nil {
		return err
	}
	if swapped, err := l.completeSwaps(entries); err != nil {
		return err
	} else if swapped {
		if entries, err = l.dir.fs.ReadDir(l.path); err != nil {
			return err
		}
	}
	l.listSnapshots(entries)
	segments, maimed, err := l.listSegments(entries)
	if err != nil {
		return err
	}
	if len(segments) == 0 {
		// The folder was made, but a crash came before the segment; or somebody emptied it.
		return l.loadAnew(l.logStart.Load())
	}
	l.segments.Store(&segments)
	if err := l.loadEpochs(); err != nil {
		return err
	}
	unchecked := int64(math.MaxInt64) // from here on recovery reads the batches
	if !clean {
		unchecked = max(l.recoveryPoint.Load(), segments[0].base)
		if err := l.recover(); err != nil {
			return err
		}
	}
	last := l.active()
	if clean {
		if err := l.loadEnd(last); err != nil {
			return err
		}
		if l.damaged {
			unchecked = last.base
		}
	}
	segments = *l.segments.Load()
	for _, s := range segments {
		if s.size > 0 && (!s.offsets.exists || !s.times.exists) {
			if err := l.rebuildIndexes(s); err != nil {
				return err
			}
		}
	}
	last = l.active()
	_, end := last.extent()
	start := max(l.logStart.Load(), segments[0].base)
	if start > end {
		// The segments that the start was moved to are gone: whatever is left lies before what was deleted.
		l.logger.Warn("the log ends before its start, beginning anew", "start", start, "end", end)
		return l.loadAnew(start)
	}
	l.logStart.Store(start)
	l.logEnd.Store(end)
	l.highWatermark.Store(max(start, min(l.highWatermark.Load(), end)))
	if clean && !l.damaged {
		l.recoveryPoint.Store(end)
	}
	if err := l.dir.lowerToEnd(l, end); err != nil {
		return err
	}
	l.epochs.truncateFromEnd(end)
	l.epochs.truncateFromStart(start)
	if err := l.reloadProducers(unchecked); err != nil {
		return err
	}
	if err := l.checkTxns(); err != nil {
		return err
	}
	for _, s := range maimed {
		if err := l.replaceTxns(s, clean); err != nil {
			return err
		}
	}
	for _, s := range segments {
		s.mu.Lock()
		err := s.flushIndexes()
		s.mu.Unlock()
		if err != nil {
			return err
		}
		s.closeFiles()
	}
	return nil
}

// create makes an empty log. Nothing is synced: until something is, a crash may take the folder along, and with it
// nothing that anybody was promised.
func (l *Log) create() error {
	if err := l.touch(); err != nil {
		return err
	}
	if err := l.dir.startOver(l.tp); err != nil {
		return err
	}
	if err := l.dir.fs.Mkdir(l.path); err != nil {
		return err
	}
	l.dir.namesChanged()
	if err := l.writeTopicID(); err != nil {
		return err
	}
	l.recoveryPoint.Store(0)
	l.logStart.Store(0)
	l.cleaned.Store(-1)
	return l.startAnew(0)
}

// loadAnew begins a log anew of which nothing is left. What is appended to it was never on disk.
func (l *Log) loadAnew(start int64) error {
	if err := errors.Join(l.touch(), l.dir.lowerToEnd(l, start)); err != nil {
		return err
	}
	return l.startAnew(start)
}

// loadTopicID holds the topic id that the caller expects against that of the folder.
func (l *Log) loadTopicID() error {
	have, err := readPartitionMetadata(l.dir.fs, l.file(partitionMetadataFile))
	if err != nil {
		return err
	}
	switch {
	case have == l.topicID:
		return nil
	case l.topicID == [16]byte{}:
		l.topicID = have
		return nil
	case have == uuid{}:
		if err := l.touch(); err != nil {
			return err
		}
		return l.writeTopicID()
	}
	return fmt.Errorf("%s: folder is of topic id %s, not %s: %w", l.path, have, uuid(l.topicID), kerr.InconsistentTopicID)
}

func (l *Log) writeTopicID() error {
	if l.topicID == [16]byte{} {
		return nil
	}
	f, err := l.dir.fs.Create(l.file(partitionMetadataFile))
	if err != nil {
		return err
	}
	defer f.Close()
	l.metaDirty = true
	l.namesDirty.Store(true)
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(formatPartitionMetadata(l.topicID), 0)
	return err
}

// listSegments makes a segment of each .log, and removes what an interrupted deletion or copy left.
//
// A transaction index on its way out says that the segment was, too, or was replaced. If it is there all the same it may
// lack its index: it is one of the maimed.
func (l *Log) listSegments(entries []vfs.Entry) (segments, maimed []*segment, err error) {
	names := make(map[string]bool, len(entries))
	out := make(map[int64]bool)
	for _, e := range entries {
		if e.IsDir {
			continue
		}
		if strings.HasSuffix(e.Name, deletedSuffix) || strings.HasSuffix(e.Name, cleanedSuffix) || strings.HasSuffix(e.Name, ".tmp") {
			if base, ok := parseFileName(e.Name, txnIndexSuffix+deletedSuffix); ok {
				out[base] = true
				continue // it goes when the index is there again
			}
			if err := l.dir.removeIfExists(l.file(e.Name)); err != nil {
				return nil, nil, err
			}
			continue
		}
		names[e.Name] = true
	}
	for _, e := range entries {
		base, ok := parseFileName(e.Name, logSuffix)
		if !ok || e.IsDir {
			continue
		}
		s := newSegment(l, l.path, base)
		info, err := l.dir.fs.Stat(s.path())
		if err != nil {
			return nil, nil, err
		}
		s.size = min(info.Size, math.MaxInt32)
		s.modTime = info.ModTime.UnixMilli()
		s.created, s.allocated, s.ownFrom = s.modTime, s.size, s.size
		s.offsets.exists = names[e.Name[:20]+indexSuffix]
		s.times.exists = names[e.Name[:20]+timeIndexSuffix]
		if names[e.Name[:20]+txnIndexSuffix] {
			s.txns = &index{path: s.besides(txnIndexSuffix), width: txnEntryWidth, exists: true}
		}
		segments = append(segments, s)
		if out[base] {
			maimed = append(maimed, s)
			delete(out, base)
		}
	}
	for base := range out {
		if err := l.dir.removeIfExists(fileName(l.path, base, txnIndexSuffix+deletedSuffix)); err != nil {
			return nil, nil, err
		}
	}
	for name := range names {
		base, ok := parseFileName(name, txnIndexSuffix)
		if ok && !names[fileName("", base, logSuffix)] {
			// The segment is gone; another of that offset must not come by what was aborted there.
			if err := l.dir.removeIfExists(l.file(name)); err != nil {
				return nil, nil, err
			}
		}
	}
	slices.SortFunc(segments, func(a, b *segment) int { return int(min(1, max(-1, a.base-b.base))) })
	for i, s := range segments[:max(0, len(segments)-1)] {
		s.next = segments[i+1].base
	}
	return segments, maimed, nil
}

func (l *Log) loadEpochs() error {
	p, err := vfs.ReadFile(l.dir.fs, l.file(leaderEpochFile), maxCheckpointBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = l.epochs.load(p)
		if err != nil {
			// Recovery learns the epochs behind the recovery point from the batches; older ones are lost, and the
			// log answers that it does not know them.
			l.logger.Warn("unreadable leader epochs", "file", l.file(leaderEpochFile), "error", err)
			return nil
		}
	}
	return err
}

// loadEnd finds the end of the last segment of a log that was closed in order: from its last index entry on. If the
// files are not what they should be, the segment is recovered after all.
func (l *Log) loadEnd(s *segment) error {
	err := s.loadEnd()
	if err == nil {
		return nil
	}
	var code *kerr.Error
	if !errors.As(err, &code) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.logger.Warn("segment is damaged in spite of a clean stop", "segment", s.path(), "error", err)
	if err := l.touch(); err != nil {
		return err
	}
	l.recoveryPoint.Store(math.MaxInt64) // what the checkpoint says, if it could be read, is above the base
	if err := l.dir.lowerRecoveryPoint(l, s.base); err != nil {
		return err
	}
	l.damaged = true
	_, err = l.recoverSegment(s, s.base, false)
	return err
}

func (s *segment) loadEnd() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size == 0 {
		return nil
	}
	if !s.offsets.exists || !s.times.exists {
		return &fs.PathError{Op: "open", Path: s.offsets.path, Err: fs.ErrNotExist} // recovery makes them anew
	}
	h, err := s.open()
	if err != nil {
		return err
	}
	from := int64(0)
	last, err := s.offsets.last(s.fs)
	if err != nil {
		return err
	}
	if last != nil {
		if from = positionOf(last); from <= 0 || from >= s.size {
			return fmt.Errorf("%s: last entry points to byte %d of %d: %w", s.offsets.path, from, s.size, kerr.CorruptMessage)
		}
	}
	c := newCursor(h.f, s.path(), from, s.size)
	defer c.close()
	for {
		b, err := c.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		s.next = b.b.LastOffset() + 1
	}
	s.sinceIndex = s.size - from
	return nil
}

// rebuildIndexes makes the indexes of a segment anew that is believed but has lost one. What its batches hold is for
// their readers to check; where they cannot be followed any more the indexes end.
func (l *Log) rebuildIndexes(s *segment) error {
	l.logger.Warn("rebuilding indexes", "segment", s.path())
	if err := l.touch(); err != nil {
		return err
	}
	s.mu.Lock()
	err := s.rebuildIndexes(l.cfg.Load())
	s.mu.Unlock()
	if err != nil {
		return err
	}
	// Nobody will look at them again before they are believed.
	return errors.Join(s.seal(), s.sync())
}

func (s *segment) rebuildIndexes(cfg *Config) error {
	if err := errors.Join(s.offsets.truncate(s.fs, 0), s.times.truncate(s.fs, 0)); err != nil {
		return err
	}
	s.maxTime, s.hasMaxTime, s.sinceIndex = timeEntry{timestamp: batch.NoTimestamp, offset: s.base}, true, 0
	h, err := s.open()
	if err != nil {
		return err
	}
	c := newCursor(h.f, s.path(), 0, s.size)
	defer c.close()
	for {
		b, err := c.next()
		if err == io.EOF || errors.Is(err, kerr.CorruptMessage) {
			return nil
		}
		if err != nil {
			return err
		}
		if !s.fits(b.b.LastOffset()) {
			return nil
		}
		if err := s.account(b.b, b.pos, int64(b.size), cfg); err != nil {
			return err
		}
	}
}
