package logstore

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Slice is a run of whole batches in a file. It holds the file open until Release, or has a copy if it is small and many
// files are open; truncation, retention and deletion leave its bytes alone. The zero value is empty, and may be released
// too.
//
// A Slice is a value with one owner: copies share the one reference, and exactly one of them is to be released,
// once.
type Slice struct {
	// Aborted are the aborted transactions in the run, for readers of committed data.
	Aborted []AbortedTxn

	file    *handle // nil if copied
	copied  []byte
	pos     int64
	n       int
	warm    bool
	upTo    int64    // what is in it is below
	segment *segment // which it is of, and whose: for when reading it fails
	log     *Log
}

// Len is the size in bytes.
func (s Slice) Len() int { return s.n }

// AppendTo reads the bytes and appends them to dst. After an error, kerr.KafkaStorageError or, if the file has become
// shorter behind our back, kerr.CorruptMessage, it returns dst as it was.
func (s Slice) AppendTo(dst []byte) ([]byte, error) {
	if s.file == nil {
		return append(dst, s.copied...), nil
	}
	have := len(dst)
	if cap(dst)-have < s.n {
		grown := make([]byte, have, have+s.n)
		copy(grown, dst)
		dst = grown
	}
	n, err := s.file.f.ReadAt(dst[have:have+s.n], s.pos)
	if n < s.n {
		return dst[:have], s.failed(int64(n), err)
	}
	return dst[:have+s.n], nil
}

// Mapped returns the bytes through a read-only mapping, valid until Release, if touching them will not wait for the disk:
// they were written recently, or the system says that they are in memory. Otherwise, or if nothing could be mapped, use
// AppendTo.
func (s Slice) Mapped() ([]byte, bool) {
	if s.file == nil {
		return s.copied, s.n > 0
	}
	p, err := s.file.mapped(s.pos, s.n, s.warm)
	return p, err == nil
}

// Release gives the file up.
func (s *Slice) Release() {
	if s.file != nil {
		s.file.release()
	}
	*s = Slice{}
}

// errMoved says that a segment was cut or removed while it was looked at; look again.
var errMoved = errors.New("segment has changed")

// Read returns whole batches from the one that contains offset from on, up to but not including the first one that
// reaches limit, and at most maxBytes of them: but the first one comes whole if minOneBatch. They are all from one
// segment, so there may be more. A Slice of length 0 says that there is nothing to be read now.
//
// Every batch is one that this process has written or held against its checksum. A damaged one ends the run before it.
//
// Errors: kerr.OffsetOutOfRange if from is below the start of the log or behind its end; kerr.KafkaStorageError;
// kerr.CorruptMessage if the file does not hold the batch that it should.
func (l *Log) Read(from, limit int64, maxBytes int, minOneBatch bool) (Slice, error) {
	return l.read(run{from: from, limit: limit, maxBytes: max(0, maxBytes), minOne: minOneBatch})
}

// ReadCommitted is Read for who wants committed data only: up to the last stable offset at most, if that is less than
// limit, and with the aborted transactions in the run, whose records are not for the reader.
func (l *Log) ReadCommitted(from, limit int64, maxBytes int, minOneBatch bool) (Slice, error) {
	limit = min(limit, l.Offsets().LastStable)
	return l.read(run{from: from, limit: limit, maxBytes: max(0, maxBytes), minOne: minOneBatch, committed: true})
}

// Extent is how many bytes Read would return if maxBytes were no bound and nothing was damaged. No records are read.
func (l *Log) Extent(from, limit int64) (bytes int, err error) {
	sl, err := l.read(run{from: from, limit: limit, maxBytes: math.MaxInt32, minOne: true, unverified: true})
	if err != nil {
		return 0, err
	}
	defer sl.Release()
	return sl.Len(), nil
}

// copyBelow is the size in bytes up to which a slice is copied rather than have its file open while many others are:
// one answer may hold slices of as many logs as there are.
const copyBelow = 64 << 10

