package main

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// raw sends bytes that kmsg would not send:
//
//	raw key=3 version=1 [flexible=true] [client=null|TEXT] [as=VERSION] BYTES…
//	raw frame=BYTES
//
// The first form puts a request header before BYTES and a size before it; the
// second sends BYTES, size included. The answer is decoded as one to key and
// version, or to the version that as says. What is compared is that, and whether
// the connection is open afterwards.
func (p *player) raw(s *step, vars variables) (*said, error) {
	args := map[string]int64{"key": -1, "version": 0, "as": -1, "flexible": 0}
	var body, frame []byte
	client := append(binary.BigEndian.AppendUint16(nil, uint16(len("differential"))), "differential"...)
	for _, it := range s.items {
		switch it.name {
		case "":
			b, err := it.bytes(vars)
			if err != nil {
				return nil, err
			}
			body = append(body, b...)
		case "frame":
			b, err := it.bytes(vars)
			if err != nil {
				return nil, err
			}
			frame = b
		case "client":
			b, err := it.bytes(vars)
			if err != nil {
				return nil, err
			}
			client = b
		default:
			if _, ok := args[it.name]; !ok {
				return nil, fmt.Errorf("raw has no %s", it.name)
			}
			text, err := it.string(vars)
			if err != nil {
				return nil, err
			}
			if args[it.name], err = number(text, 64); err != nil {
				return nil, err
			}
		}
	}
	c, err := p.conn(s.conn)
	if err != nil {
		return nil, err
	}
	c.correlation++
	if frame == nil {
		frame = binary.BigEndian.AppendUint16(make([]byte, 4), uint16(args["key"]))
		frame = binary.BigEndian.AppendUint16(frame, uint16(args["version"]))
		frame = binary.BigEndian.AppendUint32(frame, uint32(c.correlation))
		frame = append(frame, client...)
		if args["flexible"] == 1 {
			frame = append(frame, 0)
		}
		frame = append(frame, body...)
		binary.BigEndian.PutUint32(frame, uint32(len(frame)-4))
	}
	key := int16(args["key"])
	req := kmsg.RequestForKey(key)
	if req == nil {
		req = kmsg.NewPtrApiVersionsRequest()
	}
	version := args["version"]
	if args["as"] >= 0 {
		version = args["as"]
	}
	req.SetVersion(int16(version))
	if err := c.sendFrame(frame, req); err != nil && !isClosed(err) {
		return nil, err
	}
	answer, err := p.read(c, s, time.Second)
	if err != nil {
		return nil, err
	}
	if answer.raw != nil {
		after := "closed"
		if c.open() {
			after = "open"
		} else {
			c.Close()
			delete(p.conns, s.conn)
		}
		answer.fields.add(leaf("then", after))
	}
	return &said{s, key, answer.fields}, nil
}

// primitive makes the bytes of i8(N), i16(N), i32(N), i64(N), uvarint(N),
// str(TEXT), cstr(TEXT), zeros(N).
func primitive(name, text string) ([]byte, error) {
	switch name {
	case "str":
		return append(binary.BigEndian.AppendUint16(nil, uint16(len(text))), text...), nil
	case "cstr":
		return append(binary.AppendUvarint(nil, uint64(len(text)+1)), text...), nil
	}
	n, err := number(text, 64)
	if err != nil {
		return nil, err
	}
	switch name {
	case "i8":
		return []byte{byte(n)}, nil
	case "i16":
		return binary.BigEndian.AppendUint16(nil, uint16(n)), nil
	case "i32":
		return binary.BigEndian.AppendUint32(nil, uint32(n)), nil
	case "i64":
		return binary.BigEndian.AppendUint64(nil, uint64(n)), nil
	case "uvarint":
		return binary.AppendUvarint(nil, uint64(n)), nil
	case "zeros":
		if n < 0 || n > 1<<20 {
			return nil, fmt.Errorf("zeros(%d)", n)
		}
		return make([]byte, n), nil
	}
	return nil, fmt.Errorf("no function %s(…)", name)
}
