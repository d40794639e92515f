package batch

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Recompress returns the batch with its records compressed in another way, as
// compression.type of a topic asks for, and everything else as it was. It
// returns b itself if it has that codec already, whatever its level, as Kafka's
// LogValidator does. maxBytes is the largest batch that may come out, header
// included; 0 is no limit. Records pass through small buffers on the way: only
// the result is ever held whole.
//
// The batch must have passed ValidateRecords; Kafka leaves control batches as
// they are, which is for the caller to do. Errors: kerr.MessageTooLarge, as
// Kafka checks the size anew; kerr.InvalidRecord.
func (b Batch) Recompress(to Compression, maxBytes int) (Batch, error) {
	if to.Codec == b.Codec() {
		return b, nil
	}
	out := &sink{p: append(make([]byte, 0, len(b)), b[:HeaderSize]...), most: maxBytes}
	if err := b.recompress(out, to); err != nil {
		return nil, fmt.Errorf("record batch from %v to %v: %w", b.Codec(), to.Codec, err)
	}
	c := Batch(out.p)
	binary.BigEndian.PutUint32(c[lengthAt:], uint32(len(c)-logOverhead))
	c[attributesLowByte] = c[attributesLowByte]&^codecMask | byte(to.Codec)
	c.putCRC()
	return c, nil
}

func (b Batch) recompress(out *sink, to Compression) error {
	w := newCompressor(to, out)
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
	w := newCompressor(Compression{Codec: codec}, out)
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
	Reset(io.Writer)
	release()
}

// xerialWriter writes snappy as snappy-java frames it.
type xerialWriter struct {
	out   io.Writer
	begun bool
	buf   []byte // what is not yet a block
	block []byte
}

func (w *xerialWriter) Reset(out io.Writer) { w.out, w.begun = out, false }

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
