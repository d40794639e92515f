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

// flushIfMany flushes if flush.messages have been appended since the last flush.
func (l *Log) flushIfMany(cfg *Config) error {
	if cfg.FlushMessages == math.MaxInt64 {
		return nil
	}
	end := l.logEnd.Load()
	if end-l.recoveryPoint.Load() < cfg.FlushMessages {
		return nil
	}
	return l.flushTo(end)
}

// flushTo makes everything below an offset durable, and moves the recovery point behind it. Writers that wait for
// each other here share: the one that gets the lock syncs what all have written until then.
//
// The order matters: what recovery would trust below the new recovery point (batches, index entries, epochs, producer
// snapshots, the names of the files) is on disk before the point moves.
func (l *Log) flushTo(offset int64) error {
	if l.recoveryPoint.Load() >= offset {
		return nil
	}
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	if l.recoveryPoint.Load() >= offset {
		return nil
	}
	if err := l.usable(); err != nil {
		return err
	}
	return l.flushLocked()
}

// flushLocked flushes everything. Called under flushMu, which keeps truncation out: what is below end stays there.
func (l *Log) flushLocked() error {
	l.mu.Lock()
	if l.closed.Load() {
		l.mu.Unlock()
		return errClosed(l.tp.name())
	}
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
			if err := l.dir.fs.SyncDir(l.path); err != nil {
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

// saveEpochs writes leader-epoch-checkpoint if it is behind. Called under flushMu or before anybody knows the log.
func (l *Log) saveEpochs() error {
	contents, version, ok := l.epochs.unsaved()
	if !ok {
		return nil
	}
	if err := vfs.WriteFileAtomic(l.dir.fs, l.path, l.file(leaderEpochFile), contents); err != nil {
		return err
	}
	l.epochs.setSaved(version)
	return nil
}
