package logstore

import (
	"flag"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"
)

var (
	historySeed  = flag.Uint64("seed", 0, "replay the one history with this seed")
	historyCount = flag.Int("histories", 60, "how many random histories to run")
	historySteps = flag.Int("steps", 150, "how many steps a history has")
	historyTime  = flag.Duration("for", 0, "run random histories for so long, instead of a number of them")
)

// TestHistories runs random histories of a log (append, roll, flush, truncate, retain, clean, checkpoint, full disk, a
// failing operation, stop, kill, crash) against a model that is a list of batches, and compares all that can be asked of
// a log. A failure prints its seed; -seed replays it.
func TestHistories(t *testing.T) {
	var ran tally
	if *historySeed != 0 {
		runHistory(t, *historySeed, &ran)
		return
	}
	n, began := *historyCount, time.Now()
	if testing.Short() {
		n = 10
	}
	first := rand.Uint64() >> 16
	t.Logf("seeds from %d on", first)
	for i := 0; i < n || time.Since(began) < *historyTime; i++ {
		// Not t.Run, which would keep a result for each of a hundred thousand.
		if runHistory(t, first+uint64(i), &ran); t.Failed() {
			return
		}
	}
	t.Log(ran)
}

// tally counts what histories were made of.
type tally struct{ histories, steps, stops, kills, crashes, faults, offline, full, refused int }

func (n tally) String() string {
	return fmt.Sprintf("%d histories of %d steps, %d stops, %d kills, %d crashes, %d injected faults of which %d took the directory offline, "+
		"%d full disks with %d refused appends", n.histories, n.steps, n.stops, n.kills, n.crashes, n.faults, n.offline, n.full, n.refused)
}

// history is the model beside the real thing.
type history struct {
	t     *testing.T
	rng   *rand.Rand
	clk   *clock
	mem   *vfs.Mem
	dir   *Dir
	log   *Log
	cfg   Config
	epoch int32
	steps []string // for the report
	ran   *tally
	fault fault

	batches []batch.Batch // all that ever were, below start too; ascending
	start   int64
	end     int64
	hw      int64
	durable int64 // promised: a Flush covered it

	// ghosts are batches that were truncated away: until a flush a crash may bring them back, where they fit.
	ghosts []batch.Batch

	sequences map[int64]int32 // next of each producer

	// unseen: what lies below, a crash may have replaced by ghosts, and nothing can be read there.
	unseen int64

	// ragged: a truncation into a batch leaves its epoch in the cache, as in Kafka, though none of its batches.
	ragged bool

	// compacted: a cleaning has removed batches, and with them what they said of producers and epochs.
	compacted bool
	cleanedTo int64

	// forgetful: a truncation went below what was cleaned. What a producer wrote there is only in snapshots then, and
	// recovery may have to do with an older one.
	forgetful bool
}

func runHistory(t *testing.T, seed uint64, ran *tally) {
	ran.histories++
	h := &history{t: t, ran: ran, rng: rand.New(rand.NewPCG(seed, 1)), clk: &clock{startMs}, epoch: 1, sequences: map[int64]int32{}}
	defer func() {
		if t.Failed() {
			for _, s := range h.steps[max(0, len(h.steps)-60):] {
				t.Log(s)
			}
			t.Logf("replay: go test ./logstore -run TestHistories -seed %d -steps %d", seed, *historySteps)
		}
	}()
	h.cfg = smallConfig()
	h.cfg.SegmentBytes = 500 + h.rng.IntN(4000)
	h.cfg.IndexIntervalBytes = h.rng.IntN(300)
	h.cfg.SegmentIndexBytes = 8 * (4 + h.rng.IntN(40))
	h.cfg.RetentionMs = 5000
	if h.rng.IntN(3) == 0 {
		h.cfg.FlushMessages = 1 + h.rng.Int64N(12)
	}
	if h.rng.IntN(3) == 0 {
		h.cfg.FlushMs = h.rng.Int64N(500)
	}
	if h.cfg.Compact = h.rng.IntN(2) == 0; h.cfg.Compact {
		h.cfg.Delete = h.rng.IntN(2) == 0
		h.cfg.MinCleanableRatio = h.rng.Float64() / 2
		h.cfg.DeleteRetentionMs = h.rng.Int64N(2000)
	}
	h.mem = vfs.NewMem(h.clk.now)
	h.open(h.mem)
	defer func() { h.dir.Close() }()
	for range *historySteps {
		h.step()
		if t.Failed() {
			return
		}
	}
	h.reopen("stop")
}

