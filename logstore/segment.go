package logstore

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Suffixes of the files of a segment, and of files on their way in or out (Kafka's LogFileUtils).
const (
	logSuffix       = ".log"
	indexSuffix     = ".index"
	timeIndexSuffix = ".timeindex"
	txnIndexSuffix  = ".txnindex"
	snapshotSuffix  = ".snapshot"
	deletedSuffix   = ".deleted"
	cleanedSuffix   = ".cleaned"
	swapSuffix      = ".swap"
	copySuffix      = ".tmp"
)

// fileName is the name of a file of the segment or snapshot at that offset: 20 digits, so that names sort.
func fileName(dir string, offset int64, suffix string) string {
	return path.Join(dir, fmt.Sprintf("%020d%s", offset, suffix))
}

// parseFileName is the inverse of fileName for one suffix. Only names that fileName would give are accepted.
func parseFileName(name, suffix string) (offset int64, ok bool) {
	digits, ok := strings.CutSuffix(name, suffix)
	if !ok || len(digits) != 20 {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	return int64(n), err == nil
}

// segment is one .log file with its indexes.
//
// All fields below mu are guarded by it. It is held for look-ups in memory, for the pwrite of an index entry and for
// opening a file, never over a sync or a read of records. What changes the segment (append, truncate, seal) runs
// under the log's writer lock besides, so that lock alone is enough to read what only they write.
//
// Invariants: size and next change together; [0, size) of the file are whole batches with ascending offsets, all
// below next; every offset index entry is (last offset, position) of one of them.
type segment struct {
	fs       opener                 // whose methods are called under mu
	base     int64                  // no offset in it is smaller
	named    atomic.Pointer[string] // see path
	jitterMs int64                  // taken off segment.ms, so that not all segments roll at once
	created  int64                  // ms

	mu       sync.Mutex
	file     *handle // nil while closed; closed only when nobody else has it, as truncate must know
	used     bool    // since OpenFiles came by
	size     int64   // bytes
	next     int64   // the offset behind the last batch
	cut      int     // how often the segment was truncated; readers compare
	removed  bool    // from the log: look for the data elsewhere
	unsynced bool    // the file was written since the last sync
	offsets  index
	times    index
	txns     *index // nil while there is none; see txnindex.go

	sinceIndex   int64 // bytes of batches since the last index entry
	firstTime    int64 // largest timestamp of the first batch, ms; roll time counts from it
	hasFirstTime bool
	maxTime      timeEntry // largest timestamp, and the last offset of the first batch that has it
	hasMaxTime   bool      // maxTime was read or computed
	modTime      int64     // of the file when it was opened, ms: stands in for timestamps that are not there
	allocated    int64     // bytes the file has blocks for
	recent       recent
	warmth       []int64 // see warm.go
	ownFrom      int64   // from here on this process has written or checked the file
	verified     spans   // what it has checked before that; see verify.go

	place int // in OpenFiles' circle, from 1; 0 for none. Guarded by OpenFiles.mu
}

func newSegment(l *Log, dir string, base int64) *segment {
	s := &segment{
		base:    base,
		next:    base,
		maxTime: timeEntry{timestamp: batch.NoTimestamp, offset: base},
		offsets: index{path: fileName(dir, base, indexSuffix), width: offsetEntryWidth},
		times:   index{path: fileName(dir, base, timeIndexSuffix), width: timeEntryWidth},
	}
	s.fs = opener{l, s}
	name := fileName(dir, base, logSuffix)
	s.named.Store(&name)
	return s
}

// path is the name of the .log. A swap and a move rename it under readers, who have the file open and tell the name in
// errors only.
func (s *segment) path() string { return *s.named.Load() }

// rename gives the files other names, the .log first, which is the segment. Called under mu once others know s.
func (s *segment) rename(change func(old string) (string, error)) error {
	name, err := change(s.path())
	if err != nil {
		return err
	}
	s.named.Store(&name)
	for x := range s.indexes() {
		if x == s.txns && !x.exists {
			x.path = s.besides(txnIndexSuffix)
			continue
		}
		next, err := change(x.path)
		if err != nil {
			return err
		}
		x.path = next
	}
	return nil
}

// besides is the name of the segment's file with another suffix than .log.
func (s *segment) besides(suffix string) string {
	dir, name := path.Split(s.path())
	base, rest, _ := strings.Cut(name, logSuffix)
	return dir + base + suffix + rest
}

// indexes yields the segment's indexes, that of transactions if it has one. Called under mu.
func (s *segment) indexes() iter.Seq[*index] {
	return func(yield func(*index) bool) {
		_ = yield(&s.offsets) && yield(&s.times) && (s.txns == nil || yield(s.txns))
	}
}

// opener opens files for a segment, which is known to hold some from then on.
type opener struct {
	log *Log
	s   *segment
}

func (o opener) openFile(name string, create bool) (*handle, error) {
	h, err := o.log.openFile(name, create)
	if err == nil {
		o.s.used = true
		o.log.dir.o.Files.add(o.s)
	}
	return h, err
}

// open opens the .log if it is closed; errMoved for a segment that was removed, whose name may be another's by now.
// Called under mu.
func (s *segment) open() (*handle, error) {
	s.used = true
	if s.file == nil {
		if s.removed {
			return nil, errMoved
		}
		h, err := s.fs.openFile(s.path(), false)
		if err != nil {
			return nil, err
		}
		s.file = h
	}
	return s.file, nil
}

// acquire returns the .log with a reference for the caller, the range of it that is valid, and the offset behind.
func (s *segment) acquire() (h *handle, size, next int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, err = s.open()
	if err != nil {
		return nil, 0, 0, err
	}
	h.retain()
	return h, s.size, s.next, nil
}

// closeFiles gives up the segment's own references; readers keep theirs. Index entries that were not flushed are lost.
func (s *segment) closeFiles() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abandon()
	for x := range s.indexes() {
		x.tail, x.tailFrom = nil, x.n
	}
	s.recent = recent{}
	s.warmth = nil
}

// abandon gives up the segment's own references. Called under mu.
func (s *segment) abandon() {
	s.fs.log.dir.o.Files.remove(s)
	if s.file != nil {
		s.file.release()
		s.file = nil
	}
	for x := range s.indexes() {
		x.closeFile()
	}
}

// busy says whether the files were used since somebody asked, or are in use now. Called under mu.
func (s *segment) busy() bool {
	used := s.used
	s.used = false
	return used || s.file != nil && s.file.shared()
}

// shrink closes the segment's files and drops what memory a segment in use has, but not index entries that are not in
// the file yet. Nobody else has the .log. Called under mu.
func (s *segment) shrink() {
	s.abandon()
	for x := range s.indexes() {
		x.shrink()
	}
	s.recent = recent{}
}

// view is a view of one of the segment's indexes; errMoved as for open. Called under mu.
func (s *segment) view(x *index) (indexView, error) {
	if s.removed {
		return indexView{}, errMoved
	}
	return x.view(s.fs)
}

// extent is the size in bytes and the offset behind the last batch, as of one moment.
func (s *segment) extent() (size, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.size, s.next
}

// fits says whether an offset can be stored relative to the base.
func (s *segment) fits(offset int64) bool {
	return offset >= s.base && offset-s.base <= math.MaxInt32
}

// append writes whole batches behind the others, in one pwrite. They have been validated, have ascending offsets
// not below next, and fit. If it fails, the segment is as it was; an error of the file system is returned as it is.
func (s *segment) append(p []byte, cfg *Config, room *room) error {
	s.mu.Lock()
	h, err := s.open()
	if err == nil {
		err = s.loadMaxTime() // account cannot do without
	}
	pos, next, allocated := s.size, s.next, s.allocated
	if err != nil {
		s.mu.Unlock()
		return err
	}
	h.retain()
	s.mu.Unlock()
	defer h.release()
	if want := preallocation(pos, int64(len(p)), allocated, cfg); want > allocated && room.has(want-allocated) {
		// A full disk is for the write to find out: the write may still fit.
		if err := h.f.Preallocate(allocated, want-allocated); err == nil {
			allocated = want
		} else if !isNoSpace(err) {
			return err
		}
	}
	if _, err := h.f.WriteAt(p, pos); err != nil {
		// Cut off what did get written, so that neither a reader nor recovery ever sees it. If that fails too, the
		// file's state is unknown, and that error counts.
		if cutErr := h.f.Truncate(pos); cutErr != nil {
			return errors.Join(err, cutErr)
		}
		s.mu.Lock()
		s.unsynced = true // or a crash might keep what was written and lose the cut, in the middle of the log
		s.allocated = pos
		s.mu.Unlock()
		return err
	}
	room.took(int64(len(p)))

	s.mu.Lock()
	defer s.mu.Unlock()
	s.allocated = max(allocated, pos+int64(len(p)))
	s.unsynced = true
	if err := s.accountAll(p, cfg); err != nil {
		// An index cannot be written: take the batches back. The directory is about to go offline, and what the
		// indexes hold of them is for recovery.
		s.size, s.next = pos, next
		return errors.Join(err, h.f.Truncate(pos))
	}
	s.warmed(pos, room.written())
	return nil
}

// accountAll takes the batches of p, which lie at the end of the file, into the segment. Called under mu.
func (s *segment) accountAll(p []byte, cfg *Config) error {
	for len(p) > 0 {
		b, rest, err := batch.Next(p)
		if err != nil {
			return err // the caller has split it before
		}
		if err := s.account(b, s.size, int64(len(b)), cfg); err != nil && !isTransient(err) {
			return err
		}
		s.recent.add(recentBatch{base: b.BaseOffset(), last: b.LastOffset(), pos: s.size})
		s.size, s.next = s.size+int64(len(b)), b.LastOffset()+1
		p = rest
	}
	return nil
}

// preallocation returns up to where the file should have blocks when n bytes are written at pos: nothing ahead for
// a small file, and then as much again as there is, up to 16 MiB at a time. 10,000 idle partitions reserve nothing.
func preallocation(pos, n, allocated int64, cfg *Config) int64 {
	const from, most = 64 << 10, 16 << 20
	end := pos + n
	if end <= allocated {
		return allocated
	}
	if cfg.Preallocate {
		return max(end, int64(cfg.SegmentBytes))
	}
	if end < from {
		return allocated
	}
	return max(end, min(end+min(end, most), int64(cfg.SegmentBytes)))
}

// account updates timestamps and indexes for a batch that lies at pos, before size and next move. Only the header
// of b is looked at. A failed index write leaves the indexes consistent: a later batch tries again.
// Called under mu.
func (s *segment) account(b batch.Batch, pos, size int64, cfg *Config) error {
	last := b.LastOffset()
	if pos == 0 {
		s.firstTime, s.hasFirstTime = b.MaxTimestamp(), true
	}
	if err := s.loadMaxTime(); err != nil {
		return err
	}
	s.sawTime(b)
	var err error
	if s.sinceIndex > int64(cfg.IndexIntervalBytes) {
		var entry [offsetEntryWidth]byte
		err = s.offsets.append(s.fs, putOffsetEntry(entry[:0], s.base, offsetEntry{offset: last, pos: pos}))
		s.sinceIndex = 0
		if timeErr := s.indexMaxTime(); err == nil {
			err = timeErr
		}
	}
	s.sinceIndex += size
	return err
}

// sawTime raises maxTime for a batch, unless compaction has emptied it: its header still has the timestamp, and there is
// no record that a lookup by time could find. (Kafka's dump tool complains of entries without one.) Called under mu.
func (s *segment) sawTime(b batch.Batch) {
	if t := b.MaxTimestamp(); b.Count() > 0 && t > s.maxTime.timestamp {
		s.maxTime = timeEntry{timestamp: t, offset: b.LastOffset()}
	}
}

// loadMaxTime makes maxTime valid for a segment that was opened without being read: its last time index entry,
// since closing a segment always writes one. Called under mu.
func (s *segment) loadMaxTime() error {
	if s.hasMaxTime {
		return nil
	}
	if s.removed {
		return errMoved
	}
	last, err := s.times.last(s.fs)
	if err != nil {
		return err
	}
	if last != nil {
		s.maxTime = getTimeEntry(last, s.base)
	}
	s.hasMaxTime = true
	return nil
}

// indexMaxTime writes maxTime to the time index unless its last entry is not older. Called under mu.
func (s *segment) indexMaxTime() error {
	last, err := s.times.last(s.fs)
	if err != nil {
		return err
	}
	newest := int64(batch.NoTimestamp)
	if last != nil {
		newest = getTimeEntry(last, s.base).timestamp
	}
	if s.maxTime.timestamp <= newest {
		return nil
	}
	var entry [timeEntryWidth]byte
	return s.times.append(s.fs, putTimeEntry(entry[:0], s.base, s.maxTime))
}

// seal is called when the segment will not be written to for now: its largest timestamp goes to the time index,
// both index files exist, and blocks preallocated behind its end are given back.
func (s *segment) seal() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.loadMaxTime(); err != nil {
		return err
	}
	if err := s.indexMaxTime(); err != nil {
		return err
	}
	for _, x := range []*index{&s.offsets, &s.times} {
		if !x.exists {
			if err := x.open(s.fs); err != nil { // empty, so that its name is all there is to be synced
				return err
			}
		}
	}
	if err := s.flushIndexes(); err != nil {
		return err
	}
	if s.allocated > s.size {
		h, err := s.open()
		if err != nil {
			return err
		}
		if err := h.f.Truncate(s.size); err != nil {
			return err
		}
		s.allocated = s.size
	}
	return nil
}

