package logstore

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A log moves from one directory of a broker to another (KIP-113) as a future log: a copy in a folder
// <topic>-<partition>.<id>-future of the directory where it goes, that follows the log as a replica on another broker
// would. When it has everything, it takes the log's place:
//
//  1. While nobody appends to either, the future log's folder gets the log's name. From here on it is the log.
//  2. It is flushed, and with it its name.
//  3. The old log is deleted.
//
// A start that finds the folder of 1 as it was goes on with copying. One that comes between 1 and 3 finds two logs of
// one name. Which one is the log is what Succeeds says. What was flushed is in the old log until 2, and in the new one
// after it. Nothing was appended to the old one after 1, and what was appended to the new one before 2 may be lost with
// the machine: so if nothing else has happened one of them is a prefix of the other, and the longer one has all that was
// promised. If the new one was cut after 1, for the sake of another leader, the old one may be longer; but then either
// the new one has of that leader what the old one has not, or nobody was promised anything by it since.

const futureFolderSuffix = "-future"

// FoundFuture is a future log that has a folder in a directory.
type FoundFuture struct {
	FoundLog
	folder string
}

// parseFutureFolder splits "<topic>-<partition>.<id>-future".
func parseFutureFolder(name string) (topicPartition, bool) {
	rest, ok := strings.CutSuffix(name, futureFolderSuffix)
	i := strings.LastIndexByte(rest, '.')
	if !ok || i < 0 || len(rest[i+1:]) != 2*len(uuid{}) {
		return topicPartition{}, false
	}
	if _, err := hex.DecodeString(rest[i+1:]); err != nil {
		return topicPartition{}, false
	}
	return parseLogFolder(rest[:i])
}

// Futures lists the future logs in the directory. One that cannot be listed goes offline and has none.
func (d *Dir) Futures() []FoundFuture {
	if d.Offline() != nil {
		return nil
	}
	found, err := d.futures()
	if err != nil {
		d.fail(err)
		return nil
	}
	return found
}

func (d *Dir) futures() ([]FoundFuture, error) {
	entries, err := d.fs.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var found []FoundFuture
	for _, e := range entries {
		tp, ok := parseFutureFolder(e.Name)
		if !ok || !e.IsDir {
			continue
		}
		id, err := readPartitionMetadata(d.fs, path.Join(d.path, e.Name, partitionMetadataFile))
		if err != nil {
			return nil, err
		}
		found = append(found, FoundFuture{FoundLog{Topic: tp.topic, Partition: tp.partition, TopicID: id}, e.Name})
	}
	return found, nil
}

// RemoveFuture removes a future log that is of no use. It must not be open.
func (d *Dir) RemoveFuture(f FoundFuture) error {
	if err := errors.Join(d.usable(), d.begin()); err != nil {
		return err
	}
	return d.fs.RemoveAll(d.file(f.folder))
}

// AdoptFuture makes a future log the log of its name: for one whose log is nowhere. It must not be open.
func (d *Dir) AdoptFuture(f FoundFuture) error {
	if err := errors.Join(d.usable(), d.begin()); err != nil {
		return err
	}
	if err := d.fs.Rename(d.file(f.folder), d.file(f.Folder())); err != nil {
		return fmt.Errorf("adopt %s: %w: %w", f.folder, err, kerr.KafkaStorageError)
	}
	d.namesChanged()
	return d.syncNames()
}

// OpenFuture opens the future log of a partition whose log is in another directory, or makes one. Delete ends it.
// Errors are Open's.
func (d *Dir) OpenFuture(topic string, partition int32, topicID [16]byte, cfg Config) (*Log, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	tp := topicPartition{topic, partition}
	found, err := d.futures()
	if err != nil {
		d.fail(err)
		return nil, d.usable()
	}
	folder := suffixedFolder(tp, futureFolderSuffix)
	for _, f := range found {
		if f.Topic == topic && f.Partition == partition {
			folder = f.folder
		}
	}
	return d.openIn(folder, tp, topicID, cfg)
}

// SetAside takes an open log out of service, and keeps its folder for somebody to look at.
func (d *Dir) SetAside(l *Log) error {
	d.logger.Warn("log is set aside", "topic", l.tp.topic, "partition", l.tp.partition, "end", l.logEnd.Load())
	return d.remove(l, suffixedFolder(l.tp, strayFolderSuffix), keepForever)
}

// Follow makes a future log a beginning of another: it starts no earlier, and what is in it and not in the other goes.
// (A replica follows its leader by the same rules.)
func (l *Log) Follow(other *Log) error {
	for {
		at, end := other.Offsets(), l.logEnd.Load()
		if end < at.LogStart || l.Size() == 0 && l.logStart.Load() != at.LogStart {
			return l.TruncateFullyAndStartAt(at.LogStart)
		}
		same := min(end, at.LogEnd)
		if epoch, ok := l.LatestEpoch(); ok {
			found, otherEnd := other.EndOffsetForEpoch(epoch)
			if found < 0 {
				return l.TruncateFullyAndStartAt(at.LogStart) // nothing is known of the time when they were the same
			}
			if same = min(same, otherEnd); found < epoch {
				_, ownEnd := l.EndOffsetForEpoch(found)
				same = min(same, ownEnd)
			}
		}
		if same >= end {
			return nil
		}
		if err := l.TruncateTo(same); err != nil {
			return err
		}
	}
}