// copy reads the slice, which does not need its file any more.
func (s Slice) copy() (Slice, error) {
	p, err := s.AppendTo(nil)
	s.file.release()
	if err != nil {
		return Slice{}, err
	}
	s.file, s.copied = nil, p
	return s, nil
}

// run is what a reader asks for.
type run struct {
	from, limit int64 // offsets
	maxBytes    int
	minOne      bool // the first batch may be larger than maxBytes
	unverified  bool // its bytes will not be looked at
	committed   bool // the aborted transactions in the run are wanted
}

func (l *Log) read(r run) (Slice, error) {
	for {
		if err := l.usable(); err != nil {
			return Slice{}, err
		}
		r := r
		start, end := l.logStart.Load(), l.logEnd.Load()
		if r.from < start || r.from > end {
			return Slice{}, fmt.Errorf("%s: offset %d, the log has %d to %d: %w", l.tp.name(), r.from, start, end, kerr.OffsetOutOfRange)
		}
		r.limit = min(r.limit, end)
		if r.from >= r.limit || r.maxBytes <= 0 && !r.minOne {
			return Slice{}, nil
		}
		segments := *l.segments.Load()
		at := segmentAt(segments, r.from)
		for i, s := range segments[at:] {
			sl, err := s.read(r, l)
			if err == io.EOF {
				continue // compaction left nothing from there on; or there is a gap
			}
			if err == errMoved {
				break
			}
			if err != nil {
				if s.isRemoved() {
					break
				}
				return Slice{}, l.failed("read", err)
			}
			if r.committed && sl.n > 0 {
				// Of these segments: the ones that compaction puts in their place list only what is left of aborted data.
				err = eachAborted(segments[at+i:], r.from, sl.upTo, func(t txnEntry) {
					sl.Aborted = append(sl.Aborted, AbortedTxn{ProducerID: t.producerID, FirstOffset: t.first})
				})
				if err != nil {
					sl.Release()
					if err == errMoved {
						break
					}
					return Slice{}, l.failed("read", err)
				}
			}
			if sl.n > 0 && sl.n <= copyBelow && !r.unverified && l.dir.o.Files.crowded() {
				return sl.copy()
			}
			return sl, nil
		}
		// Either there is nothing below limit (a gap up to it), or the segments are no longer these.
		if same := *l.segments.Load(); len(same) == len(segments) && same[0] == segments[0] && !anyRemoved(segments) && l.logEnd.Load() >= end {
			return Slice{}, nil
		}
	}
}

func anyRemoved(segments []*segment) bool {
	for _, s := range segments {
		if s.isRemoved() {
			return true
		}
	}
	return false
}

func (s *segment) isRemoved() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removed
}

// read is Log.read within one segment; io.EOF if it holds nothing from r.from on.
func (s *segment) read(r run, l *Log) (Slice, error) {
	s.mu.Lock()
	if s.removed {
		s.mu.Unlock()
		return Slice{}, errMoved
	}
	h, err := s.open()
	if err != nil {
		s.mu.Unlock()
		return Slice{}, err
	}
	if r.from >= s.next || s.size == 0 {
		s.mu.Unlock()
		return Slice{}, io.EOF
	}
	cut, size, next := s.cut, s.size, s.next
	room, warmBytes := &l.dir.room, l.dir.warmBytes
	if start, end, upTo, ok := s.locateRecent(r.from, r.limit, int64(r.maxBytes)); ok {
		h.retain()
		sl := Slice{file: h, pos: start, n: int(end - start), upTo: upTo, warm: s.warm(start, room.written(), warmBytes), segment: s, log: l}
		s.mu.Unlock()
		return sl, nil
	}
	v, err := s.offsets.view(s.fs)
	if err != nil {
		s.mu.Unlock()
		return Slice{}, err
	}
	h.retain()
	s.mu.Unlock()
	defer v.release()

	pos, end, err := s.locate(h, &v, r, size, next)
	upTo := min(next, r.limit)
	if r.committed && err == nil && end < size {
		upTo, err = s.upTo(h, end, size, upTo)
	}
	s.mu.Lock()
	sl := Slice{file: h, pos: pos, n: int(end - pos), upTo: upTo, warm: s.warm(pos, room.written(), warmBytes), segment: s, log: l}
	_, unverified := s.unverified(pos, end)
	s.mu.Unlock()
	if err == nil && unverified && !r.unverified {
		var good int64
		if good, err = s.verify(h, pos, end, cut); err != nil && good > pos && errors.Is(err, kerr.CorruptMessage) {
			_ = l.failed("read", err) // which says so
			sl.n, err = int(good-pos), nil
		}
	}
	if err != nil {
		s.mu.Lock()
		if s.cut != cut || s.removed {
			// The segment was cut while it was searched. (The bytes themselves never change under a reference.)
			err = errMoved
		}
		s.mu.Unlock()
	}
	if err != nil || sl.n == 0 {
		h.release()
		return Slice{}, err
	}
	return sl, nil
}

