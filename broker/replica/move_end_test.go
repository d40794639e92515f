package replica

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
	"blumfeld/logstore"
	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"
)

// TestMoveIntoAGap moves a log that ends where no batch does: a truncation may have left it so, or the compaction of a
// directory that was imported. The copy ends there too, also after a start.
func TestMoveIntoAGap(t *testing.T) {
	_, image := oneTopic(t)
	mem := vfs.NewMem(time.Now)
	m := newMoving(t, mem, image, 1<<62)
	for n := range int64(10) {
		if err := m.append(n); err != nil {
			t.Fatal(err)
		}
	}
	b := batch.NewBuilder().Add(batch.Record{Timestamp: 1, Value: []byte("10")}).Add(batch.Record{Timestamp: 1, Value: []byte("11")}).Build()
	if _, err := m.partition().Append(b, 1, Verification{}); err != nil {
		t.Fatal(err)
	}
	if err := m.partition().Log().TruncateTo(11); err != nil { // the batch goes
		t.Fatal(err)
	}
	ended := make(chan struct{})
	if err := m.set.Move("t", 0, m.dirs[1]); err != nil {
		t.Fatal(err)
	}
	go func() { m.arrive(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("the move goes on and on")
	}
	if d, err := m.set.DirOf("t", 0); err != nil || d != m.dirs[1] {
		t.Fatalf("it is in %v, %v\n%s", d, err, &m.log)
	}
	m = newMoving(t, mem.CrashClone(rand.New(rand.NewPCG(1, 1))), image, 1<<62)
	defer m.close()
	if err := m.append(11); err != nil {
		t.Fatal(err)
	}
	if got, err := m.partition().Log().Extent(0, 12); err != nil || got == 0 {
		t.Errorf("%d bytes, %v", got, err)
	}
}

// TestMoveOfAnIdleLog: when the old log is gone the new one is on disk under its name, with a producer of which it has no
// record, although nothing was appended since it was flushed as a copy.
func TestMoveOfAnIdleLog(t *testing.T) {
	_, image := oneTopic(t)
	for seed := range uint64(40) {
		mem := vfs.NewMem(time.Now)
		m := newMoving(t, mem, image, 1<<62)
		b := batch.NewBuilder()
		b.ProducerID, b.ProducerEpoch, b.BaseSequence = 7, 0, 0
		b.Add(batch.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("0")})
		if _, err := m.partition().Append(b.Build(), 1, Verification{}); err != nil {
			t.Fatal(err)
		}
		for n := int64(1); n < 10; n++ {
			if err := m.append(n); err != nil {
				t.Fatal(err)
			}
		}
		log := m.partition().Log()
		if _, err := log.Roll(time.Now().UnixMilli()); err != nil {
			t.Fatal(err)
		}
		if _, err := log.DeleteRecordsBefore(10); err != nil {
			t.Fatal(err)
		}
		if err := m.set.Move("t", 0, m.dirs[1]); err != nil {
			t.Fatal(err)
		}
		m.arrive()
		left := mem.Clone()
		if seed > 0 {
			left = mem.CrashClone(rand.New(rand.NewPCG(seed, 1)))
		}
		m.close()
		if d, err := logstore.OpenDir(left, "/b", logstore.DirOptions{NodeID: self}); err != nil || len(d.Logs()) != 1 {
			t.Fatalf("seed %d: the new directory has %v, %v", seed, d.Logs(), err)
		} else if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		m = newMoving(t, left, image, 1<<62)
		if got := m.partition().Log().Producers(); len(got) != 1 || got[0].ProducerID != 7 || got[0].LastSequence != 0 {
			t.Fatalf("seed %d: producers %+v", seed, got)
		}
		m.close()
	}
}

