package logstore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// A .txnindex file lists the aborted transactions whose markers are in the segment, as Kafka's AbortedTxn, version 0,
// in the order of the markers:
//
//	version int16, producer id int64, first offset int64, last offset int64 (of the marker), last stable offset int64
//
// The last stable offset is what it was behind the marker: no transaction that is aborted later begins below it, so a
// search may stop there. Most segments have no such file: it is made with its first entry.
const (
	txnEntryVersion = 0
	txnEntryWidth   = 2 + 8 + 8 + 8 + 8
)

// txnEntry is an aborted transaction.
type txnEntry struct {
	producerID  int64
	first, last int64
	stable      int64
}

func putTxnEntry(p []byte, e txnEntry) []byte {
	be := binary.BigEndian
	p = be.AppendUint16(p, txnEntryVersion)
	p = be.AppendUint64(p, uint64(e.producerID))
	p = be.AppendUint64(p, uint64(e.first))
	p = be.AppendUint64(p, uint64(e.last))
	return be.AppendUint64(p, uint64(e.stable))
}

// getTxnEntry returns an error if the entry is of another version, or cannot be of any transaction.
func getTxnEntry(p []byte) (txnEntry, error) {
	be := binary.BigEndian
	e := txnEntry{
		producerID: int64(be.Uint64(p[2:])),
		first:      int64(be.Uint64(p[10:])),
		last:       int64(be.Uint64(p[18:])),
		stable:     int64(be.Uint64(p[26:])),
	}
	if v := int16(be.Uint16(p)); v != txnEntryVersion {
		return e, fmt.Errorf("aborted transaction of version %d, %d expected: %w", v, txnEntryVersion, kerr.CorruptMessage)
	}
	if e.producerID < 0 || e.first < 0 || e.last < e.first || e.stable < 0 {
		return e, fmt.Errorf("aborted transaction %+v: %w", e, kerr.CorruptMessage)
	}
	return e, nil
}

// lastOf is the marker's offset of an entry.
func lastOf(p []byte) int64 { return int64(binary.BigEndian.Uint64(p[18:])) }

// openTxns is called before a marker is written for which addTxn may be called: all that can fail there happens here.
func (s *segment) openTxns() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.txnIndex().load(s.fs)
}

// txnIndex returns the segment's transaction index, which may not have a file yet. Called under mu.
func (s *segment) txnIndex() *index {
	if s.txns == nil {
		s.txns = &index{path: s.besides(txnIndexSuffix), width: txnEntryWidth, known: true}
	}
	return s.txns
}

// addTxn adds an aborted transaction whose marker is in the segment. It is in the file by the next sync at the latest,
// and recovery makes it again from the marker until then.
func (s *segment) addTxn(e txnEntry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var entry [txnEntryWidth]byte
	x := s.txnIndex()
	x.add(putTxnEntry(entry[:0], e))
	if x.pending() >= flushEntries {
		_ = x.flush(s.fs) // an error is for the sync, which tries again
	}
}

// abortedIn calls visit with the aborted transactions of the segment that overlap [from, upTo), in the order of their
// markers. complete says that no later segment has any. errMoved says that the segment was cut or removed.
func (s *segment) abortedIn(from, upTo int64, visit func(txnEntry)) (complete bool, err error) {
	s.mu.Lock()
	cut := s.cut
	if s.removed {
		s.mu.Unlock()
		return false, errMoved
	}
	if s.txns == nil {
		s.mu.Unlock()
		return false, nil
	}
	v, err := s.txns.view(s.fs)
	s.mu.Unlock()
	if err != nil {
		return false, err
	}
	defer v.release()
	var entry [txnEntryWidth]byte
	i, err := v.floor(entry[:], func(p []byte) bool { return lastOf(p) < from })
	var wrong error
	if err == nil {
		err = v.each(i+1, func(p []byte) bool {
			var e txnEntry
			if e, wrong = getTxnEntry(p); wrong != nil {
				return false
			}
			if e.first < upTo {
				visit(e)
			}
			complete = e.stable >= upTo
			return !complete
		})
	}
	if err == nil && wrong != nil {
		err = fmt.Errorf("%s: %w", v.path, wrong)
	}
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.removed || s.cut != cut {
			err = errMoved
		}
	}
	return complete, err
}

// eachAborted calls visit with the aborted transactions that overlap [from, upTo), which the first of the segments
// contains (Kafka's LocalLog.collectAbortedTransactions). Their markers may be in any of the segments. errMoved as for
// abortedIn.
func eachAborted(segments []*segment, from, upTo int64, visit func(txnEntry)) error {
	for _, s := range segments {
		if complete, err := s.abortedIn(from, upTo, visit); complete || err != nil {
			return err
		}
	}
	return nil
}