// Succeeds says whether a log is the newer one of two of the same partition: of the later leader epoch, or of the same
// one and longer; if they end at the same offset, the one of which more was deleted. (One of which all was deleted knows
// no epoch.)
func (l *Log) Succeeds(other *Log) bool {
	epoch, known := l.LatestEpoch()
	otherEpoch, otherKnown := other.LatestEpoch()
	if !known || !otherKnown {
		epoch, otherEpoch = 0, 0
	}
	a, b := l.Offsets(), other.Offsets()
	return cmp.Or(cmp.Compare(epoch, otherEpoch), cmp.Compare(a.LogEnd, b.LogEnd), cmp.Compare(a.LogStart, b.LogStart)) > 0
}

// SkipTo lets a future log end at an offset behind its last batch: there the other one ends, though it has no batch that
// reaches so far. An empty segment that begins at it says so to the next start. It and the recovery point above it
// are durable when SkipTo returns: recovery takes a gap behind that point for loss.
func (l *Log) SkipTo(offset int64) error {
	if err := l.writable(0); err != nil {
		return err
	}
	l.mu.Lock()
	err := func() error {
		defer l.mu.Unlock()
		if l.closed.Load() {
			return errClosed(l.tp.name())
		}
		if offset <= l.logEnd.Load() {
			return nil
		}
		if _, err := l.roll(offset, l.dir.nowMs()); err != nil {
			return l.failed("skip", err)
		}
		l.logEnd.Store(offset)
		return nil
	}()
	if err != nil {
		return err
	}
	if err := l.Flush(); err != nil {
		return err
	}
	return l.dir.Checkpoint()
}

// Settle makes a log that has taken another's place durable, its name and the producers that are in its snapshot alone
// included, although none of its records may be new since its last flush. The other may go then.
func (l *Log) Settle() error {
	err := l.flushes.join(func() error {
		l.flushMu.Lock()
		defer l.flushMu.Unlock()
		if err := l.usable(); err != nil {
			return err
		}
		return l.flushLocked()
	})
	if err != nil {
		return err
	}
	return l.dir.Checkpoint() // recovery does not believe a snapshot above the recovery point
}

// errBusy says that somebody holds what must not be waited for now.
var errBusy = errors.New("log is being flushed")

// IsBusy says whether TakePlace failed only because the log was being flushed.
func IsBusy(err error) bool { return errors.Is(err, errBusy) }

// TakePlace makes a future log the log of its partition, instead of another in another directory: it gets that one's
// name, and all of what that one knows that is not in its records. Nobody may append to either meanwhile. The other is
// left as it is, and is the caller's to Delete, when this one is flushed.
//
// Errors: one for which IsBusy holds; kerr.KafkaStorageError. Nothing has changed then, except that the directory may
// be offline.
func (l *Log) TakePlace(other *Log) error {
	if !l.cleanMu.TryLock() {
		return errBusy
	}
	defer l.cleanMu.Unlock()
	if !l.flushMu.TryLock() {
		return errBusy
	}
	defer l.flushMu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	if end, want := l.logEnd.Load(), other.logEnd.Load(); end != want {
		return fmt.Errorf("%s: the future log ends at %d, the log at %d: %w", l.tp.name(), end, want, kerr.KafkaStorageError)
	}
	folder := l.dir.file(l.tp.name())
	if err := l.dir.fs.Rename(l.path, folder); err != nil {
		return l.failed("take the place of another log", err)
	}
	l.dir.namesChanged()
	l.dir.namesDirty.Store(true)
	l.path = folder
	for _, s := range *l.segments.Load() {
		s.mu.Lock()
		_ = s.rename(func(old string) (string, error) { return path.Join(folder, path.Base(old)), nil })
		s.mu.Unlock()
	}
	l.epochs.copyFrom(&other.epochs)
	other.mu.Lock()
	l.producers.adopt(&other.producers)
	other.mu.Unlock()
	l.undecided.Store(l.producers.firstUndecided())
	l.raiseStart(other.logStart.Load())
	l.SetHighWatermark(other.highWatermark.Load())
	l.lastSnapshot = -1 // what was adopted is in no snapshot
	// A snapshot that cannot be written now is for the next roll; the producers are in memory.
	if err := l.writeSnapshot(); err != nil {
		l.logger.Warn("writing a producer snapshot", "error", err)
	}
	return nil
}

// copyFrom takes over another log's epochs.
func (c *epochCache) copyFrom(other *epochCache) {
	other.mu.RLock()
	entries := slices.Clone(other.entries)
	other.mu.RUnlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = entries
	c.version++
}

// adopt takes over the producers of another log of the same records, which forgets them.
func (s *producerState) adopt(other *producerState) {
	s.producers, other.producers = other.producers, s.producers
	s.openTxns, s.end = other.openTxns, other.end
	s.verifications, other.verifications = other.verifications, nil
	other.reset(other.end)
}

// PauseCleaning keeps cleaners from the log, until resume is called; one that is at it gives up first. What a cleaning
// removes from a log that is being copied could be in the copy without what made it obsolete.
func (l *Log) PauseCleaning() (resume func()) {
	l.stopCleaning()
	l.cleanMu.Unlock()
	return func() { l.closing.Add(-1) }
}
