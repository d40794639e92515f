package batch

import (
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

const (
	zstdMagic         = 0xFD2FB528
	zstdSkippable     = 0x184D2A50 // the low four bits are free
	zstdMaxBlock      = 128 << 10
	zstdMinWindow     = 1 << 10
	zstdSingleSegment = 1 << 5
	zstdChecksum      = 1 << 2

	// zstdWindow is the window that every decoder is to support (RFC 8878)
	// and that no level below 20 exceeds. zstdWindowRatio is how many times
	// the bytes received it may be beyond that, and zstdMaxWindow where
	// Kafka's own decoder stops.
	zstdWindow      = 8 << 20
	zstdWindowRatio = 64
	zstdMaxWindow   = 128 << 20
)

var (
	errZstdFrame  = errors.New("zstd: corrupt frame")
	errZstdWindow = errors.New("zstd: window too large for what it holds")
	errZstdDict   = errors.New("zstd: frame needs a dictionary")
)

type zstdSource struct {
	frames zstdFrames
	dec    *zstd.Decoder
	opened bool
	buf    [32 << 10]byte
}

var zstdSources = sync.Pool{New: func() any {
	dec, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1), // in the calling goroutine
		zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(zstdMaxWindow),
		zstd.WithDecoderMaxMemory(zstdMaxWindow)) // of a stream, that too is the window
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	return &zstdSource{dec: dec}
}}

func newZstdSource(payload []byte) *zstdSource {
	s := zstdSources.Get().(*zstdSource)
	s.frames = zstdFrames{in: payload, received: len(payload)}
	s.opened = false
	return s
}

func (s *zstdSource) next() ([]byte, error) {
	if !s.opened {
		s.opened = true
		if err := s.dec.Reset(&s.frames); err != nil {
			return nil, err
		}
	}
	n, err := s.dec.Read(s.buf[:])
	if n > 0 {
		// The error, if there is one, comes again.
		return s.buf[:n], nil
	}
	if err == io.EOF {
		return nil, io.EOF
	}
	return nil, torn(err)
}

func (s *zstdSource) release() {
	wide := s.frames.widest > zstdWindow
	s.frames = zstdFrames{}
	if wide || s.dec.Reset(nil) != nil {
		s.dec.Close() // it would keep a buffer as large as the window
		return
	}
	zstdSources.Put(s)
}

// zstdFrames hands zstd frames to a decoder, which reserves the window that a
// frame declares as soon as it begins. Encoders that do not know how much is to
// come declare what their level may need (2 MiB at the default level, 128 MiB
// at the highest), and anybody can declare anything. So each frame's blocks are
// walked first, by their headers, for how much they can make at most, and the
// declared window is reduced to that.
type zstdFrames struct {
	in       []byte // frames not begun
	head     []byte // of the frame under way, what is left of its changed header
	body     []byte // and what is left of the rest
	received int
	widest   uint64
	header   [18]byte
}

func (f *zstdFrames) Read(p []byte) (n int, err error) {
	for len(f.head)+len(f.body) == 0 {
		if len(f.in) == 0 {
			return 0, io.EOF
		}
		if err := f.frame(); err != nil {
			return 0, err
		}
	}
	n = copy(p, f.head)
	f.head = f.head[n:]
	m := copy(p[n:], f.body)
	f.body = f.body[m:]
	return n + m, nil
}

// frame cuts the next frame off and prepares its header.
func (f *zstdFrames) frame() error {
	p := f.in
	if len(p) < 8 {
		return errTorn
	}
	magic := binary.LittleEndian.Uint32(p)
	if magic&^0xf == zstdSkippable {
		n := uint64(binary.LittleEndian.Uint32(p[4:]))
		if uint64(len(p)-8) < n {
			return errTorn
		}
		f.in = p[8+n:]
		return nil
	}
	if magic != zstdMagic {
		return errZstdFrame
	}
	flags := p[4]
	single := flags&zstdSingleSegment != 0
	sizeBytes := 1 << (flags >> 6) // of the content size
	if sizeBytes == 1 && !single {
		sizeBytes = 0
	}
	dictBytes := 1 << (flags & 3) >> 1
	size := 5 + dictBytes + sizeBytes
	if !single {
		size++
	}
	if len(p) < size {
		return errTorn
	}
	var window uint64
	if single {
		window = zstdContentSize(p[size-sizeBytes : size])
	} else {
		window = zstdWindowOf(p[5])
	}
	for _, b := range p[size-sizeBytes-dictBytes : size-sizeBytes] {
		if b != 0 {
			return errZstdDict
		}
	}

	end, most, err := zstdBlocks(p, size, min(window, zstdMaxBlock))
	if err != nil {
		return err
	}
	if flags&zstdChecksum != 0 {
		end += 4
	}
	if len(p) < end {
		return errTorn
	}
	f.head = f.header[:copy(f.header[:], p[:size])]
	f.body, f.in = p[size:end], p[end:]
	switch {
	case single && window > most:
		return errZstdFrame // its content size is a lie
	case !single && window > most:
		f.head[5] = zstdWindowFor(most)
		window = zstdWindowOf(f.head[5])
	}
	f.widest = max(f.widest, window)
	if window > min(zstdMaxWindow, max(zstdWindow, zstdWindowRatio*uint64(f.received))) {
		return errZstdWindow
	}
	return nil
}

// zstdBlocks walks the blocks of a frame from p[at:] on. It returns where they
// end and how many bytes they make at most.
func zstdBlocks(p []byte, at int, maxBlock uint64) (end int, most uint64, err error) {
	for last := false; !last; {
		if len(p)-at < 3 {
			return 0, 0, errTorn
		}
		word := uint32(p[at]) | uint32(p[at+1])<<8 | uint32(p[at+2])<<16
		last = word&1 != 0
		n := uint64(word >> 3)
		at += 3
		if n > zstdMaxBlock {
			return 0, 0, errZstdFrame
		}
		switch word >> 1 & 3 {
		case 0: // stored
			most += n
			at += int(n)
		case 1: // one byte, many times
			most += n
			at++
		case 2: // compressed
			most += maxBlock
			at += int(n)
		default:
			return 0, 0, errZstdFrame
		}
		if at > len(p) {
			return 0, 0, errTorn
		}
	}
	return at, most, nil
}

// zstdWindowOf is the window in bytes that a window descriptor means.
func zstdWindowOf(descriptor byte) uint64 {
	base := uint64(zstdMinWindow) << (descriptor >> 3)
	return base + base/8*uint64(descriptor&7)
}

// zstdWindowFor is the smallest descriptor of a window of n bytes or more.
func zstdWindowFor(n uint64) byte {
	var d byte
	for d < 255 && zstdWindowOf(d) < n {
		d++
	}
	return d
}

func zstdContentSize(p []byte) uint64 {
	var b [8]byte
	copy(b[:], p)
	n := binary.LittleEndian.Uint64(b[:])
	if len(p) == 2 {
		n += 256
	}
	return n
}