func (h *history) note(format string, args ...any) {
	h.steps = append(h.steps, fmt.Sprintf(format, args...))
}

func (h *history) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) open(mem *vfs.Mem) {
	d, err := h.openDir(mem)
	h.must(err)
	h.dir = d
	h.log, err = d.Open("t", 0, testTopicID, h.cfg)
	h.must(err)
}

func (h *history) openDir(mem *vfs.Mem) (*Dir, error) {
	return OpenDir(vfs.Inject(mem, h.fault.inject), "/data", DirOptions{NodeID: 1, Now: h.clk.now, ProducerIDExpirationMs: math.MaxInt64, manual: true,
		Random: func(n int64) int64 { return n / 2 }, Logger: slog.New(slog.NewTextHandler(h.t.Output(), &slog.HandlerOptions{Level: slog.LevelError + 1}))})
}

func (h *history) step() {
	h.ran.steps++
	h.clk.ms += h.rng.Int64N(50)
	if h.rng.IntN(5) == 0 {
		h.note("background")
		inBackground(h.dir)
	}
	switch p := h.rng.IntN(100); {
	case p < 50:
		h.append()
	case p < 58:
		h.replicate()
	case p < 61:
		h.note("roll")
		_, err := h.log.Roll(h.clk.ms)
		h.must(err)
	case p < 66:
		h.note("flush")
		if h.log.recoveryPoint.Load() < h.end {
			h.ghosts = nil
		}
		h.must(h.log.Flush())
		h.durable = h.end
	case p < 67:
		h.flushIfDue()
	case p < 71:
		h.truncate()
	case p < 74:
		h.hw = h.start + h.rng.Int64N(h.end-h.start+1)
		h.note("high watermark %d", h.hw)
		h.log.SetHighWatermark(h.hw)
		at := h.start + h.rng.Int64N(h.hw-h.start+1)
		h.note("delete records before %d", at)
		start, err := h.log.DeleteRecordsBefore(at)
		h.must(err)
		h.start = start
	case p < 79:
		h.clk.ms += h.rng.Int64N(3000)
		h.note("retain at %d", h.clk.ms-startMs)
		_, err := h.log.Retain(h.clk.ms)
		h.must(err)
		h.start = h.log.Offsets().LogStart
	case p < 84:
		h.note("checkpoint")
		h.must(h.dir.Checkpoint())
	case p < 86:
		h.check()
	case p < 88:
		h.clean()
	case p < 89:
		h.fullDisk()
	case p < 92:
		h.failOnce()
	case p < 94:
		h.reopen("stop")
	case p < 97:
		h.reopen("kill")
	default:
		h.reopen("crash")
	}
	if h.rng.IntN(2) == 0 {
		h.hw = h.end
		h.log.SetHighWatermark(h.end)
	}
	o := h.log.Offsets()
	if o.LogStart != h.start || o.LogEnd != h.end {
		h.t.Errorf("log is %d to %d, model %d to %d", o.LogStart, o.LogEnd, h.start, h.end)
	}
}

// build makes a batch of one to four records, now and then of an idempotent or transactional producer, or a marker.
func (h *history) build() batch.Batch {
	if h.rng.IntN(12) == 0 {
		return h.buildMarker()
	}
	w := batch.NewBuilder()
	n := 1 + h.rng.IntN(4)
	if h.rng.IntN(2) == 0 {
		id := h.rng.Int64N(6)
		w.ProducerID, w.ProducerEpoch, w.BaseSequence = id, 0, h.sequences[id]
		w.Transactional = id >= firstTransactional
		h.sequences[id] += int32(n)
	}
	for range n {
		ts := h.clk.ms - h.rng.Int64N(2000)
		if h.rng.IntN(8) == 0 {
			w.Add(batch.Record{Timestamp: ts, Key: h.key()})
			continue
		}
		w.Add(batch.Record{Timestamp: ts, Key: h.key(), Value: fmt.Appendf(nil, "%d%s", h.rng.Uint32(), "........................................"[:h.rng.IntN(40)])})
	}
	return w.Build()
}

