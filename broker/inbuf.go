package broker

import (
	"context"
	"sync"
	"sync/atomic"
)

// baseBuffer is the size of a read buffer until a request proves to be larger.
const baseBuffer = 64 << 10

// growth is the factor by which a read buffer grows while a large request
// arrives: a client must have sent a quarter of what it makes us allocate, in this
// frame or, for the buffer it starts with, at once some time before.
const growth = 4

// keepBuffer is the largest buffer that a connection starts with again after it
// has shown that so much comes at once: one large request or many small ones. It
// is half of a core's second cache where those are of 2 MiB: what was read is
// still there when it is summed up and written to the log.
const keepBuffer = 1 << 20

// largeBytes bounds the buffers above baseBuffer that connections hold because so
// much came at once before. It is enough for 64 that read in bursts at the same
// time, more than cores can keep busy; and thousands that stop in the middle of a
// request do not hold keepBuffer each.
const largeBytes = 64 << 20

// buffers pools read buffers by size class: baseBuffer times growth to the
// class's power, 16 MiB at most. Larger ones are rare, and made to measure.
type buffers struct {
	classes [5]sync.Pool
	large   atomic.Int64 // bytes of the buffers above baseBuffer that are out
}

// crowded says that connections have to start with baseBuffer. Those that ask at
// the same moment may go over the bound together.
func (p *buffers) crowded() bool { return p.large.Load() >= largeBytes }

// get returns a buffer of at least size bytes.
func (p *buffers) get(size int) []byte {
	b := p.find(size)
	if len(b) > baseBuffer {
		p.large.Add(int64(len(b)))
	}
	return b
}

func (p *buffers) find(size int) []byte {
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

// put takes back, at its whole length, what get returned.
func (p *buffers) put(b []byte) {
	if len(b) > baseBuffer {
		p.large.Add(-int64(len(b)))
	}
	n := baseBuffer
	for i := range p.classes {
		if n == len(b) {
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
	most       int // largest end since the buffer was taken
	usual      int // size to start with, unless the pool is crowded
}

func (b *inbuf) unread() []byte { return b.buf[b.start:b.end] }

func (b *inbuf) empty() bool { return b.start == b.end }

// consume drops the first n unread bytes.
func (b *inbuf) consume(n int) { b.start += n }

// first is the size to start with.
func (b *inbuf) first() int {
	if b.usual <= baseBuffer || b.pool.crowded() {
		return baseBuffer
	}
	return b.usual
}

// reserve makes room to read more, given that the frame at the start is size
// bytes long in all (0: not known yet). The buffer grows with the bytes that
// arrived, not with the size that was claimed: when the frame fills all of it.
func (b *inbuf) reserve(size int) []byte {
	first := b.first()
	switch {
	case b.empty() && (len(b.buf) < first || len(b.buf) > keepBuffer):
		b.take(b.pool.get(first), 0)
	case b.empty():
		b.start, b.end = 0, 0
	case b.end == len(b.buf) || b.start > 0 && size > len(b.buf)-b.start:
		need := max(first, len(b.buf))
		if b.start == 0 {
			need = max(need, min(len(b.buf)*growth, max(size, len(b.buf)+1)))
		}
		if need == len(b.buf) {
			b.start, b.end = 0, copy(b.buf, b.unread())
			break
		}
		target := b.pool.get(need)
		b.take(target, copy(target, b.unread()))
		b.usual = min(len(target), keepBuffer)
	}
	return b.buf[b.end:]
}

// filled says that n bytes were read into what reserve returned. If that was all
// there was room for, more is waiting in the socket: the next buffer is larger, so
// that a client that sends many requests at once has them read, and answered,
// together.
func (b *inbuf) filled(n int) {
	b.end += n
	b.most = max(b.most, b.end)
	if b.end == len(b.buf) {
		b.usual = max(b.usual, min(len(b.buf)*growth, keepBuffer))
	}
}

// take replaces the buffer by another, in which the first n bytes are unread.
func (b *inbuf) take(buf []byte, n int) {
	if b.buf != nil {
		b.pool.put(b.buf)
	}
	b.buf, b.start, b.end, b.most = buf, 0, n, n
}

// release gives the buffer back; nothing must be unread. One that was never a
// quarter full was larger than it need be, and so is the next one smaller.
func (b *inbuf) release() {
	if b.buf == nil {
		return
	}
	if b.most <= len(b.buf)/growth {
		b.usual /= growth
	}
	b.take(nil, 0)
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
