package broker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"blumfeld/protocol"
)

// wire plays the part of the connection's read loop: it moves bytes from a
// stream through an inbuf, and hands on the frames.
type wire struct {
	in   inbuf
	room int // as conn.readRoom
}

// fill reads at most n bytes of stream and answers what is left of it.
func (w *wire) fill(stream []byte, n int) (rest []byte) {
	room := w.in.reserve(w.room)
	n = copy(room, stream[:min(n, len(stream))])
	w.in.filled(n)
	return stream[n:]
}

// frames takes every whole frame out of the buffer.
func (w *wire) frames(t *testing.T, each func(frame []byte)) {
	t.Helper()
	for {
		before := len(w.in.unread())
		frame, rest, need, err := protocol.NextFrame(w.in.unread(), 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		if need > 0 {
			w.room = before + need
			return
		}
		each(frame)
		w.in.consume(before - len(rest))
	}
}

func frameOf(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
}

// TestFramesComeOutAsTheyWentIn sends frames of random sizes in reads of random
// sizes, with pauses in which an empty buffer is given back.
func TestFramesComeOutAsTheyWentIn(t *testing.T) {
	for seed := range uint64(200) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			// size is of any order of magnitude below 1<<most.
			size := func(most int) int { return random.IntN(1 << random.IntN(most+1)) }
			var stream []byte
			var want [][]byte
			largest := 0
			for range 1 + random.IntN(40) {
				body := make([]byte, size(20))
				for i := range body {
					body[i] = byte(random.Uint32())
				}
				want = append(want, body)
				stream = append(stream, frameOf(body)...)
				largest = max(largest, len(body)+4)
			}
			w := &wire{in: inbuf{pool: &buffers{}}, room: 4}
			for len(stream) > 0 {
				before := len(stream)
				stream = w.fill(stream, 1+size(20))
				if len(stream) == before {
					t.Fatalf("no room to read into: %d unread, frame of %d", len(w.in.unread()), w.room)
				}
				w.frames(t, func(got []byte) {
					if !bytes.Equal(got, want[0]) {
						t.Fatalf("a frame of %d bytes came out with %d, or different", len(want[0]), len(got))
					}
					want = want[1:]
				})
				if bound := max(keepBuffer, largest*growth); len(w.in.buf) > bound {
					t.Fatalf("a buffer of %d bytes for frames of at most %d", len(w.in.buf), largest)
				}
				if w.in.empty() && random.IntN(2) == 0 {
					w.in.release()
				}
			}
			if len(want) > 0 || !w.in.empty() {
				t.Fatalf("%d frames and %d bytes are left", len(want), len(w.in.unread()))
			}
		})
	}
}

// TestBufferGrowsWithWhatArrives claims 100 MB: what is allocated keeps to a
// multiple of what has come, and ends at the frame's size.
func TestBufferGrowsWithWhatArrives(t *testing.T) {
	const claimed = 100 << 20
	w := &wire{in: inbuf{pool: &buffers{}}, room: 4}
	chunk := make([]byte, 128<<10)
	binary.BigEndian.PutUint32(chunk, claimed)
	done := false
	for arrived := 0; !done; {
		n := min(len(chunk), claimed+4-arrived)
		arrived += n - len(w.fill(chunk[:n], n))
		if bound := max(baseBuffer, growth*arrived); cap(w.in.buf) > bound || cap(w.in.buf) > claimed+4 {
			t.Fatalf("a buffer of %d bytes when %d of %d have arrived", cap(w.in.buf), arrived, claimed)
		}
		clear(chunk[:4])
		w.frames(t, func(frame []byte) { done = len(frame) == claimed })
	}
}

// TestClaimIsNotPaidFor: in a buffer that small requests filled, a frame of which so much has come claims 100 MB. More
// than what the small ones earned is not allocated before a quarter of it is there.
func TestClaimIsNotPaidFor(t *testing.T) {
	const claimed = 100 << 20
	for _, came := range []int{4, 100, keepBuffer / growth, keepBuffer / 2, keepBuffer * 3 / 4} {
		for _, before := range []int{1, 10, 300} {
			w := &wire{in: inbuf{pool: &buffers{}}, room: 4}
			w.burst(t)
			stream := bytes.Repeat(frameOf(make([]byte, 1000)), before)
			stream = binary.BigEndian.AppendUint32(stream, claimed)
			stream = append(stream, make([]byte, came-4)...)
			for len(stream) > 0 {
				stream = w.fill(stream, len(stream))
				w.frames(t, func([]byte) {})
			}
			unread := len(w.in.unread())
			if w.in.reserve(w.room); unread != came || len(w.in.buf) > max(keepBuffer, growth*unread) {
				t.Errorf("after %d small requests: a buffer of %d bytes when %d have arrived", before, len(w.in.buf), unread)
			}
		}
	}
}

