package logstore

import (
	"errors"
	"io/fs"
	"slices"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// reloadProducers rebuilds the producer state: the newest readable snapshot not above the end of the log, and the
// batches behind it. The transaction indexes lack what was aborted by markers at or behind lost, and get it back; so
// replay begins there at the latest. Called under mu, or before anybody knows the log.
func (l *Log) reloadProducers(lost int64) error {
	end := l.logEnd.Load()
	for n := len(l.snapshots); n > 0 && l.snapshots[n-1] > end; n-- {
		if err := l.removeSnapshot(l.snapshots[n-1]); err != nil {
			return err
		}
	}
	from, err := l.restoreProducers(&l.producers, min(end, lost))
	if err != nil {
		return err
	}
	l.lastSnapshot = from
	l.undecide(from) // what has ended behind it comes up again
	err = l.replay(&l.producers, from, end, func(s *segment, t endedTxn) error {
		if t.aborted && t.last >= lost {
			if err := s.openTxns(); err != nil {
				return err
			}
			s.addTxn(t.txnEntry)
		}
		l.decide(t.first, t.last)
		return nil
	})
	if err != nil {
		return err
	}
	l.producers.end = end
	l.producers.expire(l.dir.nowMs())
	l.undecided.Store(l.producers.firstUndecided())
	return nil
}

// restoreProducers makes a state that of the newest readable snapshot not above an offset, or the empty one, and returns
// where replay goes on. Snapshots that cannot be read are removed.
func (l *Log) restoreProducers(to *producerState, limit int64) (from int64, err error) {
	from = (*l.segments.Load())[0].base
	to.reset(from)
	for _, at := range slices.Backward(slices.Clone(l.snapshots)) {
		if at > limit {
			continue
		}
		if at < from {
			break // of segments that are gone
		}
		p, err := vfs.ReadFile(l.dir.fs, fileName(l.path, at, snapshotSuffix), maxSnapshotBytes)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			return 0, err
		}
		var entries []snapshotEntry
		if err == nil {
			entries, err = parseSnapshot(p)
		}
		if err == nil {
			to.restore(entries, at, l.dir.nowMs())
			return at, nil
		}
		l.logger.Warn("unreadable producer snapshot", "file", fileName(l.path, at, snapshotSuffix), "error", err)
		if err := l.removeSnapshot(at); err != nil {
			return 0, err
		}
	}
	return from, nil
}

// replay applies the batches in [from, upTo) to a state, and tells of each transaction that a marker in one of the
// segments has ended. The log's own state is written to a snapshot on the way wherever a segment begins and there is none.
func (l *Log) replay(to *producerState, from, upTo int64, ended func(in *segment, t endedTxn) error) error {
	segments := *l.segments.Load()
	damaged := false
	for _, s := range segments[segmentAt(segments, from):] {
		if s.base > upTo {
			break
		}
		if to == &l.producers && s.base > from && !damaged { // also if it is empty yet, and the last
			to.end = s.base
			if err := l.restoreSnapshot(); err != nil {
				return err
			}
		}
		err := s.scanBatches(from, func(c *cursor, h header) (bool, error) {
			if h.b.BaseOffset() < from {
				return true, nil
			}
			if h.b.BaseOffset() >= upTo {
				return false, nil
			}
			b := h.b
			if b.IsControl() {
				var err error
				if b, err = c.whole(h); err != nil {
					return false, err
				}
			}
			if t, ok := to.apply(b); ok {
				return true, ended(s, t)
			}
			return true, nil
		})
		if errors.Is(err, kerr.CorruptMessage) {
			// Damage below the recovery point: readers of these offsets will be told, the others are to be served.
			l.logger.Error("damaged segment; producer state may lack what lies behind", "error", err)
			damaged = true
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// restoreSnapshot writes the producer state at its end, where a segment begins, if recovery has removed what was there,
// or a crash: nobody could tell what the segments before said once retention has removed them.
func (l *Log) restoreSnapshot() error {
	at := l.producers.end
	if _, found := slices.BinarySearch(l.snapshots, at); found {
		return nil
	}
	err := l.writeSnapshot()
	if isNoSpace(err) {
		return l.removeSnapshot(at) // it can do without
	}
	return err
}

func (l *Log) listSnapshots(entries []vfs.Entry) {
	for _, e := range entries {
		if at, ok := parseFileName(e.Name, snapshotSuffix); ok && !e.IsDir {
			l.snapshots = append(l.snapshots, at)
		}
	}
	slices.Sort(l.snapshots)
}

// writeSnapshot writes the producer state at its end, unless that is there already. The next flush makes it durable,
// before the recovery point moves past it. Called under mu.
func (l *Log) writeSnapshot() error {
	at := l.producers.end
	if at == l.lastSnapshot {
		return nil
	}
	name := fileName(l.path, at, snapshotSuffix)
	f, err := l.dir.fs.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if i, found := slices.BinarySearch(l.snapshots, at); !found {
		l.snapshots = slices.Insert(l.snapshots, i, at)
	}
	l.namesDirty.Store(true)
	l.unsyncedSnapshots = append(l.unsyncedSnapshots, at)
	if err := f.Truncate(0); err != nil {
		return err
	}
	if _, err := f.WriteAt(formatSnapshot(l.producers.entries()), 0); err != nil {
		return err
	}
	l.lastSnapshot = at
	return nil
}

func (l *Log) removeSnapshot(at int64) error {
	if i, found := slices.BinarySearch(l.snapshots, at); found {
		l.snapshots = slices.Delete(l.snapshots, i, i+1)
	}
	l.unsyncedSnapshots = slices.DeleteFunc(l.unsyncedSnapshots, func(o int64) bool { return o == at })
	l.namesDirty.Store(true)
	return l.dir.removeIfExists(fileName(l.path, at, snapshotSuffix))
}
