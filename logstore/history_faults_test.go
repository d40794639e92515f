package logstore

import (
	"errors"
	"syscall"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// fault makes one operation of the file system fail, the n-th from now. The zero value lets all succeed.
type fault struct {
	armed bool
	after int
	with  error
	short int // bytes that get through if it is a write; -1 for none
	fired vfs.Op
}

func (f *fault) inject(op vfs.Op) error {
	if !f.armed {
		return nil
	}
	if f.after > 0 {
		f.after--
		return nil
	}
	f.armed, f.fired = false, op
	if op.Kind == vfs.OpWrite && f.short >= 0 {
		return &vfs.ShortWrite{N: min(f.short, int(op.Len)), Err: f.with}
	}
	return f.with
}

func (h *history) arm(within int) {
	h.fault = fault{armed: true, after: h.rng.IntN(within), with: syscall.EIO, short: h.rng.IntN(200) - 1}
	if h.rng.IntN(3) == 0 {
		h.fault.with = syscall.ENOSPC
	}
}

// disarm says whether the fault has happened.
func (h *history) disarm() bool {
	fired := h.fault.fired.Kind != ""
	if fired {
		h.ran.faults++
		h.note("operation failed with %v: %+v", h.fault.with, h.fault.fired)
	}
	h.fault = fault{}
	return fired
}

// flushedIfMany: what flush.messages promises holds when an append returns.
func (h *history) flushedIfMany() {
	point := h.log.recoveryPoint.Load()
	if h.end-point >= h.cfg.FlushMessages && point < h.lastEndBelow(h.end) {
		h.t.Errorf("the log ends at %d, is flushed to %d, and flush.messages is %d", h.end, point, h.cfg.FlushMessages)
	}
	h.durable = max(h.durable, min(point, h.end))
}

// flushIfDue: what flush.ms promises.
func (h *history) flushIfDue() {
	h.note("flush if due")
	due := h.clk.ms-h.log.lastFlush.Load() >= h.cfg.FlushMs
	h.must(h.log.FlushIfDue(h.clk.ms))
	if point := h.log.recoveryPoint.Load(); due && point < h.lastEndBelow(h.end) {
		h.t.Errorf("the log ends at %d and is flushed to %d after flush.ms", h.end, point)
	} else {
		h.durable = max(h.durable, min(point, h.end))
	}
}

// attempt appends in a way that may fail, and makes the model what the log says of it: all or nothing of a leader's
// batch, a prefix of whole batches of a follower's.
func (h *history) attempt() {
	var run []batch.Batch
	var err error
	if h.rng.IntN(3) == 0 {
		var p []byte
		at := h.end
		for range 1 + h.rng.IntN(4) {
			b := h.build()
			b.Stamp(at, h.epoch)
			run, p, at = append(run, b), append(p, b...), b.LastOffset()+1
		}
		err = h.log.AppendAsFollower(p)
	} else {
		run = append(run, h.build())
		_, err = h.write(run[0])
	}
	if err != nil && !errors.Is(err, kerr.KafkaStorageError) {
		h.t.Errorf("append: %v", err)
	}
	if err != nil {
		h.ran.refused++
	}
	end := h.log.Offsets().LogEnd
	h.note("append of %d batches: %v; the log ends at %d, was %d", len(run), err, end, h.end)
	for _, b := range run {
		if b.LastOffset() < end && b.BaseOffset() >= h.end {
			h.batches, h.end = append(h.batches, b), b.LastOffset()+1
			continue
		}
		if err == nil {
			h.t.Errorf("acknowledged up to %d, the log ends at %d", b.LastOffset(), end)
		}
		// It may have been written, and cut off again not: another life may find it.
		h.ghosts = append(h.ghosts, b)
	}
	if h.end != end {
		h.t.Errorf("the log ends at %d, in no batch of the model, which ends at %d", end, h.end)
	}
	h.resequence()
}

// fullDisk: appends are refused, nothing else is; and with room again all goes on.
func (h *history) fullDisk() {
	h.ran.full++
	room := h.rng.Int64N(3000)
	h.note("%d bytes are free", room)
	h.mem.SetCapacity(h.mem.Used() + room)
	for range 1 + h.rng.IntN(20) {
		h.attempt()
		if h.rng.IntN(4) == 0 {
			var err error
			if h.rng.IntN(2) == 0 {
				err = h.log.Flush()
			} else {
				err = h.dir.Checkpoint()
			}
			h.note("flush or checkpoint: %v", err)
			if err != nil && !errors.Is(err, kerr.KafkaStorageError) {
				h.t.Errorf("on a full disk: %v", err)
			}
		}
	}
	if err := h.dir.Offline(); err != nil {
		h.t.Fatalf("a full disk took the directory offline: %v", err)
	}
	h.check()
	h.mem.SetCapacity(0)
	h.append()
	h.check()
}

// failOnce does one thing while one operation of the file system fails. Where that takes the directory offline, the
// broker ends and comes back on what the disk then has.
func (h *history) failOnce() {
	h.check()
	// A life ends here, for the disk at least: what it had flushed counts.
	h.durable = max(h.durable, min(h.log.recoveryPoint.Load(), h.end))
	start, acknowledged := h.start, h.end
	h.arm(12)
	var err error
	switch h.rng.IntN(7) {
	case 0, 1:
		h.attempt()
		acknowledged = h.end
	case 2:
		h.note("roll")
		_, err = h.log.Roll(h.clk.ms)
	case 3:
		h.note("flush")
		if err = h.log.Flush(); err == nil {
			h.durable = h.end
		}
	case 4:
		h.note("checkpoint")
		err = h.dir.Checkpoint()
	case 5:
		at := h.end
		for i := len(h.batches); i > 0 && h.batches[i-1].BaseOffset() >= h.start && h.rng.IntN(3) > 0; i-- {
			at = h.batches[i-1].BaseOffset()
		}
		h.note("truncate to %d", at)
		err = h.log.TruncateTo(at)
		keep := len(h.batches)
		for keep > 0 && h.batches[keep-1].LastOffset() >= at {
			keep--
		}
		h.ghosts = append(h.ghosts, h.batches[keep:]...)
		h.batches = h.batches[:keep:keep]
		acknowledged, h.durable = at, min(h.durable, at)
		h.end = h.log.Offsets().LogEnd
		h.forgetful = h.forgetful || at < h.cleanedTo
	case 6:
		h.note("retain at %d", h.clk.ms-startMs)
		_, err = h.log.Retain(h.clk.ms)
		h.start = max(h.start, h.log.Offsets().LogStart)
	}
	if err != nil && !errors.Is(err, kerr.KafkaStorageError) {
		h.t.Errorf("with a failing disk: %v", err)
	}
	fired := h.disarm()
	offline := h.dir.Offline() != nil
	if offline {
		h.ran.offline++
		if err := second(h.write(h.build())); !errors.Is(err, ErrOffline) {
			h.t.Errorf("append to a directory that is offline: %v", err)
		}
	}
	if offline && !fired {
		h.t.Errorf("offline without a reason: %v", h.dir.Offline())
	}
	h.comeBack(start, acknowledged)
}

// comeBack begins a new life after something failed: all that was acknowledged is there after a kill, all that was
// flushed after a crash, and nothing is there that was never written. Its first attempt may fail too.
func (h *history) comeBack(start, acknowledged int64) {
	next, promised := h.mem.Clone(), min(acknowledged, h.lastEndBelow(acknowledged))
	if h.rng.IntN(2) == 0 {
		h.ran.crashes++
		next, promised = h.mem.CrashClone(h.rng), min(h.durable, h.lastEndBelow(h.durable))
		h.note("crash; durable %d", h.durable)
	} else {
		h.ran.kills++
		h.note("kill; acknowledged %d", acknowledged)
	}
	if err := h.dir.Close(); err != nil && h.dir.Offline() == nil {
		h.t.Errorf("close: %v", err)
	}
	if h.rng.IntN(3) == 0 {
		next = h.openBadly(next)
	}
	h.mem = next
	h.open(next)
	o := h.log.Offsets()
	if o.LogStart > h.start {
		h.t.Errorf("log starts at %d, was %d", o.LogStart, h.start)
	}
	if o.LogStart < start {
		h.ragged = true
	}
	if o.LogEnd < promised {
		h.t.Errorf("log ends at %d, %d were promised", o.LogEnd, promised)
	}
	h.adopt(h.readBatches(o.LogStart), promised, o)
	if h.forgetful {
		h.resequence()
	}
	h.start, h.hw = o.LogStart, o.HighWatermark
	h.note("log is %d to %d, high watermark %d", o.LogStart, o.LogEnd, o.HighWatermark)
	h.check()
}

// openBadly opens the directory while one operation fails, and returns what the disk has after a kill then.
func (h *history) openBadly(mem *vfs.Mem) *vfs.Mem {
	h.arm(60)
	d, err := h.openDir(mem)
	if err == nil {
		_, err = d.Open("t", 0, testTopicID, h.cfg)
	}
	h.disarm()
	h.note("opened with a failing disk: %v", err)
	left := mem.Clone()
	if d != nil {
		d.Close()
	}
	return left
}
