package batch

import (
	"encoding/binary"
	"errors"
	"io"
	"math/bits"
	"sync"

	"github.com/pierrec/lz4/v4"
)

// The LZ4 frame format, as far as Kafka's Lz4BlockInputStream reads it: one
// frame of independent blocks. What that refuses (linked blocks, legacy and
// skippable frames) is refused here too, since Java consumers could not read
// it; what it does not look at (content size and checksum, bytes behind the
// end mark) is not looked at here.
const (
	lz4Magic        = 0x184D2204
	lz4Stored       = 1 << 31 // in a block's size: the block is not compressed
	lz4Version      = 1 << 6
	lz4VersionMask  = 3 << 6
	lz4Independent  = 1 << 5
	lz4BlockSum     = 1 << 4
	lz4ContentSize  = 1 << 3
	lz4FlagReserved = 3
)

const (
	// lz4FirstTry is to how many times its size a block is first expected to
	// expand.
	lz4FirstTry = 8
	// lz4KeepBuffer is the largest buffer that is used again, in bytes.
	lz4KeepBuffer = 1 << 20
)

var (
	errLZ4Header   = errors.New("lz4: corrupt or unsupported frame header")
	errLZ4Block    = errors.New("lz4: block larger than the frame allows")
	errLZ4Checksum = errors.New("lz4: block checksum mismatch")
)

type lz4Source struct {
	in       []byte
	buf      []byte
	maxBlock int // 0 until the frame's header has been read
	blockSum bool
}

var lz4Sources = sync.Pool{New: func() any { return new(lz4Source) }}

func newLZ4Source(payload []byte) *lz4Source {
	s := lz4Sources.Get().(*lz4Source)
	s.in, s.maxBlock = payload, 0
	return s
}

func (s *lz4Source) next() ([]byte, error) {
	if s.maxBlock == 0 {
		if err := s.header(); err != nil {
			return nil, err
		}
	}
	if len(s.in) < 4 {
		return nil, errTorn
	}
	word := binary.LittleEndian.Uint32(s.in)
	if word&^lz4Stored == 0 {
		return nil, io.EOF // the end mark; it stays, for the next call
	}
	n := int(word &^ lz4Stored)
	if n > s.maxBlock {
		return nil, errLZ4Block
	}
	rest := s.in[4:]
	if len(rest) < n {
		return nil, errTorn
	}
	block := rest[:n]
	rest = rest[n:]
	if s.blockSum {
		if len(rest) < 4 {
			return nil, errTorn
		}
		if binary.LittleEndian.Uint32(rest) != xxHash32(block) {
			return nil, errLZ4Checksum
		}
		rest = rest[4:]
	}
	s.in = rest
	if word&lz4Stored != 0 {
		return block, nil
	}
	return s.expand(block)
}

// expand tries with the room that most blocks need, and with all that can be if
// that was too little: what the frame's header announces is mostly far more (franz-go
// and all who leave the format's default write frames of 4 MiB blocks, however
// little is in them). A byte makes 255 at most.
func (s *lz4Source) expand(block []byte) ([]byte, error) {
	limit := min(s.maxBlock, 255*len(block)+16)
	for room := min(limit, max(cap(s.buf), lz4FirstTry*len(block))); ; room = limit {
		if cap(s.buf) < room {
			s.buf = make([]byte, room)
		}
		n, err := lz4.UncompressBlock(block, s.buf[:room])
		// The library has one error for too little room and for damage.
		if err == nil || room == limit {
			return s.buf[:max(n, 0)], err
		}
	}
}

// header reads magic, flags, block size and their checksum.
func (s *lz4Source) header() error {
	if len(s.in) < 7 {
		return errTorn
	}
	flags, size := s.in[4], s.in[5]
	end := 6
	if flags&lz4ContentSize != 0 {
		end += 8
	}
	switch {
	case binary.LittleEndian.Uint32(s.in) != lz4Magic,
		flags&lz4VersionMask != lz4Version,
		flags&lz4Independent == 0,
		flags&lz4FlagReserved != 0,
		size&^(7<<4) != 0 || size>>4 < 4:
		return errLZ4Header
	case len(s.in) <= end:
		return errTorn
	case byte(xxHash32(s.in[4:end])>>8) != s.in[end]:
		return errLZ4Header
	}
	s.blockSum = flags&lz4BlockSum != 0
	s.maxBlock = 1 << (8 + 2*(size>>4)) // 4: 64 KiB, 5: 256 KiB, 6: 1 MiB, 7: 4 MiB
	s.in = s.in[end+1:]
	return nil
}

func (s *lz4Source) release() {
	s.in = nil
	if cap(s.buf) > lz4KeepBuffer {
		s.buf = nil
	}
	lz4Sources.Put(s)
}

// xxHash32 is the checksum of the LZ4 frame format: xxHash, 32 bits, seed 0.
func xxHash32(p []byte) uint32 {
	const (
		prime1 uint32 = 2654435761
		prime2 uint32 = 2246822519
		prime3 uint32 = 3266489917
		prime4 uint32 = 668265263
		prime5 uint32 = 374761393
	)
	n := uint32(len(p))
	h := prime5
	if len(p) >= 16 {
		// Sums of the seed that overflow, which constants may not.
		one, two := prime1, prime2
		lane := [4]uint32{one + two, two, 0, -one}
		for ; len(p) >= 16; p = p[16:] {
			for i := range lane {
				word := binary.LittleEndian.Uint32(p[4*i:])
				lane[i] = bits.RotateLeft32(lane[i]+word*prime2, 13) * prime1
			}
		}
		h = bits.RotateLeft32(lane[0], 1) + bits.RotateLeft32(lane[1], 7) +
			bits.RotateLeft32(lane[2], 12) + bits.RotateLeft32(lane[3], 18)
	}
	h += n
	for ; len(p) >= 4; p = p[4:] {
		h = bits.RotateLeft32(h+binary.LittleEndian.Uint32(p)*prime3, 17) * prime4
	}
	for _, b := range p {
		h = bits.RotateLeft32(h+uint32(b)*prime5, 11) * prime1
	}
	h = (h ^ h>>15) * prime2
	h = (h ^ h>>13) * prime3
	return h ^ h>>16
}
