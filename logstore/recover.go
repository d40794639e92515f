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
// believed. So the work is proportional to what was appended since the last flush, not to the segment.
func (l *Log) recover() error {
	if err := l.touch(); err != nil {
		return err
	}
	segments := *l.segments.Load()
	point := l.recoveryPoint.Load()
	first := segmentAt(segments, point)
	for i, s := range segments[first:] {
		i += first
		cut, err := l.recoverSegment(s, point)
		if err != nil {
			return err
		}
		_, end := s.extent()
		if i+1 < len(segments) && !cut && end <= segments[i+1].base {
			s.mu.Lock()
			s.next = segments[i+1].base
			s.mu.Unlock()
			continue
		}
		if i+1 < len(segments) {
			l.logger.Warn("segments behind a damaged one are dropped", "segment", s.path, "end", end, "dropped", len(segments)-i-1)
			for _, gone := range segments[i+1:] {
				if err := l.discard(gone); err != nil {
					return err
				}
			}
		}
		list := segments[: i+1 : i+1]
		l.segments.Store(&list)
		break
	}
	return nil
}

// recoverSegment checks a segment from the last index entry below the recovery point on, cuts it behind the last
// good batch, and says whether anything was cut. Index entries behind that are written anew.
func (l *Log) recoverSegment(s *segment, point int64) (cut bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, err := s.open()
	if err != nil {
		return false, err
	}
	cfg := l.cfg.Load()
	r := recoveryReader{cursor: newCursor(h.f, s.path, 0, s.size)}
	defer r.close()
	anchor, err := s.anchor(&r, point)
	if err != nil {
		return false, err
	}
	s.hasFirstTime = false
	s.next = s.base
	s.sinceIndex = 0
	if anchor.size > 0 {
		s.sinceIndex = anchor.size
		s.next = anchor.offset + 1
	}
	r.pos = anchor.pos + anchor.size
	valid := r.pos
	for {
		b, err := r.nextWhole()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = l.acceptable(s, b)
		}
		var code *kerr.Error
		if errors.As(err, &code) {
			l.logger.Warn("recovery ends the log at a damaged batch", "segment", s.path, "position", valid, "offset", s.next, "error", err)
			break
		}
		if err != nil {
			return false, err
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
	s.size, s.allocated = valid, valid
	s.unsynced = true
	return cut, s.indexMaxTime()
}

// acceptable says whether a batch of the right checksum can follow what was recovered so far. A leader epoch never
// goes back within a log; where it seems to, batches from before a truncation that did not reach the disk have come
// up again behind newer ones.
func (l *Log) acceptable(s *segment, b batch.Batch) error {
	if b.BaseOffset() < s.next || !s.fits(b.LastOffset()) {
		return fmt.Errorf("offsets %d to %d where %d is next: %w", b.BaseOffset(), b.LastOffset(), s.next, kerr.CorruptMessage)
	}
	if latest, ok := l.epochs.latest(); ok && b.LeaderEpoch() >= 0 && b.LeaderEpoch() < latest {
		if at, ok := l.epochs.at(b.BaseOffset()); ok && b.LeaderEpoch() < at {
			return fmt.Errorf("leader epoch %d at offset %d behind epoch %d: %w", b.LeaderEpoch(), b.BaseOffset(), at, kerr.CorruptMessage)
		}
	}
	return nil
}

// anchored is the batch from behind which a segment is checked; size 0 for its beginning.
type anchored struct {
	offset int64 // last of the batch
	pos    int64
	size   int64
}

// anchor finds the last offset index entry below the recovery point whose batch is there, and cuts both indexes
// behind it. If anything about the entries is odd it says the beginning, with empty indexes. Called under mu.
func (s *segment) anchor(r *recoveryReader, point int64) (anchored, error) {
	a, err := s.findAnchor(r, point)
	var code *kerr.Error
	if err != nil && !errors.As(err, &code) {
		return anchored{}, err
	}
	offsets, times := 0, 0
	if err == nil && a.size > 0 {
		if offsets, times, err = s.entriesUpTo(a.offset); err != nil {
			if !errors.As(err, &code) {
				return anchored{}, err
			}
		}
	}
	if err != nil || offsets == 0 {
		a, offsets, times = anchored{pos: 0}, 0, 0
	}
	if err := errors.Join(s.offsets.truncate(s.fs, offsets), s.times.truncate(s.fs, times)); err != nil {
		return anchored{}, err
	}
	s.maxTime, s.hasMaxTime = timeEntry{timestamp: batch.NoTimestamp, offset: s.base}, false
	return a, s.loadMaxTime()
}

func (s *segment) findAnchor(r *recoveryReader, point int64) (anchored, error) {
	if point <= s.base || !s.offsets.exists || !s.times.exists {
		return anchored{}, nil
	}
	v, err := s.offsets.view(s.fs)
	if err != nil {
		return anchored{}, err
	}
	defer v.release()
	var entry [offsetEntryWidth]byte
	i, err := v.floor(entry[:], func(e []byte) bool { return getOffsetEntry(e, s.base).offset < point })
	if err != nil || i < 0 {
		return anchored{}, err
	}
	e := getOffsetEntry(entry[:], s.base)
	if e.pos <= 0 || e.pos >= s.size {
		return anchored{}, nil
	}
	r.pos = e.pos
	b, err := r.nextWhole()
	if err == io.EOF {
		return anchored{}, nil
	}
	if err != nil {
		return anchored{}, err
	}
	if b.LastOffset() != e.offset {
		return anchored{}, nil
	}
	return anchored{offset: e.offset, pos: e.pos, size: int64(len(b))}, nil
}

// entriesUpTo counts the entries of both indexes up to an offset, if they all ascend as they should; otherwise the
// error wraps kerr.CorruptMessage.
func (s *segment) entriesUpTo(offset int64) (offsets, times int, err error) {
	p, err := s.offsets.all(s.fs)
	if err != nil {
		return 0, 0, err
	}
	last := offsetEntry{offset: s.base - 1}
	for ; len(p) > 0; p = p[offsetEntryWidth:] {
		e := getOffsetEntry(p, s.base)
		if e.offset <= last.offset || e.pos <= last.pos {
			return 0, 0, fmt.Errorf("%s: entry %d does not ascend: %w", s.offsets.path, offsets, kerr.CorruptMessage)
		}
		if e.offset > offset {
			break
		}
		last = e
		offsets++
	}
	if p, err = s.times.all(s.fs); err != nil {
		return 0, 0, err
	}
	lastTime := timeEntry{timestamp: -1, offset: s.base}
	for ; len(p) > 0; p = p[timeEntryWidth:] {
		e := getTimeEntry(p, s.base)
		if e.offset > offset {
			break
		}
		if e.timestamp <= lastTime.timestamp || e.offset < lastTime.offset {
			return 0, 0, fmt.Errorf("%s: entry %d does not ascend: %w", s.times.path, times, kerr.CorruptMessage)
		}
		lastTime = e
		times++
	}
	return offsets, times, nil
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

// recoveryReader reads whole batches and holds them against their checksums.
type recoveryReader struct {
	cursor
	chunk []byte
	off   int64 // file position of chunk[0]
}

// recoveryChunk is how much is read at once; more for a larger batch, which cannot be larger than the file.
const recoveryChunk = 1 << 20

// nextWhole returns the batch at pos, valid until the next call. io.EOF at the end; an error that wraps a kerr.Error
// for bytes that are no valid batch; any other is the file system's.
func (r *recoveryReader) nextWhole() (batch.Batch, error) {
	h, err := r.next()
	if err != nil {
		return nil, err
	}
	if h.pos < r.off || h.pos+int64(h.size) > r.off+int64(len(r.chunk)) {
		want := min(max(int64(h.size), recoveryChunk), r.end-h.pos)
		if int64(cap(r.chunk)) < want {
			r.chunk = make([]byte, want)
		}
		r.chunk = r.chunk[:want]
		n, err := r.f.ReadAt(r.chunk, h.pos)
		if int64(n) < want {
			r.chunk = r.chunk[:0]
			if err == io.EOF {
				return nil, fmt.Errorf("%s: ends at byte %d, %d expected: %w", r.path, h.pos+int64(n), h.pos+want, kerr.CorruptMessage)
			}
			return nil, err
		}
		r.off = h.pos
	}
	b := batch.Batch(r.chunk[h.pos-r.off:][:h.size:h.size])
	return b, b.Validate()
}
