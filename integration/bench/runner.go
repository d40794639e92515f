package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"blumfeld/integration/process"
)

// sample is one figure of one run.
type sample struct {
	broker string
	measured
}

// outcome is what became of a row.
type outcome struct {
	row         string
	samples     []sample // in the order they were measured
	unsupported []string // brokers that lack what the row needs
	failed      error    // what ended the row early
	failedOn    []*broker
	took        time.Duration
}

// runner does rows on brokers. A row that fails or takes too long is given up, and the next is done.
type runner struct {
	brokers []*broker
	load    load
	say     func(format string, args ...any) // tells of the progress

	rowLimit    time.Duration // how long a row may take with all its pairs
	warmUpLimit time.Duration // when a row's warm-up ends on one broker although its costs still fall
	settleLimit time.Duration // given to the brokers to finish what the last row left them: deletions, compilation
	endLimit    time.Duration // how long a row may go on when the time for all is over
}

// newRunner tells of its progress on standard error.
func newRunner(brokers []*broker, l load) *runner {
	return &runner{brokers: brokers, load: l, say: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
		rowLimit: 3 * time.Minute, warmUpLimit: 25 * time.Second, settleLimit: 3 * time.Second, endLimit: 20 * time.Second}
}

// all does the rows in their order and hands each outcome over; at ctx's end the rows that remain fail at once. It
// closes done.
func (r *runner) all(ctx context.Context, chosen []row, done chan<- outcome) {
	defer close(done)
	began := time.Now()
	for i, x := range chosen {
		r.say("%d of %d: %s", i+1, len(chosen), x.name)
		o := r.row(ctx, x)
		if o.failed != nil {
			r.say("  failed: %v", o.failed)
		}
		for _, b := range o.failedOn {
			if ctx.Err() != nil {
				break
			}
			if err := r.revive(ctx, b); err != nil {
				r.say("  %v", err)
			}
		}
		r.say("  %.1f s, %.1f s in all", o.took.Seconds(), time.Since(began).Seconds())
		done <- o
	}
}

// collect does the rows and returns what became of each. A run that does not heed the end of ctx is not waited for: the
// rows that it holds up have failed.
func (r *runner) collect(ctx context.Context, chosen []row) (list []outcome) {
	done := make(chan outcome, len(chosen)) // so that nothing waits in it when nobody does
	go r.all(ctx, chosen, done)
	over := ctx.Done()
	var patience <-chan time.Time
	for {
		select {
		case o, more := <-done:
			if !more {
				return list
			}
			list = append(list, o)
		case <-over:
			over, patience = nil, time.After(r.endLimit)
		case <-patience:
			for _, x := range chosen[len(list):] {
				list = append(list, outcome{row: x.name, failed: errors.New("hangs, or was held up by a row that does")})
			}
			return list
		}
	}
}

// row does one row, A B A B, after a warm-up on each broker.
func (r *runner) row(ctx context.Context, x row) (o outcome) {
	o.row = x.name
	began, whole := time.Now(), ctx
	defer func() {
		for _, b := range r.brokers {
			// Behind a failure a topic more does no harm, and a broker that does not answer would have to be waited for.
			if o.failed != nil {
				b.kept = ""
			} else if err := b.forget(whole); err != nil {
				o.failed = err
			}
		}
		o.took = time.Since(began)
	}()
	if err := context.Cause(ctx); err != nil {
		o.failed = err
		return o
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.rowLimit, fmt.Errorf("the row took more than %v", r.rowLimit))
	defer cancel()
	pairs := r.load.pairs
	if x.once {
		pairs = 1
	}
	turns := r.turns(x)
	if !x.young {
		for _, turn := range turns {
			if !r.warmUp(ctx, x, turn, &o) {
				return o
			}
		}
	}
	for pair := range pairs {
		for _, turn := range turns {
			if o.failed = r.ready(ctx, x); o.failed != nil {
				return o
			}
			for _, done := range r.turn(ctx, x, turn) {
				switch {
				case errors.Is(done.err, errUnsupported):
					if pair == 0 {
						o.unsupported = append(o.unsupported, done.broker.name)
					}
				case done.err != nil:
					o.fail(done)
				default:
					r.say("  %s: %s", done.broker.name, inShort(done.got))
					for _, m := range done.got {
						o.samples = append(o.samples, sample{done.broker.name, m})
					}
				}
			}
			if o.failed != nil {
				return o
			}
		}
	}
	return o
}

