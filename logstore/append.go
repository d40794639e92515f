package logstore

import (
	"errors"
	"fmt"
	"math"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// AppendAsLeader is WriteAsLeader for a batch for which nothing was verified, and a flush if that is due.
func (l *Log) AppendAsLeader(b batch.Batch, leaderEpoch int32) (AppendInfo, error) {
	info, err := l.WriteAsLeader(b, leaderEpoch, Verification{})
	if err == nil && info.FlushDue {
		err = l.FlushTo(info.LastOffset + 1)
	}
	return info, err
}

// WriteAsLeader validates a producer's batch, gives it the next offsets and writes it, recompressed if compression.type
// says so. The batch is stamped in place unless that makes another; the log does not keep it. A batch that an idempotent
// producer sent before is not written again: Duplicate is set and the offsets are those of the first time. A batch that
// begins a transaction here needs what BeginVerification gave before the transaction's coordinator was asked; v is zero
// where there is nothing.
//
// It does not wait for the disk: FlushDue says that its caller has to, outside all locks, before it tells the producer.
// That may be so for a duplicate too. Readers see the batch when WriteAsLeader returns, not sooner than its bytes are
// written.
//
// Errors: those of batch.Validate, batch.ValidateRecords and batch.Recompress; kerr.RecordListTooLarge for a batch
// larger than a segment; kerr.InvalidProducerEpoch, kerr.OutOfOrderSequenceNumber, kerr.InvalidTxnState by the rules of
// idempotent and transactional producers; kerr.KafkaStorageError if the directory is offline, closed or out of room.
// After an error nothing of the batch is in the log.
func (l *Log) WriteAsLeader(b batch.Batch, leaderEpoch int32, v Verification) (AppendInfo, error) {
	if err := l.writable(len(b)); err != nil {
		return AppendInfo{}, err
	}
	cfg, now := l.cfg.Load(), l.dir.nowMs()
	// Everything that does not depend on what else is in the log comes before the lock.
	if err := b.Validate(); err != nil {
		return AppendInfo{}, err
	}
	summary, err := b.ValidateRecords(batch.RecordRules{
		Topic:                l.tp.topic,
		Partition:            l.tp.partition,
		MaxBytes:             cfg.MaxMessageBytes,
		Compacted:            cfg.Compact,
		LogAppendTime:        cfg.LogAppendTime,
		Now:                  now,
		TimestampBeforeMaxMs: cfg.TimestampBeforeMaxMs,
		TimestampAfterMaxMs:  cfg.TimestampAfterMaxMs,
	})
	if err != nil {
		return AppendInfo{}, err
	}
	if b, err = cfg.recompress(b); err != nil {
		return AppendInfo{}, err
	}
	if len(b) > cfg.SegmentBytes {
		return AppendInfo{}, fmt.Errorf("record batch of %d bytes, segments have %d: %w", len(b), cfg.SegmentBytes, kerr.RecordListTooLarge)
	}
	info := AppendInfo{LogAppendTime: -1}
	if cfg.LogAppendTime {
		b.StampLogAppendTime(now)
		info.LogAppendTime = now
	} else {
		b.StampCreateTime(summary.MaxTimestamp)
	}

	if err := l.appendLocked(b, leaderEpoch, cfg, now, v, &info); err != nil {
		return info, err
	}
	info.FlushDue = l.flushDue(cfg, info.LastOffset+1)
	return info, nil
}

// recompress gives a batch that has passed ValidateRecords the codec of the topic.
func (c *Config) recompress(b batch.Batch) (batch.Batch, error) {
	if c.Compression == nil {
		return b, nil
	}
	return b.Recompress(*c.Compression, c.MaxMessageBytes)
}

// appendLocked is the part of WriteAsLeader that happens under the writer lock.
func (l *Log) appendLocked(b batch.Batch, leaderEpoch int32, cfg *Config, now int64, v Verification, info *AppendInfo) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed.Load() {
		return errClosed(l.tp.name())
	}
	info.LogStart = l.logStart.Load()
	dup, isDup, err := l.producers.check(b, v)
	if err != nil {
		return fmt.Errorf("%s: %w", l.tp.name(), err)
	}
	if isDup {
		info.Duplicate = true
		info.BaseOffset = dup.lastOffset - int64(dup.offsetDelta)
		info.LastOffset = dup.lastOffset
		info.LogAppendTime, info.MaxTimestamp = dup.timestamp, dup.timestamp
		return nil
	}
	return l.place(b, leaderEpoch, cfg, now, info)
}

