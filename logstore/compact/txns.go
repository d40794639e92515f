package compact

import (
	"cmp"
	"slices"

	"blumfeld/protocol/batch"
)

// AbortedTxn is an aborted transaction of a log: its producer's data from FirstOffset up to the marker at LastOffset.
// LastStable is what the transaction index says besides; it stays as it is.
type AbortedTxn struct {
	ProducerID  int64
	FirstOffset int64
	LastOffset  int64
	LastStable  int64
}

// Txns follows the transactions of a log while it is read in order from some offset on (Kafka's
// CleanedTransactionMetadata): which data was aborted, and of which markers nothing but themselves is left.
type Txns struct {
	waiting   []AbortedTxn           // not reached yet, by first offset
	aborted   map[int64]*abortedHere // by producer
	committed map[int64]bool         // producers of whose open transaction data was seen
	kept      []AbortedTxn
}

type abortedHere struct {
	AbortedTxn
	seen bool // data of it
}

// NewTxns returns the state before the first batch, given the aborted transactions that reach beyond it.
func NewTxns(aborted []AbortedTxn) *Txns {
	t := &Txns{waiting: slices.Clone(aborted), aborted: make(map[int64]*abortedHere), committed: make(map[int64]bool)}
	slices.SortFunc(t.waiting, func(a, b AbortedTxn) int { return cmp.Compare(a.FirstOffset, b.FirstOffset) })
	return t
}

// reach takes up the transactions that begin at or below an offset.
func (t *Txns) reach(offset int64) {
	for len(t.waiting) > 0 && t.waiting[0].FirstOffset <= offset {
		next := t.waiting[0]
		t.waiting = t.waiting[1:]
		if t.aborted[next.ProducerID] == nil {
			t.aborted[next.ProducerID] = &abortedHere{AbortedTxn: next}
		}
	}
}

// Data takes note of a batch that is no control batch, and says whether it was aborted.
func (t *Txns) Data(b batch.Batch) (aborted bool) {
	t.reach(b.LastOffset())
	if !b.IsTransactional() {
		return false
	}
	if a := t.aborted[b.ProducerID()]; a != nil {
		a.seen = true
		return true
	}
	t.committed[b.ProducerID()] = true
	return false
}

// Marker takes note of a control batch, and says whether it can go as far as transactions are concerned: nothing of
// what it ends was seen. A batch without records was cleaned before, and any other kind of control record stays.
func (t *Txns) Marker(b batch.Batch, kind batch.ControlType, empty bool) (discard bool) {
	t.reach(b.LastOffset())
	if empty {
		return true
	}
	id := b.ProducerID()
	switch kind {
	case batch.Abort:
		a := t.aborted[id]
		delete(t.aborted, id)
		if a != nil && a.seen {
			t.kept = append(t.kept, a.AbortedTxn)
			return false
		}
		return true
	case batch.Commit:
		seen := t.committed[id]
		delete(t.committed, id)
		return !seen
	}
	return false
}

// Kept takes the aborted transactions whose markers stayed since it was last called: what the transaction index of the
// cleaned segment has to say.
func (t *Txns) Kept() []AbortedTxn {
	kept := t.kept
	t.kept = nil
	return kept
}
