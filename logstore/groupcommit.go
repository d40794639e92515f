package logstore

import "sync"

// groupCommit lets all who wait for a log to be flushed share: one flush is under way at a time, and the next covers
// what everybody has written who came meanwhile. Whoever is covered goes on at once, and does not stand in the way of
// the next. There is no goroutine: one of those who wait does the work. The zero value is for use.
type groupCommit struct {
	mu   sync.Mutex // leaf
	busy bool       // a flush is under way
	next *round     // of those who came since it began; nil if nobody did
}

// round is one flush and who waits for it.
type round struct {
	lead chan struct{} // delivers to one of them: do it
	done chan struct{} // closed when it is done
	err  error         // set before that
}

// join returns when a flush is done that began after join was called. What that flush says is said to all who share it.
func (g *groupCommit) join(flush func() error) error {
	g.mu.Lock()
	if !g.busy {
		g.busy = true
		g.mu.Unlock()
		err := flush()
		g.finish()
		return err
	}
	if g.next == nil {
		g.next = &round{lead: make(chan struct{}, 1), done: make(chan struct{})}
	}
	r := g.next
	g.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-r.lead:
	}
	g.mu.Lock()
	g.next = nil // who comes from here on is not covered
	g.mu.Unlock()
	r.err = flush()
	close(r.done)
	g.finish()
	return r.err
}

// finish hands on to those who came meanwhile.
func (g *groupCommit) finish() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		g.busy = false
		return
	}
	g.next.lead <- struct{}{}
}
