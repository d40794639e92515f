package logstore

import (
	"context"
	"math"
	"sync"
	"time"
)

// throttle spreads bytes over time: whoever has used some waits until a device of the given rate would be done with
// all that was used before and with these. Time in which nothing was used is not saved up.
type throttle struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) error

	mu   sync.Mutex
	free time.Time // when the device would be idle
}

// use takes n bytes at so many per second, and waits. It returns the error of ctx if that ends first.
func (t *throttle) use(ctx context.Context, n int64, perSecond float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	took := float64(n) / perSecond * float64(time.Second)
	if !(took >= 1) { // less than a nanosecond: no limit
		return nil
	}
	t.mu.Lock()
	now := t.now()
	if t.free.Before(now) {
		t.free = now
	}
	t.free = t.free.Add(time.Duration(min(took, math.MaxInt64/4)))
	wait := t.free.Sub(now)
	t.mu.Unlock()
	return t.sleep(ctx, wait)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
