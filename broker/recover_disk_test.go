package broker

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/controller"
	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"
)

// TestRecoverFromABadDisk: a directory that cannot be listed is not one without logs. Metadata that was rebuilt without it
// would have its logs set aside at the next start.
func TestRecoverFromABadDisk(t *testing.T) {
	dir := t.TempDir()
	r := run(t, config.Properties{"log.dirs": dir}, "", controller.NewMemStore())
	r.dial().createTopic("t", 1)
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	store := lastingStore{controller.NewMemStore()}
	c := offlineConfig(t, dir, store)
	var bad atomic.Bool
	c.FS = vfs.Inject(vfs.OS{}, func(op vfs.Op) error {
		if bad.Load() && op.Kind == vfs.OpReadDir && op.Path == dir {
			return syscall.EIO
		}
		return nil
	})
	listed := 0
	c.FS = vfs.Inject(c.FS, func(op vfs.Op) error {
		if op.Kind == vfs.OpReadDir && op.Path == dir {
			listed++
			bad.Store(listed > 1) // opening it is well
		}
		return nil
	})
	var out strings.Builder
	if err := Recover(t.Context(), c, &out); err == nil {
		t.Errorf("metadata was rebuilt without the logs of a directory that cannot be listed: %s", out.String())
	}
	if err := Recover(t.Context(), offlineConfig(t, dir, store), &out); err != nil || !strings.Contains(out.String(), "1 of them rebuilt from the logs") {
		t.Errorf("when it can be again: %v, %s", err, out.String())
	}
}

// TestRecoverFutures: a copy on its way to another directory, whose log is gone with the directory that it was in, is the
// log, as it is for a start that knows the topic. (It was not looked at, and the start that came next removed it.) One
// whose log is here goes on; one of another topic of that name is left to the start.
func TestRecoverFutures(t *testing.T) {
	dir := t.TempDir()
	r := run(t, config.Properties{"log.dirs": dir}, "", controller.NewMemStore())
	c := r.dial()
	c.createTopic("t", 2)
	for n := range int32(2) {
		if code := produceCode(ask[*kmsg.ProduceResponse](c, produceRequest("t", n, 1, batch.NewBuilder().Add(batch.Record{Value: []byte("v")}).Build()))); code != 0 {
			t.Fatalf("produce: error %d", code)
		}
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	const id = "0123456789abcdef0123456789abcdef"
	for _, of := range []string{"t-1", "t-2", "u-0"} {
		future := filepath.Join(dir, of+"."+id+"-future")
		if err := os.CopyFS(future, os.DirFS(filepath.Join(dir, "t-1"))); err != nil {
			t.Fatal(err)
		}
		if of == "t-1" {
			continue
		}
		// Another topic, and an earlier one of the name t.
		if err := os.WriteFile(filepath.Join(future, "partition.metadata"), []byte("version: 0\ntopic_id: "+controller.FormatID([16]byte{7, of[0]})), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(filepath.Join(dir, "t-0"), filepath.Join(dir, "t-0."+id+"-future")); err != nil {
		t.Fatal(err)
	}
	store := lastingStore{controller.NewMemStore()}
	var out strings.Builder
	if err := Recover(t.Context(), offlineConfig(t, dir, store), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"t-0", "u-0"} {
		if line := "the log of " + want + " is gone; the copy of it that was under way in " + dir + " takes its place"; !strings.Contains(out.String(), line) {
			t.Errorf("it does not say %q:\n%s", line, out.String())
		}
	}
	r = run(t, config.Properties{"log.dirs": dir}, "", store)
	c = r.dial()
	c.awaitReadable("t", 0, "v")
	c.awaitReadable("t", 1, "v")
	c.awaitReadable("u", 0, "v")
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
}