// TestLargeBufferIsNotKept for what comes after its frame, without a pause in which it would be given back.
func TestLargeBufferIsNotKept(t *testing.T) {
	w := &wire{in: inbuf{pool: &buffers{}}, room: 4}
	stream := append(frameOf(make([]byte, 20<<20)), 0, 1, 2)
	for len(stream) > 0 {
		stream = w.fill(stream, len(stream))
		w.frames(t, func([]byte) {})
	}
	if n := len(w.in.unread()); n != 3 || len(w.in.buf) > keepBuffer {
		t.Errorf("a buffer of %d bytes for %d", len(w.in.buf), n)
	}
}

// burst fills ever larger buffers with small requests, and gives the last one back.
func (w *wire) burst(t *testing.T) {
	t.Helper()
	stream := bytes.Repeat(frameOf(make([]byte, 1000)), 2*keepBuffer/1004)
	for len(stream) > 0 {
		stream = w.fill(stream, len(stream))
		w.frames(t, func([]byte) {})
	}
	w.in.release()
	if w.in.usual != keepBuffer {
		t.Fatalf("after a burst it starts with %d bytes", w.in.usual)
	}
}

// TestManyConnectionsShareTheLargeBuffers: each has had its burst, and now sends one byte of a frame.
func TestManyConnectionsShareTheLargeBuffers(t *testing.T) {
	var pool buffers
	wires := make([]*wire, 2*largeBytes/keepBuffer)
	for i := range wires {
		wires[i] = &wire{in: inbuf{pool: &pool}, room: 4}
		wires[i].burst(t)
	}
	held := func() (n int64) {
		for _, w := range wires {
			if len(w.in.buf) > baseBuffer {
				n += int64(len(w.in.buf))
			}
		}
		return n
	}
	check := func(when string, atLeast, atMost int64) {
		t.Helper()
		if n := held(); n != pool.large.Load() || n < atLeast || n > atMost {
			t.Fatalf("%s: %d bytes in large buffers, counted are %d, want %d to %d", when, n, pool.large.Load(), atLeast, atMost)
		}
	}
	frame := frameOf(make([]byte, 10))
	for _, w := range wires {
		w.fill(frame, 1)
	}
	check("a byte each", largeBytes, largeBytes)

	// A large request gets what it needs, made to measure in the end.
	const size = 20 << 20
	last := wires[len(wires)-1]
	stream := append(frame[1:], frameOf(make([]byte, size))...)
	for len(stream) > 0 {
		stream = last.fill(stream, len(stream))
		if len(stream) > 0 {
			last.frames(t, func([]byte) {})
		}
	}
	check("a large request", largeBytes+size, largeBytes+size+4)

	for _, w := range wires {
		w.in.consume(len(w.in.unread()))
		w.in.release()
	}
	check("all given back", 0, 0)
	wires[0].in.usual = keepBuffer
	wires[0].fill(frame, 1)
	check("after the crowd", keepBuffer, keepBuffer)
}

// TestLargeBuffersAreCounted by many at once.
func TestLargeBuffersAreCounted(t *testing.T) {
	var pool buffers
	var all sync.WaitGroup
	for seed := range uint64(4) {
		all.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for range 100 {
				pool.put(pool.get(1 + random.IntN(1<<random.IntN(26))))
			}
		})
	}
	all.Wait()
	if n := pool.large.Load(); n != 0 {
		t.Errorf("%d bytes are out when none is", n)
	}
}

// TestBufferFollowsWhatComesAtOnce: a client that sends many requests at once has
// more and more of them read together, up to a bound, and one that has stopped
// doing so goes back to a small buffer.
func TestBufferFollowsWhatComesAtOnce(t *testing.T) {
	w := &wire{in: inbuf{pool: &buffers{}}, room: 4}
	small := frameOf(make([]byte, 1000))
	burst := bytes.Repeat(small, 4*keepBuffer/len(small))
	reads := func(stream []byte) (n, largest int) {
		for len(stream) > 0 {
			before := len(stream)
			stream = w.fill(stream, before)
			w.frames(t, func([]byte) {})
			n, largest = n+1, max(largest, before-len(stream))
		}
		return n, largest
	}
	if n, largest := reads(burst); n > 7 || largest < keepBuffer*9/10 || len(w.in.buf) > keepBuffer {
		t.Errorf("%d bytes took %d reads of at most %d, buffer %d", len(burst), n, largest, len(w.in.buf))
	}
	// One request at a time, with pauses.
	for range 2 {
		w.in.release()
		reads(small)
	}
	if len(w.in.buf) == keepBuffer {
		t.Errorf("a buffer of %d bytes for single requests of %d", len(w.in.buf), len(small))
	}
	w.in.release()
	if reads(small); len(w.in.buf) != baseBuffer {
		t.Errorf("a buffer of %d bytes for single requests of %d, want %d", len(w.in.buf), len(small), baseBuffer)
	}
}
