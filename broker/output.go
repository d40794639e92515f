package broker

import (
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/api"
	"blumfeld/broker/replica"
)

const (
	// copyBelow is the size up to which records are copied into the response's
	// buffer: one system call for the copy and one for the write cost less than a
	// vectored write of small pieces.
	copyBelow = 64 << 10
	// streamChunk is how much of a cold segment is read and written at a time.
	streamChunk = 256 << 10
	// flushAbove is how much a connection gathers before it writes, and how much
	// of one answer it copies: a fetch of a thousand partitions is not held whole.
	flushAbove = 1 << 20
	// keepOutput is the largest encoding buffer that a connection keeps.
	keepOutput = 64 << 10
)

// output gathers the answers of a connection until they are written: encoded
// bytes, and between them records that go to the socket straight from the log.
type output struct {
	buf  []byte
	cuts []cut
	size int // bytes in cuts
	vecs net.Buffers
}

// cut is a run of records that belongs in front of buf[at].
type cut struct {
	at    int
	slice replica.Slice
}

func (o *output) pending() bool { return len(o.buf) > 0 }

func (o *output) full() bool { return len(o.buf)+o.size >= flushAbove }

// add encodes the reply's response. Its record slices now belong to o.
func (o *output) add(r *api.Request, reply api.Reply) error {
	fetch, ok := reply.Response.(*kmsg.FetchResponse)
	if !ok || reply.Records == nil {
		o.buf = r.AppendResponse(o.buf, reply.Response)
		return nil
	}
	// Until the whole response is encoded no byte of it may count as written: a
	// failed read of the log drops it.
	start, cuts := len(o.buf), len(o.cuts)
	var failed error
	o.buf = r.AppendFetch(o.buf, fetch,
		func(t, p int) int { return reply.Records[t][p].Len() },
		func(dst []byte, t, p int) []byte {
			s := reply.Records[t][p]
			if s.Len() == 0 {
				s.Release()
				return dst
			}
			if s.Len() > copyBelow || len(dst) > flushAbove {
				o.cuts = append(o.cuts, cut{len(dst), s})
				return dst
			}
			grown, err := s.AppendTo(dst)
			s.Release()
			if err != nil {
				failed = err
				return dst
			}
			return grown
		})
	if failed != nil {
		for _, c := range o.cuts[cuts:] {
			c.slice.Release()
		}
		o.buf, o.cuts = o.buf[:start], o.cuts[:cuts]
		return fmt.Errorf("reading records for a fetch: %w", failed)
	}
	for _, c := range o.cuts[cuts:] {
		o.size += c.slice.Len()
	}
	return nil
}

// flush writes everything and lets go of the records.
func (o *output) flush(w io.Writer) error {
	err := o.write(w)
	o.drop()
	return err
}

// drop forgets what is not written.
func (o *output) drop() {
	for _, c := range o.cuts {
		c.slice.Release()
	}
	clear(o.cuts)
	o.cuts, o.size = o.cuts[:0], 0
	if cap(o.buf) > keepOutput {
		o.buf = nil
	}
	o.buf = o.buf[:0]
}

func (o *output) write(w io.Writer) error {
	if len(o.cuts) == 0 {
		if len(o.buf) == 0 {
			return nil
		}
		_, err := w.Write(o.buf)
		return err
	}
	o.vecs = o.vecs[:0]
	at := 0
	for _, c := range o.cuts {
		if c.at > at {
			o.vecs = append(o.vecs, o.buf[at:c.at])
			at = c.at
		}
		if mapped, ok := c.slice.Mapped(); ok {
			o.vecs = append(o.vecs, mapped)
			continue
		}
		if err := o.writeVecs(w); err != nil {
			return err
		}
		if err := stream(w, c.slice); err != nil {
			return err
		}
	}
	if at < len(o.buf) {
		o.vecs = append(o.vecs, o.buf[at:])
	}
	return o.writeVecs(w)
}

func (o *output) writeVecs(w io.Writer) error {
	if len(o.vecs) == 0 {
		return nil
	}
	vecs := o.vecs // WriteTo consumes its receiver
	_, err := vecs.WriteTo(w)
	clear(o.vecs)
	o.vecs = o.vecs[:0]
	return err
}

// stream writes a cold run of records piece by piece: Go code never touches
// pages of a mapping that may have to be read from disk, for the whole thread
// would wait. The structs hide WriterTo and ReaderFrom, which would choose a
// buffer of their own.
func stream(w io.Writer, s replica.Slice) error {
	records := struct{ io.Reader }{io.NewSectionReader(s, 0, int64(s.Len()))}
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, records, make([]byte, min(streamChunk, s.Len())))
	return err
}