func (h *history) append() {
	b := h.build()
	info, err := h.write(b)
	if err != nil {
		h.t.Errorf("append: %v", err)
		return
	}
	h.note("append %d to %d, epoch %d, producer %d, transactional %v, control %v, %d bytes",
		info.BaseOffset, info.LastOffset, h.epoch, b.ProducerID(), b.IsTransactional(), b.IsControl(), len(b))
	if info.BaseOffset != h.end || info.Duplicate {
		h.t.Errorf("append got offset %d, duplicate %v; model is at %d", info.BaseOffset, info.Duplicate, h.end)
	}
	h.batches = append(h.batches, b)
	h.end = b.LastOffset() + 1
	h.markersOnly()
	h.flushedIfMany()
	if b.HasProducerID() && !b.IsControl() && h.rng.IntN(3) == 0 {
		again := slices.Clone(b)
		again.Stamp(0, -1)
		dup, err := h.log.AppendAsLeader(again, h.epoch)
		if err != nil || !dup.Duplicate || dup.BaseOffset != info.BaseOffset || dup.LastOffset != info.LastOffset {
			h.t.Errorf("the same batch again: %+v, %v", dup, err)
		}
	}
}

// replicate appends a run as a follower gets it, with gaps as compaction leaves them.
func (h *history) replicate() {
	var run []byte
	for range 1 + h.rng.IntN(5) {
		b := h.build()
		base := h.end
		if h.rng.IntN(4) == 0 {
			base += h.rng.Int64N(5)
		}
		b.Stamp(base, h.epoch)
		run = append(run, b...)
		h.batches = append(h.batches, b)
		h.end = b.LastOffset() + 1
	}
	h.note("replicate %d bytes up to %d", len(run), h.end)
	if err := h.log.AppendAsFollower(run); err != nil {
		h.t.Errorf("replicate: %v", err)
	}
	h.markersOnly()
	h.flushedIfMany()
}

func (h *history) truncate() {
	at := h.start + h.rng.Int64N(h.end-h.start+1)
	if h.rng.IntN(4) > 0 {
		at = max(at, h.end-20) // mostly little
	}
	for _, b := range h.batches {
		if b.BaseOffset() < at && at <= b.LastOffset() {
			if h.rng.IntN(4) > 0 {
				at = b.BaseOffset() // a boundary, as replicas have it
			} else {
				h.ragged = true
			}
		}
	}
	at = max(at, h.start)
	h.note("truncate to %d", at)
	var held Slice
	var want []byte
	if h.rng.IntN(2) == 0 && h.end > h.start {
		var err error
		if held, err = h.log.Read(h.start+h.rng.Int64N(h.end-h.start), h.end, 1<<20, true); err != nil {
			h.t.Errorf("read: %v", err)
		}
		want, _ = held.AppendTo(nil)
	}
	h.must(h.log.TruncateTo(at))
	if at >= h.end {
		held.Release()
		return
	}
	keep := len(h.batches)
	for keep > 0 && h.batches[keep-1].LastOffset() >= at {
		keep--
	}
	h.ghosts = append(h.ghosts, h.batches[keep:]...)
	h.batches = h.batches[:keep:keep]
	h.end = at
	h.hw = min(h.hw, h.end)
	h.durable = min(h.durable, at)
	h.epoch++
	h.forgetful = h.forgetful || at < h.cleanedTo
	h.resequence()
	if held.Len() > 0 {
		// More data where the reader's bytes were must not show in what it holds.
		h.append()
		got, err := held.AppendTo(nil)
		if err != nil || string(got) != string(want) {
			h.t.Errorf("slice held over a truncation changed: %v", err)
		}
		if p, ok := held.Mapped(); ok && string(p) != string(want) {
			h.t.Errorf("mapped slice held over a truncation changed")
		}
		held.Release()
	}
}

// resequence sets what each producer has to send next.
func (h *history) resequence() {
	defer h.markersOnly()
	clear(h.sequences)
	if h.unseen > 0 || h.compacted {
		for _, p := range h.log.Producers() {
			h.sequences[p.ProducerID] = p.LastSequence + 1
		}
		return
	}
	for _, b := range h.batches {
		if b.HasProducerID() && !b.IsControl() {
			h.sequences[b.ProducerID()] = b.LastSequence() + 1
		}
	}
}

