package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// patience is how long a broker may take for one answer. Some answers wait for
// other members of a group.
const patience = 15 * time.Second

// conn is one connection to a broker. Requests on it are answered in order.
type conn struct {
	net.Conn
	correlation int32
	waiting     []sent
}

// sent is a request without an answer yet.
type sent struct {
	kmsg.Request
	correlation int32
}

func dial(addr string) (*conn, error) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c}, nil
}

// send writes a request; answer reads its answer.
func (c *conn) send(req kmsg.Request) error {
	c.correlation++
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID("differential")).AppendRequest(nil, req, c.correlation)
	return c.sendFrame(frame, req)
}

// sendFrame writes bytes whose answer has the form of req's.
func (c *conn) sendFrame(frame []byte, req kmsg.Request) error {
	c.waiting = append(c.waiting, sent{req, c.correlation})
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := c.Write(frame)
	return err
}

// frame reads one answer's correlation id and what follows it.
func (c *conn) frame(within time.Duration) (correlation int32, rest []byte, err error) {
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		return 0, nil, err
	}
	var head [8]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return 0, nil, err
	}
	size := int32(binary.BigEndian.Uint32(head[:]))
	if size < 4 || size > 64<<20 {
		return 0, nil, fmt.Errorf("an answer of %d bytes", size)
	}
	rest = make([]byte, size-4)
	_, err = io.ReadFull(c, rest)
	return int32(binary.BigEndian.Uint32(head[4:])), rest, err
}

// answer reads the answer to the oldest request that has none. response is nil
// if what came is no such response; fields then say what it was.
func (c *conn) answer(s *symbols, within time.Duration) (fields *field, response kmsg.Response, err error) {
	if len(c.waiting) == 0 {
		return nil, nil, errors.New("no request waits for an answer")
	}
	req := c.waiting[0]
	c.waiting = c.waiting[1:]
	correlation, body, err := c.frame(within)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return outcome("no answer"), nil, nil
	case err != nil:
		return outcome("closed"), nil, nil
	case correlation != req.correlation:
		return outcome(fmt.Sprintf("correlation id %d instead of %d", correlation, req.correlation)), nil, nil
	}
	response = req.ResponseKind()
	// ApiVersions has the old header always, so that any client can read it.
	if response.IsFlexible() && response.Key() != int16(kmsg.ApiVersions) {
		r := bytes.NewReader(body)
		if tags, err := binary.ReadUvarint(r); err != nil || tags != 0 {
			return outcome(fmt.Sprintf("tagged fields in the header: %x", body)), nil, nil
		}
		body = body[len(body)-r.Len():]
	}
	if err := response.ReadFrom(body); err != nil {
		return outcome(fmt.Sprintf("undecodable: %x", body)), nil, nil
	}
	fields = responseFields(response, s)
	if again := response.AppendTo(nil); !bytes.Equal(again, body) {
		// The comparison would miss what kmsg does not tell apart.
		fields.add(leaf("wire", fmt.Sprintf("%d bytes, kmsg encodes it in %d", len(body), len(again))))
	}
	return fields, response, nil
}

// open says whether the broker still answers on this connection.
func (c *conn) open() bool {
	if c.send(kmsg.NewPtrApiVersionsRequest()) != nil {
		return false
	}
	probe := c.waiting[len(c.waiting)-1]
	c.waiting = nil
	correlation, _, err := c.frame(patience)
	return err == nil && correlation == probe.correlation
}
