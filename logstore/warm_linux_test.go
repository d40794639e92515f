package logstore

import (
	"path/filepath"
	"strings"
	"testing"

	"blumfeld/logstore/vfs"
)

// TestOldAndInMemory: readers get through a mapping what the system holds in memory, however long ago it was written.
func TestOldAndInMemory(t *testing.T) {
	d, err := OpenDir(vfs.OS{}, filepath.Join(t.TempDir(), "data"), DirOptions{NodeID: 1, WarmBytes: 1, manual: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	cfg := smallConfig()
	cfg.SegmentBytes = 64 << 20
	l := openTestLog(t, d, cfg)
	for range 10 {
		if _, err := l.AppendAsLeader(records(1, startMs, strings.Repeat("x", 1_000_000)), 0); err != nil {
			t.Fatal(err)
		}
	}
	for offset := range int64(8) {
		sl, err := l.Read(offset, l.Offsets().LogEnd, 1, true)
		if err != nil {
			t.Fatal(err)
		}
		if sl.warm {
			t.Fatal("the test has not written enough to let the first records become cold")
		}
		want, err := sl.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := sl.Mapped(); !ok || string(got) != string(want) {
			t.Errorf("%d bytes through a mapping, %v", len(got), ok)
		}
		sl.Release()
	}
	if n := d.o.Files.mappings.Load(); n != 1 {
		t.Errorf("%d mappings of one file that did not grow", n)
	}
}
