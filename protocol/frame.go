package protocol

import (
	"encoding/binary"
	"fmt"
	"io"
)

// frameHeader is the size of what precedes a frame: its length.
const frameHeader = 4

// FrameSizeError is a length that no frame may have: negative, or more than
// socket.request.max.bytes. Nothing after it on the connection can be made
// sense of.
type FrameSizeError struct {
	Size, Max int32 // bytes
}

func (e *FrameSizeError) Error() string {
	return fmt.Sprintf("request of %d bytes, at most %d are allowed", e.Size, e.Max)
}

// NextFrame splits the first frame off a read buffer. The frame is without its
// length, and aliases buf as rest does. If buf does not hold it whole, frame is
// nil, rest is buf, and need says how many bytes, at least, are still missing.
// The length is checked as soon as it is there: before any buffer is grown to
// it.
//
// max is the largest frame in bytes; the error is a *FrameSizeError.
func NextFrame(buf []byte, max int32) (frame, rest []byte, need int, err error) {
	if len(buf) < frameHeader {
		return nil, buf, frameHeader - len(buf), nil
	}
	size := int32(binary.BigEndian.Uint32(buf))
	if size < 0 || size > max {
		return nil, buf, 0, &FrameSizeError{size, max}
	}
	end := frameHeader + int(size)
	if len(buf) < end {
		return nil, buf, end - len(buf), nil
	}
	return buf[frameHeader:end:end], buf[end:], 0, nil
}

// readStep is how much ReadRequest trusts a length before bytes have come.
const readStep = 64 << 10

// ReadRequest reads one request off a stream. Its buffer grows as bytes arrive
// and not to the length that is claimed. The errors are io.EOF if the stream
// ends before the request begins, io.ErrUnexpectedEOF if it ends inside, those
// of NextFrame and Parse, and those of r.
func ReadRequest(r io.Reader, max int32, served Versions) (*Request, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	_, _, need, err := NextFrame(header[:], max)
	if err != nil {
		return nil, err
	}
	var frame []byte
	for len(frame) < need {
		at := len(frame)
		step := min(need-at, readStep+at) // no more than twice what has come
		frame = append(frame, make([]byte, step)...)
		if _, err := io.ReadFull(r, frame[at:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	return Parse(frame, served)
}
