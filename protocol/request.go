package protocol

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Header is what every request begins with.
type Header struct {
	Key           int16
	Version       int16
	CorrelationID int32
	ClientID      string // empty if null
}

func (h Header) String() string {
	name := kmsg.NameForKey(h.Key)
	if name == "" || name == "Unknown" {
		name = "unknown API"
	}
	return fmt.Sprintf("%s(%d) v%d, correlation id %d, client id %q", name, h.Key, h.Version, h.CorrelationID, h.ClientID)
}

// Request is a decoded request.
//
// Strings in Body are its own. Byte slices in it (records, group metadata, SASL
// tokens) alias the frame that was parsed, and live no longer than the buffer
// the frame lies in: who keeps one copies it.
type Request struct {
	Header
	Body kmsg.Request
	Size int // of the frame in bytes, without its length
}

// Versions says which versions of a request are served, both ends included.
type Versions func(key int16) (min, max int16, ok bool)

// UnknownKeyError is a request with a key that is not served. Kafka closes the
// connection: the header that follows, and thus the answer's form, is unknown.
type UnknownKeyError struct{ Header }

func (e *UnknownKeyError) Error() string { return "unknown API: " + e.Header.String() }

// UnsupportedVersionError is a request in a version that is not served. Kafka
// closes the connection, unless it is ApiVersions: that is answered in version 0
// with error 35, so that clients of the future find out (KIP-511).
type UnsupportedVersionError struct {
	Header
	Min, Max int16 // versions that are served
}

func (e *UnsupportedVersionError) Error() string {
	return fmt.Sprintf("unsupported version: %s (served are %d to %d)", e.Header, e.Min, e.Max)
}

// MalformedError is a request whose bytes are not what its key and version call
// for. Header is as much of it as could be read.
type MalformedError struct {
	Header
	Reason string
}

func (e *MalformedError) Error() string {
	return fmt.Sprintf("malformed request: %s: %s", e.Header, e.Reason)
}

// Parse decodes the frame of one request: header v1 or, from the version on
// that made the message flexible, v2 with tagged fields (KIP-482), then the
// body. Bytes behind the body are ignored, and so are tagged fields nobody
// knows, as in Kafka.
//
// The errors are *UnknownKeyError, *UnsupportedVersionError and
// *MalformedError.
func Parse(frame []byte, served Versions) (*Request, error) {
	r := &Request{Size: len(frame)}
	if len(frame) < 8 {
		return nil, &MalformedError{r.Header, fmt.Sprintf("%d bytes are less than a header", len(frame))}
	}
	r.Key = int16(binary.BigEndian.Uint16(frame))
	r.Version = int16(binary.BigEndian.Uint16(frame[2:]))
	r.CorrelationID = int32(binary.BigEndian.Uint32(frame[4:]))
	p := reader{p: frame[8:]}
	if id := p.string16(); id != nil && !p.bad {
		r.ClientID = string(id)
	}
	least, most, ok := served(r.Key)
	if !ok {
		return nil, &UnknownKeyError{r.Header}
	}
	if r.Version < least || r.Version > most {
		return nil, &UnsupportedVersionError{r.Header, least, most}
	}
	if p.bad {
		return nil, &MalformedError{r.Header, "client id is longer than the request"}
	}
	if r.Body = kmsg.RequestForKey(r.Key); r.Body == nil {
		return nil, &UnknownKeyError{r.Header}
	}
	r.Body.SetVersion(r.Version)
	if r.Body.IsFlexible() {
		if p.skipTags(); p.bad {
			return nil, &MalformedError{r.Header, "tagged fields of the header are longer than the request"}
		}
	}
	if reason := guard(r.Key, r.Version, p.p); reason != "" {
		return nil, &MalformedError{r.Header, reason}
	}
	if err := r.Body.ReadFrom(p.p); err != nil {
		return nil, &MalformedError{r.Header, err.Error()}
	}
	return r, nil
}
