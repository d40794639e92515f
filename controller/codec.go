package controller

import (
	"encoding/binary"
	"errors"
)

// Values are messages of the protocol buffers' wire format: fields of a number and a type, in any order, those that are
// not known skipped. Integers are zigzag varints, lists of integers packed, everything else length-delimited. A field
// that holds its zero value may be left out.
//
// What is decoded comes from our own store, but a decoder still never allocates more than its input's length, and never
// panics: the store's files can be damaged.

var errMalformed = errors.New("controller: malformed value")

const (
	wireVarint = 0
	wireFixed8 = 1
	wireBytes  = 2
	wireFixed4 = 5
)

func appendTag(dst []byte, field, wire int) []byte {
	return binary.AppendUvarint(dst, uint64(field<<3|wire))
}

// appendInt appends a field unless v is 0.
func appendInt(dst []byte, field int, v int64) []byte {
	if v == 0 {
		return dst
	}
	return binary.AppendVarint(appendTag(dst, field, wireVarint), v)
}

func appendBool(dst []byte, field int, v bool) []byte {
	if !v {
		return dst
	}
	return appendInt(dst, field, 1)
}

// appendBytes appends a field even if b is empty.
func appendBytes[T []byte | string](dst []byte, field int, b T) []byte {
	dst = binary.AppendUvarint(appendTag(dst, field, wireBytes), uint64(len(b)))
	return append(dst, b...)
}

// appendString appends a field unless s is empty.
func appendString(dst []byte, field int, s string) []byte {
	if s == "" {
		return dst
	}
	return appendBytes(dst, field, s)
}

// appendInts appends a packed field even if vs is empty.
func appendInts(dst []byte, field int, vs []int32) []byte {
	var packed [64]byte
	p := packed[:0]
	for _, v := range vs {
		p = binary.AppendVarint(p, int64(v))
	}
	return appendBytes(dst, field, p)
}

// fields walks over the fields of a message. After next has returned false, err says whether the message was whole.
type fields struct {
	rest  []byte
	err   error
	num   int
	value uint64 // of a varint
	bytes []byte // of a length-delimited field, nil otherwise
}

func (f *fields) next() bool {
	if len(f.rest) == 0 || f.err != nil {
		return false
	}
	tag, ok := f.uvarint()
	if !ok || tag>>3 == 0 || tag>>3 > 1<<29-1 {
		return f.fail()
	}
	f.num, f.value, f.bytes = int(tag>>3), 0, nil
	switch tag & 7 {
	case wireVarint:
		if f.value, ok = f.uvarint(); !ok {
			return f.fail()
		}
		return true
	case wireBytes:
		n, ok := f.uvarint()
		if !ok || n > uint64(len(f.rest)) {
			return f.fail()
		}
		f.bytes = f.rest[:n:n]
		f.rest = f.rest[n:]
		return true
	case wireFixed8:
		return f.skip(8)
	case wireFixed4:
		return f.skip(4)
	default:
		return f.fail()
	}
}

func (f *fields) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		return 0, false
	}
	f.rest = f.rest[n:]
	return v, true
}

// skip passes over a field of a type that no value of ours has yet.
func (f *fields) skip(n int) bool {
	if len(f.rest) < n {
		return f.fail()
	}
	f.rest = f.rest[n:]
	return true
}

func (f *fields) fail() bool {
	f.err = errMalformed
	return false
}

// int64 is the current field as a zigzag varint.
func (f *fields) int64() int64 { return int64(f.value>>1) ^ -int64(f.value&1) }

// int32 is the current field as a zigzag varint of 32 bits.
func (f *fields) int32() int32 {
	v := f.int64()
	if int64(int32(v)) != v {
		f.err = errMalformed
	}
	return int32(v)
}

func (f *fields) bool() bool { return f.value != 0 }

// id is the current field as 16 bytes.
func (f *fields) id() (id [16]byte) {
	if copy(id[:], f.bytes) != len(id) || len(f.bytes) != len(id) {
		f.err = errMalformed
	}
	return id
}

// ints is the current field as packed integers; never nil.
func (f *fields) ints() []int32 {
	n := 0
	for _, b := range f.bytes {
		if b < 0x80 {
			n++
		}
	}
	vs := make([]int32, 0, n)
	for p := f.bytes; len(p) > 0; {
		v, n := binary.Varint(p)
		if n <= 0 || int64(int32(v)) != v {
			f.err = errMalformed
			return vs
		}
		vs = append(vs, int32(v))
		p = p[n:]
	}
	return vs
}