// reopen ends the log's life in one of three ways and begins another.
func (h *history) reopen(how string) {
	h.note("%s; durable %d, epochs %v", how, h.durable, h.log.epochs.entries)
	h.check()
	point := h.log.recoveryPoint.Load()
	if point > h.end {
		h.t.Errorf("recovery point %d, log ends at %d", point, h.end)
	}
	h.durable = max(h.durable, min(point, h.end))
	next := h.mem
	known := h.log.Producers()
	switch how {
	case "stop":
		h.ran.stops++
	case "kill":
		h.ran.kills++
		next = h.mem.Clone()
	case "crash":
		h.ran.crashes++
		next = h.mem.CrashClone(h.rng)
	}
	if err := h.dir.Close(); err != nil {
		h.t.Errorf("close: %v", err)
	}
	h.mem = next
	h.open(next)
	// (An end inside of a batch that was truncated away is on no disk; a log that has nothing else begins anew.)
	endKnown := h.log.Offsets().LogEnd == h.end && !(h.ragged && h.start == h.end)
	if how != "crash" && endKnown && !h.forgetful && !slices.Equal(h.log.Producers(), known) {
		h.t.Errorf("producers known after a %s\n\t%+v, before\n\t%+v", how, h.log.Producers(), known)
	}
	o := h.log.Offsets()
	if o.LogStart < h.start {
		h.ragged = true // the epochs before the later start are gone all the same, as in Kafka
	}
	got := h.readBatches(o.LogStart)
	lastEnd := o.LogStart
	if len(got) > 0 {
		lastEnd = got[len(got)-1].LastOffset() + 1
	}
	switch how {
	case "stop":
		if o.LogStart != h.start {
			h.t.Errorf("log starts at %d after a stop, was %d", o.LogStart, h.start)
		}
		h.durable = o.LogEnd
		h.ghosts = nil
		fallthrough
	case "kill":
		// A truncation into a batch leaves an end behind the last batch, which nothing on disk says.
		wantEnd := o.LogStart
		if n := len(h.batches); n > 0 {
			wantEnd = max(wantEnd, h.batches[n-1].LastOffset()+1)
		}
		if o.LogEnd < wantEnd || o.LogEnd > h.end {
			h.t.Errorf("log ends at %d after a %s, was %d, last batch ends at %d", o.LogEnd, how, h.end, wantEnd)
		}
		h.end = o.LogEnd
		h.durable = min(h.durable, h.end)
		if o.LogStart > h.start {
			h.t.Errorf("log starts at %d after a %s, was %d", o.LogStart, how, h.start)
		}
	case "crash":
		if o.LogStart > h.start {
			h.t.Errorf("log starts at %d after a crash, was %d", o.LogStart, h.start)
		}
		promised := min(h.durable, h.lastEndBelow(h.durable))
		if o.LogEnd < promised {
			h.t.Errorf("log ends at %d after a crash, %d were flushed", o.LogEnd, promised)
		}
		h.adopt(got, promised, o)
	}
	if h.forgetful {
		h.resequence()
	}
	if lastEnd > o.LogEnd {
		h.t.Errorf("batches up to %d in a log that ends at %d", lastEnd, o.LogEnd)
	}
	h.start = o.LogStart
	h.hw = o.HighWatermark
	h.note("log is %d to %d, high watermark %d, epochs %v", o.LogStart, o.LogEnd, o.HighWatermark, h.log.epochs.entries)
	h.check()
}

// lastEndBelow is the end of the last batch that ends at or below an offset.
func (h *history) lastEndBelow(offset int64) int64 {
	end := int64(0)
	for _, b := range h.batches {
		if b.LastOffset() < offset {
			end = b.LastOffset() + 1
		}
	}
	return end
}

