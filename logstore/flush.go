package logstore

import (
	"errors"
	"io/fs"
	"math"

	"blumfeld/logstore/vfs"
)

// Flush makes everything appended so far durable.
func (l *Log) Flush() error { return l.flushTo(l.logEnd.Load()) }

// FlushIfDue flushes if flush.ms have passed since the last flush. now is in ms.
func (l *Log) FlushIfDue(now int64) error {
	ms := l.cfg.Load().FlushMs
	if ms == math.MaxInt64 || l.recoveryPoint.Load() >= l.logEnd.Load() || now-l.lastFlush.Load() < ms {
		return nil
	}
	return l.Flush()
}

// FlushTo makes everything below an offset durable that was appended before the call: who appended it may tell so when
// FlushTo returns nil. Any number of callers share a flush. No lock of the caller's should be held: it waits for the
// disk. An error means that nobody knows what is on disk; a sync that failed takes the directory offline and is never
// tried again.
func (l *Log) FlushTo(offset int64) error { return l.flushTo(offset) }

// flushDue says whether what lies below an offset has to be flushed before its writer is told: flush.messages have been
// appended since the last flush.
func (l *Log) flushDue(cfg *Config, offset int64) bool {
	if cfg.FlushMessages == math.MaxInt64 {
		return false
	}
	point := l.recoveryPoint.Load()
	return point < offset && l.logEnd.Load()-point >= cfg.FlushMessages
}

// flushIfMany flushes if flush.messages have been appended since the last flush.
func (l *Log) flushIfMany(cfg *Config) error {
	if end := l.logEnd.Load(); l.flushDue(cfg, end) {
		return l.flushTo(end)
	}
	return nil
}

// flushTo makes everything below an offset durable, and moves the recovery point behind it.
//
// The order matters: what recovery would trust below the new recovery point (batches, index entries, epochs, producer
// snapshots, the names of the files) is on disk before the point moves.
func (l *Log) flushTo(offset int64) error {
	if l.recoveryPoint.Load() >= offset {
		return nil
	}
	return l.flushes.join(func() error {
		l.flushMu.Lock()
		defer l.flushMu.Unlock()
		if err := l.usable(); err != nil {
			return err
		}
		return l.flushLocked()
	})
}

// flushLocked flushes everything. Called under flushMu, which keeps truncation out: what is below end stays there. And
// whoever closes or deletes the log has it: the caller has asked whether the log is open, or is closing it.
func (l *Log) flushLocked() error {
	l.mu.Lock()
	segments := *l.segments.Load()
	_, end := l.active().extent() // behind the last batch: a truncation can leave the log's end farther
	meta := l.metaDirty
	snapshots := l.unsyncedSnapshots
	l.metaDirty, l.unsyncedSnapshots = false, nil
	l.mu.Unlock()

	err := func() error {
		for _, s := range segments[segmentAt(segments, l.recoveryPoint.Load()-1):] { // as recover has it
			if err := s.sync(); err != nil && !s.isRemoved() {
				return err
			}
		}
		if err := l.saveEpochs(); err != nil {
			return err
		}
		for _, at := range snapshots {
			if err := l.dir.syncFile(fileName(l.path, at, snapshotSuffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err // retention may have removed it meanwhile
			}
		}
		if meta {
			if err := l.dir.syncFile(l.file(partitionMetadataFile)); err != nil {
				return err
			}
		}
		if l.namesDirty.Swap(false) {
			if err := l.dir.syncFolder(l.path); err != nil {
				l.namesDirty.Store(true)
				return err
			}
		}
		return l.dir.syncNames()
	}()
	if err != nil {
		l.mu.Lock()
		l.metaDirty = l.metaDirty || meta
		l.unsyncedSnapshots = append(l.unsyncedSnapshots, snapshots...)
		l.mu.Unlock()
		return l.failed("flush", err)
	}
	l.recoveryPoint.Store(max(l.recoveryPoint.Load(), end))
	l.lastFlush.Store(l.dir.nowMs())
	return nil
}

// saveEpochs writes leader-epoch-checkpoint if it is behind. Its name is durable when the folder is synced, which the
// caller does. Called under flushMu or before anybody knows the log.
func (l *Log) saveEpochs() error {
	contents, version, ok := l.epochs.unsaved()
	if !ok {
		return nil
	}
	l.namesDirty.Store(true)
	if err := vfs.ReplaceFile(l.dir.fs, l.file(leaderEpochFile), contents); err != nil {
		return err
	}
	l.epochs.setSaved(version)
	return nil
}
