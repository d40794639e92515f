package logstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TestDirFiles looks at a directory through its files: lock, identity, listing, strays, leftovers of deletion.
func TestDirFiles(t *testing.T) {
	root := t.TempDir()
	open := func(o DirOptions) (*Dir, error) { return OpenDir(vfs.OS{}, root, o) }
	d, err := open(DirOptions{NodeID: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := open(DirOptions{NodeID: 3}); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("second OpenDir: %v", err)
	}
	id := d.DirectoryID()
	if err := d.SetClusterID("c1"); err != nil {
		t.Fatal(err)
	}
	for p := range int32(3) {
		if _, err := d.Open("some-topic", p, testTopicID, DefaultConfig()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Open("some-topic", 0, [16]byte{7}, DefaultConfig()); !errors.Is(err, kerr.InconsistentTopicID) {
		t.Errorf("Open with another topic id: %v", err)
	}
	for _, bad := range []string{"", "..", "a/b", strings.Repeat("x", 250), "ö"} {
		if _, err := d.Open(bad, 0, testTopicID, DefaultConfig()); !errors.Is(err, kerr.InvalidTopicException) {
			t.Errorf("Open(%q): %v", bad, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(DirOptions{NodeID: 4}); err == nil || !strings.Contains(err.Error(), "node.id 3") {
		t.Errorf("OpenDir of another node: %v", err)
	}
	if _, err := open(DirOptions{NodeID: 3, ClusterID: "c2"}); err == nil || !strings.Contains(err.Error(), "c1") {
		t.Errorf("OpenDir of another cluster: %v", err)
	}
	for _, name := range []string{"gone-0.abc-delete", "other-1.abc-stray", "lost+found", "no-number-x", "__cluster_metadata-0"} {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d, err = open(DirOptions{NodeID: 3, ClusterID: "c1", manual: true})
	if err != nil {
		t.Fatal(err)
	}
	if d.DirectoryID() != id || d.ClusterID() != "c1" {
		t.Errorf("identity changed: %x, %s", d.DirectoryID(), d.ClusterID())
	}
	var found []string
	for _, f := range d.Logs() {
		found = append(found, fmt.Sprintf("%s-%d %v", f.Topic, f.Partition, f.TopicID == testTopicID))
	}
	if got := strings.Join(found, ", "); got != "some-topic-0 true, some-topic-1 true, some-topic-2 true" {
		t.Errorf("logs: %s", got)
	}
	if err := d.Stray("some-topic", 2); err != nil {
		t.Error(err)
	}
	if n := len(d.Logs()); n != 2 {
		t.Errorf("%d logs after one was stray", n)
	}
	l, err := d.Open("some-topic", 0, testTopicID, DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	cfg := l.Config()
	cfg.FileDeleteDelayMs = 0
	l.SetConfig(cfg)
	if err := d.Delete(l); err != nil {
		t.Fatal(err)
	}
	inBackground(d)
	if left, err := filepath.Glob(filepath.Join(root, "*-delete")); err != nil || len(left) > 0 {
		t.Errorf("not removed: %v, %v", left, err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCleanOpenIsCheap holds the number of operations of a start after a clean stop, whatever the logs hold, and
// that none of them syncs, writes, or reads more than the end.
func TestCleanOpenIsCheap(t *testing.T) {
	mem, clk := vfs.NewMem(nil), &clock{startMs}
	d := openTestDir(t, mem, clk)
	cfg := smallConfig()
	cfg.SegmentBytes = 50_000
	for p := range int32(10) {
		l, err := d.Open("t", p, testTopicID, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for range 300 {
			if _, err := l.AppendAsLeader(records(2, startMs, strings.Repeat("v", 200)), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	ops := map[vfs.OpKind]int{}
	var bytes int64
	counting := true
	d = openTestDir(t, vfs.Inject(mem, func(op vfs.Op) error {
		if counting {
			ops[op.Kind]++
			if op.Kind == vfs.OpRead {
				bytes += op.Len
			}
		}
		return nil
	}), clk)
	defer d.Close()
	for p := range int32(10) {
		l, err := d.Open("t", p, testTopicID, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if l.Offsets().LogEnd != 600 {
			t.Fatalf("log ends at %d", l.Offsets().LogEnd)
		}
	}
	counting = false
	for _, kind := range []vfs.OpKind{vfs.OpSync, vfs.OpSyncDir, vfs.OpWrite, vfs.OpTruncate, vfs.OpRename, vfs.OpRemove} {
		if ops[kind] > 0 {
			t.Errorf("%d × %s to open what was closed in order", ops[kind], kind)
		}
	}
	if ops[vfs.OpRead] > 10*8+10 || bytes > 10*2000+1000 {
		t.Errorf("%d reads of %d bytes for 10 logs", ops[vfs.OpRead], bytes)
	}
	if ops[vfs.OpOpen] != ops[vfs.OpClose] {
		t.Errorf("%d files opened, %d closed: idle logs hold files open", ops[vfs.OpOpen], ops[vfs.OpClose])
	}
}

// TestNewEpochEndsTheCleanShutdown: a new leader epoch is a change like any other, so the marker that lets the next
// start believe the files goes before it; leading again in the same epoch is none.
func TestNewEpochEndsTheCleanShutdown(t *testing.T) {
	mem, clk := vfs.NewMem(nil), &clock{startMs}
	marked := func() bool {
		_, err := mem.Stat("/data/" + cleanShutdownFile)
		return err == nil
	}
	for epoch, begins := range []bool{true, false, true} {
		d := openTestDir(t, mem, clk)
		l, err := d.Open("t", 0, testTopicID, smallConfig())
		if err != nil {
			t.Fatal(err)
		}
		if !begins {
			epoch--
		}
		was := marked()
		if err := l.AssignEpochStart(int32(epoch), l.Offsets().LogEnd); err != nil {
			t.Fatal(err)
		}
		if got, want := marked(), was && !begins; got != want {
			t.Errorf("epoch %d: marked %v, want %v", epoch, got, want)
		}
		if _, err := l.AppendAsLeader(records(1, startMs, "v"), int32(epoch)); err != nil {
			t.Fatal(err)
		}
		if marked() {
			t.Errorf("epoch %d: still marked after an append", epoch)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if !marked() {
			t.Errorf("epoch %d: not marked after an orderly close", epoch)
		}
	}
}

// TestCloseInParallel: as many logs as may be are closed at a time, every one is, and an error of one is told.
func TestCloseInParallel(t *testing.T) {
	for _, bad := range []bool{false, true} {
		var syncing atomic.Int32
		var closing atomic.Bool
		together := make(chan struct{})
		mem, clk := vfs.NewMem(nil), &clock{startMs}
		fsys := vfs.Inject(mem, func(op vfs.Op) error {
			if !closing.Load() || op.Kind != vfs.OpSync || !strings.HasSuffix(op.Path, logSuffix) {
				return nil
			}
			if bad {
				return syscall.EIO
			}
			if syncing.Add(1) == 3 {
				close(together) // until three wait for the disk none goes on
			}
			<-together
			return nil
		})
		d, err := OpenDir(fsys, "/data", DirOptions{NodeID: 1, Now: clk.now, CloseThreads: 3})
		if err != nil {
			t.Fatal(err)
		}
		for p := range int32(10) {
			l, err := d.Open("t", p, testTopicID, smallConfig())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.AppendAsLeader(records(1, startMs, "v"), 0); err != nil {
				t.Fatal(err)
			}
		}
		closing.Store(true)
		if err := d.Close(); (err != nil) != bad || bad && !errors.Is(err, syscall.EIO) {
			t.Errorf("close: %v", err)
		}
		closing.Store(false)
		if _, err := mem.Stat("/data/" + cleanShutdownFile); (err == nil) == bad {
			t.Errorf("marked as closed in order: %v, an error: %v", err == nil, bad)
		}
	}
}

// syncs says whether an operation makes something durable. If that fails, for whatever reason, the system may have
// dropped what it could not write: the directory goes offline.

// inBackground does what a directory that is manual has to do besides.
func inBackground(d *Dir) {
	for do, _ := d.worker.next(); do != nil; do, _ = d.worker.next() {
		do()
	}
}
