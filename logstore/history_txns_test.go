package logstore

import (
	"math"
	"slices"

	"blumfeld/protocol/batch"
)

// Producers 3 to 5 write in transactions only. What became of each batch the model tells by the batches themselves: the
// next marker of its producer has ended its transaction.

const firstTransactional = 3

// buildMarker makes the end of a transaction, whether or not one is open.
func (h *history) buildMarker() batch.Batch {
	m := Marker{ProducerID: firstTransactional + h.rng.Int64N(3), Commit: h.rng.IntN(2) == 0}
	return m.batch(h.clk.ms)
}

// write appends a batch as a leader does: a transactional one after the question to its coordinator, a marker as such.
func (h *history) write(b batch.Batch) (AppendInfo, error) {
	var info AppendInfo
	var v Verification
	var err error
	if b.IsControl() {
		kind, _, _ := b.ControlType()
		info, err = h.log.AppendMarker(Marker{ProducerID: b.ProducerID(), Epoch: b.ProducerEpoch(), Commit: kind == batch.Commit}, h.epoch)
		b.Stamp(max(info.BaseOffset, h.end), h.epoch)
	} else {
		if b.IsTransactional() {
			if v, _, err = h.log.BeginVerification(b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), false); err != nil {
				return info, err
			}
		}
		info, err = h.log.WriteAsLeader(b, h.epoch, v)
	}
	if err == nil && info.FlushDue {
		err = h.log.FlushTo(info.LastOffset + 1)
	}
	return info, err
}

// markersOnly: a producer whose data the log has forgotten, and of which it knows a marker, begins anew.
func (h *history) markersOnly() {
	for _, p := range h.log.Producers() {
		if p.LastSequence < 0 {
			h.sequences[p.ProducerID] = 0
		}
	}
}

// modelTxn is a transaction as the batches show it.
type modelTxn struct {
	producerID int64
	data       []batch.Batch
	marker     batch.Batch // nil while it is open
}

func (t *modelTxn) aborted() bool {
	if t.marker == nil {
		return false
	}
	kind, empty, err := t.marker.ControlType()
	return err == nil && !empty && kind == batch.Abort
}

// transactions lists those that have data, by their markers; open ones last.
func transactions(batches []batch.Batch) (list []*modelTxn) {
	open := map[int64]*modelTxn{}
	for _, b := range batches {
		if !b.IsTransactional() {
			continue
		}
		id := b.ProducerID()
		t := open[id]
		switch {
		case b.IsControl() && t != nil:
			t.marker = b
			list = append(list, t)
			delete(open, id)
		case b.IsControl():
		case t == nil:
			open[id] = &modelTxn{producerID: id, data: []batch.Batch{b}}
		default:
			t.data = append(t.data, b)
		}
	}
	for id := int64(firstTransactional); id < firstTransactional+3; id++ {
		if t := open[id]; t != nil {
			list = append(list, t)
		}
	}
	return list
}

// checkTxns compares the last stable offset, what a reader of committed data gets, and the transaction indexes with what
// the batches say.
func (h *history) checkTxns() {
	txns := transactions(h.batches)
	h.checkStable(txns)
	aborted := map[int64]bool{} // by the offsets of batches
	for _, t := range txns {
		for _, b := range t.data {
			aborted[b.BaseOffset()] = t.aborted()
		}
	}
	if o := h.log.Offsets(); o.LastStable > h.start {
		from := h.start + h.rng.Int64N(o.LastStable-h.start)
		h.readCommitted(from, o.LastStable, aborted)
	}
	h.checkAbortedIndexes()
}