// adopt makes what a crash left the model, after comparing it with what there was.
func (h *history) adopt(got []batch.Batch, promised int64, o Offsets) {
	byBase := map[int64][]batch.Batch{}
	for _, b := range h.batches {
		byBase[b.BaseOffset()] = append(byBase[b.BaseOffset()], b)
	}
	for _, b := range h.ghosts {
		byBase[b.BaseOffset()] = append(byBase[b.BaseOffset()], b)
	}
	epoch := int32(0)
	sequences := map[int64]int32{}
	for _, b := range got {
		if b.HasProducerID() && !b.IsControl() {
			// What a truncation took away has come back, and what was written instead later goes on behind it. (Replicas see
			// that by the epochs.)
			h.ragged = h.ragged || b.BaseSequence() < sequences[b.ProducerID()]
			sequences[b.ProducerID()] = b.LastSequence()
		}
		known := byBase[b.BaseOffset()]
		i := slices.IndexFunc(known, func(k batch.Batch) bool { return string(k) == string(b) })
		if i < 0 || i > 0 && b.LastOffset() < promised {
			h.t.Errorf("batch at %d after a crash is not what was written", b.BaseOffset())
		}
		if b.LeaderEpoch() < epoch {
			h.t.Errorf("batch at %d is of epoch %d, after %d", b.BaseOffset(), b.LeaderEpoch(), epoch)
		}
		epoch = b.LeaderEpoch()
	}
	// Below the start stays what was there, in case a later crash undoes a deletion.
	var all []batch.Batch
	for _, b := range h.batches {
		if len(got) == 0 || b.LastOffset() < got[0].BaseOffset() {
			if b.LastOffset() < o.LogStart {
				all = append(all, b)
			}
		}
	}
	for _, b := range h.batches {
		if b.BaseOffset() >= o.LogStart && b.LastOffset() < promised && !slices.ContainsFunc(got, func(g batch.Batch) bool { return string(g) == string(b) }) {
			h.t.Errorf("flushed batch at %d is gone after a crash: the log has%s", b.BaseOffset(), describe(got))
		}
	}
	// What recovery cut off is cut off durably by the next flush; until then another crash may bring it back.
	for _, b := range h.batches {
		if b.LastOffset() >= o.LogEnd {
			h.ghosts = append(h.ghosts, b)
		}
	}
	h.unseen = o.LogStart
	h.batches = append(all, got...)
	h.end = o.LogEnd
	h.durable = min(h.durable, h.end)
	h.epoch++ // a broker that comes back leads in a new epoch, if at all
	h.resequence()
}

// readBatches reads all from an offset on, in pieces of random size, and returns copies of the batches.
func (h *history) readBatches(from int64) (got []batch.Batch) {
	end := h.log.Offsets().LogEnd
	for from < end {
		sl, err := h.log.Read(from, end, 1+h.rng.IntN(2000), true)
		if err != nil {
			h.t.Fatalf("read from %d: %v", from, err)
		}
		p, err := sl.AppendTo(nil)
		if m, ok := sl.Mapped(); ok && string(m) != string(p) {
			h.t.Fatalf("mapping differs from file at offset %d", from)
		}
		sl.Release()
		if err != nil {
			h.t.Fatalf("read from %d: %v", from, err)
		}
		if len(p) == 0 {
			break // a gap up to the end
		}
		for len(p) > 0 {
			b, rest, err := batch.Next(p)
			if err != nil {
				h.t.Fatalf("read from %d: %v", from, err)
			}
			if err := b.Validate(); err != nil {
				h.t.Fatal(err)
			}
			if b.LastOffset() < from {
				h.t.Fatalf("read from %d begins with a batch up to %d", from, b.LastOffset())
			}
			got = append(got, b)
			from = b.LastOffset() + 1
			p = rest
		}
	}
	return got
}

// check compares everything that can be asked.
func (h *history) check() {
	t := h.t
	var want []batch.Batch
	for _, b := range h.batches {
		if b.LastOffset() >= h.start {
			want = append(want, b)
		}
	}
	got := h.readBatches(h.start)
	if !slices.EqualFunc(got, want, func(a, b batch.Batch) bool { return string(a) == string(b) }) {
		t.Errorf("log has %s, model %s", describe(got), describe(want))
		return
	}
	if h.end > h.start {
		// A read from anywhere, up to anywhere.
		from := h.start + h.rng.Int64N(h.end-h.start)
		limit := from + h.rng.Int64N(h.end-from+1)
		sl, err := h.log.Read(from, limit, 1<<20, true)
		if err != nil {
			t.Errorf("read %d to %d: %v", from, limit, err)
		}
		p, _ := sl.AppendTo(nil)
		sl.Release()
		for len(p) > 0 {
			b, rest, err := batch.Next(p)
			if err != nil || b.LastOffset() < from || b.LastOffset() >= limit {
				t.Errorf("read %d to %d gave batch %d to %d, %v", from, limit, b.BaseOffset(), b.LastOffset(), err)
				break
			}
			p = rest
		}
	}
	h.checkTimes(want)
	h.checkEpochs(want)
	h.checkProducers()
	h.checkTxns()
}

