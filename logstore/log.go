package logstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"sync"
	"sync/atomic"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Log is the log of one partition: segments, of which the last is active, leader epochs and producers.
// All methods are safe for concurrent use.
type Log struct {
	dir         *Dir
	tp          topicPartition
	topicID     [16]byte
	path        string
	logger      *slog.Logger
	cfg         atomic.Pointer[Config]
	epochs      epochCache
	cleanMu     sync.Mutex                         // held by who cleans; taken before flushMu
	flushMu     sync.Mutex                         // one flush or truncation at a time; taken before mu; may be held over a sync
	cutTo       int64                              // the lowest offset of a truncation since a cleaning began; guarded by flushMu
	flushes     groupCommit                        // those who wait for a flush; above flushMu
	dirty       atomic.Bool                        // changed since it was opened
	namesDirty  atomic.Bool                        // names in the folder were made or renamed since it was synced
	closed      atomic.Bool                        // set under mu
	closing     atomic.Int32                       // it is about to be, or is not to be cleaned for now: whoever cleans gives up
	abortClean  atomic.Pointer[context.CancelFunc] // of who cleans now
	uncleanable atomic.Bool                        // cleaning met what it cannot clean; until the log is opened again
	lastFlush   atomic.Int64                       // ms

	// segments are ascending by base and never empty. The slice is never changed, only replaced, under mu;
	// readers load it without.
	segments atomic.Pointer[[]*segment]

	// Where the log stands. Written under mu (highWatermark: under hwMu) and read without. A reader that sees
	// logEnd sees the bytes below it.
	logStart      atomic.Int64
	undecided     atomic.Int64 // first offset of the oldest open transaction, MaxInt64 if none
	unreplicated  atomic.Int64 // the like of the transactions in decided; written under hwMu
	highWatermark atomic.Int64
	logEnd        atomic.Int64
	recoveryPoint atomic.Int64 // everything below is on disk, whatever happens to the machine
	cleaned       atomic.Int64 // where the dirty part begins, as the last cleaning left it; -1 if there was none

	mu                sync.Mutex // the writer lock
	producers         producerState
	snapshots         []int64 // offsets of the .snapshot files, ascending
	lastSnapshot      int64   // the state at this offset need not be written again
	unsyncedSnapshots []int64 // of snapshots, those written since the last flush
	damaged           bool    // the end had to be recovered in spite of a clean stop
	metaDirty         bool    // partition.metadata was written and not synced

	hwMu    sync.Mutex   // leaf
	decided []decidedTxn // that have ended at or above the high watermark, by their ends

	damages damages
}

// Topic is the name of the log's topic.
func (l *Log) Topic() string { return l.tp.topic }

// Partition is the number of the log's partition.
func (l *Log) Partition() int32 { return l.tp.partition }

// TopicID is the id of the log's topic; zero if it has none.
func (l *Log) TopicID() [16]byte { return l.topicID }

// Dir is the directory that the log is in.
func (l *Log) Dir() *Dir { return l.dir }

// Config is the configuration in force.
func (l *Log) Config() Config { return *l.cfg.Load() }

// SetConfig replaces the configuration, from the next operation on.
func (l *Log) SetConfig(c Config) { l.cfg.Store(&c) }

// Size is how many bytes of batches the log has.
func (l *Log) Size() int64 {
	var sum int64
	for _, s := range *l.segments.Load() {
		size, _ := s.extent()
		sum += size
	}
	return sum
}

// LatestEpoch is the newest leader epoch that the log knows.
func (l *Log) LatestEpoch() (epoch int32, ok bool) { return l.epochs.latest() }

// EndOffsetForEpoch returns the largest epoch not above the requested one, and the offset at which it ended; -1, -1
// if the log cannot tell (Kafka's LeaderEpochFileCache.endOffsetFor; KIP-101, KIP-279).
func (l *Log) EndOffsetForEpoch(epoch int32) (foundEpoch int32, end int64) {
	return l.epochs.endOffset(epoch, l.logEnd.Load())
}

