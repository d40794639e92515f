package logstore

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// How cleaned segments take the place of others, so that a crash at any moment leaves the ones or the other, whole
// (Kafka's LocalLog.replaceSegments and LogLoader):
//
//  1. The files of the new segment are written under names that end in .cleaned, and synced, and so are the names.
//     A start finds .cleaned files and removes them.
//  2. They are renamed to .swap. A start that finds a .cleaned beside a .swap removes both: what there was is there.
//  3. From here on the new segment is in the log, the old ones are not. Their files are renamed to .deleted. A start
//     that finds .swap files, and no .cleaned, removes what is left of the segments whose offsets the new one covers,
//     and goes on with 4.
//  4. The .swap files take their final names.
//
// The folder is synced after each step: a disk may keep the next one and lose this one.

// swap puts a cleaned segment, whose files are synced, in the place of those it was made from. Retention and appends
// may go on meanwhile; flushes and truncations wait.
//
// Errors: errMoved if the log no longer has those segments, or one of them was cut; others are those of the file system.
func (l *Log) swap(old []source, s *segment) error {
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	l.mu.Lock()
	_, err := l.find(old)
	l.mu.Unlock()
	if err != nil {
		return err
	}
	if err := l.dir.syncFolder(l.path); err != nil {
		return err
	}
	if err := l.renameSegment(s, cleanedSuffix, swapSuffix); err != nil {
		return err
	}
	if err := l.dir.syncFolder(l.path); err != nil {
		return err
	}
	if err := l.replace(old, s); err != nil {
		return err
	}
	// What fails from here on is not for the caller to undo: the new segment is what the log has.
	err = l.dir.syncFolder(l.path)
	if err == nil {
		l.mu.Lock()
		if !s.isRemoved() {
			err = l.renameSegment(s, swapSuffix, "")
		}
		l.mu.Unlock()
	}
	if err == nil {
		err = l.dir.syncFolder(l.path)
	}
	if err != nil {
		l.uncleanable.Store(true) // under these names the next start can do it, another cleaning could not
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil && !s.file.shared() {
		s.shrink() // it was open to be written
	}
	return nil
}

// find returns the number of the first of the old segments in the log. Called under mu.
func (l *Log) find(old []source) (int, error) {
	segments := *l.segments.Load()
	at := slices.Index(segments, old[0].segment)
	if at < 0 || at+len(old) >= len(segments) {
		return 0, errMoved // the last segment is active: a truncation may have made it one of the old ones
	}
	for i, o := range old {
		s := segments[at+i]
		s.mu.Lock()
		same := s == o.segment && !s.removed && s.cut == o.cut && s.size == o.size
		s.mu.Unlock()
		if !same {
			return 0, errMoved
		}
	}
	return at, nil
}

// replace shows the new segment to readers instead of the old ones, and takes their files out of the way.
func (l *Log) replace(old []source, s *segment) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, err := l.find(old)
	if err != nil {
		return err
	}
	segments := *l.segments.Load()
	s.mu.Lock()
	s.next = max(s.next, segments[at+len(old)].base)
	s.mu.Unlock()
	list := slices.Concat(segments[:at], []*segment{s}, segments[at+len(old):])
	l.segments.Store(&list)
	gone := make([]*segment, len(old))
	for i, o := range old {
		gone[i] = o.segment
	}
	err = l.deleteFiles(gone)
	// The producer state at offsets where no segment begins any more is of no use.
	for _, o := range old[1:] {
		if _, found := slices.BinarySearch(l.snapshots, o.base); found {
			err = errors.Join(err, l.removeSnapshot(o.base))
		}
	}
	if err != nil {
		l.uncleanable.Store(true)
	}
	return err
}

// isInService says whether the log has the segment.
func isInService(l *Log, s *segment) bool { return slices.Contains(*l.segments.Load(), s) }