// place gives a batch that was decided about the next offsets, and writes it. Called under mu.
func (l *Log) place(b batch.Batch, leaderEpoch int32, cfg *Config, now int64, info *AppendInfo) error {
	base := l.logEnd.Load()
	if base > math.MaxInt64-1-int64(b.LastOffsetDelta()) {
		return fmt.Errorf("%s: offset %d is the last but %d: %w", l.tp.name(), base, math.MaxInt64-base, kerr.InvalidRecord)
	}
	b.Stamp(base, leaderEpoch)
	info.BaseOffset, info.LastOffset, info.MaxTimestamp = base, b.LastOffset(), b.MaxTimestamp()
	return l.write(b, b, b.MaxTimestamp(), cfg, now)
}

// AppendAsFollower appends batches as their leader has them, in one write unless they fill a segment. A batch that
// the run cuts at its end is left out, as in a fetch response.
//
// Errors: those of batch.Validate; kerr.OffsetOutOfRange if offsets are not ascending from the end of the log on;
// kerr.KafkaStorageError. After an error the log holds a prefix of whole batches of the run.
func (l *Log) AppendAsFollower(run []byte) error {
	if err := l.writable(len(run)); err != nil {
		return err
	}
	cfg, now := l.cfg.Load(), l.dir.nowMs()
	err := func() error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.closed.Load() {
			return errClosed(l.tp.name())
		}
		return l.appendRun(run, cfg, now)
	}()
	if err != nil {
		return err
	}
	return l.flushIfMany(cfg)
}

// appendRun validates all of the run, then writes it piece by piece, each of which goes to one segment.
func (l *Log) appendRun(run []byte, cfg *Config, now int64) error {
	next := l.logEnd.Load()
	end := 0
	for {
		b, _, err := batch.Next(run[end:])
		if errors.Is(err, batch.ErrShort) {
			break
		}
		if err != nil {
			return err
		}
		if err := b.Validate(); err != nil {
			return err
		}
		if b.BaseOffset() < next || b.LastOffset() == math.MaxInt64 {
			return fmt.Errorf("%s: batch of offsets %d to %d where %d is next: %w",
				l.tp.name(), b.BaseOffset(), b.LastOffset(), next, kerr.OffsetOutOfRange)
		}
		next = b.LastOffset() + 1
		end += len(b)
	}
	for run = run[:end]; len(run) > 0; {
		piece, timestamp := 0, batch.NoTimestamp
		var first batch.Batch
		for rest := run; len(rest) > 0; {
			b, r, err := batch.Next(rest)
			if err != nil {
				return err
			}
			if first == nil {
				first = b
			} else if piece+len(b) > cfg.SegmentBytes || b.LastOffset()-first.BaseOffset() > math.MaxInt32 {
				break
			}
			timestamp = max(timestamp, b.MaxTimestamp())
			piece += len(b)
			rest = r
		}
		if err := l.write(run[:piece], first, timestamp, cfg, now); err != nil {
			return err
		}
		run = run[piece:]
	}
	return nil
}

// writable is asked before the lock: whether the directory works and has room for n bytes.
func (l *Log) writable(n int) error {
	if err := l.usable(); err != nil {
		return err
	}
	if err := l.dir.room.need(int64(n)); err != nil {
		return err
	}
	return l.touch()
}

