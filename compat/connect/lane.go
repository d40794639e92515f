package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// caseLimit ends a case that waits in vain.
const caseLimit = 4 * time.Minute

// lane is a sequence of cases, and what they have started.
type lane struct {
	*bench
	chosen   []string
	verdicts chan<- verdict
	ends     []func() error // what to stop, the last first
}

type verdict struct {
	name string
	took time.Duration
	err  error
}

// run runs a case if it was chosen.
func (l *lane) run(ctx context.Context, name string, work func(context.Context) error) {
	if !slices.Contains(l.chosen, name) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, caseLimit)
	defer cancel()
	began := time.Now()
	err := work(ctx)
	l.verdicts <- verdict{name, time.Since(began), err}
}

// atEnd has something done when the lane ends, or at the next call of close.
func (l *lane) atEnd(end func() error) { l.ends = append(l.ends, end) }

// close stops what the lane has started. What does not end well is a case that failed.
func (l *lane) close() {
	var errs []error
	for _, end := range slices.Backward(l.ends) {
		errs = append(errs, end())
	}
	l.ends = nil
	if err := errors.Join(errs...); err != nil {
		l.verdicts <- verdict{name: "end of a lane", err: err}
	}
}

// inTurn calls do for each of list, n of them at a time.
func inTurn[T any](list []T, n int, do func(T)) {
	var all sync.WaitGroup
	free := make(chan struct{}, n)
	for _, item := range list {
		free <- struct{}{}
		all.Go(func() {
			do(item)
			<-free
		})
	}
	all.Wait()
}

// await asks until there is no reason to wait any longer; the last reason is the
// error when ctx ends.
func await(ctx context.Context, ask func() error) error {
	const pause = 50 * time.Millisecond
	var reason error
	for {
		err := ask()
		if err == nil {
			return nil
		}
		// What ctx interrupted says less than what was before.
		if ctx.Err() == nil || reason == nil {
			reason = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), reason)
		case <-time.After(pause):
		}
	}
}
