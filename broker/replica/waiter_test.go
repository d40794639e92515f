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

// TestBytesAroundAReadAreCounted has bytes come before the read that a waiter is
// reset for, and after it: those that were found count too.
func TestBytesAroundAReadAreCounted(t *testing.T) {
	var l waitList
	w := NewWaiter(200)
	l.register(w)
	l.add(150)
	w.Found(0) // the read came before them
	if ready(w) {
		t.Fatal("ready after 150 of 200 bytes")
	}
	l.add(60)
	if !ready(w) {
		t.Fatal("not ready after 210 of 200 bytes")
	}
	w.Reset(200)
	w.Found(150)
	l.add(60)
	if !ready(w) {
		t.Fatal("not ready although 150 bytes were found and 60 came")
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
