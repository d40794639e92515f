package logstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// After a crash nothing is written to the logs that were not written to since they were closed in order, not when they
// are opened and not when they are closed; and those that were cost no checkpoint each.
func TestRecoveryLeavesIdleLogsAlone(t *testing.T) {
	mem := vfs.NewMem(time.Now)
	clk := &clock{startMs}
	const logs, busy = 40, 3
	open := func(fsys vfs.FS) (*Dir, []*Log) {
		d, err := OpenDir(fsys, "/data", DirOptions{NodeID: 1, Now: clk.now, manual: true})
		if err != nil {
			t.Fatal(err)
		}
		all := make([]*Log, logs)
		for i := range all {
			if all[i], err = d.Open("t", int32(i), testTopicID, smallConfig()); err != nil {
				t.Fatal(err)
			}
		}
		return d, all
	}
	d, all := open(mem)
	for i, l := range all {
		for n := range i { // none, some without index entries, some of several segments
			if _, err := l.AppendAsLeader(records(1, startMs+int64(n), fmt.Sprint(n)), 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d, all = open(mem)
	for _, l := range all[:busy] {
		if _, err := l.AppendAsLeader(records(1, startMs, "unflushed"), 1); err != nil {
			t.Fatal(err)
		}
	}
	after := mem.Clone()
	d.Close()

	var mu sync.Mutex
	checkpoints := 0
	d, all = open(vfs.Inject(after, func(op vfs.Op) error {
		if !op.Mutates() {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		if op.Kind == vfs.OpRename && path.Dir(op.Path) == "/data" {
			checkpoints++
		}
		for i := busy; i < logs; i++ {
			if strings.HasPrefix(op.Path, fmt.Sprintf("/data/t-%d/", i)) {
				t.Errorf("%s of %s", op.Kind, op.Path)
			}
		}
		return nil
	}))
	if checkpoints > 0 {
		t.Errorf("%d checkpoints while logs were opened", checkpoints)
	}
	for i, l := range all {
		want := i
		if i < busy {
			want++
		}
		if got := values(t, l, 0); len(got) != want {
			t.Errorf("log %d has %v", i, got)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// A write that fails half way is cut off, and the cut is durable before the recovery point passes it: otherwise a crash
// brings the half back, in the middle of the log, and recovery ends the log there.
func TestFailedWriteThenCrash(t *testing.T) {
	for seed := range uint64(200) {
		mem := vfs.NewMem(time.Now)
		full := false
		d := openTestDirManual(t, vfs.Inject(mem, func(op vfs.Op) error {
			if full && op.Kind == vfs.OpWrite && strings.HasSuffix(op.Path, logSuffix) {
				return &vfs.ShortWrite{N: int(op.Len / 2), Err: syscall.ENOSPC}
			}
			return nil
		}), &clock{startMs})
		l := openTestLog(t, d, smallConfig())
		step := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		write := func(value string) error {
			_, err := l.AppendAsLeader(records(1, startMs, value), 0)
			return err
		}
		step(write("first"))
		step(l.Flush())
		full = true
		if err := write("half"); !errors.Is(err, kerr.KafkaStorageError) {
			t.Fatal(err)
		}
		full = false
		_, err := l.Roll(startMs)
		step(err)
		step(write("second"))
		step(l.Flush())
		d = openTestDirManual(t, mem.CrashClone(rand.New(rand.NewPCG(seed, 0))), &clock{startMs})
		if got := values(t, openTestLog(t, d, smallConfig()), 0); fmt.Sprint(got) != "[first second]" {
			t.Fatalf("seed %d: %v after a crash", seed, got)
		}
	}
}
