package logstore

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A cursor reads little at first, since most look at one or two headers only, and more and more where batches are so
// small that many lie in what it reads. Of large batches it reads the headers one by one.
const (
	cursorFirst = 512
	cursorBytes = 16 << 10
)

var cursorBuffers = sync.Pool{New: func() any { return new([cursorBytes]byte) }}

// cursor walks the batch headers in a range of a .log file by pread. Close it.
type cursor struct {
	f     vfs.File
	path  string
	pos   int64 // of the next batch
	end   int64 // of the range, bytes
	buf   *[cursorBytes]byte
	at    int64 // file position of buf[0]
	n     int   // valid bytes in buf
	want  int64 // bytes to read next
	last  int64 // offset of the batch that ends at after
	after int64
}

func newCursor(f vfs.File, path string, pos, end int64) cursor {
	return cursor{f: f, path: path, pos: pos, end: end, buf: cursorBuffers.Get().(*[cursorBytes]byte), want: cursorFirst}
}

func (c *cursor) close() {
	cursorBuffers.Put(c.buf)
	c.buf = nil
}

// header describes a batch in a file. Only the header fields of b may be asked for: the records are not there.
type header struct {
	b    batch.Batch // HeaderSize bytes, valid until the next step
	pos  int64
	size int
}

// next returns the next batch's header; io.EOF at the end of the range. Bytes that cannot be a batch, one that the
// range cuts, or whose offsets do not follow those of the one before, are an error wrapping kerr.CorruptMessage that
// says where.
func (c *cursor) next() (header, error) {
	if c.pos >= c.end {
		return header{}, io.EOF
	}
	p := c.window()
	if len(p) < batch.HeaderSize && c.pos+int64(len(p)) < c.end {
		if err := c.fill(); err != nil {
			return header{}, err
		}
		p = c.window()
	}
	size, err := batch.SizeOf(p)
	if err == nil && (len(p) < batch.HeaderSize || int64(size) > c.end-c.pos) {
		err = batch.ErrShort
	}
	if err == nil && size < batch.HeaderSize {
		err = errors.New("shorter than a header")
	}
	if err != nil {
		return header{}, &damage{c.path, c.pos, fmt.Errorf("%s: record batch at byte %d of %d: %w: %w", c.path, c.pos, c.end, err, kerr.CorruptMessage)}
	}
	h := header{b: batch.Batch(p[:batch.HeaderSize]), pos: c.pos, size: size}
	if h.b.LastOffsetDelta() < 0 || h.b.BaseOffset() < 0 {
		return header{}, &damage{c.path, c.pos, fmt.Errorf("%s: record batch at byte %d: base offset %d, last offset delta %d: %w",
			c.path, c.pos, h.b.BaseOffset(), h.b.LastOffsetDelta(), kerr.CorruptMessage)}
	}
	if c.pos == c.after && c.pos > 0 && h.b.BaseOffset() <= c.last {
		return header{}, &damage{c.path, c.pos, fmt.Errorf("%s: record batch at byte %d: base offset %d behind %d: %w",
			c.path, c.pos, h.b.BaseOffset(), c.last, kerr.CorruptMessage)}
	}
	c.pos += int64(size)
	c.after, c.last = c.pos, h.b.LastOffset()
	return h, nil
}

// window is what the buffer holds from pos on, cut at the end of the range.
func (c *cursor) window() []byte {
	if c.pos < c.at || c.pos >= c.at+int64(c.n) {
		return nil
	}
	p := c.buf[c.pos-c.at : c.n]
	return p[:min(int64(len(p)), c.end-c.pos)]
}

func (c *cursor) fill() error {
	if c.n > 0 && c.pos <= c.at+int64(c.n) {
		c.want = min(2*c.want, cursorBytes) // went through all of it, batch by batch
	}
	want := min(c.want, c.end-c.pos)
	n, err := c.f.ReadAt(c.buf[:want], c.pos)
	c.at, c.n = c.pos, n
	if int64(n) < want && (err != io.EOF || n < batch.HeaderSize) {
		if err == io.EOF {
			return &damage{c.path, c.pos, fmt.Errorf("%s: ends at byte %d, %d expected: %w", c.path, c.pos+int64(n), c.end, kerr.CorruptMessage)}
		}
		return err
	}
	return nil
}

// whole reads all of the batch that h describes, and holds it against its checksum.
func (c *cursor) whole(h header) (batch.Batch, error) {
	p := make([]byte, h.size)
	if n, err := c.f.ReadAt(p, h.pos); n < len(p) {
		if err == io.EOF {
			return nil, &damage{c.path, h.pos, fmt.Errorf("%s: ends at byte %d, inside a record batch: %w", c.path, h.pos+int64(n), kerr.CorruptMessage)}
		}
		return nil, err
	}
	b := batch.Batch(p)
	if err := b.Validate(); err != nil {
		return nil, &damage{c.path, h.pos, fmt.Errorf("%s: byte %d: %w", c.path, h.pos, err)}
	}
	return b, nil
}
