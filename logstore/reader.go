package logstore

import (
	"errors"
	"fmt"
	"io"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// batchReader reads the whole batches in a range of a .log file one after the other, in large pieces, and holds them
// against their checksums: for who reads a segment from end to end. (A cursor is for who looks at headers.)
type batchReader struct {
	f     vfs.File
	path  string
	pos   int64  // of the next batch
	end   int64  // of the range, bytes
	chunk int    // how much is read at once; more for a larger batch
	buf   []byte // what was read last; its memory may be passed on from reader to reader
	at    int64  // file position of buf[0]
}

// next returns the batch at pos, valid until the next call. io.EOF at the end; an error that wraps a kerr.Error for
// bytes that are no valid batch, which says where they are; any other is the file system's. After an error pos is
// where it was.
func (r *batchReader) next() (batch.Batch, error) {
	if r.pos >= r.end {
		return nil, io.EOF
	}
	p := r.held()
	size, err := batch.SizeOf(p)
	if errors.Is(err, batch.ErrShort) || err == nil && size > len(p) && int64(size) <= r.end-r.pos {
		if p, err = r.fill(size); err != nil {
			return nil, err
		}
		if size, err = batch.SizeOf(p); err == nil && size > len(p) && int64(size) <= r.end-r.pos {
			if p, err = r.fill(size); err != nil {
				return nil, err
			}
		}
	}
	if err == nil && size > len(p) {
		err = batch.ErrShort
	}
	if err == nil && size < batch.HeaderSize {
		err = errors.New("shorter than a header")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: record batch at byte %d of %d: %w: %w", r.path, r.pos, r.end, err, kerr.CorruptMessage)
	}
	b := batch.Batch(p[:size:size])
	if err := b.Validate(); err != nil {
		return nil, fmt.Errorf("%s: byte %d: %w", r.path, r.pos, err)
	}
	r.pos += int64(size)
	return b, nil
}

// held is what the buffer has from pos on.
func (r *batchReader) held() []byte {
	if r.pos < r.at || r.pos >= r.at+int64(len(r.buf)) {
		return nil
	}
	return r.buf[r.pos-r.at:]
}

// fill reads from pos on, at least n bytes. The range holds as many, or the rest of it is all there is.
func (r *batchReader) fill(n int) ([]byte, error) {
	want := int(min(int64(max(n, r.chunk, batch.HeaderSize)), r.end-r.pos))
	if cap(r.buf) < want {
		r.buf = make([]byte, want)
	}
	r.buf, r.at = r.buf[:want], r.pos
	m, err := r.f.ReadAt(r.buf, r.pos)
	if m == want {
		return r.buf, nil
	}
	r.buf = r.buf[:0]
	if err == io.EOF {
		return nil, fmt.Errorf("%s: ends at byte %d, %d expected: %w", r.path, r.pos+int64(m), r.pos+int64(want), kerr.CorruptMessage)
	}
	return nil, err
}
