package replica

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"blumfeld/logstore"
)

// CleanerSettings is how logs are compacted.
type CleanerSettings struct {
	Threads int           // log.cleaner.threads; 0 compacts nothing
	Backoff time.Duration // log.cleaner.backoff.ms: until the next look, when there was nothing to clean
	Each    logstore.CleanerConfig
}

// Cleaners are the goroutines that compact a set's logs, each of them the
// dirtiest that no other is at (Kafka's LogCleaner).
type Cleaners struct {
	set    *Set
	logger *slog.Logger

	mu       sync.Mutex // one change at a time; held while goroutines end
	settings CleanerSettings
	stop     context.CancelFunc // of those that run
	running  sync.WaitGroup
}

// NewCleaners returns cleaners that do not run before they are configured.
func NewCleaners(set *Set, logger *slog.Logger) *Cleaners {
	return &Cleaners{set: set, logger: logger, stop: func() {}}
}

// Configure makes cleaners run by these settings. If they are others than those
// in force, cleanings under way are given up, and begin anew.
func (c *Cleaners) Configure(s CleanerSettings) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s == c.settings {
		return
	}
	c.stop()
	c.running.Wait()
	c.settings = s
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	// A new one: what the last was to wait for, by its rate, may be years.
	cleaner := logstore.NewCleaner(c.logger)
	for range s.Threads {
		c.running.Go(func() { c.clean(ctx, cleaner, s) })
	}
}

// Stop gives up what is under way, and returns when nothing runs any more.
func (c *Cleaners) Stop() { c.Configure(CleanerSettings{}) }

func (c *Cleaners) clean(ctx context.Context, cleaner *logstore.Cleaner, s CleanerSettings) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-wait.C:
		case <-ctx.Done():
			return
		}
		var logs []*logstore.Log
		for p := range c.set.All() {
			logs = append(logs, p.Log())
		}
		pause := max(s.Backoff, time.Millisecond) // 0 is allowed, and would never let go of a core
		if cleaner.CleanDirtiest(ctx, logs, s.Each) {
			pause = 0
		}
		wait.Reset(pause)
	}
}
