package batch

import (
	"encoding/binary"
	"iter"
)

// Record is one record with its absolute offset and timestamp (ms). A nil Key
// or Value is null, which is not empty: a null value is a tombstone.
type Record struct {
	Offset    int64
	Timestamp int64
	Key       []byte
	Value     []byte
	Headers   Headers
}

// Header is one record header. A nil Value is null, which is not empty.
type Header struct {
	Key   string
	Value []byte
}

// Headers are the headers of a record as they lie in it: nothing is decoded
// until All is ranged over, and a record can be copied from one batch to
// another without ever decoding them. The zero value is no headers.
type Headers struct {
	n   int32
	raw []byte
}

// NewHeaders encodes headers.
func NewHeaders(headers ...Header) Headers {
	var raw []byte
	for _, h := range headers {
		raw = binary.AppendVarint(raw, int64(len(h.Key)))
		raw = append(raw, h.Key...)
		raw = appendBytes(raw, h.Value)
	}
	return Headers{n: int32(len(headers)), raw: raw}
}

// Len is the number of headers.
func (h Headers) Len() int { return int(h.n) }

// All yields each header's key and value, which alias the record.
func (h Headers) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		// Whoever made h has walked these bytes to their end before, so that
		// there is no error to meet.
		p := h.raw
		for range h.n {
			var key, value []byte
			key, p = cutBytes(p)
			value, p = cutBytes(p)
			if !yield(key, value) {
				return
			}
		}
	}
}

// cutBytes takes a length and that many bytes off p; -1 is nil.
func cutBytes(p []byte) (b, rest []byte) {
	n, w := binary.Varint(p)
	if p = p[w:]; n < 0 {
		return nil, p
	}
	return p[:n:n], p[n:]
}

// AppendRecord appends one record as it lies in a batch: a zig-zag varint of
// its length, unused attributes, timestamp (ms) and offset relative to the
// batch's, key, value and headers with their lengths, -1 for null.
func AppendRecord(dst []byte, offsetDelta int32, timestampDelta int64, r Record) []byte {
	body := 1 + varintSize(timestampDelta) + varintSize(int64(offsetDelta)) +
		bytesSize(r.Key) + bytesSize(r.Value) + varintSize(int64(r.Headers.n)) + len(r.Headers.raw)
	dst = binary.AppendVarint(dst, int64(body))
	dst = append(dst, 0)
	dst = binary.AppendVarint(dst, timestampDelta)
	dst = binary.AppendVarint(dst, int64(offsetDelta))
	dst = appendBytes(dst, r.Key)
	dst = appendBytes(dst, r.Value)
	dst = binary.AppendVarint(dst, int64(r.Headers.n))
	return append(dst, r.Headers.raw...)
}

func appendBytes(dst, p []byte) []byte {
	if p == nil {
		return binary.AppendVarint(dst, -1)
	}
	dst = binary.AppendVarint(dst, int64(len(p)))
	return append(dst, p...)
}

func bytesSize(p []byte) int {
	if p == nil {
		return 1
	}
	return varintSize(int64(len(p))) + len(p)
}

// varintSize is how many bytes a zig-zag varint takes.
func varintSize(v int64) int {
	n := 1
	for u := uint64(v)<<1 ^ uint64(v>>63); u >= 0x80; u >>= 7 {
		n++
	}
	return n
}
