package logstore

import (
	"encoding/binary"
	"fmt"

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

// abortedIn adds to found the aborted transactions of the segment that overlap [from, upTo), in the order of their
// markers. complete says that no later segment has any. errMoved says that the segment was cut or removed.
func (s *segment) abortedIn(from, upTo int64, found []AbortedTxn) (_ []AbortedTxn, complete bool, err error) {
	s.mu.Lock()
	cut := s.cut
	if s.removed {
		s.mu.Unlock()
		return nil, false, errMoved
	}
	if s.txns == nil {
		s.mu.Unlock()
		return found, false, nil
	}
	v, err := s.txns.view(s.fs)
	s.mu.Unlock()
	if err != nil {
		return nil, false, err
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
				found = append(found, AbortedTxn{ProducerID: e.producerID, FirstOffset: e.first})
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
	return found, complete, err
}

// aborted lists the aborted transactions that overlap [from, upTo), which the first of the segments contains (Kafka's
// LocalLog.collectAbortedTransactions). Their markers may be in any of the segments. errMoved as for abortedIn.
func aborted(segments []*segment, from, upTo int64) (found []AbortedTxn, err error) {
	complete := false
	for i := 0; i < len(segments) && !complete && err == nil; i++ {
		found, complete, err = segments[i].abortedIn(from, upTo, found)
	}
	return found, err
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
