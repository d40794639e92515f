package broker

import (
	"context"
	"sync"
)

// baseBuffer is the size of a read buffer until a request proves to be larger.
const baseBuffer = 64 << 10

// growth is the factor by which a read buffer grows while a large request
// arrives: a client must have sent a quarter of what it makes us allocate.
const growth = 4

// keepBuffer is the largest buffer that a connection starts with again after it
// has shown that its requests are of that size.
const keepBuffer = 1 << 20

// buffers pools read buffers by size class: baseBuffer times growth to the
// class's power, 16 MiB at most. Larger ones are rare, and made to measure.
type buffers struct {
	classes [5]sync.Pool
}

// get returns a buffer of at least size bytes.
func (p *buffers) get(size int) []byte {
	n := baseBuffer
	for i := range p.classes {
		if n >= size {
			if b, ok := p.classes[i].Get().(*[]byte); ok {
				return *b
			}
			return make([]byte, n)
		}
		n *= growth
	}
	return make([]byte, size)
}

func (p *buffers) put(b []byte) {
	n := baseBuffer
	for i := range p.classes {
		if n == cap(b) {
			b = b[:cap(b)]
			p.classes[i].Put(&b)
			return
		}
		n *= growth
	}
}

// inbuf is the read buffer of one connection. Frames are decoded where they lie
// in it, so it is only compacted or replaced between frames.
type inbuf struct {
	pool       *buffers
	buf        []byte
	start, end int // unread bytes are buf[start:end]
	usual      int // size to start with
}

func (b *inbuf) unread() []byte { return b.buf[b.start:b.end] }

func (b *inbuf) empty() bool { return b.start == b.end }

// consume drops the first n unread bytes.
func (b *inbuf) consume(n int) { b.start += n }

// reserve makes room to read more, given that the frame at the start is size
// bytes long in all (0: not known yet). The buffer grows with the bytes that
// arrived, not with the size that was claimed.
func (b *inbuf) reserve(size int) []byte {
	switch {
	case b.buf == nil:
		b.buf = b.pool.get(max(b.usual, baseBuffer))
		b.start, b.end = 0, 0
	case b.empty():
		b.start, b.end = 0, 0
	case b.end == len(b.buf) || b.start > 0 && size > len(b.buf)-b.start:
		target := b.buf
		if b.start == 0 || size > len(b.buf) && b.start < len(b.buf)/2 {
			target = b.pool.get(min(len(b.buf)*growth, max(size, len(b.buf)+1)))
		}
		n := copy(target, b.unread())
		if &target[0] != &b.buf[0] {
			b.pool.put(b.buf)
			b.buf = target
			b.usual = min(len(target), keepBuffer)
		}
		b.start, b.end = 0, n
	}
	return b.buf[b.end:]
}

// release gives the buffer back; nothing must be unread.
func (b *inbuf) release() {
	if b.buf != nil {
		b.pool.put(b.buf)
		b.buf, b.start, b.end = nil, 0, 0
	}
}

// requestMemory bounds the bytes of large requests that are being received over
// all connections (queued.max.request.bytes). A request is charged whole before
// its second part is read, so that whoever holds a share can finish; as in
// Kafka, a request may start as long as any of it is left.
type requestMemory struct {
	mu      sync.Mutex
	limit   int64 // no bound if not positive
	used    int64
	changed chan struct{}
}

func newRequestMemory(limit int64) *requestMemory {
	return &requestMemory{limit: limit, changed: make(chan struct{})}
}

func (m *requestMemory) acquire(ctx context.Context, n int64) error {
	if m.limit <= 0 {
		return nil
	}
	for {
		m.mu.Lock()
		if m.used < m.limit {
			m.used += n
			m.mu.Unlock()
			return nil
		}
		changed := m.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *requestMemory) release(n int64) {
	if m.limit <= 0 || n == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used -= n
	close(m.changed)
	m.changed = make(chan struct{})
}
