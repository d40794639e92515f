package logstore

import (
	"sync"
	"sync/atomic"
	"time"

	"blumfeld/logstore/vfs"
)

// OpenFiles bounds how many files the segments of one or several directories hold open, and how many mappings. Whoever
// opens one too many has those of the segment closed that was not used for longest, or nearly: segments stand in a
// circle, a hand goes round, and closes what was not used since it came by the last time. So use costs no more than a
// flag, under a lock that is held anyway.
//
// A file that somebody reads stays open, and what is read at the same time may exceed the bound. Closing loses nothing:
// a file is opened again under its name when it is needed next. (Data that was written and not synced stays in the
// page cache; an error of writing it back is reported to the next sync, whichever descriptor that comes by, as long as
// the page cache knows the file.)
type OpenFiles struct {
	maxFiles, maxMappings int64
	files, mappings       atomic.Int64

	mu        sync.Mutex // taken under segment.mu; under it segment.mu is only tried
	circle    []*segment // that have open files; segment.place says where
	hand      int
	patience  int // how often not to look, since all were in use when somebody did: that many may be too many then
	lastSweep time.Time
}

// NewOpenFiles returns the bounds, of files and of mappings.
func NewOpenFiles(files, mappings int) *OpenFiles {
	return &OpenFiles{maxFiles: int64(max(files, 1)), maxMappings: int64(max(mappings, 1))}
}

// DefaultOpenFiles and DefaultMappings are the bounds of a directory that is given none.
const (
	DefaultOpenFiles = 4096
	DefaultMappings  = 16384
)

// Open is how many files and mappings segments and their readers hold now.
func (o *OpenFiles) Open() (files, mappings int64) { return o.files.Load(), o.mappings.Load() }

// open opens a file by open, for a place that is made free for it if need be. (Should the process have no descriptors
// left all the same, see frugalFS.)
func (o *OpenFiles) open(open func() (vfs.File, error)) (*handle, error) {
	for n := o.files.Add(1); n > o.maxFiles && o.closeOne(false); n = o.files.Load() {
	}
	f, err := open()
	if err != nil {
		o.files.Add(-1)
		return nil, err
	}
	return newHandle(f, o), nil
}

// crowded says that more files are open than should be: who reads had better not keep one.
func (o *OpenFiles) crowded() bool { return o.files.Load() > o.maxFiles }

// reserveMapping says whether there may be one mapping more. It counts then.
func (o *OpenFiles) reserveMapping() bool {
	for n := o.mappings.Add(1); n > o.maxMappings; n = o.mappings.Load() {
		if !o.closeOne(false) {
			o.mappings.Add(-1)
			return false
		}
	}
	return true
}

// add puts a segment into the circle, where the hand comes by last. Called under its mu.
func (o *OpenFiles) add(s *segment) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.place != 0 {
		return
	}
	o.circle = append(o.circle, s)
	s.place = len(o.circle)
}

// remove takes a segment out of the circle. Called under its mu.
func (o *OpenFiles) remove(s *segment) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if s.place == 0 {
		return
	}
	last := len(o.circle) - 1
	moved := o.circle[last]
	o.circle[s.place-1], moved.place = moved, s.place
	o.circle[last] = nil
	o.circle = o.circle[:last]
	s.place = 0
}

// closeOne closes the files of the segment that is next to go; false if all are in use, or were a moment ago unless
// there must be one.
func (o *OpenFiles) closeOne(must bool) bool {
	o.mu.Lock()
	if o.patience > 0 && !must {
		o.patience--
		o.mu.Unlock()
		return false
	}
	// Once round everybody may have been used, the second time only those are spared that are used right now.
	for range 2 * len(o.circle) {
		if o.hand >= len(o.circle) {
			o.hand = 0
		}
		s := o.circle[o.hand]
		if !s.mu.TryLock() {
			o.hand++
			continue
		}
		if s.busy() {
			s.mu.Unlock()
			o.hand++
			continue
		}
		o.mu.Unlock()
		s.shrink()
		s.mu.Unlock()
		return true
	}
	o.patience = len(o.circle) / 4
	o.mu.Unlock()
	return false
}

// sweep closes the files of segments that were not used since the last sweep, if that is long enough ago: an idle log
// holds none.
func (o *OpenFiles) sweep(now time.Time, interval time.Duration) {
	o.mu.Lock()
	if now.Sub(o.lastSweep) < interval {
		o.mu.Unlock()
		return
	}
	o.lastSweep = now
	all := make([]*segment, len(o.circle))
	copy(all, o.circle)
	o.mu.Unlock()
	for _, s := range all {
		if !s.mu.TryLock() {
			continue
		}
		if !s.busy() {
			s.shrink()
		}
		s.mu.Unlock()
	}
}

// sweepInterval is how long a segment keeps its files at least when nobody uses them.
const sweepInterval = time.Minute

// sweepFiles sweeps now and again.
func (d *Dir) sweepFiles() {
	d.o.Files.sweep(time.Now(), sweepInterval-sweepInterval/10)
	d.after(sweepInterval.Milliseconds(), d.sweepFiles)
}
