package logstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

func compactConfig() Config {
	cfg := smallConfig()
	cfg.SegmentBytes = 600
	cfg.Compact, cfg.Delete = true, false
	cfg.MinCleanableRatio = 0.01
	return cfg
}

var anyCleaner = CleanerConfig{DedupeBufferBytes: 1 << 20, LoadFactor: 0.9, IOBufferBytes: 8 << 10, MaxBytesPerSecond: math.MaxFloat64}

// fillKeys appends n batches of one or two records over so many keys. The values are the offsets.
func fillKeys(t testing.TB, l *Log, n, keys int) {
	t.Helper()
	for i := range n {
		w := batch.NewBuilder()
		end := l.Offsets().LogEnd
		w.Codec = batch.Codec(i % 5)
		for j := range int64(1 + i%2) {
			w.Add(batch.Record{Timestamp: startMs + end, Key: fmt.Append(nil, "key", (int(end+j)*7)%keys), Value: fmt.Append(nil, end+j)})
		}
		if _, err := l.AppendAsLeader(w.Build(), 1); err != nil {
			t.Fatal(err)
		}
	}
	l.SetHighWatermark(l.Offsets().LogEnd)
}

type keyed struct {
	offset     int64
	key, value string
}

// content reads every record, and holds the batches against checksums and order.
func content(t testing.TB, l *Log) (got []keyed) {
	t.Helper()
	o := l.Offsets()
	for from := o.LogStart; from < o.LogEnd; {
		sl, err := l.Read(from, o.LogEnd, 500, true)
		if err != nil {
			t.Fatalf("read from %d: %v", from, err)
		}
		p, err := sl.AppendTo(nil)
		sl.Release()
		if err != nil || len(p) == 0 {
			t.Fatalf("read from %d of %d: %d bytes, %v", from, o.LogEnd, len(p), err)
		}
		for len(p) > 0 {
			b, rest, err := batch.Next(p)
			if err == nil {
				err = b.Validate()
			}
			if err != nil || b.LastOffset() < from {
				t.Fatalf("read from %d: batch %d to %d, %v", from, b.BaseOffset(), b.LastOffset(), err)
			}
			for r, err := range b.Records() {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, keyed{r.Offset, string(r.Key), string(r.Value)})
			}
			from, p = b.LastOffset()+1, rest
		}
	}
	return got
}

// compactedFrom holds that got is what compaction may leave of all: in order, unchanged, and nothing gone of which there
// is no newer record.
func compactedFrom(t testing.TB, what string, got, all []keyed) {
	t.Helper()
	newest := map[string]int64{}
	for _, r := range got {
		newest[r.key] = max(newest[r.key], r.offset)
	}
	for _, r := range all {
		if len(got) > 0 && got[0] == r {
			got = got[1:]
		} else if newest[r.key] <= r.offset {
			t.Errorf("%s: record %d of %s is gone, the newest of that key is %d", what, r.offset, r.key, newest[r.key])
		}
	}
	if len(got) > 0 {
		t.Errorf("%s: record %+v was never written, or twice, or is out of order", what, got[0])
	}
}