func describe(list []batch.Batch) string {
	s := ""
	for _, b := range list {
		s += fmt.Sprintf(" %d-%d/%d", b.BaseOffset(), b.LastOffset(), b.LeaderEpoch())
	}
	return s
}

func (h *history) checkTimes(want []batch.Batch) {
	target := h.clk.ms - h.rng.Int64N(4000)
	var first, largest TimestampOffset
	haveFirst, haveLargest := false, false
	for _, b := range want {
		for r := range b.Records() {
			to := TimestampOffset{Offset: r.Offset, Timestamp: r.Timestamp, LeaderEpoch: b.LeaderEpoch()}
			if !haveFirst && r.Timestamp >= target && r.Offset >= h.start {
				first, haveFirst = to, true
			}
			if !haveLargest || r.Timestamp > largest.Timestamp {
				largest, haveLargest = to, true
			}
		}
	}
	got, ok, err := h.log.OffsetForTimestamp(target)
	if err != nil || ok != haveFirst || got != first {
		h.t.Errorf("first at %d: %+v, %v, %v; model %+v, %v", target, got, ok, err, first, haveFirst)
	}
	// The segment at the start may hold older records than the start, as in Kafka.
	if segments := *h.log.segments.Load(); segments[0].base == h.start {
		got, ok, err := h.log.MaxTimestampOffset()
		if err != nil || ok != haveLargest || got != largest {
			h.t.Errorf("largest: %+v, %v, %v; model %+v, %v", got, ok, err, largest, haveLargest)
		}
	}
}

func (h *history) checkEpochs(want []batch.Batch) {
	if len(want) == 0 || h.ragged || h.compacted {
		return
	}
	for range 3 {
		epoch := want[0].LeaderEpoch() + h.rng.Int32N(h.epoch-want[0].LeaderEpoch()+1)
		wantEpoch, wantEnd := int32(-1), int64(-1)
		latest := want[len(want)-1].LeaderEpoch()
		switch {
		case epoch == latest:
			wantEpoch, wantEnd = epoch, h.end
		case epoch < latest:
			for _, b := range want {
				if b.LeaderEpoch() > epoch {
					wantEnd = b.BaseOffset()
					break
				}
				wantEpoch = b.LeaderEpoch()
			}
		}
		gotEpoch, gotEnd := h.log.EndOffsetForEpoch(epoch)
		if gotEpoch != wantEpoch || gotEnd != wantEnd {
			h.t.Errorf("epoch %d: %d ends at %d, model %d at %d; entries %v", epoch, gotEpoch, gotEnd, wantEpoch, wantEnd, h.log.epochs.entries)
		}
	}
}

// checkProducers: what the log knows of producers is what its batches say. (It may know more: of batches that
// retention removed.)
func (h *history) checkProducers() {
	got := map[int64]ProducerState{}
	for _, p := range h.log.Producers() {
		got[p.ProducerID] = p
	}
	for _, b := range h.batches {
		if !b.HasProducerID() || b.IsControl() || b.LastOffset() < max(h.unseen, (*h.log.segments.Load())[0].base) {
			continue
		}
		// (Where a crash brought back what retention had removed, a producer that was forgotten in between has begun
		// anew behind it.)
		if p, ok := got[b.ProducerID()]; !ok || p.LastSequence < b.LastSequence() && !h.ragged {
			h.t.Errorf("producer %d: %+v, but offset %d has its sequence %d", b.ProducerID(), p, b.BaseOffset(), b.LastSequence())
		}
	}
	for id, p := range got {
		if next, ok := h.sequences[id]; ok && p.LastSequence+1 != next && p.LastSequence >= next {
			h.t.Errorf("producer %d is at %d, should be before %d", id, p.LastSequence, next)
		}
	}
}
