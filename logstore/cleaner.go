package logstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"time"

	"blumfeld/logstore/compact"

	"github.com/twmb/franz-go/pkg/kerr"
)

// CleanerConfig is the broker's configuration of compaction, as it concerns one cleaning.
type CleanerConfig struct {
	DedupeBufferBytes int64   // log.cleaner.dedupe.buffer.size, one thread's share: bounds the map from keys to offsets
	LoadFactor        float64 // log.cleaner.io.buffer.load.factor: how much of that is used
	IOBufferBytes     int     // log.cleaner.io.buffer.size, one thread's share, half to read and half to write
	MaxBytesPerSecond float64 // log.cleaner.io.max.bytes.per.second, read and written by all threads
}

// Cleaner compacts logs. Its methods may be called by as many goroutines as may clean at the same time: each uses the
// memory that CleanerConfig allows while it cleans, and none otherwise.
type Cleaner struct {
	logger   *slog.Logger
	throttle throttle
}

// NewCleaner returns a cleaner that says to logger what it did.
func NewCleaner(logger *slog.Logger) *Cleaner {
	return &Cleaner{logger: logger, throttle: throttle{now: time.Now, sleep: sleep}}
}

// Cleaned says what a cleaning did.
type Cleaned struct {
	From, To       int64 // the part that was dirty and no longer is, in offsets
	Segments       int   // before
	Left           int   // and after
	BytesRead      int64 // of the segments that were written anew; the dirty ones are read once more for their keys
	BytesWritten   int64
	RecordsRead    int64
	RecordsWritten int64
	Keyless        int64 // records without key, which went
	Keys           int   // in the map
	MapBytes       int64 // memory that they took
}

// candidate is a log that is dirty enough.
type candidate struct {
	log   *Log
	ratio float64
}

// CleanDirtiest cleans the dirtiest of the logs that compaction asks for, and says whether there was one. A log that
// cannot be cleaned for what its files hold is left alone from then on, until it is opened again, and said so once; one
// that could not be cleaned for lack of room, or because it was deleted or cut meanwhile, is for the next time.
//
// It returns early, with false, when ctx ends. Of what was begun then nothing is left.
func (c *Cleaner) CleanDirtiest(ctx context.Context, logs []*Log, o CleanerConfig) bool {
	var dirty []candidate
	for _, l := range logs {
		if !l.cfg.Load().Compact || l.uncleanable.Load() || l.usable() != nil {
			continue
		}
		plan, _, err := l.cleanPlan()
		if err != nil {
			l.cannotClean(err)
			continue
		}
		if plan.Due {
			dirty = append(dirty, candidate{l, plan.Ratio()})
		}
	}
	slices.SortStableFunc(dirty, func(a, b candidate) int { return cmp.Compare(b.ratio, a.ratio) })
	for _, d := range dirty {
		if ctx.Err() != nil {
			return false
		}
		done, err := c.Clean(ctx, d.log, o)
		switch {
		case errors.Is(err, errCleanedElsewhere) || errors.Is(err, errCleanAborted):
		case err != nil:
			d.log.cannotClean(err)
		default:
			c.logger.Info("cleaned", "log", d.log.tp.name(), "from", done.From, "to", done.To, "segments", done.Segments, "left", done.Left,
				"read", done.BytesRead, "written", done.BytesWritten, "keys", done.Keys)
			if done.Keyless > 0 {
				c.logger.Warn("records without key were removed from a compacted log", "log", d.log.tp.name(), "records", done.Keyless)
			}
			return true
		}
	}
	return false
}

// errCleanedElsewhere says that another goroutine is at the log, or has been.
var errCleanedElsewhere = errors.New("log is being cleaned")

// errCleanAborted says that a log was closed, deleted or cut while it was cleaned, or that the cleaner was stopped.
var errCleanAborted = errors.New("cleaning was aborted")

// cannotClean decides what an error of a cleaning means for the log.
func (l *Log) cannotClean(err error) {
	var code *kerr.Error
	if err = l.failed("clean", err); !errors.As(err, &code) || code == kerr.KafkaStorageError {
		l.logger.Warn("not cleaned", "error", err)
		return
	}
	l.uncleanable.Store(true)
	l.logger.Error("log cannot be cleaned and is left alone", "error", err)
}