// checkStable: an open transaction holds the last stable offset back, and one whose marker is not below the high
// watermark may. Of one that began below the start the log may know more than is left of it, or less.
func (h *history) checkStable(txns []*modelTxn) {
	low, high := h.hw, h.hw
	for _, t := range txns {
		first, seen := t.data[0].BaseOffset(), int64(math.MaxInt64)
		for _, b := range t.data {
			if b.LastOffset() >= h.start {
				seen = min(seen, b.BaseOffset())
			}
		}
		switch {
		case t.marker == nil:
			low, high = min(low, first), min(high, seen)
		case t.marker.LastOffset() >= h.hw:
			low = min(low, first)
		}
	}
	for _, p := range h.log.Producers() {
		if p.CurrentTxnStartOffset >= 0 && p.CurrentTxnStartOffset < h.unseen {
			low = h.start
		}
	}
	above := func(b batch.Batch) bool { return b.IsControl() && b.LastOffset() >= h.hw }
	if h.forgetful || h.compacted && slices.ContainsFunc(h.batches, above) {
		low = h.start // a snapshot may know a transaction of which cleaning has left nothing
	}
	low, high = max(low, min(h.start, h.hw)), max(high, min(h.start, h.hw))
	if got := h.log.Offsets().LastStable; got < low || got > high {
		h.t.Errorf("last stable offset %d, should be %d to %d; start %d, high watermark %d", got, low, high, h.start, h.hw)
	}
}

// readCommitted reads as a consumer does, in pieces, and holds what it leaves out against the model.
func (h *history) readCommitted(from, stable int64, aborted map[int64]bool) {
	for from < stable {
		sl, err := h.log.ReadCommitted(from, math.MaxInt64, 1+h.rng.IntN(2000), true)
		if err != nil {
			h.t.Fatalf("read of committed data from %d: %v", from, err)
		}
		p, err := sl.AppendTo(nil)
		list := slices.Clone(sl.Aborted)
		sl.Release()
		if err != nil {
			h.t.Fatalf("read of committed data from %d: %v", from, err)
		}
		if len(p) == 0 {
			return // a gap
		}
		slices.SortFunc(list, func(a, b AbortedTxn) int { return int(a.FirstOffset - b.FirstOffset) })
		leaveOut := map[int64]bool{}
		for len(p) > 0 {
			b, rest, err := batch.Next(p)
			h.must(err)
			if b.LastOffset() >= stable {
				h.t.Errorf("committed data up to %d, stable up to %d", b.LastOffset(), stable)
			}
			for len(list) > 0 && list[0].FirstOffset <= b.LastOffset() {
				leaveOut[list[0].ProducerID] = true
				list = list[1:]
			}
			if b.IsControl() {
				if kind, empty, err := b.ControlType(); err == nil && !empty && kind == batch.Abort {
					delete(leaveOut, b.ProducerID())
				}
			} else if out := b.IsTransactional() && leaveOut[b.ProducerID()]; out != aborted[b.BaseOffset()] {
				h.t.Errorf("batch %d to %d of producer %d: left out %v, aborted %v", b.BaseOffset(), b.LastOffset(), b.ProducerID(), out, aborted[b.BaseOffset()])
			}
			from, p = b.LastOffset()+1, rest
		}
		for _, t := range list {
			if h.compacted {
				break // the batch where it began may be gone
			}
			h.t.Errorf("producer %d aborted from %d on, behind what was read up to %d", t.ProducerID, t.FirstOffset, from)
		}
	}
}

// checkAbortedIndexes: each entry is about a marker that is there, they ascend, and a search may stop where it says.
func (h *history) checkAbortedIndexes() {
	markers := map[int64]batch.Batch{}
	for _, b := range h.batches {
		if b.IsControl() {
			markers[b.BaseOffset()] = b
		}
	}
	var all []txnEntry
	segments := *h.log.segments.Load()
	h.must(eachAborted(segments, 0, math.MaxInt64, func(e txnEntry) { all = append(all, e) }))
	last, stable := int64(-1), int64(0)
	for _, e := range all {
		m, ok := markers[e.last]
		if e.last >= max(h.start, h.unseen) && (!ok || m.ProducerID() != e.producerID || !(&modelTxn{marker: m}).aborted()) {
			h.t.Errorf("%+v is of no marker", e)
		}
		// (Where cleaning has removed its beginning, a search that stops misses nothing.)
		if e.last <= last || e.first < stable && e.first >= max(h.start, h.unseen) && !h.compacted {
			h.t.Errorf("%+v behind one that ends at %d, where it was stable up to %d", e, last, stable)
		}
		last, stable = e.last, e.stable
	}
}
