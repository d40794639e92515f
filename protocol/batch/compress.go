package batch

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Recompress returns the batch with its records compressed by another codec, as
// compression.type of a topic asks for, and everything else as it was. It
// returns b itself if that is its codec already. maxBytes is the largest batch
// that may come out, header included; 0 is no limit. Records pass through small
// buffers on the way: only the result is ever held whole.
//
// The batch must have passed ValidateRecords; Kafka leaves control batches as
// they are, which is for the caller to do. Errors: kerr.MessageTooLarge, as
// Kafka checks the size anew; kerr.InvalidRecord.
func (b Batch) Recompress(codec Codec, maxBytes int) (Batch, error) {
	if codec == b.Codec() {
		return b, nil
	}
	out := &sink{p: append(make([]byte, 0, len(b)), b[:HeaderSize]...), most: maxBytes}
	if err := b.recompress(out, codec); err != nil {
		return nil, fmt.Errorf("record batch from %v to %v: %w", b.Codec(), codec, err)
	}
	c := Batch(out.p)
	binary.BigEndian.PutUint32(c[lengthAt:], uint32(len(c)-logOverhead))
	c[attributesLowByte] = c[attributesLowByte]&^codecMask | byte(codec)
	c.putCRC()
	return c, nil
}

func (b Batch) recompress(out *sink, codec Codec) error {
	w := newCompressor(codec, out)
	defer w.release()
	s := newScanner(b)
	defer s.close()
	for {
		if _, err := w.Write(s.win); err != nil {
			return err
		}
		switch err := s.fill(); err {
		case nil:
		case io.EOF:
			return w.Close()
		default:
			return fmt.Errorf("%w: %w", err, kerr.InvalidRecord)
		}
	}
}

// appendCompressed appends records to dst in the codec's form.
func appendCompressed(dst []byte, codec Codec, records []byte) []byte {
	out := &sink{p: dst}
	w := newCompressor(codec, out)
	defer w.release()
	_, err := w.Write(records)
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err) // a sink without limit takes everything
	}
	return out.p
}

// sink gathers what is written, up to a limit unless that is 0.
type sink struct {
	p    []byte
	most int
}

func (s *sink) Write(p []byte) (int, error) {
	if s.most > 0 && len(s.p)+len(p) > s.most {
		return 0, fmt.Errorf("more than the %d bytes that are allowed: %w", s.most, kerr.MessageTooLarge)
	}
	s.p = append(s.p, p...)
	return len(p), nil
}

// compressor compresses what is written to it as Kafka's clients do: one gzip
// member, xerial frames of snappy, an LZ4 frame of independent blocks, one zstd
// frame. release gives it back to its pool, closed or not.
type compressor interface {
	io.WriteCloser
	release()
}

func newCompressor(codec Codec, out io.Writer) compressor {
	switch codec {
	case None:
		return plain{out}
	case Snappy:
		w := xerialWriters.Get().(*xerialWriter)
		w.out, w.begun = out, false
		return w
	case Gzip:
		w := gzipWriters.Get().(*gzipWriter)
		w.Reset(out)
		return w
	case LZ4:
		w := lz4Writers.Get().(*lz4Writer)
		w.Reset(out)
		return w
	case Zstd:
		w := zstdWriters.Get().(*zstdWriter)
		w.Reset(out)
		return w
	}
	panic(fmt.Sprintf("batch: compression codec %d", codec)) // never one that was received
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }
func (plain) release()     {}

type gzipWriter struct{ *gzip.Writer }

var gzipWriters = sync.Pool{New: func() any { return &gzipWriter{gzip.NewWriter(nil)} }}

func (w *gzipWriter) release() {
	w.Reset(nil)
	gzipWriters.Put(w)
}

type lz4Writer struct{ *lz4.Writer }

var lz4Writers = sync.Pool{New: func() any {
	w := lz4.NewWriter(nil)
	// Blocks of 64 KiB, and no content checksum, which Kafka does not look at.
	if err := w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false), lz4.ConcurrencyOption(1)); err != nil {
		panic(err) // only for options that contradict each other
	}
	return &lz4Writer{w}
}}

func (w *lz4Writer) release() {
	w.Reset(nil)
	lz4Writers.Put(w)
}

type zstdWriter struct{ *zstd.Encoder }

var zstdWriters = sync.Pool{New: func() any {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	return &zstdWriter{w}
}}

func (w *zstdWriter) release() {
	w.Reset(nil)
	zstdWriters.Put(w)
}

// xerialWriter writes snappy as snappy-java frames it.
type xerialWriter struct {
	out   io.Writer
	begun bool
	buf   []byte // what is not yet a block
	block []byte
}

var xerialWriters = sync.Pool{New: func() any { return new(xerialWriter) }}

func (w *xerialWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		m := min(len(p), xerialBlockSize-len(w.buf))
		w.buf, p = append(w.buf, p[:m]...), p[m:]
		if len(w.buf) == xerialBlockSize {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (w *xerialWriter) flush() error {
	if !w.begun {
		w.begun = true
		if _, err := io.WriteString(w.out, xerialHeader); err != nil {
			return err
		}
	}
	if len(w.buf) == 0 {
		return nil
	}
	if w.block == nil {
		w.block = make([]byte, snappy.MaxEncodedLen(xerialBlockSize))
	}
	block := snappy.Encode(w.block, w.buf)
	w.buf = w.buf[:0]
	if _, err := w.out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(block)))); err != nil {
		return err
	}
	_, err := w.out.Write(block)
	return err
}

func (w *xerialWriter) Close() error { return w.flush() }

func (w *xerialWriter) release() {
	w.out, w.buf = nil, w.buf[:0]
	xerialWriters.Put(w)
}