// locateRecent finds the run among the newest batches, which are known by heart. It gives up where the general way
// has to decide: for older offsets, for first batches above maxBytes, for an empty run. Called under mu.
func (s *segment) locateRecent(from, limit, maxBytes int64) (start, end, upTo int64, ok bool) {
	if !s.recent.covers(from) {
		return 0, 0, 0, false
	}
	i := s.recent.search(func(b recentBatch) bool { return b.last >= from })
	if i == s.recent.n {
		return 0, 0, 0, false
	}
	start, end, upTo = s.recent.at(i).pos, s.size, min(s.next, limit)
	if s.next > limit {
		if i := s.recent.search(func(b recentBatch) bool { return b.last >= limit }); i < s.recent.n {
			end, upTo = s.recent.at(i).pos, s.recent.at(i).base
		}
	}
	if most := start + maxBytes; end > most {
		// Cut where a batch begins. The first one begins at start, so there is one that does not begin behind most.
		b := s.recent.at(s.recent.search(func(b recentBatch) bool { return b.pos > most }) - 1)
		end, upTo = b.pos, b.base
	}
	return start, end, upTo, end > start
}

// locate finds the run [pos, end) in the file; it may be empty. Where the headers cannot be followed it ends.
func (s *segment) locate(h *handle, v *indexView, r run, size, next int64) (pos, end int64, err error) {
	first, err := s.find(h, v, r.from, size)
	if err != nil {
		return 0, 0, err
	}
	end = size
	if next > r.limit {
		stop, err := s.find(h, v, r.limit, size)
		if end, err = s.until(stop.pos, end, first.pos, err); err != nil {
			return 0, 0, err
		}
	}
	if end <= first.pos {
		return first.pos, first.pos, nil // the batch that contains from reaches limit
	}
	if end-first.pos > int64(r.maxBytes) {
		most := first.pos + int64(r.maxBytes)
		if first.size > int64(r.maxBytes) {
			if !r.minOne {
				return first.pos, first.pos, nil
			}
			most = first.pos + first.size
		}
		stop, err := s.boundary(h, v, first.pos, most, end)
		if end, err = s.until(stop, end, first.pos, err); err != nil {
			return 0, 0, err
		}
	}
	return first.pos, end, nil
}

// upTo is where the batch at a position begins, behind a run that ends there; most if its header cannot be read.
func (s *segment) upTo(h *handle, end, size, most int64) (int64, error) {
	c := newCursor(h.f, s.path(), end, size)
	defer c.close()
	b, err := c.next()
	if errors.Is(err, kerr.CorruptMessage) {
		return most, nil
	}
	if err != nil {
		return 0, err
	}
	return min(most, b.b.BaseOffset()), nil
}

// until decides where a run that begins at from ends, of which a search has found the end stop or failed: at end if
// there is nothing to stop at, and before a batch whose header is damaged if there are others before it.
func (s *segment) until(stop, end, from int64, err error) (int64, error) {
	d, damaged := errors.AsType[*damage](err)
	switch {
	case err == nil:
		return stop, nil
	case err == io.EOF:
		return end, nil
	case damaged && d.pos > from:
		return min(d.pos, end), nil
	}
	return 0, err
}
