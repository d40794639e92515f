package logstore

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

// What a disk gives back may not be what was written to it. Records that this process has appended were checked when
// they came; all others are held against their checksums before they are served for the first time, and what does not
// stand up to that never is. So each byte is checked once, whoever reads it how often, and readers at the end of a log,
// where this process writes, have nothing to do with any of it.
//
// The base offset and the leader epoch of a batch lie outside its checksum. Of offsets it is known that they ascend.

// span is a range of bytes of a file that begins and ends where batches do.
type span struct{ from, to int64 }

// spans is a set of bytes: ranges that ascend and do not touch.
type spans []span

// maxSpans bounds what is remembered of one segment. Somebody who reads here and there may make more: then the smallest
// is forgotten, and checked again if need be.
const maxSpans = 64

// gap returns the first range in [from, to) that is not in the set; false if there is none.
func (v spans) gap(from, to int64) (span, bool) {
	i, _ := slices.BinarySearchFunc(v, from, func(s span, from int64) int {
		if s.to <= from {
			return -1
		}
		return 1
	})
	if i < len(v) && v[i].from <= from {
		from = v[i].to
		i++
	}
	if i < len(v) {
		to = min(to, v[i].from)
	}
	return span{from, to}, from < to
}

// add puts a range into the set.
func (v *spans) add(s span) {
	if s.from >= s.to {
		return
	}
	first, _ := slices.BinarySearchFunc(*v, s.from, func(o span, from int64) int {
		if o.to < from {
			return -1
		}
		return 1
	})
	last := first
	for ; last < len(*v) && (*v)[last].from <= s.to; last++ {
		s = span{min(s.from, (*v)[last].from), max(s.to, (*v)[last].to)}
	}
	*v = slices.Replace(*v, first, last, s)
	if len(*v) > maxSpans {
		smallest := 0
		for i, o := range *v {
			if o.to-o.from < (*v)[smallest].to-(*v)[smallest].from {
				smallest = i
			}
		}
		*v = slices.Delete(*v, smallest, smallest+1)
	}
}

// cut removes everything from a position on.
func (v *spans) cut(at int64) {
	for n := len(*v); n > 0 && (*v)[n-1].to > at; n = len(*v) {
		if (*v)[n-1].from < at {
			(*v)[n-1].to = at
			return
		}
		*v = (*v)[:n-1]
	}
}

// unverified returns the first range in [from, to) that has to be checked before it is served. Called under mu.
func (s *segment) unverified(from, to int64) (span, bool) {
	return s.verified.gap(from, min(to, s.ownFrom))
}

// distrust is called when the file turns out not to hold what this process believes of it.
func (s *segment) distrust() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ownFrom, s.verified = s.size, nil
	s.recent = recent{}
}

// A segment is read in pieces that stay in the processor's cache while their checksums are computed. Larger batches
// need larger buffers, of which those of usual sizes are kept.
const (
	verifyChunk = 256 << 10
	keptBuffer  = 2 << 20
)

var verifyBuffers = sync.Pool{New: func() any { return new(make([]byte, verifyChunk)) }}

// verify checks what of [from, to), which is of whole batches, was not checked yet, and returns how far it is good, and
// why no farther: damage, or an error of the file system. cut is the segment's when the range was looked up.
func (s *segment) verify(h *handle, from, to int64, cut int) (good int64, err error) {
	for {
		s.mu.Lock()
		gap, found := s.unverified(from, to)
		path, size, next := s.path(), s.size, s.next
		s.mu.Unlock()
		if !found {
			return to, nil
		}
		good, err := s.check(h, path, gap, size, next)
		s.mu.Lock()
		if s.cut == cut {
			s.verified.add(span{gap.from, good})
		}
		s.mu.Unlock()
		if err != nil {
			return good, err
		}
	}
}

// check reads a range and returns up to where its batches are what was written, and why no farther. size is the
// segment's, and next the offset behind it.
//
// Where offsets do not ascend there is no telling which of two batches has the wrong one: neither is good.
func (s *segment) check(h *handle, path string, in span, size, next int64) (good int64, err error) {
	have, err := h.f.Size()
	if err != nil {
		return in.from, err
	}
	buf := verifyBuffers.Get().(*[]byte)
	r := batchReader{f: h.f, path: path, pos: in.from, end: min(in.to, have), chunk: verifyChunk, buf: (*buf)[:0]}
	defer func() {
		if *buf = r.buf; cap(*buf) <= keptBuffer {
			verifyBuffers.Put(buf)
		}
	}()
	offset, before := s.base, in.from
	for r.pos < in.to {
		at := r.pos
		b, err := r.next()
		switch {
		case err == io.EOF:
			err = fmt.Errorf("%s: ends at byte %d, %d expected: %w", path, have, in.to, kerr.CorruptMessage)
		case err == nil && b.BaseOffset() < offset:
			at = before
			fallthrough
		case err == nil && b.LastOffset() >= next:
			err = fmt.Errorf("%s: byte %d: offsets %d to %d, between %d and %d expected: %w",
				path, r.pos-int64(len(b)), b.BaseOffset(), b.LastOffset(), offset, next-1, kerr.CorruptMessage)
		}
		if _, coded := errors.AsType[*kerr.Error](err); coded {
			err = &damage{path, at, err}
		}
		if err != nil {
			return at, err
		}
		offset, before = b.LastOffset()+1, at
	}
	c := newCursor(h.f, path, in.to, size)
	defer c.close()
	switch after, err := c.next(); {
	case err == nil && after.b.BaseOffset() < offset:
		return before, &damage{path, before, fmt.Errorf("%s: byte %d: offsets up to %d, the next batch has %d: %w",
			path, before, offset-1, after.b.BaseOffset(), kerr.CorruptMessage)}
	case err == nil, err == io.EOF, errors.Is(err, kerr.CorruptMessage):
		return in.to, nil // what comes next is looked at when it is asked for
	default:
		return before, err
	}
}

// damage is an error about bytes that are not what was written. It always wraps kerr.CorruptMessage, whatever the checks
// of a batch call what they find: a client that fetches did nothing wrong. Its text says where they are.
type damage struct {
	path string
	pos  int64
	err  error
}

func (d *damage) Error() string { return d.err.Error() }

// Unwrap is for errors.Is and errors.As, which meet kerr.CorruptMessage first.
func (d *damage) Unwrap() []error { return []error{kerr.CorruptMessage, d.err} }

// damages is what was said of damage in a log. The zero value is for use.
type damages struct {
	mu    sync.Mutex // leaf
	known []damage
}

// maxReports bounds how much is said of one log.
const maxReports = 64

// report says, once for each place, that a log is damaged.
func (s *damages) report(logger *slog.Logger, d *damage) {
	s.mu.Lock()
	known := len(s.known) == maxReports || slices.ContainsFunc(s.known, func(k damage) bool { return k.path == d.path && k.pos == d.pos })
	if !known {
		s.known = append(s.known, damage{path: d.path, pos: d.pos})
	}
	s.mu.Unlock()
	if !known {
		logger.Error("a damaged record batch is not served", "segment", d.path, "position", d.pos, "error", d.err)
	}
}