// renameSegment changes the suffix of a segment's files: first the .log, which is the segment; indexes can be made
// again. The index files that there are have been opened.
func (l *Log) renameSegment(s *segment, from, to string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rename(func(old string) (string, error) {
		next := strings.TrimSuffix(old, from) + to
		return next, l.rename(old, next)
	})
}

// completeSwaps ends, when a log is opened, what a crash interrupted, and says whether it changed anything. Nobody else
// knows the log yet.
func (l *Log) completeSwaps(entries []vfs.Entry) (changed bool, err error) {
	swaps, smallest := leftovers(entries)
	if len(swaps) == 0 {
		return false, nil // .cleaned files go with the other leftovers
	}
	if err := l.touch(); err != nil {
		return false, err
	}
	from, to := int64(math.MaxInt64), int64(-1)
	var valid []string
	for _, name := range swaps {
		base := offsetOf(name)
		if base >= smallest {
			// Not all files got that name: the segments that they were made from are there.
			if err := l.dir.removeIfExists(l.file(name)); err != nil {
				return false, err
			}
			continue
		}
		valid = append(valid, name)
		if !strings.HasSuffix(name, logSuffix+swapSuffix) {
			continue
		}
		end, err := l.endOfSwap(name, base)
		if err != nil {
			return false, err
		}
		l.logger.Warn("completing an interrupted cleaning", "segment", l.file(name), "end", end)
		from, to = min(from, base), max(to, end)
	}
	for _, e := range entries {
		if at := offsetOf(e.Name); !e.IsDir && isSegmentFile(e.Name) && at >= from && at < to {
			if err := l.dir.removeIfExists(l.file(e.Name)); err != nil {
				return false, err
			}
		}
	}
	if err := l.dir.syncFolder(l.path); err != nil {
		return false, err
	}
	for _, name := range valid {
		if err := l.dir.fs.Rename(l.file(name), l.file(strings.TrimSuffix(name, swapSuffix))); err != nil {
			return false, err
		}
	}
	return true, l.dir.syncFolder(l.path)
}

// leftovers lists the .swap files of segments, and returns the smallest offset that a .cleaned one has.
func leftovers(entries []vfs.Entry) (swaps []string, smallest int64) {
	smallest = math.MaxInt64
	for _, e := range entries {
		switch name, suffix := cutTemporary(e.Name); {
		case e.IsDir || !isSegmentFile(name):
		case suffix == swapSuffix:
			swaps = append(swaps, e.Name)
		case suffix == cleanedSuffix:
			smallest = min(smallest, offsetOf(name))
		}
	}
	return swaps, smallest
}

func cutTemporary(name string) (rest, suffix string) {
	for _, suffix := range []string{swapSuffix, cleanedSuffix} {
		if rest, ok := strings.CutSuffix(name, suffix); ok {
			return rest, suffix
		}
	}
	return name, ""
}

// isSegmentFile says whether a file belongs to a segment.
func isSegmentFile(name string) bool {
	for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix, txnIndexSuffix} {
		if _, ok := parseFileName(name, suffix); ok {
			return true
		}
	}
	return false
}

// offsetOf is the offset that the name of a segment's file begins with.
func offsetOf(name string) int64 {
	name, _ = cutTemporary(name)
	if len(name) < 20 {
		return -1
	}
	at, ok := parseFileName(name, name[20:])
	if !ok {
		return -1
	}
	return at
}

// endOfSwap is where the last batch of a swapped segment ends; its base if it has none.
func (l *Log) endOfSwap(name string, base int64) (int64, error) {
	f, err := l.dir.fs.Open(l.file(name))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return 0, err
	}
	c := newCursor(f, l.file(name), 0, min(size, math.MaxInt32))
	defer c.close()
	end := base
	for {
		h, err := c.next()
		if err == io.EOF {
			return end, nil
		}
		if errors.Is(err, kerr.CorruptMessage) {
			l.logger.Error("damaged segment", "error", err)
			return end, nil
		}
		if err != nil {
			return 0, fmt.Errorf("end of %s: %w", name, err)
		}
		end = h.b.LastOffset() + 1
	}
}
