package batch

import (
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/snappy"
)

// xerialHeader opens the framing of snappy-java, which Java clients write and
// every client reads: a magic, then a version and the oldest version that can
// read it, both 1. Frames follow: a big-endian size and a block of raw snappy.
const (
	xerialMagic     = "\x82SNAPPY\x00"
	xerialHeader    = xerialMagic + "\x00\x00\x00\x01\x00\x00\x00\x01"
	xerialBlockSize = 32 << 10 // before compression, as snappy-java has it
)

var errSnappy = errors.New("snappy: corrupt block")

// snappySource reads the framing of snappy-java or, where its magic is missing,
// one raw block: librdkafka writes those.
type snappySource struct {
	in     []byte
	framed bool
	buf    []byte
}

var snappySources = sync.Pool{New: func() any { return new(snappySource) }}

func newSnappySource(payload []byte) *snappySource {
	s := snappySources.Get().(*snappySource)
	s.in, s.framed = payload, false
	if len(payload) >= len(xerialHeader) && strings.HasPrefix(string(payload[:len(xerialHeader)]), xerialMagic) {
		s.in, s.framed = payload[len(xerialHeader):], true
	}
	return s
}

func (s *snappySource) next() ([]byte, error) {
	if len(s.in) == 0 {
		return nil, io.EOF
	}
	block := s.in
	if s.framed {
		if len(s.in) < 4 {
			return nil, errTorn
		}
		n := binary.BigEndian.Uint32(s.in)
		if uint64(n) > uint64(len(s.in)-4) {
			return nil, errTorn
		}
		block = s.in[4 : 4+n]
	}
	s.in = s.in[len(block):]
	if s.framed {
		s.in = s.in[4:]
	}
	size, ok := snappySize(block)
	if !ok {
		return nil, errSnappy
	}
	if cap(s.buf) < size {
		s.buf = make([]byte, size)
	}
	return snappy.Decode(s.buf[:cap(s.buf)], block)
}

func (s *snappySource) release() {
	s.in = nil
	if cap(s.buf) > 1<<20 {
		s.buf = nil // of a raw block, which can expand 21 times: not worth keeping
	}
	snappySources.Put(s)
}

// snappySize walks the elements of a raw block without expanding them, and
// returns how many bytes they make, if that is what the block says it is. So
// nothing is allocated on the block's word alone. The walk also refuses a copy
// from offset 0, an extension of S2 which the decoder would understand and no
// consumer would.
func snappySize(block []byte) (size int, ok bool) {
	claimed, w := binary.Uvarint(block)
	if w <= 0 || claimed > maxExpanded {
		return 0, false
	}
	p := block[w:]
	for len(p) > 0 {
		tag := p[0]
		var n, offset, extra int
		switch tag & 3 {
		case 0: // literal: the length less 1 in the tag or in 1 to 4 bytes behind it
			n = int(tag >> 2)
			if extra = max(n-59, 0); len(p) <= extra {
				return 0, false
			}
			if extra > 0 {
				n = 0
				for i := extra; i > 0; i-- {
					n = n<<8 | int(p[i])
				}
			}
			n++
			if len(p)-1-extra < n {
				return 0, false
			}
			p = p[1+extra+n:]
			size += n
			continue
		case 1:
			extra = 1
		case 2:
			extra = 2
		case 3:
			extra = 4
		}
		if len(p) <= extra {
			return 0, false
		}
		switch extra {
		case 1:
			n, offset = 4+int(tag>>2&7), int(tag>>5)<<8|int(p[1])
		case 2:
			n, offset = 1+int(tag>>2), int(binary.LittleEndian.Uint16(p[1:]))
		case 4:
			n, offset = 1+int(tag>>2), int(binary.LittleEndian.Uint32(p[1:]))
		}
		if offset == 0 || offset > size {
			return 0, false
		}
		p = p[1+extra:]
		size += n
	}
	return size, uint64(size) == claimed
}
