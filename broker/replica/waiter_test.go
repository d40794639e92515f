package replica

import (
	"sync"
	"testing"
)

func ready(w *Waiter) bool {
	select {
	case <-w.Ready():
		return true
	default:
		return false
	}
}

func TestWaiterHearsOfEnoughBytesOverAllPartitions(t *testing.T) {
	var a, b waitList
	w := NewWaiter(100)
	a.register(w)
	b.register(w)
	a.add(60)
	if ready(w) {
		t.Fatal("ready after 60 of 100 bytes")
	}
	b.add(40)
	if !ready(w) {
		t.Fatal("not ready after 100 bytes")
	}
	if ready(w) {
		t.Fatal("ready twice for one event")
	}
	w.Reset(10)
	b.unregister(w)
	b.add(10)
	if ready(w) {
		t.Fatal("heard of a partition that it left")
	}
	a.add(everything)
	if !ready(w) {
		t.Fatal("not woken by a partition that changed")
	}
}

// TestNoAppendIsMissed registers while others append: each waiter must hear of
// bytes that came after its registration.
func TestNoAppendIsMissed(t *testing.T) {
	var l waitList
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			w := NewWaiter(1)
			l.register(w)
			l.add(1)
			<-w.Ready()
			l.unregister(w)
		})
	}
	wg.Wait()
	if n := l.count.Load(); n != 0 {
		t.Fatalf("%d waiters left", n)
	}
}

func TestCommitQueue(t *testing.T) {
	var q commitQueue
	low, high := q.add(5), q.add(8)
	q.release(5)
	select {
	case <-low:
	default:
		t.Fatal("offset 5 is committed and its waiter sleeps")
	}
	select {
	case <-high:
		t.Fatal("offset 8 is not committed and its waiter woke")
	default:
	}
	q.wakeAll()
	<-high
	if len(q.waiting) != 0 {
		t.Fatalf("%d entries left", len(q.waiting))
	}
}