// truncateTxns drops the transactions whose markers are at or behind an offset. Called under mu.
func (s *segment) truncateTxns(offset int64) error {
	if s.txns == nil {
		return nil
	}
	v, err := s.txns.view(s.fs)
	if err != nil {
		return err
	}
	var entry [txnEntryWidth]byte
	i, err := v.floor(entry[:], func(p []byte) bool { return lastOf(p) < offset })
	n := v.n
	v.release()
	if err != nil || i+1 == n {
		return err
	}
	return s.txns.truncate(s.fs, i+1)
}

// recoverTxns keeps the transactions whose markers are below the recovery point: these entries are on disk, and what is
// behind them can be anything. Called under mu.
func (s *segment) recoverTxns(point int64) error {
	if s.txns == nil {
		return nil
	}
	p, err := s.txns.all(s.fs)
	if err != nil {
		return err
	}
	n, last := 0, s.base-1
	for ; len(p) > 0; p = p[txnEntryWidth:] {
		e, err := getTxnEntry(p)
		if err != nil || e.last <= last || e.last >= point {
			break
		}
		n, last = n+1, e.last
	}
	return s.txns.truncate(s.fs, n)
}

// checkTxns looks at the transaction indexes that were found when the log was opened, and makes those anew that cannot be
// right: of what is missing in them readers would get what was aborted. Nobody knows the log yet.
func (l *Log) checkTxns() error {
	for _, s := range *l.segments.Load() {
		if s.txns == nil || !s.txns.exists {
			continue
		}
		s.mu.Lock()
		err := s.checkTxns()
		s.mu.Unlock()
		if errors.Is(err, kerr.CorruptMessage) {
			l.logger.Warn("rebuilding a transaction index", "error", err)
			err = l.rebuildTxns(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *segment) checkTxns() error {
	x := s.txns
	if err := x.open(s.fs); err != nil {
		return err
	}
	size, err := x.file.f.Size()
	if err != nil {
		return err
	}
	if size%txnEntryWidth != 0 {
		return fmt.Errorf("%s: %d bytes: %w", x.path, size, kerr.CorruptMessage)
	}
	v, err := x.view(s.fs)
	if err != nil {
		return err
	}
	defer v.release()
	var wrong error
	last := s.base - 1
	err = v.each(0, func(p []byte) bool {
		var e txnEntry
		if e, wrong = getTxnEntry(p); wrong == nil && (e.last <= last || e.last >= s.next) {
			wrong = fmt.Errorf("aborted transaction %+v behind %d in a segment that ends at %d: %w", e, last, s.next, kerr.CorruptMessage)
		}
		last = e.last
		return wrong == nil
	})
	if err == nil && wrong != nil {
		err = fmt.Errorf("%s: %w", x.path, wrong)
	}
	return err
}

// replaceTxns makes the transaction index of a segment anew that a crash may have left without, and removes what was on
// its way out. After a clean stop it is what is left of a segment that was replaced.
func (l *Log) replaceTxns(s *segment, clean bool) error {
	if !clean && !s.isRemoved() {
		s.mu.Lock()
		s.txnIndex()
		s.mu.Unlock()
		if err := l.rebuildTxns(s); err != nil {
			return err
		}
	}
	return l.dir.removeIfExists(fileName(l.path, s.base, txnIndexSuffix+deletedSuffix))
}

// rebuildTxns makes a segment's transaction index anew, at once and durably, for nobody will look at it again before it
// is believed. Which transactions were open where the segment begins, a snapshot says, and the batches behind it.
func (l *Log) rebuildTxns(s *segment) error {
	if err := l.touch(); err != nil {
		return err
	}
	state := newProducerState(l.producers.settings)
	from, err := l.restoreProducers(&state, s.base)
	if err != nil {
		return err
	}
	var entries []byte
	err = l.replay(&state, from, s.next, func(in *segment, t endedTxn) error {
		if in == s && t.aborted {
			entries = putTxnEntry(entries, t.txnEntry)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.txns.closeFile()
	path := s.txns.path
	if len(entries) == 0 {
		s.txns = nil
		return l.dir.removeIfExists(path)
	}
	s.txns = &index{path: path, width: txnEntryWidth, exists: true}
	return vfs.WriteFileAtomic(l.dir.fs, l.path, path, entries)
}
