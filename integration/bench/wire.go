package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// wire is one connection, with one request under way at a time or, with pump, many: a client that costs little, so that the broker is what
// is measured. Versions are fixed by the caller, who knows that both brokers serve them.
type wire struct {
	conn      net.Conn
	reader    *bufio.Reader
	stop      func() bool
	formatter *kmsg.RequestFormatter
	out, in   []byte
	id        uint32 // of the latest request
}

// dial connects; when ctx ends the connection is closed, and so is whatever waits on it.
func dial(ctx context.Context, addr string) (*wire, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	w := &wire{conn: conn, reader: bufio.NewReader(conn), formatter: kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench"))}
	w.stop = context.AfterFunc(ctx, func() { conn.Close() })
	return w, nil
}

func (w *wire) Close() error {
	w.stop()
	return w.conn.Close()
}

const maxResponse = 16 << 20

// ask sends a request and reads its answer into resp.
func (w *wire) ask(req kmsg.Request, resp kmsg.Response) error {
	w.out = w.formatter.AppendRequest(w.out[:0], req, 0)
	answer, err := w.send(w.out)
	if err != nil {
		return err
	}
	return w.decode(req, resp, answer)
}

// encode makes a request for send, which may send it many times.
func (w *wire) encode(req kmsg.Request) []byte { return w.formatter.AppendRequest(nil, req, 0) }

// correlationAt is where the correlation id stands in a request: after size, key and version.
const correlationAt = 8

// send writes a request with the next correlation id, and returns the answer behind that id; it is valid until the next
// send.
func (w *wire) send(request []byte) ([]byte, error) {
	if err := w.write(request); err != nil {
		return nil, err
	}
	return w.receive(w.id)
}

// receive reads the next answer, which has to be the one with that correlation id.
func (w *wire) receive(want uint32) ([]byte, error) {
	var head [8]byte
	if _, err := io.ReadFull(w.reader, head[:]); err != nil {
		return nil, err
	}
	size, id := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[4:])
	if size < 4 || size > maxResponse || id != want {
		return nil, fmt.Errorf("answer of %d bytes with correlation id %d, want %d", size, id, want)
	}
	if n := int(size - 4); cap(w.in) < n {
		w.in = make([]byte, n)
	}
	w.in = w.in[:size-4]
	_, err := io.ReadFull(w.reader, w.in)
	return w.in, err
}

func (w *wire) decode(req kmsg.Request, resp kmsg.Response, answer []byte) error {
	if req.IsFlexible() {
		// Response header version 1 ends with tags, of which there are none.
		if len(answer) == 0 || answer[0] != 0 {
			return fmt.Errorf("%s: a response header with tags", kmsg.NameForKey(req.Key()))
		}
		answer = answer[1:]
	}
	resp.SetVersion(req.GetVersion())
	return resp.ReadFrom(answer)
}
