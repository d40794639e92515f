package replica

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// everything is the amount that wakes a waiter whatever it still needs: a
// partition changed its leader or went away, and the request must look again.
const everything = math.MaxInt64 / 4

// Waiter is one request's place in the queues of the partitions it reads. It is
// registered before the last read that found too little, so that no append can
// fall between that read and the wait.
type Waiter struct {
	need  atomic.Int64
	ready chan struct{}
}

// NewWaiter returns a waiter that becomes ready once need further bytes have
// become visible over all partitions it is registered with.
func NewWaiter(need int64) *Waiter {
	w := &Waiter{ready: make(chan struct{}, 1)}
	w.need.Store(need)
	return w
}

// Ready delivers once when enough has become visible. The count is of bytes
// appended, an estimate from above: the waiter reads again and may find that it
// has to wait on (see Reset).
func (w *Waiter) Ready() <-chan struct{} { return w.ready }

// Reset makes the waiter wait for need bytes. It is called before what is there
// is read, and Found afterwards: bytes that come in between are counted by both,
// which wakes too early, and none is counted by neither.
func (w *Waiter) Reset(need int64) { w.need.Store(need) }

// Found counts the bytes that a read found.
func (w *Waiter) Found(bytes int64) { w.add(bytes) }

func (w *Waiter) add(bytes int64) {
	if w.need.Add(-bytes) > 0 {
		return
	}
	select {
	case w.ready <- struct{}{}:
	default: // already told
	}
}

// waitList holds the waiters of one partition. The count lets an append to a
// partition that nobody waits for pass without the lock.
type waitList struct {
	count   atomic.Int32
	mu      sync.Mutex
	waiters map[*Waiter]struct{}
}

func (l *waitList) register(w *Waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiters == nil {
		l.waiters = make(map[*Waiter]struct{})
	}
	l.waiters[w] = struct{}{}
	l.count.Store(int32(len(l.waiters)))
}

func (l *waitList) unregister(w *Waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiters, w)
	l.count.Store(int32(len(l.waiters)))
}

func (l *waitList) add(bytes int64) {
	if l.count.Load() == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.waiters {
		w.add(bytes)
	}
}

// commitQueue holds those who wait for the high watermark to pass an offset. A
// closed queue (the partition is no longer led here) releases everyone.
type commitQueue struct {
	mu      sync.Mutex
	waiting []commitWait
}

type commitWait struct {
	offset int64
	done   chan struct{}
}

// add returns a channel that is closed once release was called with an offset
// of at least this one, or wakeAll.
func (q *commitQueue) add(offset int64) <-chan struct{} {
	done := make(chan struct{})
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, commitWait{offset, done})
	return done
}

// remove takes back what add returned: its owner no longer waits.
func (q *commitQueue) remove(done <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(w commitWait) bool { return w.done == done })
}

func (q *commitQueue) release(highWatermark int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	kept := q.waiting[:0]
	for _, w := range q.waiting {
		if w.offset <= highWatermark {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	clear(q.waiting[len(kept):])
	q.waiting = kept
}

func (q *commitQueue) wakeAll() { q.release(math.MaxInt64) }
