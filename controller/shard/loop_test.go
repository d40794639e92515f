package shard

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
)

// counter is a core that adds numbers; a call is answered when the sum that includes it has flown.
type counter struct {
	*Loop[*addition, sum]
	total, flown int
	waiting      []*addition
	flight       *sum
	turning      atomic.Bool
	gate         chan struct{} // flights wait for it; nil: they do not
	flights      int
	wakes        chan struct{} // gets one for each turn that nobody asked for
	wait         time.Duration
}

type addition struct {
	n  int
	ch chan error
}

type sum struct {
	total int
	done  []*addition
	err   error
}

func (a *addition) Fail(err error) { a.ch <- err }

func (c *counter) Turn(landed *sum, came []*addition) *sum {
	if c.turning.Swap(true) {
		panic("two turns at a time")
	}
	defer c.turning.Store(false)
	if landed == nil && len(came) == 0 && c.wakes != nil {
		c.wakes <- struct{}{}
	}
	if landed != nil {
		c.flight, c.flown = nil, landed.total
		for _, a := range landed.done {
			a.ch <- landed.err
		}
	}
	for _, a := range came {
		c.total += a.n
		c.waiting = append(c.waiting, a)
	}
	if c.flight != nil || len(c.waiting) == 0 {
		return nil
	}
	c.flight = &sum{total: c.total, done: c.waiting}
	c.waiting = nil
	return c.flight
}

func (c *counter) Wait() time.Duration {
	if c.wait > 0 {
		return c.wait
	}
	return time.Hour
}

func (c *counter) Fly(ctx context.Context, f *sum) {
	c.flights++
	select {
	case <-c.gate:
	case <-ctx.Done():
		f.err = ctx.Err()
	}
}

func (c *counter) End(came []*addition) {
	all := append(c.waiting, came...)
	if c.flight != nil {
		all = append(all, c.flight.done...)
	}
	for _, a := range all {
		a.Fail(kerr.NotCoordinator)
	}
}

func newCounter() *counter {
	return &counter{Loop: NewLoop[*addition, sum](), gate: make(chan struct{})}
}

func (c *counter) add(n int) chan error {
	a := &addition{n, make(chan error, 2)}
	c.Send(a)
	return a.ch
}

func (c *counter) start(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx, c) })
	return func() { cancel(); running.Wait() }
}

func await(t *testing.T, ch chan error) error {
	t.Helper()
	select {
	case err := <-ch:
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("no answer")
		return nil
	}
}

// TestLoop: calls from many goroutines are each answered once, in few flights.
func TestLoop(t *testing.T) {
	c := newCounter()
	if err := await(t, c.add(1)); !errors.Is(err, kerr.CoordinatorLoadInProgress) {
		t.Errorf("before Open: %v", err)
	}
	c.Open()
	early := c.add(1)
	stop := c.start(t)
	var clients sync.WaitGroup
	answers := make(chan chan error, 1000)
	for range 10 {
		clients.Go(func() {
			for range 100 {
				answers <- c.add(1)
			}
		})
	}
	clients.Wait()
	// The first flight has not landed: all that came goes into the next one.
	close(c.gate)
	if err := await(t, early); err != nil {
		t.Error(err)
	}
	close(answers)
	for ch := range answers {
		if err := await(t, ch); err != nil {
			t.Error(err)
		}
	}
	stop()
	if c.flown != 1001 || c.flights > 3 {
		t.Errorf("%d after %d flights", c.flown, c.flights)
	}
	if err := await(t, c.add(1)); !errors.Is(err, kerr.NotCoordinator) {
		t.Errorf("afterwards: %v", err)
	}
}

// TestLoopEnds: what is under way, what waits and what comes while it ends are answered, each once.
func TestLoopEnds(t *testing.T) {
	for range 50 {
		c := newCounter()
		c.Open()
		stop := c.start(t)
		var mu sync.Mutex
		var answers []chan error
		var clients sync.WaitGroup
		begun := make(chan struct{}, 4)
		for range 4 {
			clients.Go(func() {
				for i := range 50 {
					ch := c.add(1)
					mu.Lock()
					answers = append(answers, ch)
					mu.Unlock()
					if i == 5 {
						begun <- struct{}{}
					}
				}
			})
		}
		<-begun
		stop()
		clients.Wait()
		for _, ch := range answers {
			if err := await(t, ch); !errors.Is(err, kerr.NotCoordinator) {
				t.Fatal(err)
			}
			if len(ch) > 0 {
				t.Fatal("answered twice")
			}
		}
	}
}

// TestLoopWakes: a core has a turn at once, and then when it wants one.
func TestLoopWakes(t *testing.T) {
	c := newCounter()
	c.wakes, c.wait = make(chan struct{}, 100), time.Millisecond
	defer c.start(t)()
	for range 3 {
		select {
		case <-c.wakes:
		case <-time.After(20 * time.Second):
			t.Fatal("it sleeps")
		}
	}
}

func TestRetry(t *testing.T) {
	passing, fatal := errors.New("passing"), errors.New("fatal")
	for _, c := range []struct {
		errs   []error
		want   error
		warned int
	}{
		{[]error{nil}, nil, 0},
		{[]error{passing, nil}, nil, 1},
		{[]error{ErrLost}, ErrLost, 0},
		{[]error{passing, ErrDamaged}, ErrDamaged, 1},
		{[]error{controller.ErrClosed}, controller.ErrClosed, 0},
		{[]error{fatal}, fatal, 0},
	} {
		n, warned := 0, 0
		try := func(context.Context) error { n++; return c.errs[n-1] }
		err := Retry(t.Context(), func(error) { warned++ }, try, fatal)
		if !errors.Is(err, c.want) || n != len(c.errs) || warned != c.warned {
			t.Errorf("%v: %v after %d attempts and %d warnings", c.errs, err, n, warned)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := Retry(ctx, func(error) { cancel() }, func(context.Context) error { return passing })
	if !errors.Is(err, passing) && !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
}