// flushIndexes writes what of the indexes is not in their files. Called under mu.
func (s *segment) flushIndexes() error {
	var err error
	for x := range s.indexes() {
		err = errors.Join(err, x.flush(s.fs))
	}
	return err
}

// largestTime is the largest timestamp of the records in ms, and when the file was last written if none has one.
func (s *segment) largestTime() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.loadMaxTime(); err != nil {
		return 0, err
	}
	if s.maxTime.timestamp >= 0 {
		return s.maxTime.timestamp, nil
	}
	return s.modTime, nil
}

// maxTimestamp is the largest timestamp and where it is, NoTimestamp if no record has one.
func (s *segment) maxTimestamp() (timeEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.loadMaxTime()
	return s.maxTime, err
}

// firstBatchTime is the largest timestamp of the first batch, read if need be; false for an empty segment.
func (s *segment) firstBatchTime() (int64, bool, error) {
	s.mu.Lock()
	if s.hasFirstTime || s.size == 0 {
		defer s.mu.Unlock()
		return s.firstTime, s.hasFirstTime, nil
	}
	s.mu.Unlock()
	h, size, _, err := s.acquire()
	if err != nil {
		return 0, false, err
	}
	defer h.release()
	c := newCursor(h.f, s.path(), 0, size)
	defer c.close()
	first, err := c.next()
	if err != nil {
		return 0, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.firstTime, s.hasFirstTime = first.b.MaxTimestamp(), true
	return s.firstTime, true, nil
}

// waitedForRoll is how long in ms the segment has been open, at the time of a batch whose largest timestamp is
// given: by timestamps if the first batch has one, by the clock otherwise.
func (s *segment) waitedForRoll(now, timestamp int64) (int64, error) {
	first, ok, err := s.firstBatchTime()
	if err != nil {
		return 0, err
	}
	if ok && first >= 0 {
		return timestamp - first, nil
	}
	return now - s.created, nil
}

// shouldRoll says whether n bytes of batches up to offset last have to go to a new segment (Kafka's
// LogSegment.shouldRoll).
func (s *segment) shouldRoll(cfg *Config, now int64, n int, timestamp, last int64) (bool, error) {
	s.mu.Lock()
	size := s.size
	if err := errors.Join(s.offsets.load(s.fs), s.times.load(s.fs)); err != nil {
		s.mu.Unlock()
		return false, err
	}
	full := s.offsets.n >= cfg.SegmentIndexBytes/offsetEntryWidth ||
		s.times.n >= cfg.SegmentIndexBytes/timeEntryWidth-1 // one is kept for seal
	s.mu.Unlock()
	if size > int64(cfg.SegmentBytes-n) || full || !s.fits(last) {
		return true, nil
	}
	if size == 0 {
		return false, nil
	}
	waited, err := s.waitedForRoll(now, timestamp)
	return waited > cfg.maxSegmentMs()-s.jitterMs, err
}

// position is where a batch lies.
type position struct {
	pos  int64 // bytes
	size int64 // 0 if not known
}

// seek returns a cursor over [0, size) of h that stands at the batch of the last offset index entry for which atMost
// holds, at the beginning if there is none. The batches themselves are what counts: an entry that does not point to
// the batch that it is about is ignored, and so are then all others. v is a view of the index taken with size.
// Close the cursor.
func (s *segment) seek(h *handle, v *indexView, size int64, atMost func(entry []byte) bool) (cursor, error) {
	c := newCursor(h.f, s.path(), 0, size)
	var entry [offsetEntryWidth]byte
	i, err := v.floor(entry[:], atMost)
	if err != nil && !errors.Is(err, kerr.CorruptMessage) {
		c.close()
		return cursor{}, err
	}
	if i < 0 {
		return c, nil
	}
	e := getOffsetEntry(entry[:], s.base)
	if e.pos <= 0 || e.pos >= size {
		return c, nil
	}
	c.pos = e.pos
	b, err := c.next()
	if err != nil && !errors.Is(err, kerr.CorruptMessage) {
		c.close()
		return cursor{}, err
	}
	c.pos = e.pos
	if err != nil || b.b.LastOffset() != e.offset {
		c.pos = 0
	}
	return c, nil
}

// find returns the first batch whose last offset is at least offset, looked for in [0, size) of h. io.EOF if there
// is none.
func (s *segment) find(h *handle, v *indexView, offset, size int64) (position, error) {
	rel := offset - s.base
	c, err := s.seek(h, v, size, func(e []byte) bool { return relativeOf(e) <= rel })
	if err != nil {
		return position{}, err
	}
	defer c.close()
	for {
		b, err := c.next()
		if err != nil {
			return position{}, err
		}
		if b.b.LastOffset() >= offset {
			return position{pos: b.pos, size: int64(b.size)}, nil
		}
	}
}

// boundary returns the largest position in [from, limit] at which a batch ends, given that one begins at from and
// does not reach beyond limit.
func (s *segment) boundary(h *handle, v *indexView, from, limit, size int64) (int64, error) {
	c, err := s.seek(h, v, size, func(e []byte) bool { return positionOf(e) <= limit })
	if err != nil {
		return 0, err
	}
	defer c.close()
	c.pos = max(c.pos, from)
	for {
		b, err := c.next()
		if err == io.EOF {
			return c.pos, nil
		}
		if err != nil {
			return 0, err
		}
		if b.pos+int64(b.size) > limit {
			return b.pos, nil
		}
	}
}

// sync makes the files durable. Not under any lock: what is written meanwhile may or may not be included.
func (s *segment) sync() error {
	s.mu.Lock()
	var files []*handle
	var marks []*bool
	note := func(h *handle, unsynced *bool) {
		if *unsynced {
			*unsynced = false // before the sync: a write during it sets it again
			h.retain()
			files, marks = append(files, h), append(marks, unsynced)
		}
	}
	// All that can fail comes before the first file is noted: a note is undone by its sync alone.
	if err := s.writeUnsynced(); err != nil {
		s.mu.Unlock()
		return err
	}
	note(s.file, &s.unsynced)
	for x := range s.indexes() {
		note(x.file, &x.unsynced)
	}
	s.mu.Unlock()
	var first error
	for i, h := range files {
		if first == nil {
			first = syncFile(h.f)
		}
		if first != nil {
			s.mu.Lock()
			*marks[i] = true
			s.mu.Unlock()
		}
		h.release()
	}
	return first
}

// writeUnsynced opens the files that are to be synced and writes the index entries that are not in them yet. Called
// under mu.
func (s *segment) writeUnsynced() error {
	if s.unsynced {
		if _, err := s.open(); err != nil {
			return err
		}
	}
	for x := range s.indexes() {
		if !x.unsynced {
			continue
		}
		if err := errors.Join(x.open(s.fs), x.flush(s.fs)); err != nil {
			return err
		}
	}
	return nil
}
