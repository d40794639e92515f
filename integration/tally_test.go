package integration

import (
	"context"
	"sync"
)

// tally counts what happens, for one who waits until more of it has.
type tally struct {
	mu      sync.Mutex
	n       int64
	target  int64
	reached chan struct{} // of whoever waits for target
}

func (c *tally) add() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n++; c.reached != nil && c.n >= c.target {
		close(c.reached)
		c.reached = nil
	}
}

func (c *tally) count() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// await returns when it has happened so often again, or when ctx ends. One may wait at a time.
func (c *tally) await(ctx context.Context, more int64) error {
	c.mu.Lock()
	reached := make(chan struct{})
	c.target, c.reached = c.n+more, reached
	c.mu.Unlock()
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
