package replica

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"blumfeld/logstore"
)

// HousekeeperOptions sets how often what is done; what has no positive interval is
// never done.
type HousekeeperOptions struct {
	Retention  time.Duration // log.retention.check.interval.ms
	Checkpoint time.Duration // log.flush.offset.checkpoint.interval.ms: recovery points and log starts
	Flush      time.Duration // log.flush.scheduler.interval.ms: looks for logs whose flush.ms is over
	Producers  time.Duration // producer.id.expiration.check.interval.ms
	Now        func() time.Time
	Logger     *slog.Logger
}

// Housekeeper runs over a set's partitions what nobody waits for: retention,
// flushes by time, the forgetting of silent producers, checkpoints.
type Housekeeper struct {
	opts    HousekeeperOptions
	set     *Set
	stop    context.CancelFunc
	running sync.WaitGroup
}

// StartHousekeeper starts its goroutines; Stop ends them and waits for them.
func StartHousekeeper(set *Set, o HousekeeperOptions) *Housekeeper {
	ctx, stop := context.WithCancel(context.Background())
	h := &Housekeeper{opts: o, set: set, stop: stop}
	h.every(ctx, o.Retention, h.retain)
	h.every(ctx, o.Flush, h.flush)
	h.every(ctx, o.Producers, h.expireProducers)
	for _, d := range set.Dirs() {
		h.every(ctx, o.Checkpoint, func() { h.checkpoint(d) })
	}
	return h
}

// Stop returns when nothing of it runs any more.
func (h *Housekeeper) Stop() {
	h.stop()
	h.running.Wait()
}

func (h *Housekeeper) every(ctx context.Context, interval time.Duration, do func()) {
	if interval <= 0 {
		return
	}
	h.running.Go(func() {
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				do()
			case <-ctx.Done():
				return
			}
		}
	})
}

func (h *Housekeeper) retain() {
	now := h.opts.Now().UnixMilli()
	for p := range h.set.All() {
		n, err := p.Log().Retain(now)
		if err != nil {
			h.opts.Logger.Error("retention failed", "topic", p.topic, "partition", p.id, "err", err)
		} else if n > 0 {
			h.opts.Logger.Info("segments deleted by retention", "topic", p.topic, "partition", p.id, "segments", n)
		}
	}
}

func (h *Housekeeper) flush() {
	now := h.opts.Now().UnixMilli()
	for p := range h.set.All() {
		if err := p.Log().FlushIfDue(now); err != nil {
			h.opts.Logger.Error("flush failed", "topic", p.topic, "partition", p.id, "err", err)
		}
	}
}

func (h *Housekeeper) expireProducers() {
	now := h.opts.Now().UnixMilli()
	for p := range h.set.All() {
		p.Log().ExpireProducers(now)
	}
}

func (h *Housekeeper) checkpoint(d *logstore.Dir) {
	if d.Offline() != nil {
		return
	}
	if err := d.Checkpoint(); err != nil {
		h.opts.Logger.Error("checkpoint failed", "dir", d.Path(), "err", err)
	}
}
