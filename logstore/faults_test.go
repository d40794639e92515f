package logstore

import (
	"errors"
	"fmt"
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

// TestDiskFull: appends are refused, whole or not at all, reads go on, and writes resume when there is room.
func TestDiskFull(t *testing.T) {
	for _, reserved := range []int64{0, 20_000} {
		t.Run(fmt.Sprintf("reserved=%d", reserved), func(t *testing.T) {
			mem, clk := vfs.NewMem(nil), &clock{startMs}
			d, err := OpenDir(mem, "/data", DirOptions{NodeID: 1, Now: clk.now, ReservedBytes: reserved})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			cfg := smallConfig()
			cfg.SegmentBytes = 10_000
			l := openTestLog(t, d, cfg)
			mem.SetCapacity(60_000)
			n := 0
			for ; ; n++ {
				_, err := l.AppendAsLeader(records(1, startMs, strings.Repeat("v", 900)), 0)
				if err == nil {
					continue
				}
				if !errors.Is(err, kerr.KafkaStorageError) || !errors.Is(err, ErrNoRoom) {
					t.Fatalf("append to a full disk: %v", err)
				}
				break
			}
			if free, err := d.FreeBytes(); err != nil || free < reserved-1000 {
				t.Errorf("%d bytes free, %v; %d are reserved", free, err, reserved)
			}
			if got := len(values(t, l, 0)); got != n || l.Offsets().LogEnd != int64(n) {
				t.Fatalf("%d records, log end %d after %d appends", got, l.Offsets().LogEnd, n)
			}
			if err := d.Offline(); err != nil {
				t.Fatalf("a full disk took the directory offline: %v", err)
			}
			mem.SetCapacity(200_000)
			for range 20 {
				if _, err := l.AppendAsLeader(records(1, startMs, "again"), 0); err != nil {
					t.Fatalf("append with room again: %v", err)
				}
			}
			if got := len(values(t, l, 0)); got != n+20 {
				t.Fatalf("%d records, want %d", got, n+20)
			}
		})
	}
}

// TestShortWrite: what did get written of a failed append is cut off, and the next append is as if nothing was.
func TestShortWrite(t *testing.T) {
	mem, clk := vfs.NewMem(nil), &clock{startMs}
	var short atomic.Bool
	fsys := vfs.Inject(mem, func(op vfs.Op) error {
		if op.Kind == vfs.OpWrite && strings.HasSuffix(op.Path, logSuffix) && short.Swap(false) {
			return &vfs.ShortWrite{N: 50, Err: syscall.ENOSPC}
		}
		return nil
	})
	d := openTestDir(t, fsys, clk)
	defer d.Close()
	l := openTestLog(t, d, smallConfig())
	for i := range 10 {
		short.Store(i%2 == 1)
		b := records(2, startMs, fmt.Sprint(i))
		_, err := l.AppendAsLeader(b, 0)
		if i%2 == 1 {
			if !errors.Is(err, ErrNoRoom) {
				t.Fatalf("short write: %v", err)
			}
			info, _ := mem.Stat("/data/t-0/00000000000000000000.log")
			if info.Size != l.Size() {
				t.Fatalf("file has %d bytes, log %d", info.Size, l.Size())
			}
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(values(t, l, 0), ""); got != "0022446688" {
		t.Fatalf("records %s", got)
	}
}

// TestFailedRoll: a roll that fails halfway leaves nothing that the next start takes for the end of the log. (It did: an
// empty segment, which ended a log that had gone on in the one before.)
func TestFailedRoll(t *testing.T) {
	for _, kind := range []vfs.OpKind{vfs.OpCreate, vfs.OpTruncate, vfs.OpWrite, vfs.OpRemove} {
		for _, suffix := range []string{logSuffix, indexSuffix, timeIndexSuffix, snapshotSuffix} {
			t.Run(string(kind)+suffix, func(t *testing.T) {
				mem, clk := vfs.NewMem(nil), &clock{startMs}
				var rolling atomic.Bool // what the first segment left to the worker goes on meanwhile
				fsys := vfs.Inject(mem, func(op vfs.Op) error {
					if rolling.Load() && op.Kind == kind && strings.HasSuffix(op.Path, suffix) {
						return syscall.ENOSPC
					}
					return nil
				})
				d := openTestDir(t, fsys, clk)
				l := openTestLog(t, d, smallConfig())
				put := func(v string) {
					b := records(1, startMs, v)
					if _, err := l.AppendAsLeader(b, 0); err != nil {
						t.Fatal(err)
					}
				}
				put("a")
				rolling.Store(true)
				_, err := l.Roll(clk.ms)
				rolling.Store(false)
				if err != nil && !errors.Is(err, ErrNoRoom) {
					t.Fatal(err)
				}
				put("b")
				put("c")
				killed := mem.Clone()
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				for how, mem := range map[string]*vfs.Mem{"stop": mem, "kill": killed} {
					d := openTestDir(t, mem, clk)
					l := openTestLog(t, d, smallConfig())
					if got := strings.Join(values(t, l, 0), ""); got != "abc" || l.Offsets().LogEnd != 3 {
						t.Errorf("after a %s: records %s, %+v", how, got, l.Offsets())
					}
					if err := d.Close(); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// TestFlushFailsHalfway: a flush that could not write an index has flushed nothing, and the next one does. (It did not:
// the records counted as synced.)
func TestFlushFailsHalfway(t *testing.T) {
	mem, clk := vfs.NewMem(nil), &clock{startMs}
	full := false
	d := openTestDir(t, vfs.Inject(mem, func(op vfs.Op) error {
		if full && op.Kind == vfs.OpWrite && strings.HasSuffix(op.Path, indexSuffix) {
			return syscall.ENOSPC
		}
		return nil
	}), clk)
	defer d.Close()
	l := openTestLog(t, d, smallConfig())
	for i := range 5 {
		if _, err := l.AppendAsLeader(records(2, startMs, fmt.Sprint(i)), 0); err != nil {
			t.Fatal(err)
		}
	}
	full = true
	if err := l.Flush(); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("flush: %v", err)
	}
	full = false
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		d := openTestDir(t, mem.CrashClone(rand.New(rand.NewPCG(seed, 0))), clk)
		if got := strings.Join(values(t, openTestLog(t, d, smallConfig()), 0), ""); got != "0011223344" {
			t.Errorf("after a crash: records %s", got)
		}
		d.Close()
	}
}

// TestTruncationFailsHalfway: a truncation that finds no room to copy what a reader holds must not be appended to. (It
// was, behind the batches that should have gone.)
func TestTruncationFailsHalfway(t *testing.T) {
	mem, clk := vfs.NewMem(nil), &clock{startMs}
	d := openTestDir(t, mem, clk)
	l := openTestLog(t, d, smallConfig())
	for i := range 5 {
		if _, err := l.AppendAsLeader(records(2, startMs, fmt.Sprint(i)), 0); err != nil {
			t.Fatal(err)
		}
	}
	held, err := l.Read(0, 10, 1<<20, true)
	if err != nil {
		t.Fatal(err)
	}
	mem.SetCapacity(mem.Used())
	if err := l.TruncateTo(6); !errors.Is(err, ErrNoRoom) {
		t.Fatalf("truncate: %v", err)
	}
	held.Release()
	mem.SetCapacity(0)
	if _, err := l.AppendAsLeader(records(2, startMs, "new"), 1); !errors.Is(err, ErrOffline) {
		t.Errorf("append: %v", err)
	}
	d.Close()
	d = openTestDir(t, mem.Clone(), clk)
	defer d.Close()
	if got := strings.Join(values(t, openTestLog(t, d, smallConfig()), 0), ""); got != "0011223344" {
		t.Errorf("records %s", got)
	}
}

// TestEveryFault fails each operation in turn, once, during the same piece of work. Whatever happens then, what was
// acknowledged is there after a restart, in order, and nothing that was refused is.
func TestEveryFault(t *testing.T) {
	work := func(fsys vfs.FS) (acknowledged []string, offline bool) {
		clk := &clock{startMs}
		d, err := OpenDir(fsys, "/data", DirOptions{NodeID: 1, Now: clk.now, manual: true})
		if err != nil {
			return nil, false
		}
		defer d.Close()
		cfg := smallConfig()
		cfg.SegmentBytes = 400
		l, err := d.Open("t", 0, testTopicID, cfg)
		if err != nil {
			return nil, d.Offline() != nil
		}
		for i := range 12 {
			v := fmt.Sprint(i)
			if _, err := l.AppendAsLeader(records(1, startMs, v), int32(i/5)); err == nil {
				acknowledged = append(acknowledged, v)
			} else if !errors.Is(err, kerr.KafkaStorageError) {
				t.Errorf("append: %v", err)
			}
			if i%4 == 0 {
				if err := l.Flush(); err != nil && !errors.Is(err, kerr.KafkaStorageError) {
					t.Errorf("flush: %v", err)
				}
			}
		}
		if err := d.Checkpoint(); err != nil && !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("checkpoint: %v", err)
		}
		return acknowledged, d.Offline() != nil
	}
	everyFault(t, work, func(acknowledged []string) bool { return len(acknowledged) == 12 }, func(what string, acknowledged []string, l *Log) {
		if got := values(t, l, 0); !slices.Equal(got, acknowledged) {
			t.Errorf("%s: acknowledged %v, log has %v", what, acknowledged, got)
		}
	})
}

// everyFault has work done once undisturbed, which is to do all of it, and then fails each operation in turn, once, a
// write half-way. work says what it has done, and whether the directory is offline, which lack of room does not make it.
// check is given the log as the next start finds it.
func everyFault[T any](t *testing.T, work func(vfs.FS) (done T, offline bool), all func(T) bool, check func(what string, done T, l *Log)) {
	t.Helper()
	var total int64
	if done, _ := work(vfs.Inject(vfs.NewMem(nil), func(op vfs.Op) error { total = op.N + 1; return nil })); !all(done) || total < 60 {
		t.Fatalf("without faults: %+v in %d operations", done, total)
	}
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
		for n := range total {
			mem := vfs.NewMem(nil)
			var failed vfs.Op
			done, offline := work(vfs.Inject(mem, func(op vfs.Op) error {
				if op.N != n {
					return nil
				}
				failed = op
				if op.Kind == vfs.OpWrite {
					return &vfs.ShortWrite{N: int(op.Len / 2), Err: fault}
				}
				return fault
			}))
			what := fmt.Sprintf("operation %d, %s of %s, failed with %v", n, failed.Kind, failed.Path, fault)
			if fault == syscall.ENOSPC && offline && !syncs(failed) {
				t.Errorf("%s: the directory is offline", what)
			}
			d := openTestDir(t, mem.Clone(), &clock{startMs})
			check(what, done, openTestLog(t, d, smallConfig()))
			d.Close()
		}
	}
}

// TestOffline: an I/O error takes one directory offline, with an error that clients know, and no other.
func TestOffline(t *testing.T) {
	var bad atomic.Bool
	clk := &clock{startMs}
	fsys := vfs.Inject(vfs.NewMem(nil), func(op vfs.Op) error {
		if bad.Load() && op.Kind == vfs.OpSync {
			return syscall.EIO
		}
		return nil
	})
	d := openTestDir(t, fsys, clk)
	other, err := OpenDir(fsys, "/other", DirOptions{NodeID: 1, Now: clk.now})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	l := openTestLog(t, d, smallConfig())
	if _, err := l.AppendAsLeader(records(1, startMs, "v"), 0); err != nil {
		t.Fatal(err)
	}
	bad.Store(true)
	if err := l.Flush(); !errors.Is(err, kerr.KafkaStorageError) || !errors.Is(err, syscall.EIO) {
		t.Fatalf("flush with a failing disk: %v", err)
	}
	bad.Store(false)
	for what, err := range map[string]error{
		"append": second(l.AppendAsLeader(records(1, startMs, "v"), 0)),
		"read":   second(l.Read(0, 1, 100, true)),
		"flush":  l.Flush(),
		"open":   second(d.Open("u", 0, testTopicID, smallConfig())),
	} {
		if !errors.Is(err, ErrOffline) || !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("%s in an offline directory: %v", what, err)
		}
	}
	if d.Offline() == nil || other.Offline() != nil {
		t.Errorf("offline: %v; the other: %v", d.Offline(), other.Offline())
	}
	if _, err := other.Open("t", 0, testTopicID, smallConfig()); err != nil {
		t.Errorf("the other directory: %v", err)
	}
	_ = d.Close()
}

func second[T any](_ T, err error) error { return err }

// TestReadersAndWriters has readers hold slices while the log is appended to, truncated, retained and deleted.
// The race detector and the checksums are the judges.
func TestReadersAndWriters(t *testing.T) {
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
			cfg := smallConfig()
			cfg.SegmentBytes = 20_000
			cfg.RetentionBytes = 60_000
			cfg.RetentionMs = -1
			l, err := d.Open("t", 0, testTopicID, cfg)
			if err != nil {
				t.Fatal(err)
			}
			stop := make(chan struct{})
			var readers sync.WaitGroup
			for r := range 3 {
				readers.Go(func() {
					rng := rand.New(rand.NewPCG(uint64(r), 2))
					for {
						select {
						case <-stop:
							return
						default:
						}
						o := l.Offsets()
						from := o.LogStart + rng.Int64N(o.LogEnd-o.LogStart+1)
						sl, err := l.Read(from, o.LogEnd, rng.IntN(5000), true)
						if errors.Is(err, kerr.OffsetOutOfRange) || errors.Is(err, ErrClosed) {
							continue
						}
						if err != nil {
							t.Errorf("read from %d: %v", from, err)
							return
						}
						p, err := sl.AppendTo(nil)
						if err != nil {
							t.Errorf("slice: %v", err)
						}
						if m, ok := sl.Mapped(); ok {
							p = append(p, m...)
						}
						sl.Release()
						for len(p) > 0 {
							b, rest, err := batch.Next(p)
							if err == nil {
								err = b.Validate()
							}
							if err != nil {
								t.Errorf("read from %d: %v", from, err)
								return
							}
							p = rest
						}
						if rng.IntN(10) == 0 {
							if _, _, err := l.OffsetForTimestamp(startMs + rng.Int64N(3000)); err != nil && !errors.Is(err, ErrClosed) {
								t.Errorf("time look-up: %v", err)
							}
						}
					}
				})
			}
			rng := rand.New(rand.NewPCG(7, 7))
			epoch := int32(0)
			for i := range 3000 {
				if _, err := l.AppendAsLeader(records(1+i%3, startMs+int64(i), strings.Repeat("x", rng.IntN(400))), epoch); err != nil {
					t.Fatal(err)
				}
				l.SetHighWatermark(l.Offsets().LogEnd)
				switch {
				case i%97 == 0:
					o := l.Offsets()
					epoch++
					if err := l.TruncateTo(max(o.LogStart, o.LogEnd-rng.Int64N(60))); err != nil {
						t.Fatal(err)
					}
				case i%203 == 0:
					if _, err := l.Retain(time.Now().UnixMilli()); err != nil {
						t.Fatal(err)
					}
				case i%301 == 0:
					if err := l.Flush(); err != nil {
						t.Fatal(err)
					}
				}
			}
			held, err := l.Read(l.Offsets().LogStart, l.Offsets().LogEnd, 1<<20, true)
			if err != nil {
				t.Fatal(err)
			}
			want, err := held.AppendTo(nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := d.Delete(l); err != nil {
				t.Fatal(err)
			}
			if got, err := held.AppendTo(nil); err != nil || string(got) != string(want) {
				t.Errorf("slice held over a deletion: %v", err)
			}
			held.Release()
			close(stop)
			readers.Wait()
			if _, err := l.AppendAsLeader(records(1, startMs, ""), 0); !errors.Is(err, ErrClosed) {
				t.Errorf("append to a deleted log: %v", err)
			}
			again, err := d.Open("t", 0, [16]byte{9}, cfg)
			if err != nil || again.Offsets() != (Offsets{}) {
				t.Errorf("a new log in place of a deleted one: %v, %+v", err, again.Offsets())
			}
		})
	}
}

// TestSharedFlush: writers that wait for durability at the same time share syncs.
func TestSharedFlush(t *testing.T) {
	var syncs atomic.Int64
	fsys := vfs.Inject(vfs.NewMem(nil), func(op vfs.Op) error {
		if op.Kind == vfs.OpSync && strings.HasSuffix(op.Path, logSuffix) {
			syncs.Add(1)
			time.Sleep(time.Millisecond) // as a disk would
		}
		return nil
	})
	d := openTestDir(t, fsys, &clock{startMs})
	defer d.Close()
	cfg := DefaultConfig()
	cfg.FlushMessages = 1
	l := openTestLog(t, d, cfg)
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 20 {
				info, err := l.AppendAsLeader(records(1, startMs, "v"), 0)
				if err != nil || l.recoveryPoint.Load() <= info.LastOffset {
					t.Errorf("appended %d, durable to %d, %v", info.LastOffset, l.recoveryPoint.Load(), err)
				}
			}
		})
	}
	writers.Wait()
	if n := syncs.Load(); n > 120 {
		t.Errorf("160 appends by 8 writers took %d syncs", n)
	}
}

func syncs(op vfs.Op) bool { return op.Kind == vfs.OpSync || op.Kind == vfs.OpSyncDir }
