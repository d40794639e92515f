package batch

import (
	"bytes"
	"errors"
	"io"
	"math"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// How far a batch may expand. Kafka itself has no bound: it streams, and so do
// we, so that memory is no reason for one; but time is. The bounds are to be
// far beyond what any client can want, and near enough that a few hundred bytes
// from a stranger can not keep a core busy for minutes.
const (
	// maxExpanded is the bound whatever was received: the Java client, which
	// counts the bytes of a batch in an int, could not have built more.
	maxExpanded = math.MaxInt32

	// freeExpansion is what even the smallest batch may expand to, and
	// maxRatio how many times its size a large one may. Gzip can not pass
	// 1032:1, LZ4 255:1 nor snappy 21:1, so that the ratio only ever stops
	// zstd, which packs 128 KiB of one byte into 4.
	freeExpansion = 256 << 20
	maxRatio      = 2048

	// maxCompressedRecord is the largest record in a compressed batch. Where
	// only lengths are checked a record of any size would do, but whoever
	// reads the batch later, here or in a client, has to hold one whole.
	maxCompressedRecord = 256 << 20
)

// expandLimit is the largest size in bytes that n bytes of compressed records
// may have.
func expandLimit(n int) int64 {
	return min(maxExpanded, max(freeExpansion, maxRatio*int64(n)))
}

var (
	errExpanded = errors.New("records expand beyond all bounds")
	errTorn     = errors.New("compressed records end too early")
)

// source expands records piece by piece. What it holds in memory depends on the
// codec's window and never on what the bytes claim to expand to.
type source interface {
	// next returns the next piece, which is valid until the following call;
	// io.EOF after the last one. A piece may be empty.
	next() ([]byte, error)
	// release gives the source back to its pool. It refers to none of the
	// input from then on.
	release()
}

// expand returns a source of the records that payload holds compressed.
func expand(codec Codec, payload []byte) source {
	switch codec {
	case Gzip:
		return newGzipSource(payload)
	case Snappy:
		return newSnappySource(payload)
	case LZ4:
		return newLZ4Source(payload)
	case Zstd:
		return newZstdSource(payload)
	}
	panic("batch: expand of an unknown codec") // Validate has refused it
}

// gzipSource reads gzip as Java's GZIPInputStream does: any number of members.
type gzipSource struct {
	in     bytes.Reader
	z      gzip.Reader
	opened bool
	buf    [16 << 10]byte
}

var gzipSources = sync.Pool{New: func() any { return new(gzipSource) }}

func newGzipSource(payload []byte) *gzipSource {
	s := gzipSources.Get().(*gzipSource)
	s.in.Reset(payload)
	s.opened = false
	return s
}

func (s *gzipSource) next() ([]byte, error) {
	if !s.opened {
		s.opened = true
		if err := s.z.Reset(&s.in); err != nil {
			return nil, torn(err)
		}
	}
	n, err := s.z.Read(s.buf[:])
	if n > 0 {
		// The error, if there is one, comes again.
		return s.buf[:n], nil
	}
	if err == io.EOF {
		return nil, io.EOF
	}
	return nil, torn(err)
}

func (s *gzipSource) release() {
	s.in.Reset(nil)
	gzipSources.Put(s)
}

// torn makes an end in the midst of something recognizable as one.
func torn(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errTorn
	}
	return err
}