// write puts validated, stamped batches into the active segment, after a new one was begun if that is due, and then
// lets readers see them. Called under mu.
func (l *Log) write(p []byte, first batch.Batch, timestamp int64, cfg *Config, now int64) error {
	last := lastOffset(p, first)
	seg := l.active()
	roll, err := seg.shouldRoll(cfg, now, len(p), timestamp, last)
	if err != nil {
		return l.failed("append", err)
	}
	if roll {
		// Unless the gap behind the last batch is too wide for relative offsets.
		_, base := seg.extent()
		if last-base > math.MaxInt32 {
			base = first.BaseOffset()
		}
		if seg, err = l.roll(base, now); err != nil {
			return l.failed("roll", err)
		}
	}
	if hasAbort(p) {
		if err := seg.openTxns(); err != nil {
			return l.failed("append", err)
		}
	}
	if err := seg.append(p, cfg, &l.dir.room); err != nil {
		return l.failed("append", err)
	}
	for rest := p; len(rest) > 0; {
		b, r, err := batch.Next(rest)
		if err != nil {
			break // appendRun and Validate have seen to it
		}
		l.epochs.assign(b.LeaderEpoch(), b.BaseOffset())
		if t, ended := l.producers.apply(b); ended {
			if t.aborted {
				seg.addTxn(t.txnEntry)
			}
			l.decide(t.first, t.last)
		}
		rest = r
	}
	l.undecided.Store(l.producers.firstUndecided()) // after decide, see Offsets
	l.logEnd.Store(last + 1)
	return nil
}

// lastOffset is that of the last batch of p, which begins with first.
func lastOffset(p []byte, first batch.Batch) int64 {
	last := first.LastOffset()
	for rest := p[len(first):]; len(rest) > 0; {
		b, r, err := batch.Next(rest)
		if err != nil {
			break
		}
		last, rest = b.LastOffset(), r
	}
	return last
}

// roll makes a new active segment that begins at base. That is where the last batch of the old one ends, even if a
// gap in the offsets follows: recovery takes a gap between segments for loss. Called under mu.
//
// The old one is flushed in the background, so that the recovery point moves on without anybody waiting for it.
func (l *Log) roll(base, now int64) (*segment, error) {
	segments := *l.segments.Load()
	old := segments[len(segments)-1]
	if base <= old.base {
		if size, _ := old.extent(); size == 0 && base == old.base {
			// An empty segment that is to roll for its age or its indexes: it begins anew as itself.
			return old, l.renew(old, now)
		}
		return nil, fmt.Errorf("%s: a segment at %d behind one at %d: %w", l.tp.name(), base, old.base, kerr.KafkaStorageError)
	}
	if err := old.seal(); err != nil {
		return nil, err
	}
	// The snapshot at the base of each segment is where replay of it starts. That of an offset that was never
	// written to, behind a gap, is the state at the end.
	l.producers.end = base
	if err := l.writeSnapshot(); err != nil {
		return nil, err
	}
	// The segment comes last: if the roll fails, the old one goes on behind base, and a file of that name would end the
	// log there for the next start.
	seg, err := l.createSegment(base, now)
	if err != nil {
		return nil, err
	}
	list := append(segments[:len(segments):len(segments)], seg)
	l.segments.Store(&list)
	l.dir.later(func() { _ = l.flushTo(base) })
	return seg, nil
}

// renew resets an empty segment's age and indexes.
func (l *Log) renew(s *segment, now int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.created = now
	return errors.Join(s.offsets.truncate(s.fs, 0), s.times.truncate(s.fs, 0))
}

// emptied cuts a segment's new file: one of that name can only be what a crash left of a segment that never came to be.
// An empty one is left alone. ext4 takes a file that is cut to nothing for one that is written anew, and its close then
// starts to write all of it out, without waiting (auto_da_alloc): a deleted topic would cost the disk what it held.
func emptied(f vfs.File) error {
	size, err := f.Size()
	if err != nil || size == 0 {
		return err
	}
	return f.Truncate(0)
}

// createSegment makes an empty segment, or nothing.
func (l *Log) createSegment(base, now int64) (*segment, error) {
	s := newSegment(l, l.path, base)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range []*index{&s.offsets, &s.times} {
		if err := l.dir.removeIfExists(x.path); err != nil {
			return nil, err
		}
		x.known = true
	}
	var err error
	if s.file, err = s.fs.openFile(s.path(), true); err != nil {
		return nil, err
	}
	if err := emptied(s.file.f); err != nil {
		s.abandon()
		return nil, errors.Join(err, l.dir.removeIfExists(s.path()))
	}
	s.created, s.modTime, s.hasMaxTime = now, now, true
	s.unsynced = true
	cfg := l.cfg.Load()
	if j := min(cfg.SegmentJitterMs, cfg.SegmentMs); j > 0 {
		s.jitterMs = l.dir.random(j)
	}
	l.namesDirty.Store(true)
	return s, nil
}
