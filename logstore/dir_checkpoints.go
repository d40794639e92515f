package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync/atomic"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// checkpoint is a file of a directory that says something of each of its logs, and what: ok is false for a log of which
// there is nothing to say.
type checkpoint struct {
	name string
	of   func(*Log) (offset int64, ok bool)
}

// checkpoints lists them in the order in which they are written.
func checkpoints() []checkpoint {
	return []checkpoint{
		{recoveryPointFile, func(l *Log) (int64, bool) { return l.recoveryPoint.Load(), true }},
		{logStartFile, func(l *Log) (int64, bool) { return l.logStart.Load(), true }},
		{highWatermarkFile, func(l *Log) (int64, bool) { return l.Offsets().HighWatermark, true }},
		{cleanerOffsetFile, func(l *Log) (int64, bool) { at := l.cleaned.Load(); return at, at >= 0 }},
	}
}

// loadCheckpoints reads what the files say.
func (d *Dir) loadCheckpoints() error {
	for _, c := range checkpoints() {
		name := c.name
		p, err := vfs.ReadFile(d.fs, d.file(name), maxCheckpointBytes)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		m, err := parseOffsetMap(p)
		if err != nil {
			// Without it the logs are read from their beginnings, or start where their files do.
			d.logger.Warn("unreadable checkpoint", "file", d.file(name), "error", err)
			m, p = nil, nil
		}
		if m == nil {
			m = offsetMap{}
		}
		d.known[name], d.written[name] = m, p
	}
	return nil
}

// recall gives a log that is being opened what was checkpointed of it.
func (d *Dir) recall(l *Log) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.recoveryPoint.Store(d.known[recoveryPointFile][l.tp])
	l.logStart.Store(d.known[logStartFile][l.tp])
	l.highWatermark.Store(d.known[highWatermarkFile][l.tp])
	l.cleaned.Store(-1)
	if at, ok := d.known[cleanerOffsetFile][l.tp]; ok {
		l.cleaned.Store(at)
	}
}

// Checkpoint writes down recovery points, log starts, high watermarks and how far logs are cleaned, if they have
// changed. After a crash logs are read from their recovery points on, and begin where their starts were.
func (d *Dir) Checkpoint() error {
	if err := d.usable(); err != nil {
		return err
	}
	d.checkpointMu.Lock()
	defer d.checkpointMu.Unlock()
	d.mu.Lock()
	forgotten := slices.Collect(maps.Keys(d.forgotten))
	d.mu.Unlock()
	logs := d.openLogs(false)
	type file struct {
		name     string
		contents []byte
	}
	var changed []file
	for _, c := range checkpoints() {
		d.mu.Lock()
		known := d.known[c.name]
		for _, l := range logs {
			o := d.logs[l.tp]
			if o == nil || o.log != l {
				continue
			}
			if offset, ok := c.of(l); ok {
				known[l.tp] = offset
			} else {
				delete(known, l.tp)
			}
		}
		p := known.format()
		d.mu.Unlock()
		if !bytes.Equal(p, d.written[c.name]) {
			changed = append(changed, file{c.name, p})
		}
	}
	if len(changed) > 0 {
		if err := d.begin(); err != nil {
			return err
		}
	}
	for _, f := range changed {
		if err := vfs.WriteFileAtomic(d.fs, d.path, d.file(f.name), f.contents); err != nil {
			if !isTransient(err) {
				d.fail(err)
			}
			return fmt.Errorf("checkpoint: %w: %w", err, kerr.KafkaStorageError)
		}
		d.written[f.name] = f.contents
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, tp := range forgotten {
		delete(d.forgotten, tp)
	}
	return nil
}

// forgetCheckpoints drops what checkpoints say of a log. Called under mu.
func (d *Dir) forgetCheckpoints(tp topicPartition) {
	for _, m := range d.known {
		if _, ok := m[tp]; ok {
			delete(m, tp)
			d.forgotten[tp] = struct{}{}
		}
	}
}

// startOver is called before there is a log where none is: what checkpoints say is of an earlier one of that name, and
// must not be believed of this one after a crash. Logs that are deleted do not wait for that, there may be many of them;
// the first that is made again has it done for all. (Kafka's LogManager.asyncDelete writes checkpoints then and there.)
func (d *Dir) startOver(tp topicPartition) error {
	d.mu.Lock()
	d.forgetCheckpoints(tp)
	_, stale := d.forgotten[tp]
	d.mu.Unlock()
	if !stale {
		return nil
	}
	return d.Checkpoint()
}

// lowerRecoveryPoint puts the recovery point of a log that is being opened back, on disk first.
func (d *Dir) lowerRecoveryPoint(l *Log, offset int64) error {
	return d.lower(l, offset, map[string]*atomic.Int64{recoveryPointFile: &l.recoveryPoint})
}

// lowerToEnd has no checkpoint of a log that is being opened be above its end, first of all on disk: what is appended
// next would be believed unread, and be taken for cleaned.
func (d *Dir) lowerToEnd(l *Log, end int64) error {
	return d.lower(l, end, map[string]*atomic.Int64{recoveryPointFile: &l.recoveryPoint, cleanerOffsetFile: &l.cleaned})
}

func (d *Dir) lower(l *Log, offset int64, checkpoints map[string]*atomic.Int64) error {
	lowered := false
	for name, at := range checkpoints {
		if at.Load() <= offset {
			continue
		}
		lowered = true
		at.Store(offset)
		d.mu.Lock()
		d.known[name][l.tp] = offset
		d.mu.Unlock()
	}
	if !lowered {
		return nil
	}
	return d.Checkpoint()
}
