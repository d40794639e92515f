package etcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newZap returns a logger for etcd that writes to ours. etcd is talkative: what it calls info is debug here, and a
// message that comes again within quietFor is dropped (while it replays its log it repeats one thousands of times). Once
// closing is set nothing is written: a member that stops complains that it does.
func newZap(lg *slog.Logger, end *fatalities, closing *atomic.Bool) *zap.Logger {
	core := &slogCore{lg: lg.With("component", "etcd"), recent: new(recentMessages), closing: closing}
	return zap.New(core, zap.WithFatalHook(end), zap.WithPanicHook(end))
}

const quietFor = 10 * time.Second

// slogCore is a zapcore.Core.
type slogCore struct {
	lg      *slog.Logger
	recent  *recentMessages
	closing *atomic.Bool
}

// recentMessages remembers when a message was last written. Its size is bounded by the number of distinct messages in
// etcd's source, which are constants.
type recentMessages struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (r *recentMessages) repeated(message string, now time.Time) bool {
	const distinct = 256 // raft formats some of its messages: forget them all now and then
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.last[message]; ok && now.Sub(last) < quietFor {
		return true
	}
	if r.last == nil || len(r.last) >= distinct {
		r.last = make(map[string]time.Time)
	}
	r.last[message] = now
	return false
}

// level maps etcd's levels to ours. Its warnings (a slow fsync, an answer that came late) are for the operator of an
// etcd; whoever runs a broker sees them when asking for more than warnings.
func level(l zapcore.Level) slog.Level {
	switch {
	case l < zapcore.InfoLevel:
		return slog.LevelDebug - 4
	case l == zapcore.InfoLevel:
		return slog.LevelDebug
	case l == zapcore.WarnLevel:
		return slog.LevelInfo
	default:
		return slog.LevelError
	}
}

func (c *slogCore) Enabled(l zapcore.Level) bool {
	return !c.closing.Load() && c.lg.Enabled(context.Background(), level(l))
}

func (c *slogCore) With(fields []zapcore.Field) zapcore.Core {
	return &slogCore{lg: c.lg.With(attrs(fields)...), recent: c.recent, closing: c.closing}
}

func (c *slogCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if e.Level >= zapcore.DPanicLevel || !c.Enabled(e.Level) || unremarkable[e.Message] {
		return ce // a fatal one is told by fatalities, once
	}
	if c.recent.repeated(e.Message, e.Time) {
		return ce
	}
	return ce.AddCore(e, c)
}

func (c *slogCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	c.lg.Log(context.Background(), level(e.Level), e.Message, attrs(fields)...)
	return nil
}

func (c *slogCore) Sync() error { return nil }

func attrs(fields []zapcore.Field) []any {
	enc := zapcore.NewMapObjectEncoder()
	for _, f := range fields {
		f.AddTo(enc)
	}
	out := make([]any, 0, len(enc.Fields))
	for k, v := range enc.Fields {
		out = append(out, slog.Any(k, v))
	}
	return out
}

// unremarkable are warnings about what we do on purpose.
var unremarkable = map[string]bool{
	"simple token is not cryptographically signed": true, // there is no authentication inside one process
	"check file permission":                        true, // the directory is the caller's
	// Right after a member has been elected its database has no term yet; etcd tries again in 4 s.
	"Failed to detect schema version":  true,
	"failed to update storage version": true,
}

// fatalities ends what etcd considers the end of the process: the hook behind its logger's Fatal and Panic.
type fatalities struct {
	onFatal func(error)
	exit    func(code int)

	mu      sync.Mutex
	opened  bool
	reason  error         // the first one, while opening
	failing chan struct{} // closed once reason is set
}

func newFatalities(onFatal func(error), exit func(int)) *fatalities {
	return &fatalities{onFatal: onFatal, exit: exit, failing: make(chan struct{})}
}

// OnWrite is called instead of exit or panic. It must not return: etcd does not expect to go on.
func (f *fatalities) OnWrite(e *zapcore.CheckedEntry, fields []zapcore.Field) {
	f.report(fatalError(e.Message, fields))
	runtime.Goexit()
}

func (f *fatalities) report(reason error) {
	f.mu.Lock()
	opened := f.opened
	if !opened && f.reason == nil {
		f.reason = reason
		close(f.failing)
	}
	f.mu.Unlock()
	if opened {
		f.onFatal(reason)
		f.exit(1)
	}
}

// failed returns the reason, if there was one while opening.
func (f *fatalities) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reason
}

// open ends the phase in which a fatality is an error of Open.
func (f *fatalities) open() {
	f.mu.Lock()
	f.opened = true
	f.mu.Unlock()
}

func fatalError(message string, fields []zapcore.Field) error {
	for _, f := range fields {
		if err, ok := f.Interface.(error); ok && f.Type == zapcore.ErrorType {
			return fmt.Errorf("metadata store: %s: %w", message, err)
		}
	}
	return errors.New("metadata store: " + message)
}