// Clean cleans a log if it is due, or returns an error without having changed what readers see. Errors: those of the
// file system; kerr.KafkaStorageError; kerr.CorruptMessage and kerr.InvalidRecord, with file and position, where the
// log does not hold what was written.
func (c *Cleaner) Clean(ctx context.Context, l *Log, o CleanerConfig) (Cleaned, error) {
	if !l.cleanMu.TryLock() {
		return Cleaned{}, errCleanedElsewhere
	}
	defer l.cleanMu.Unlock()
	if err := l.usable(); err != nil {
		return Cleaned{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.abortClean.Store(&cancel)
	defer l.abortClean.Store(nil)
	if l.closing.Load() > 0 {
		return Cleaned{}, errCleanAborted
	}
	l.flushMu.Lock()
	l.cutTo = math.MaxInt64
	l.flushMu.Unlock()
	plan, sources, err := l.cleanPlan()
	if err != nil {
		return Cleaned{}, l.failed("clean", err)
	}
	if !plan.Due {
		return Cleaned{}, errCleanedElsewhere
	}
	if plan.Invalid && !(l.cfg.Load().Compact && l.cfg.Load().Delete) {
		l.logger.Warn("the log begins or ends elsewhere than where it was cleaned; all of it counts as dirty",
			"cleaned", l.cleaned.Load(), "start", plan.FirstDirty)
	}
	// What a cleaning removes it removes for the sake of newer records: those are on disk before it does.
	if err := l.flushTo(plan.Limit); err != nil {
		return Cleaned{}, err
	}
	job := cleaning{c: c, ctx: ctx, l: l, cfg: l.cfg.Load(), o: o, plan: plan, sources: sources}
	if err := job.run(); err != nil {
		if errors.Is(err, errMoved) || errors.Is(err, errCleanAborted) || ctx.Err() != nil {
			return Cleaned{}, fmt.Errorf("%w: %w", errCleanAborted, err)
		}
		return Cleaned{}, l.failed("clean", err)
	}
	l.flushMu.Lock()
	l.cleaned.Store(min(job.done.To, l.cutTo)) // one that came too late to be met by a swap has cut what was made
	l.flushMu.Unlock()
	return job.done, l.dir.Checkpoint()
}

// stopCleaning makes whoever cleans the log give up, waits for that, and keeps others out until cleanMu is unlocked.
func (l *Log) stopCleaning() {
	l.closing.Add(1)
	if cancel := l.abortClean.Load(); cancel != nil {
		(*cancel)()
	}
	l.cleanMu.Lock()
}

// cleanPlan says what of the log may be cleaned now, and of which segments the log consisted when that was said.
func (l *Log) cleanPlan() (compact.Plan, []source, error) {
	cfg := l.cfg.Load()
	segments := *l.segments.Load()
	o := l.Offsets()
	state := compact.State{
		LogStart: o.LogStart, LastStable: o.LastStable, LogEnd: o.LogEnd, Cleaned: l.cleaned.Load(),
		Segments:    make([]compact.Segment, len(segments)),
		LargestTime: func(i int) (int64, error) { return segments[i].largestTime() },
		FirstTime: func(i int) (int64, error) {
			t, ok, err := segments[i].firstBatchTime()
			if !ok {
				t = -1
			}
			return t, err
		},
	}
	sources := make([]source, len(segments))
	for i, s := range segments {
		s.mu.Lock()
		sources[i] = source{segment: s, size: s.size, cut: s.cut}
		s.mu.Unlock()
		state.Segments[i] = compact.Segment{Base: s.base, Bytes: sources[i].size}
	}
	rules := compact.Rules{MinDirtyRatio: cfg.MinCleanableRatio, MinLagMs: cfg.MinCompactionLagMs, MaxLagMs: cfg.MaxCompactionLagMs}
	plan, err := state.Plan(rules, l.dir.nowMs())
	if errors.Is(err, errMoved) {
		return compact.Plan{}, nil, nil // not now
	}
	return plan, sources, err
}
