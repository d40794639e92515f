package logstore

import (
	"bytes"
	"math"
	"slices"

	"blumfeld/protocol/batch"
)

// key is one of a few, so that most records are replaced sooner or later.
func (h *history) key() []byte { return []byte{'k', byte('a' + h.rng.IntN(12))} }

// clean runs a cleaning, with a map that may be too small for the dirty keys, and does the same to the model.
func (h *history) clean() {
	if !h.cfg.Compact {
		return
	}
	o := CleanerConfig{DedupeBufferBytes: 24 * (2 + h.rng.Int64N(20)), LoadFactor: 1, IOBufferBytes: h.rng.IntN(3000), MaxBytesPerSecond: math.MaxFloat64}
	plan, _, err := h.log.cleanPlan()
	h.must(err)
	if !plan.Due {
		return
	}
	point := h.log.recoveryPoint.Load()
	done, err := NewCleaner(h.log.logger).Clean(h.t.Context(), h.log, o)
	if err != nil {
		h.t.Errorf("clean: %v", err)
		return
	}
	h.note("clean %d to %d at %d: %+v", done.From, done.To, h.clk.ms-startMs, done)
	if h.log.recoveryPoint.Load() > point {
		h.ghosts, h.durable = nil, h.end
	}
	if done.From != plan.FirstDirty || done.To <= done.From || done.To > plan.Limit {
		h.t.Errorf("cleaned %d to %d, planned %d to %d", done.From, done.To, plan.FirstDirty, plan.Limit)
	}
	// (Markers behind what was cleaned say what of it was aborted.)
	h.compacted, h.cleanedTo = true, max(h.cleanedTo, h.end)
	h.modelClean(done)
}

// modelClean holds what the files have now against what the rules say that compaction leaves of the model, and makes it
// the model.
func (h *history) modelClean(done Cleaned) {
	first := (*h.log.segments.Load())[0].base
	newest := map[string]int64{}
	aborted, ended := map[int64]bool{}, map[int64]*modelTxn{} // by the offsets of data and of markers
	for _, t := range transactions(h.batches) {
		for _, b := range t.data {
			aborted[b.BaseOffset()] = t.aborted()
		}
		if t.marker != nil {
			ended[t.marker.BaseOffset()] = t
		}
	}
	for _, b := range h.batches {
		if b.IsControl() || aborted[b.BaseOffset()] {
			continue
		}
		for r := range b.Records() {
			if r.Offset >= done.From && r.Offset < done.To {
				newest[string(r.Key)] = r.Offset
			}
		}
	}
	// The keys of the batch for which the map had not enough room may be in it all the same: these records stay.
	beyond := map[string]bool{}
	for _, b := range h.batches {
		if b.LastOffset() < done.To || b.IsControl() {
			continue
		}
		for r := range b.Records() {
			beyond[string(r.Key)] = beyond[string(r.Key)] || r.Offset >= done.To
		}
		break
	}
	last := map[int64]int64{}
	for _, p := range h.log.Producers() {
		if p.LastSequence >= 0 {
			last[p.ProducerID] = h.log.lastOffsetOf(p.ProducerID)
		}
	}
	// Below what was read after a crash may lie anything that ever was there.
	got := slices.DeleteFunc(h.fileBatches(), func(b batch.Batch) bool { return b.LastOffset() < h.unseen })
	var model []batch.Batch
	for _, b := range h.batches {
		if b.BaseOffset() < first || b.LastOffset() < h.unseen {
			model = append(model, b) // retention had removed it, and a crash may bring that back
			continue
		}
		var is batch.Batch
		if len(got) > 0 && got[0].BaseOffset() == b.BaseOffset() {
			is, got = got[0], got[1:]
		}
		if b.IsControl() {
			model = h.modelCleanMarker(model, max(first, h.unseen), b, is, ended[b.BaseOffset()])
			continue
		}
		var want []batch.Record
		tombstone := false
		horizon, has := b.DeleteHorizon()
		for r := range b.Records() {
			keep := r.Offset >= done.To
			if at, ok := newest[string(r.Key)]; !keep && (!ok || r.Offset >= at) {
				keep = r.Value != nil || !has || h.clk.ms < horizon
			}
			// What was aborted goes, from all that was rewritten.
			if aborted[b.BaseOffset()] && (b.LastOffset() < done.To || is == nil || is.Count() == 0) {
				keep = false
			} else if aborted[b.BaseOffset()] {
				keep = true
			}
			if keep {
				r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
				want = append(want, r)
			}
		}
		switch {
		case is == nil && slices.ContainsFunc(want, func(r batch.Record) bool { return r.Offset >= done.To || !beyond[string(r.Key)] }):
			h.t.Errorf("batch %d to %d is gone, %d records should be left", b.BaseOffset(), b.LastOffset(), len(want))
		case is == nil && last[b.ProducerID()] == b.LastOffset() && b.HasProducerID():
			h.t.Errorf("batch %d to %d is gone, the last of producer %d", b.BaseOffset(), b.LastOffset(), b.ProducerID())
		}
		if is == nil {
			continue
		}
		if is.LastOffset() != b.LastOffset() || is.LeaderEpoch() != b.LeaderEpoch() || is.ProducerID() != b.ProducerID() || is.BaseSequence() != b.BaseSequence() {
			h.t.Errorf("batch %d to %d has become %d to %d", b.BaseOffset(), b.LastOffset(), is.BaseOffset(), is.LastOffset())
		}
		for r := range is.Records() {
			tombstone = tombstone || r.Value == nil
		}
		// (A batch above what was looked at may be in a segment that was copied for what is below, or not.)
		at, ok := is.DeleteHorizon()
		if ok && !has && (!tombstone || at != h.clk.ms+h.cfg.DeleteRetentionMs) || ok && has && at != horizon ||
			!ok && (has && is.Count() > 0 || tombstone && b.LastOffset() < done.To) {
			h.t.Errorf("batch %d to %d has horizon %d, %v; had %d, %v; tombstone %v", b.BaseOffset(), b.LastOffset(), at, ok, horizon, has, tombstone)
		}
		i := 0
		for r, err := range is.Records() {
			for err == nil && i < len(want) && r.Offset > want[i].Offset && want[i].Offset < done.To && beyond[string(want[i].Key)] {
				i++
			}
			if err != nil || i >= len(want) || r.Offset != want[i].Offset || r.Timestamp != want[i].Timestamp ||
				!bytes.Equal(r.Key, want[i].Key) || !bytes.Equal(r.Value, want[i].Value) || (r.Value == nil) != (want[i].Value == nil) {
				h.t.Errorf("batch %d to %d: record %d is %+v, %v", b.BaseOffset(), b.LastOffset(), i, r, err)
				return
			}
			i++
		}
		for i < len(want) && want[i].Offset < done.To && beyond[string(want[i].Key)] {
			i++
		}
		if i != len(want) {
			h.t.Errorf("batch %d to %d has %d records, %d should be left", b.BaseOffset(), b.LastOffset(), i, len(want))
		}
		model = append(model, is)
	}
	if len(got) > 0 {
		h.t.Errorf("a batch at %d that was never written", got[0].BaseOffset())
	}
	h.batches = model
	segments := *h.log.segments.Load()
	for i, s := range segments[:len(segments)-1] {
		if size, next := s.extent(); next != segments[i+1].base || size == 0 {
			h.t.Errorf("segment %d ends at %d with %d bytes, the next begins at %d", s.base, next, size, segments[i+1].base)
		}
	}
}

