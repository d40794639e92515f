package protocol

import "encoding/binary"

// reader walks over encoded fields. It is bad, and stays so with nothing left
// to read, once something did not fit into what was left.
type reader struct {
	p   []byte
	bad bool
}

func (r *reader) fail() {
	r.p, r.bad = nil, true
}

// take returns the next n bytes.
func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.p) {
		r.fail()
		return nil
	}
	p := r.p[:n:n]
	r.p = r.p[n:]
	return p
}

func (r *reader) int8() int8 {
	if p := r.take(1); p != nil {
		return int8(p[0])
	}
	return 0
}

func (r *reader) int16() int16 {
	if p := r.take(2); p != nil {
		return int16(binary.BigEndian.Uint16(p))
	}
	return 0
}

func (r *reader) int32() int32 {
	if p := r.take(4); p != nil {
		return int32(binary.BigEndian.Uint32(p))
	}
	return 0
}

// uvarint reads an unsigned varint of 32 bits, in 5 bytes at most.
func (r *reader) uvarint() uint32 {
	var u uint64
	for i, b := range r.p[:min(len(r.p), 5)] {
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if u>>32 != 0 {
				break
			}
			r.p = r.p[i+1:]
			return uint32(u)
		}
	}
	r.fail()
	return 0
}

// string16 reads a nullable string with a length of 16 bits. Kafka takes every
// negative length for null.
func (r *reader) string16() []byte {
	n := r.int16()
	if n < 0 || r.bad {
		return nil
	}
	return r.take(int(n))
}

// skipTags passes over tagged fields and returns how many there were.
func (r *reader) skipTags() uint32 {
	n := r.uvarint()
	for range n {
		r.uvarint()
		r.take(int(r.uvarint()))
		if r.bad {
			break
		}
	}
	return n
}
