package vfs

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestResident: what was dropped from the page cache is not in memory, and is again when it was read.
func TestResident(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	f, err := OS{}.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const size = 40 << 20
	if _, err := f.WriteAt(make([]byte, size), 0); err != nil {
		t.Fatal(err)
	}
	m, err := f.Map(size)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Unmap()
	if !m.Resident(0, size) || !m.Resident(5, 1) || !m.Resident(size-1, 1) {
		t.Error("what was just written is not in memory")
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(f.(*osFile).fd, 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
	var where unix.Statfs_t
	if err := unix.Statfs(name, &where); err != nil {
		t.Fatal(err)
	}
	dropped := where.Type != unix.TMPFS_MAGIC // which is memory
	if got := m.Resident(7<<20, 20<<20); got == dropped {
		t.Errorf("after it was dropped: in memory %v", got)
	}
	if _, err := f.ReadAt(make([]byte, 100), 9<<20+4000); err != nil {
		t.Fatal(err)
	}
	if !m.Resident(9<<20+4000, 100) {
		t.Error("what was just read is not in memory")
	}
	if got := m.Resident(0, size); got == dropped {
		t.Errorf("after some was read: all in memory %v", got)
	}
}