// EpochAt is the leader epoch in which an offset was written.
func (l *Log) EpochAt(offset int64) (epoch int32, ok bool) { return l.epochs.at(offset) }

// AssignEpochStart notes that a leader's epoch begins at an offset. A leader calls it with the end of the log before
// it appends.
func (l *Log) AssignEpochStart(epoch int32, offset int64) error {
	if err := l.usable(); err != nil {
		return err
	}
	if latest, ok := l.LatestEpoch(); ok && latest == epoch {
		return nil // it has begun already; an idle log that is led again stays untouched
	}
	if err := l.touch(); err != nil {
		return err
	}
	l.epochs.assign(epoch, offset)
	return nil
}

// Producers lists the producers that the log knows, by id.
func (l *Log) Producers() []ProducerState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.producers.describe()
}

// ExpireProducers forgets the producers that were silent for producer.id.expiration.ms. now is in ms.
func (l *Log) ExpireProducers(now int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.producers.expire(now)
}

// active is the segment that is written to. Called under mu, or by the only goroutine that knows the log.
func (l *Log) active() *segment {
	segments := *l.segments.Load()
	return segments[len(segments)-1]
}

// segmentAt returns the index of the segment that covers an offset: the last whose base is not above it.
func segmentAt(segments []*segment, offset int64) int {
	lo, hi := 0, len(segments)
	for lo < hi {
		mid := (lo + hi) / 2
		if segments[mid].base <= offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return max(0, lo-1)
}

// usable returns nil unless the log is closed or its directory offline.
func (l *Log) usable() error {
	if l.closed.Load() {
		return errClosed(l.tp.name())
	}
	return l.dir.usable()
}

// openFile opens a file of a segment.
func (l *Log) openFile(name string, create bool) (*handle, error) {
	return l.dir.o.Files.open(func() (vfs.File, error) {
		if !create {
			return l.dir.fs.Open(name)
		}
		f, err := l.dir.fs.Create(name)
		l.namesDirty.Store(true) // not before: a flush that is under way would take it back
		return f, err
	})
}

func (l *Log) rename(oldName, newName string) error {
	defer l.namesDirty.Store(true)
	return l.dir.fs.Rename(oldName, newName)
}

// failed turns an error of the file system into one for callers. Lack of room or of descriptors passes; anything
// else means that the disk, or what we believe of it, is wrong: the directory goes offline.
func (l *Log) failed(doing string, err error) error {
	if d, ok := errors.AsType[*damage](err); ok {
		l.damages.report(l.logger, d)
	}
	var code *kerr.Error
	if err == nil || errors.As(err, &code) {
		return err // found wrong in the bytes, not by the system
	}
	switch {
	case isNoSpace(err): // which no failed sync is
		return fmt.Errorf("%s-%d: %s: %w: %w: %w", l.tp.topic, l.tp.partition, doing, ErrNoRoom, err, kerr.KafkaStorageError)
	case !isTransient(err):
		l.dir.fail(fmt.Errorf("%s-%d: %s: %w", l.tp.topic, l.tp.partition, doing, err))
	}
	return fmt.Errorf("%s-%d: %s: %w: %w", l.tp.topic, l.tp.partition, doing, err, kerr.KafkaStorageError)
}

// failedHalfway is failed where what is in memory and what is in the files have parted. That does not pass, not even
// when there is room again: the directory goes offline, and the next start goes by the files.
func (l *Log) failedHalfway(doing string, err error) error {
	if err != nil {
		l.dir.fail(fmt.Errorf("%s-%d: %s: %w", l.tp.topic, l.tp.partition, doing, err))
	}
	return l.failed(doing, err)
}

// touch is called before the first change of the log since it was opened or closed cleanly.
func (l *Log) touch() error {
	if l.dirty.Load() {
		return nil
	}
	if err := l.dir.begin(); err != nil {
		return err
	}
	l.dirty.Store(true)
	return nil
}

// name is the name of the log's folder.
func (tp topicPartition) name() string { return fmt.Sprintf("%s-%d", tp.topic, tp.partition) }

func (l *Log) file(name string) string { return path.Join(l.path, name) }
