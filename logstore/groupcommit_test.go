package logstore

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Flushes run one at a time, each covers all who came before it began, and nobody waits for a later one.
func TestGroupCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g groupCommit
		var written, flushed, running atomic.Int64
		flushes := 0
		flush := func() error {
			if running.Add(1) != 1 {
				t.Error("two flushes at a time")
			}
			upTo := written.Load()
			time.Sleep(10 * time.Millisecond)
			flushed.Store(upTo)
			flushes++
			running.Add(-1)
			return nil
		}
		var writers sync.WaitGroup
		for i := range 64 {
			writers.Go(func() {
				time.Sleep(time.Duration(i%7) * time.Millisecond)
				for range 10 {
					mine := written.Add(1)
					began := time.Now()
					if err := g.join(flush); err != nil {
						t.Error(err)
					}
					if flushed.Load() < mine {
						t.Errorf("write %d: flushed to %d", mine, flushed.Load())
					}
					if d := time.Since(began); d > 20*time.Millisecond {
						t.Errorf("write %d waited %v, for more than the flush under way and the next", mine, d)
					}
				}
			})
		}
		writers.Wait()
		if flushes > 22 {
			t.Errorf("%d flushes for 10 writes of each of 64 writers", flushes)
		}
		if g.busy || g.next != nil {
			t.Errorf("left busy %v, next %v", g.busy, g.next)
		}
	})
}

// All who share a flush that fails are told, the directory is offline, and no sync is tried again.
func TestFailedSync(t *testing.T) {
	for _, fault := range []error{syscall.EIO, syscall.ENOSPC} {
		var broken atomic.Bool
		var after atomic.Int64
		fsys := vfs.Inject(vfs.NewMem(time.Now), func(op vfs.Op) error {
			if op.Kind == vfs.OpSync && strings.HasSuffix(op.Path, logSuffix) && broken.Load() {
				if after.Add(1) == 1 {
					return fault
				}
			}
			return nil
		})
		d := openTestDir(t, fsys, &clock{startMs})
		cfg := smallConfig()
		cfg.SegmentBytes = 1 << 20
		cfg.FlushMessages = 1
		l := openTestLog(t, d, cfg)
		if _, err := l.AppendAsLeader(records(1, startMs, "on disk"), 0); err != nil {
			t.Fatal(err)
		}
		broken.Store(true)
		var writers sync.WaitGroup
		for range 16 {
			writers.Go(func() {
				_, err := l.AppendAsLeader(records(1, startMs, "v"), 0)
				if !errors.Is(err, kerr.KafkaStorageError) || errors.Is(err, ErrNoRoom) {
					t.Errorf("%v: append after or in a failed sync: %v", fault, err)
				}
			})
		}
		writers.Wait()
		if d.Offline() == nil {
			t.Errorf("%v: the directory is not offline", fault)
		}
		if err := l.Flush(); err == nil {
			t.Errorf("%v: the next flush is a success", fault)
		}
		if n := after.Load(); n != 1 {
			t.Errorf("%v: %d syncs from the failed one on", fault, n)
		}
		if l.recoveryPoint.Load() != 1 {
			t.Errorf("%v: recovery point %d", fault, l.recoveryPoint.Load())
		}
	}
}

// A retry of a batch that is in the log and not on disk waits for the disk as the first attempt does.
func TestDuplicateIsFlushed(t *testing.T) {
	d := openTestDir(t, vfs.NewMem(time.Now), &clock{startMs})
	cfg := smallConfig()
	cfg.FlushMessages = 1
	l := openTestLog(t, d, cfg)
	batchOf7 := func() batch.Batch {
		w := batch.NewBuilder()
		w.ProducerID, w.ProducerEpoch, w.BaseSequence = 7, 0, 0
		return w.Add(batch.Record{Timestamp: startMs, Value: []byte("v")}).Build()
	}
	first, err := l.WriteAsLeader(batchOf7(), 0, Verification{})
	if err != nil || !first.FlushDue {
		t.Fatalf("%+v, %v", first, err)
	}
	again, err := l.WriteAsLeader(batchOf7(), 0, Verification{})
	if err != nil || !again.Duplicate || !again.FlushDue {
		t.Fatalf("%+v, %v", again, err)
	}
	if err := l.FlushTo(again.LastOffset + 1); err != nil {
		t.Fatal(err)
	}
	again, err = l.WriteAsLeader(batchOf7(), 0, Verification{})
	if err != nil || !again.Duplicate || again.FlushDue {
		t.Errorf("%+v, %v", again, err)
	}
}
