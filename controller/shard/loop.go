package shard

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Call is a request on its way to a core. It is answered exactly once: by Fail, if the loop takes no calls, or by the core.
type Call interface{ Fail(err error) }

// Core is the state that a loop owns, with calls of type C and flights of type F. No two of its methods but Fly are called
// at the same time, and none but Fly may wait.
type Core[C Call, F any] interface {
	// Turn takes back a flight that has landed, nil if none has, handles the calls that have come, and does what is due.
	// It returns what is to fly next, nil if nothing is; while a flight is under way it returns nil. came is the loop's.
	Turn(landed *F, came []C) *F
	// Wait says when it wants a turn, whatever comes.
	Wait() time.Duration
	// Fly does what takes time, on the writer's goroutine; f is its own until it lands. It returns soon when ctx ends.
	Fly(ctx context.Context, f *F)
	// End answers everything that waits, and the calls that have come; there are no more turns. A flight that is under
	// way is being cut off, and its outcome open.
	End(came []C)
}

// Loop lets a core run.
type Loop[C Call, F any] struct {
	mu     sync.Mutex
	inbox  []C
	closed error // why no calls are taken; nil: they are
	bell   chan struct{}
}

// NewLoop returns a Loop that refuses all calls with COORDINATOR_LOAD_IN_PROGRESS until Open.
func NewLoop[C Call, F any]() *Loop[C, F] {
	return &Loop[C, F]{closed: kerr.CoordinatorLoadInProgress, bell: make(chan struct{}, 1)}
}

// Send hands a call over, or fails it.
func (l *Loop[C, F]) Send(c C) {
	l.mu.Lock()
	err := l.closed
	if err == nil {
		l.inbox = append(l.inbox, c)
	}
	l.mu.Unlock()
	if err != nil {
		c.Fail(err)
		return
	}
	select {
	case l.bell <- struct{}{}:
	default:
	}
}

// Open lets calls in.
func (l *Loop[C, F]) Open() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = nil
}

// Take returns the calls that have come, and keeps empty for those that will. It is Run's, and that of tests that take
// its place.
func (l *Loop[C, F]) Take(empty []C) []C {
	l.mu.Lock()
	defer l.mu.Unlock()
	came := l.inbox
	l.inbox = empty
	return came
}

// shut keeps calls out and returns those that were not handled.
func (l *Loop[C, F]) shut() []C {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = kerr.NotCoordinator
	came := l.inbox
	l.inbox = nil
	return came
}

// Run gives the core its turns until ctx ends, the first at once. From then on calls are refused with NOT_COORDINATOR.
func (l *Loop[C, F]) Run(ctx context.Context, core Core[C, F]) {
	flights, landed := make(chan *F, 1), make(chan *F, 1)
	var writer sync.WaitGroup
	writer.Go(func() {
		for f := range flights {
			core.Fly(ctx, f)
			landed <- f
		}
	})
	defer writer.Wait()
	defer func() {
		close(flights)
		core.End(l.shut())
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var came []C
	for {
		var f *F
		select {
		case <-ctx.Done():
			return
		case f = <-landed:
		case <-l.bell:
		case <-timer.C:
		}
		if ctx.Err() != nil {
			// A flight that was cut off has landed with an error that is not the store's.
			return
		}
		came = l.Take(came[:0])
		if next := core.Turn(f, came); next != nil {
			flights <- next
		}
		clear(came)
		timer.Reset(core.Wait())
	}
}
