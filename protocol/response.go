package protocol

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// apiVersionsKey is the one message whose responses have header v0 whatever
// their version, so that a client can read one of a version it did not ask for
// (KIP-511).
const apiVersionsKey = 18

// AppendResponse appends the whole answer to the request: length, header and
// body, in the request's version.
func (r *Request) AppendResponse(dst []byte, m kmsg.Response) []byte {
	start := len(dst)
	dst = r.appendResponseHeader(dst, m)
	dst = m.AppendTo(dst)
	return putFrameSize(dst, start, len(dst)-start)
}

// appendResponseHeader appends the header, v0 or, for flexible messages, v1, and
// room for the length before it.
func (r *Request) appendResponseHeader(dst []byte, m kmsg.Response) []byte {
	m.SetVersion(r.Version)
	dst = binary.BigEndian.AppendUint32(dst, 0)
	dst = binary.BigEndian.AppendUint32(dst, uint32(r.CorrelationID))
	if m.IsFlexible() && m.Key() != apiVersionsKey {
		dst = append(dst, 0) // no tagged fields
	}
	return dst
}

// putFrameSize sets the length of the frame that begins at start and takes size
// bytes, length included, some of which may not be in dst.
func putFrameSize(dst []byte, start, size int) []byte {
	binary.BigEndian.PutUint32(dst[start:], uint32(size-frameHeader))
	return dst
}