// TestCleanIO is the order in which a cleaning touches the disk: what may be lost is on disk before anything relies on
// it.
func TestCleanIO(t *testing.T) {
	mem, clk := vfs.NewMem(nil), &clock{startMs}
	var ops []string
	watching := false
	d := openTestDirManual(t, vfs.Inject(mem, func(op vfs.Op) error {
		if watching && op.Mutates() {
			ops = append(ops, fmt.Sprintf("%s %s", op.Kind, strings.TrimPrefix(op.Path, "/data/")))
		}
		return nil
	}), clk)
	defer d.Close()
	l := openTestLog(t, d, compactConfig())
	for range 2 {
		fillKeys(t, l, 3, 1)
		if _, err := l.Roll(clk.ms); err != nil {
			t.Fatal(err)
		}
	}
	watching = true
	if _, err := NewCleaner(l.logger).Clean(t.Context(), l, anyCleaner); err != nil {
		t.Fatal(err)
	}
	watching = false
	want := `sync t-0/00000000000000000000.log
sync t-0/00000000000000000000.index
sync t-0/00000000000000000000.timeindex
sync t-0/00000000000000000004.log
sync t-0/00000000000000000004.index
sync t-0/00000000000000000004.timeindex
sync t-0/00000000000000000008.log
create t-0/leader-epoch-checkpoint.tmp
truncate t-0/leader-epoch-checkpoint.tmp
write t-0/leader-epoch-checkpoint.tmp
sync t-0/leader-epoch-checkpoint.tmp
rename t-0/leader-epoch-checkpoint
sync t-0/00000000000000000004.snapshot
sync t-0/00000000000000000008.snapshot
sync t-0/partition.metadata
syncdir t-0
syncdir /data
create recovery-point-offset-checkpoint.tmp
truncate recovery-point-offset-checkpoint.tmp
write recovery-point-offset-checkpoint.tmp
sync recovery-point-offset-checkpoint.tmp
rename recovery-point-offset-checkpoint
syncdir /data
create log-start-offset-checkpoint.tmp
truncate log-start-offset-checkpoint.tmp
write log-start-offset-checkpoint.tmp
sync log-start-offset-checkpoint.tmp
rename log-start-offset-checkpoint
syncdir /data
create replication-offset-checkpoint.tmp
truncate replication-offset-checkpoint.tmp
write replication-offset-checkpoint.tmp
sync replication-offset-checkpoint.tmp
rename replication-offset-checkpoint
syncdir /data
create cleaner-offset-checkpoint.tmp
truncate cleaner-offset-checkpoint.tmp
write cleaner-offset-checkpoint.tmp
sync cleaner-offset-checkpoint.tmp
rename cleaner-offset-checkpoint
syncdir /data
remove t-0/00000000000000000000.log.cleaned
remove t-0/00000000000000000000.index.cleaned
remove t-0/00000000000000000000.timeindex.cleaned
remove t-0/00000000000000000000.txnindex.cleaned
create t-0/00000000000000000000.log.cleaned
write t-0/00000000000000000000.log.cleaned
create t-0/00000000000000000000.index.cleaned
create t-0/00000000000000000000.timeindex.cleaned
write t-0/00000000000000000000.timeindex.cleaned
sync t-0/00000000000000000000.log.cleaned
sync t-0/00000000000000000000.timeindex.cleaned
syncdir t-0
rename t-0/00000000000000000000.log.swap
rename t-0/00000000000000000000.index.swap
rename t-0/00000000000000000000.timeindex.swap
syncdir t-0
rename t-0/00000000000000000000.log.deleted
rename t-0/00000000000000000000.index.deleted
rename t-0/00000000000000000000.timeindex.deleted
rename t-0/00000000000000000004.log.deleted
rename t-0/00000000000000000004.index.deleted
rename t-0/00000000000000000004.timeindex.deleted
remove t-0/00000000000000000004.snapshot
syncdir t-0
rename t-0/00000000000000000000.log
rename t-0/00000000000000000000.index
rename t-0/00000000000000000000.timeindex
syncdir t-0
create cleaner-offset-checkpoint.tmp`
	got := strings.Join(ops, "\n")
	if !strings.HasPrefix(got, want) || !strings.Contains(got, "rename cleaner-offset-checkpoint\n") {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func openTestDirManual(t testing.TB, fsys vfs.FS, c *clock) *Dir {
	t.Helper()
	d, err := OpenDir(fsys, "/data", DirOptions{NodeID: 1, Now: c.now, manual: true,
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// dirtyLog is a log of which several groups of segments can be cleaned.
func dirtyLog(t testing.TB, fsys vfs.FS, clk *clock, flushed bool) (*Dir, *Log) {
	d := openTestDirManual(t, fsys, clk)
	l := openTestLog(t, d, compactConfig())
	fillKeys(t, l, 40, 9)
	if flushed {
		if err := l.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	return d, l
}

// TestCleanSurvives stops or fails a cleaning at each of its operations: by a kill, by a loss of power that leaves any
// part of what was not synced, by an error of that one operation. What is there afterwards is what compaction may
// leave, and cleaning it again gives what cleaning at once gives. If it was not on disk before, the end of it may be
// missing after a loss of power; but then nothing has been cleaned.
func TestCleanSurvives(t *testing.T) {
	for _, flushed := range []bool{true, false} {
		t.Run(fmt.Sprintf("flushed=%v", flushed), func(t *testing.T) { cleanSurvives(t, flushed) })
	}
}

func cleanSurvives(t *testing.T, flushed bool) {
	clk := &clock{startMs}
	var all, want []keyed
	var total int64
	{
		var n int64
		armed := false
		d, l := dirtyLog(t, vfs.Inject(vfs.NewMem(nil), func(vfs.Op) error {
			if armed {
				n++
			}
			return nil
		}), clk, flushed)
		all = content(t, l)
		armed = true
		if done, err := NewCleaner(l.logger).Clean(t.Context(), l, anyCleaner); err != nil || done.Left < 3 {
			t.Fatalf("%+v, %v", done, err)
		}
		armed, total = false, n
		want = content(t, l)
		compactedFrom(t, "undisturbed", want, all)
		if len(want) > len(all)/2 {
			t.Fatalf("%d of %d records are left", len(want), len(all))
		}
		d.Close()
	}
	t.Logf("%d operations", total)
	first := rand.Uint64() >> 16
	for n := range total {
		for mode, fault := range map[string]error{"kill": nil, "crash": nil, "EIO": syscall.EIO, "ENOSPC": syscall.ENOSPC} {
			mem := vfs.NewMem(nil)
			armed := false
			var at int64
			var failed vfs.Op
			d, l := dirtyLog(t, vfs.Inject(mem, func(op vfs.Op) error {
				if !armed {
					return nil
				}
				at++
				if at-1 == n {
					failed = op
				}
				if at-1 == n || at-1 > n && fault == nil {
					if fault == nil {
						return syscall.EIO // the machine has stopped: nothing gets through any more
					}
					return fault
				}
				return nil
			}), clk, flushed)
			armed = true
			_, err := NewCleaner(l.logger).Clean(t.Context(), l, anyCleaner)
			what := fmt.Sprintf("seed %d, operation %d, %s of %s, %s", first, n, failed.Kind, failed.Path, mode)
			armed = false
			if mode == "ENOSPC" && !syncs(failed) {
				if d.Offline() != nil {
					t.Errorf("%s: the directory is offline: %v", what, d.Offline())
				}
				compactedFrom(t, what, content(t, l), all)
			} else if err == nil && failed.Mutates() && failed.Kind != vfs.OpRemove {
				t.Errorf("%s: the error was lost", what)
			}
			next := mem.Clone()
			if mode == "crash" {
				next = mem.CrashClone(rand.New(rand.NewPCG(first, uint64(n))))
			}
			d.Close()
			d = openTestDirManual(t, next, clk)
			l = openTestLog(t, d, compactConfig())
			l.SetHighWatermark(math.MaxInt64)
			got := content(t, l)
			if n := len(got); mode == "crash" && !flushed && l.Offsets().LogEnd < int64(len(all)) {
				if !slices.Equal(got, all[:n]) {
					t.Errorf("%s: the log has lost its end, and %d records are not those it had", what, n)
				}
				d.Close()
				continue
			}
			compactedFrom(t, what, got, all)
			if _, err := NewCleaner(l.logger).Clean(t.Context(), l, anyCleaner); err != nil && !errors.Is(err, errCleanedElsewhere) {
				t.Errorf("%s: cleaning again: %v", what, err)
			}
			if got := content(t, l); !slices.Equal(got, want) {
				t.Errorf("%s: %d records after cleaning again, %d expected", what, len(got), len(want))
			}
			if err := d.Close(); err != nil {
				t.Errorf("%s: close: %v", what, err)
			}
			if t.Failed() {
				return
			}
		}
	}
}

// TestCleanCorrupt: a log with a flipped bit is left alone, with an error that says where, and the others are cleaned.
func TestCleanCorrupt(t *testing.T) {
	mem, clk := vfs.NewMem(nil), &clock{startMs}
	d, l := dirtyLog(t, mem, clk, true)
	defer d.Close()
	other, err := d.Open("t", 1, testTopicID, compactConfig())
	if err != nil {
		t.Fatal(err)
	}
	fillKeys(t, other, 20, 20)
	f, err := mem.Open((*l.segments.Load())[1].path())
	if err != nil {
		t.Fatal(err)
	}
	var bit [1]byte
	if _, err := f.ReadAt(bit[:], 70); err != nil {
		t.Fatal(err)
	}
	bit[0] ^= 0x40
	f.WriteAt(bit[:], 70)
	before := content2(l)
	c := NewCleaner(d.logger)
	if _, err := c.Clean(t.Context(), l, anyCleaner); !errors.Is(err, kerr.CorruptMessage) || !strings.Contains(err.Error(), "byte") {
		t.Errorf("cleaning a damaged log: %v", err)
	}
	for range 3 {
		c.CleanDirtiest(t.Context(), []*Log{l, other}, anyCleaner)
	}
	if !l.uncleanable.Load() || other.uncleanable.Load() || other.cleaned.Load() < 0 || d.Offline() != nil {
		t.Errorf("uncleanable %v and %v, the other is cleaned to %d, offline %v", l.uncleanable.Load(), other.uncleanable.Load(), other.cleaned.Load(), d.Offline())
	}
	if content2(l) != before {
		t.Error("a damaged log was changed")
	}
	entries, _ := mem.ReadDir("/data/t-0")
	for _, e := range entries {
		if strings.HasSuffix(e.Name, cleanedSuffix) || strings.HasSuffix(e.Name, swapSuffix) {
			t.Errorf("left over: %s", e.Name)
		}
	}
}

// content2 is the bytes of the log's segments.
func content2(l *Log) string {
	var all []byte
	for _, s := range *l.segments.Load() {
		h, size, _, err := s.acquire()
		if err != nil {
			return err.Error()
		}
		all, _ = Slice{file: h, n: int(size)}.AppendTo(all)
		h.release()
	}
	return string(all)
}

// TestCleanRaces has readers, a writer, retention, truncation and deletion at work while two goroutines clean. The race
// detector and the checksums are the judges; a slice that is held over a cleaning keeps its bytes.
func TestCleanRaces(t *testing.T) {
	for name, c := range map[string]struct {
		fs   vfs.FS
		path string
	}{"mem": {vfs.NewMem(nil), "/data"}, "os": {vfs.OS{}, t.TempDir()}} {
		t.Run(name, func(t *testing.T) {
			d, err := OpenDir(c.fs, c.path, DirOptions{NodeID: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			cfg := compactConfig()
			cfg.SegmentBytes = 4000
			l, err := d.Open("t", 0, testTopicID, cfg)
			if err != nil {
				t.Fatal(err)
			}
			fillKeys(t, l, 200, 30)
			var cleanings atomic.Int64
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			cleaner := NewCleaner(d.logger)
			for range 2 {
				running.Go(func() {
					for ctx.Err() == nil {
						if cleaner.CleanDirtiest(ctx, []*Log{l}, anyCleaner) {
							cleanings.Add(1)
						}
					}
				})
			}
			for r := range 2 {
				running.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(r), 3))
					for ctx.Err() == nil {
						o := l.Offsets()
						sl, err := l.Read(o.LogStart+rng.Int64N(o.LogEnd-o.LogStart+1), o.LogEnd, rng.IntN(5000), true)
						if errors.Is(err, kerr.OffsetOutOfRange) || errors.Is(err, ErrClosed) {
							continue
						}
						if err != nil {
							t.Errorf("read: %v", err)
							return
						}
						p, err := sl.AppendTo(nil)
						again, err2 := sl.AppendTo(nil)
						sl.Release()
						if err != nil || err2 != nil || string(p) != string(again) {
							t.Errorf("slice: %v, %v", err, err2)
						}
						for len(p) > 0 {
							b, rest, err := batch.Next(p)
							if err == nil {
								err = b.Validate()
							}
							if err != nil {
								t.Errorf("read: %v", err)
								return
							}
							p = rest
						}
						if _, _, err := l.OffsetForTimestamp(startMs + rng.Int64N(3000)); err != nil && !errors.Is(err, ErrClosed) {
							t.Errorf("time look-up: %v", err)
						}
					}
				})
			}
			rng := rand.New(rand.NewPCG(9, 9))
			for i := 0; i < 2000 || cleanings.Load() < 5; i++ {
				fillKeys(t, l, 1, 30)
				switch {
				case i%97 == 0:
					o := l.Offsets()
					if err := l.TruncateTo(max(o.LogStart, o.LogEnd-rng.Int64N(300))); err != nil && !strings.Contains(err.Error(), "retention") {
						t.Fatal(err)
					}
				case i%301 == 0:
					if _, err := l.DeleteRecordsBefore(l.Offsets().LogEnd / 3); err != nil {
						t.Fatal(err)
					}
					if _, err := l.Retain(time.Now().UnixMilli()); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := d.Delete(l); err != nil {
				t.Fatal(err)
			}
			again, err := d.Open("t", 0, [16]byte{9}, cfg)
			if err != nil {
				t.Fatal(err)
			}
			fillKeys(t, again, 50, 5)
			stop()
			running.Wait()
			if d.Offline() != nil {
				t.Error(d.Offline())
			}
		})
	}
}

// TestCleanStops: a cleaning that the throttle holds up ends at once when it is no longer wanted, and leaves nothing.
func TestCleanStops(t *testing.T) {
	slow := anyCleaner
	slow.MaxBytesPerSecond = 1
	slow.IOBufferBytes = 0
	for name, stop := range map[string]func(*Dir, *Log, context.CancelFunc){
		"cancelled": func(_ *Dir, _ *Log, cancel context.CancelFunc) { cancel() },
		"deleted":   func(d *Dir, l *Log, _ context.CancelFunc) { _ = d.Delete(l) },
		"closed":    func(d *Dir, _ *Log, _ context.CancelFunc) { _ = d.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			mem := vfs.NewMem(nil)
			d := openTestDirManual(t, mem, &clock{startMs})
			defer d.Close()
			cfg := compactConfig()
			cfg.SegmentBytes = 20_000
			l := openTestLog(t, d, cfg)
			fillKeys(t, l, 500, 3)
			c := NewCleaner(d.logger)
			waiting := make(chan struct{}, 100)
			c.throttle.sleep = func(ctx context.Context, _ time.Duration) error {
				waiting <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			done := make(chan error)
			go func() { _, err := c.Clean(ctx, l, slow); done <- err }()
			<-waiting
			stop(d, l, cancel)
			if err := <-done; !errors.Is(err, errCleanAborted) {
				t.Errorf("%v", err)
			}
			if l.uncleanable.Load() || d.Offline() != nil && name != "closed" {
				t.Errorf("uncleanable %v, offline %v", l.uncleanable.Load(), d.Offline())
			}
		})
	}
}

// TestThrottle: bytes take their time, over all users together, and idle time is not saved up.
func TestThrottle(t *testing.T) {
	now := time.UnixMilli(startMs)
	var slept time.Duration
	th := throttle{now: func() time.Time { return now }, sleep: func(_ context.Context, d time.Duration) error { slept = d; now = now.Add(d); return nil }}
	for _, c := range []struct {
		idle      time.Duration
		n         int64
		perSecond float64
		want      time.Duration
	}{
		{0, 500, 1000, 500 * time.Millisecond},
		{time.Hour, 1000, 1000, time.Second},
		{0, 1 << 30, math.MaxFloat64, 0},
		{0, 2000, 1000, 2 * time.Second},
	} {
		now, slept = now.Add(c.idle), 0
		if err := th.use(t.Context(), c.n, c.perSecond); err != nil || slept != c.want {
			t.Errorf("%d bytes after %v: %v, %v, want %v", c.n, c.idle, slept, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := th.use(ctx, 1, math.MaxFloat64); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
