package broker

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"blumfeld/broker/config"
	"blumfeld/controller"
	"blumfeld/logstore/vfs"
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