// turns are the brokers of a row, those together that are measured at the same time.
func (r *runner) turns(x row) (turns [][]*broker) {
	for _, b := range r.brokers {
		switch {
		case b.name == bareLoop && !x.bare:
		case x.together && len(turns) > 0:
			turns[0] = append(turns[0], b)
		default:
			turns = append(turns, []*broker{b})
		}
	}
	return turns
}

// ran is one run of a row on one broker.
type ran struct {
	broker *broker
	got    []measured
	err    error
}

func (o *outcome) fail(r ran) {
	o.failed = errors.Join(o.failed, fmt.Errorf("%s: %w", r.broker.name, r.err))
	o.failedOn = append(o.failedOn, r.broker)
}

// turn runs a row once on each of some brokers, at the same time.
func (r *runner) turn(ctx context.Context, x row, turn []*broker) []ran {
	list := make([]ran, len(turn))
	var running sync.WaitGroup
	for i, b := range turn {
		running.Go(func() {
			got, err := x.run(ctx, r.load, b)
			if cause := context.Cause(ctx); err != nil && cause != nil {
				err = cause // says more than what it broke off
			}
			list[i] = ran{b, got, err}
		})
	}
	running.Wait()
	return list
}

// warmUp runs a row until its cost to the broker stops falling, and throws away what it measured: a young JVM
// interprets. All brokers are treated alike. False: it failed, as o tells.
func (r *runner) warmUp(ctx context.Context, x row, turn []*broker, o *outcome) bool {
	began := time.Now()
	lowest := 0.0
	for n := 1; ; n++ {
		if o.failed = r.ready(ctx, x); o.failed != nil {
			return false
		}
		cost, known := 0.0, false
		for _, done := range r.turn(ctx, x, turn) {
			if errors.Is(done.err, errUnsupported) {
				continue
			}
			if done.err != nil {
				o.fail(done)
				continue
			}
			c, ok := spentOn(done.got)
			cost, known = cost+c, known || ok
			r.say("  %s, warm-up: %s", done.broker.name, inShort(done.got))
		}
		if o.failed != nil {
			return false
		}
		if !known || n > 1 && cost > 0.9*lowest || time.Since(began) > r.warmUpLimit {
			return true
		}
		lowest = cost
	}
}

// spentOn is the broker's part in a run, in the unit of the row.
func spentOn(list []measured) (cost float64, ok bool) {
	for _, m := range list {
		if strings.HasPrefix(m.name, costPrefix) {
			return m.value, true
		}
	}
	return 0, false
}

// inShort is the first figure of a run, and its cost.
func inShort(list []measured) string {
	var parts []string
	for i, m := range list {
		if i == 0 || strings.HasPrefix(m.name, costPrefix) {
			parts = append(parts, fmt.Sprintf("%s %s", show(m.value), m.name))
		}
	}
	return strings.Join(parts, ", ")
}

// ready waits until the brokers are as good as idle, so that none pays for what another was asked to do before, and
// makes room for what the row will fill. The brokers of a young row are to be met as they are.
func (r *runner) ready(ctx context.Context, x row) error {
	if x.young {
		return nil
	}
	r.settle(ctx)
	if !x.fills {
		return nil
	}
	return makeRoom(r.load.bytes / 2 * 3)
}

func (r *runner) settle(ctx context.Context) {
	const window, busy = 200 * time.Millisecond, 10 * time.Millisecond
	began := time.Now()
	for last := r.spent(); time.Since(began) < r.settleLimit; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(window):
		}
		now := r.spent()
		if now-last <= busy*time.Duration(len(r.brokers)-1) {
			return
		}
		last = now
	}
}

// spent is the processor time of all brokers. One that is gone has spent nothing: its row will tell.
func (r *runner) spent() (sum time.Duration) {
	for _, b := range r.brokers {
		if u, err := b.usage(); err == nil {
			sum += u.CPU
		}
	}
	return sum
}

// revive starts a broker again that does not answer any more: it would fail all rows that follow.
func (r *runner) revive(ctx context.Context, b *broker) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if b.name != bareLoop {
		asking, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if process.Await(asking, b.addr) == nil {
			return nil
		}
	}
	r.say("  %s is started again", b.name)
	if err := b.restart(ctx); err != nil {
		if err = b.start(ctx); err != nil {
			return fmt.Errorf("%s does not start again: %w", b.name, err)
		}
	}
	return nil
}
