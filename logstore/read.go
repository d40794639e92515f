package logstore

import (
	"errors"
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Slice is a run of whole batches in a file. It holds the file open until Release; truncation, retention and
// deletion leave its bytes alone. The zero value is empty, and may be released too.
//
// A Slice is a value with one owner: copies share the one reference, and exactly one of them is to be released,
// once.
type Slice struct {
	// Aborted are the aborted transactions in the run, for readers of committed data.
	Aborted []AbortedTxn

	file *handle
	pos  int64
	n    int
	warm bool
}

// Len is the size in bytes.
func (s Slice) Len() int { return s.n }

// AppendTo reads the bytes and appends them to dst. After an error, of the file system or wrapping
// kerr.CorruptMessage if the file has become shorter behind our back, it returns dst as it was.
func (s Slice) AppendTo(dst []byte) ([]byte, error) {
	if s.n == 0 {
		return dst, nil
	}
	have := len(dst)
	if cap(dst)-have < s.n {
		grown := make([]byte, have, have+s.n)
		copy(grown, dst)
		dst = grown
	}
	n, err := s.file.f.ReadAt(dst[have:have+s.n], s.pos)
	if n < s.n {
		if err == io.EOF {
			err = fmt.Errorf("log file ends at byte %d, %d expected: %w", s.pos+int64(n), s.pos+int64(s.n), kerr.CorruptMessage)
		} else {
			err = fmt.Errorf("log file: %w: %w", err, kerr.KafkaStorageError)
		}
		return dst[:have], err
	}
	return dst[:have+s.n], nil
}

// Mapped returns the bytes through a read-only mapping, valid until Release, if they were written so recently that
// touching them will not wait for the disk. Otherwise, or if nothing could be mapped, use AppendTo.
func (s Slice) Mapped() ([]byte, bool) {
	if !s.warm || s.n == 0 {
		return nil, false
	}
	p, err := s.file.mapped(s.pos, s.n)
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
// Errors: kerr.OffsetOutOfRange if from is below the start of the log or behind its end; kerr.KafkaStorageError;
// kerr.CorruptMessage if the file does not hold batches where it should.
func (l *Log) Read(from, limit int64, maxBytes int, minOneBatch bool) (Slice, error) {
	for {
		if err := l.usable(); err != nil {
			return Slice{}, err
		}
		start, end := l.logStart.Load(), l.logEnd.Load()
		if from < start || from > end {
			return Slice{}, fmt.Errorf("%s: offset %d, the log has %d to %d: %w", l.tp.name(), from, start, end, kerr.OffsetOutOfRange)
		}
		limit := min(limit, end)
		if from >= limit || maxBytes <= 0 && !minOneBatch {
			return Slice{}, nil
		}
		segments := *l.segments.Load()
		for _, s := range segments[segmentAt(segments, from):] {
			sl, err := s.read(from, limit, max(0, maxBytes), minOneBatch, &l.dir.room, l.dir.warmBytes)
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

// read is Log.Read within one segment; io.EOF if it holds nothing from offset from on.
func (s *segment) read(from, limit int64, maxBytes int, minOne bool, room *room, warmBytes int64) (Slice, error) {
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
	if from >= s.next || s.size == 0 {
		s.mu.Unlock()
		return Slice{}, io.EOF
	}
	cut, size, next := s.cut, s.size, s.next
	if start, end, ok := s.locateRecent(from, limit, int64(maxBytes)); ok {
		h.retain()
		sl := Slice{file: h, pos: start, n: int(end - start), warm: s.warm(start, room.written(), warmBytes)}
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

	sl, err := s.locate(h, &v, from, limit, size, next, maxBytes, minOne)
	s.mu.Lock()
	moved := s.cut != cut || s.removed
	sl.warm = s.warm(sl.pos, room.written(), warmBytes)
	s.mu.Unlock()
	if moved && err != nil {
		// The index was cut while it was searched. (The bytes themselves never change under a reference.)
		err = errMoved
	}
	if err != nil || sl.n == 0 {
		h.release()
		return Slice{}, err
	}
	sl.file = h
	return sl, nil
}

// locateRecent finds the run among the newest batches, which are known by heart. It gives up where the general way
// has to decide: for older offsets, for first batches above maxBytes, for an empty run. Called under mu.
func (s *segment) locateRecent(from, limit, maxBytes int64) (start, end int64, ok bool) {
	if !s.recent.covers(from) {
		return 0, 0, false
	}
	i := s.recent.search(func(b recentBatch) bool { return b.last >= from })
	if i == s.recent.n {
		return 0, 0, false
	}
	start, end = s.recent.at(i).pos, s.size
	if s.next > limit {
		if i := s.recent.search(func(b recentBatch) bool { return b.last >= limit }); i < s.recent.n {
			end = s.recent.at(i).pos
		}
	}
	if most := start + maxBytes; end > most {
		// Cut where a batch begins. The first one begins at start, so there is one that does not begin behind most.
		end = s.recent.at(s.recent.search(func(b recentBatch) bool { return b.pos > most }) - 1).pos
	}
	return start, end, end > start
}

// locate finds the run in the file.
func (s *segment) locate(h *handle, v *indexView, from, limit, size, next int64, maxBytes int, minOne bool) (Slice, error) {
	first, err := s.find(h, v, from, size)
	if err != nil {
		return Slice{}, err
	}
	end := size
	if next > limit {
		stop, err := s.find(h, v, limit, size)
		switch {
		case err == nil:
			end = stop.pos
		case err != io.EOF:
			return Slice{}, err
		}
	}
	if end <= first.pos {
		return Slice{}, nil // the batch that contains from reaches limit
	}
	if end-first.pos > int64(maxBytes) {
		most := first.pos + int64(maxBytes)
		if first.size > int64(maxBytes) {
			if !minOne {
				return Slice{}, nil
			}
			most = first.pos + first.size
		}
		if end, err = s.boundary(h, v, first.pos, most, end); err != nil {
			return Slice{}, err
		}
	}
	return Slice{pos: first.pos, n: int(end - first.pos)}, nil
}