// TestMoveEndsBadly has the flush fail that ends a move. If that passes, so does the wait for it. Where the disk has
// failed the partition is offline with it, and stays so when that disk is missing at the next start: what the old
// directory still has is older than what was acknowledged since, and is kept aside.
func TestMoveEndsBadly(t *testing.T) {
	for name, c := range map[string]struct {
		err   error
		times int64
		fails func(vfs.Op) bool
		end   func(*testing.T, *controller.Controller, *moving)
	}{
		"no room for a while": {syscall.ENOSPC, 2, func(op vfs.Op) bool {
			return op.Kind == vfs.OpCreate && op.Path == "/b/t-0/leader-epoch-checkpoint.tmp"
		},
			func(t *testing.T, _ *controller.Controller, m *moving) {
				m.arrive()
				m.check(0, 50)
				if logs := m.dirs[0].Logs(); len(logs) > 0 || m.dirs[1].Offline() != nil {
					t.Errorf("left behind: %v; offline: %v", logs, m.dirs[1].Offline())
				}
			}},
		"no room, and moved back": {syscall.ENOSPC, math.MaxInt64, func(op vfs.Op) bool {
			return op.Kind == vfs.OpCreate && op.Path == "/b/t-0/leader-epoch-checkpoint.tmp"
		},
			func(t *testing.T, _ *controller.Controller, m *moving) {
				if err := m.set.Move("t", 0, m.dirs[0]); err != nil {
					t.Fatal(err)
				}
				m.arrive()
				m.check(0, 50)
				if d, err := m.set.DirOf("t", 0); err != nil || d != m.dirs[0] {
					t.Errorf("it is in %v, %v", d.Path(), err)
				}
			}},
		"no room, and the topic is deleted": {syscall.ENOSPC, math.MaxInt64, func(op vfs.Op) bool {
			return op.Kind == vfs.OpCreate && op.Path == "/b/t-0/leader-epoch-checkpoint.tmp"
		},
			func(t *testing.T, c *controller.Controller, m *moving) {
				_, rev := c.DeleteTopics(t.Context(), []controller.TopicRef{{Name: "t"}})
				image, err := c.WaitRevision(t.Context(), rev)
				if err != nil {
					t.Fatal(err)
				}
				m.set.Apply(image)
				for _, d := range m.dirs {
					entries, err := m.fs.ReadDir(d.Path())
					if err != nil {
						t.Error(err)
					}
					for _, e := range entries {
						if e.IsDir && !strings.HasSuffix(e.Name, "-delete") {
							t.Errorf("%s is left in %s", e.Name, d.Path())
						}
					}
				}
			}},
		"disk": {syscall.EIO, math.MaxInt64, func(op vfs.Op) bool { return op.Kind == vfs.OpSync && strings.HasPrefix(op.Path, "/b/t-0/") },
			func(t *testing.T, _ *controller.Controller, m *moving) {
				m.arrive()
				if _, err := m.set.Get("t", 0); !errors.Is(err, kerr.KafkaStorageError) {
					t.Errorf("on a disk that failed: %v", err)
				}
				if logs := m.dirs[0].Logs(); len(logs) > 0 {
					t.Errorf("the next start would find %v", logs)
				}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			ctl, image := oneTopic(t)
			var failed atomic.Int64
			reached := make(chan struct{}, 1)
			m := newMoving(t, vfs.Inject(vfs.NewMem(time.Now), func(op vfs.Op) error {
				if !c.fails(op) || failed.Add(1) > c.times {
					return nil
				}
				select {
				case reached <- struct{}{}:
				default:
				}
				return c.err
			}), image, 1<<62)
			for n := range int64(50) {
				if err := m.append(n); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.set.Move("t", 0, m.dirs[1]); err != nil {
				t.Fatal(err)
			}
			<-reached
			c.end(t, ctl, m)
			m.set.Stop()
			for _, d := range m.dirs {
				_ = d.Close()
			}
		})
	}
}

// TestTwoLogs: of two logs that a crash in a move leaves the one counts that a replica would follow: the one of the newer
// epoch, or if that is the same the longer one. (The longer one counted, even if it was cut meanwhile in the new
// directory, and appended to by the next leader.)
func TestTwoLogs(t *testing.T) {
	type run struct {
		epoch int32
		to    int64
	}
	for name, c := range map[string]struct {
		a, b    []run
		deleted int64 // in /b
		want    int
	}{
		"longer":              {[]run{{1, 50}}, []run{{1, 60}}, 0, 1},
		"longer, the first":   {[]run{{1, 60}}, []run{{1, 50}}, 0, 0},
		"newer":               {[]run{{1, 50}}, []run{{1, 30}, {2, 40}}, 0, 1},
		"newer, the first":    {[]run{{1, 30}, {2, 40}}, []run{{1, 50}}, 0, 0},
		"newer and longer":    {[]run{{1, 30}, {2, 60}}, []run{{1, 50}}, 0, 0},
		"one without epochs":  {nil, []run{{1, 50}}, 0, 1},
		"longer, all deleted": {[]run{{1, 50}}, []run{{1, 60}}, 60, 1},
		"all deleted":         {[]run{{1, 60}}, []run{{1, 60}}, 60, 1},
	} {
		t.Run(name, func(t *testing.T) {
			_, image := oneTopic(t)
			topic, _ := image.Topic("t")
			mem := vfs.NewMem(time.Now)
			for path, runs := range map[string][]run{"/a": c.a, "/b": c.b} {
				d, err := logstore.OpenDir(mem, path, logstore.DirOptions{NodeID: self})
				if err != nil {
					t.Fatal(err)
				}
				log, err := d.Open("t", 0, topic.ID, logstore.DefaultConfig())
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range runs {
					for n := log.Offsets().LogEnd; n < r.to; n++ {
						b := batch.NewBuilder().Add(batch.Record{Timestamp: 1, Value: fmt.Append(nil, n)}).Build()
						if _, err := log.AppendAsLeader(b, r.epoch); err != nil {
							t.Fatal(err)
						}
					}
				}
				if path == "/b" {
					log.SetHighWatermark(c.deleted)
					if _, err := log.DeleteRecordsBefore(c.deleted); err != nil {
						t.Fatal(err)
					}
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
			}
			m := newMoving(t, mem, image, 1<<62)
			defer m.close()
			if d, err := m.set.DirOf("t", 0); err != nil || d != m.dirs[c.want] {
				t.Errorf("the log in %v counts, %v", d.Path(), err)
			}
			if logs := m.dirs[1-c.want].Logs(); len(logs) > 0 {
				t.Errorf("the other is still there")
			}
		})
	}
}