// modelCleanMarker adds to the model what a cleaning has left of a marker. It stays as long as there is data of its
// transaction at or behind first; by which cleaning it goes then, markers.txt shows.
func (h *history) modelCleanMarker(model []batch.Batch, first int64, b, is batch.Batch, t *modelTxn) []batch.Batch {
	left := false
	if t != nil {
		left = slices.ContainsFunc(model, func(m batch.Batch) bool {
			return m.BaseOffset() >= first && slices.ContainsFunc(t.data, func(d batch.Batch) bool { return d.BaseOffset() == m.BaseOffset() })
		})
	}
	if left && (is == nil || is.Count() != b.Count()) {
		h.t.Errorf("the marker at %d is gone, of producer %d, of whose transaction there is data", b.BaseOffset(), b.ProducerID())
	}
	if is == nil {
		return model
	}
	if is.LastOffset() != b.LastOffset() || is.LeaderEpoch() != b.LeaderEpoch() || is.ProducerID() != b.ProducerID() {
		h.t.Errorf("marker at %d has become %d to %d", b.BaseOffset(), is.BaseOffset(), is.LastOffset())
	}
	return append(model, is)
}

// fileBatches reads the batches of all segments, below the start of the log too.
func (h *history) fileBatches() (all []batch.Batch) {
	for _, s := range *h.log.segments.Load() {
		f, size, _, err := s.acquire()
		h.must(err)
		r := batchReader{f: f.f, path: s.path(), end: size}
		for r.pos < size {
			b, err := r.next()
			h.must(err)
			all = append(all, slices.Clone(b))
		}
		f.release()
	}
	return all
}

func (l *Log) lastOffsetOf(producerID int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := range l.producers.entries() {
		if e.producerID == producerID {
			return e.lastOffset
		}
	}
	return -1
}
