package vfs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"syscall"
	"testing"
)

// TestContract holds the operating system and memory to the same promises.
func TestContract(t *testing.T) {
	for _, c := range []struct {
		name string
		fs   FS
		root string
	}{{"os", OS{}, t.TempDir()}, {"mem", NewMem(nil), "/data"}} {
		t.Run(c.name, func(t *testing.T) {
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}
			must(c.fs.MkdirAll(c.root + "/a/b"))
			must(c.fs.MkdirAll(c.root + "/a/b"))
			if err := c.fs.Mkdir(c.root + "/a"); !errors.Is(err, fs.ErrExist) {
				t.Errorf("Mkdir of an existing folder: %v", err)
			}
			if _, err := c.fs.Open(c.root + "/none"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Open of a missing file: %v", err)
			}
			f, err := c.fs.Create(c.root + "/a/f")
			must(err)
			_, err = f.WriteAt([]byte("hello"), 3)
			must(err)
			must(f.Preallocate(0, 1<<20))
			if n, err := f.Size(); n != 8 || err != nil {
				t.Errorf("Size after Preallocate = %d, %v; want 8: the length is the data's", n, err)
			}
			p := make([]byte, 10)
			if n, err := f.ReadAt(p, 0); n != 8 || err != io.EOF || !bytes.Equal(p[:8], []byte("\x00\x00\x00hello")) {
				t.Errorf("ReadAt = %d, %v, %q", n, err, p[:n])
			}
			m, err := f.Map(4096)
			must(err)
			_, err = f.WriteAt([]byte("HELLO, later"), 3)
			must(err)
			if got := string(m.Bytes()[3:15]); got != "HELLO, later" {
				t.Errorf("a mapping does not show later writes: %q", got)
			}
			must(m.Unmap())
			must(f.Truncate(5))
			must(f.Sync())
			must(c.fs.SyncDir(c.root + "/a"))

			must(c.fs.Rename(c.root+"/a/f", c.root+"/a/g"))
			if n, err := f.ReadAt(p[:5], 0); n != 5 || err != nil {
				t.Errorf("read through a renamed file: %d, %v", n, err)
			}
			must(c.fs.Remove(c.root + "/a/g"))
			if n, err := f.ReadAt(p[:5], 0); n != 5 || err != nil {
				t.Errorf("read through a removed file: %d, %v", n, err)
			}
			must(f.Close())
			entries, err := c.fs.ReadDir(c.root + "/a")
			must(err)
			if len(entries) != 1 || entries[0] != (Entry{Name: "b", IsDir: true}) {
				t.Errorf("ReadDir = %v", entries)
			}

			l, err := c.fs.Lock(c.root + "/.lock")
			must(err)
			if _, err := c.fs.Lock(c.root + "/.lock"); !errors.Is(err, ErrLocked) {
				t.Errorf("second Lock: %v", err)
			}
			must(l.Close())
			l, err = c.fs.Lock(c.root + "/.lock")
			must(err)
			must(l.Close())

			must(WriteFileAtomic(c.fs, c.root, c.root+"/w", []byte("one, long")))
			must(WriteFileAtomic(c.fs, c.root, c.root+"/w", []byte("two")))
			got, err := ReadFile(c.fs, c.root+"/w", 100)
			must(err)
			if string(got) != "two" {
				t.Errorf("ReadFile = %q", got)
			}
			if _, err := ReadFile(c.fs, c.root+"/w", 2); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("ReadFile beyond its limit: %v", err)
			}
			if s, err := c.fs.Space(c.root); err != nil || s.Total <= 0 || s.Available > s.Total {
				t.Errorf("Space = %+v, %v", s, err)
			}
			must(c.fs.RemoveAll(c.root + "/a"))
			must(c.fs.RemoveAll(c.root + "/a"))
		})
	}
}

// TestCrashClone: what was synced is always there, what was not is there in some crashes and not in others.
func TestCrashClone(t *testing.T) {
	m := NewMem(nil)
	write := func(name, s string, sync bool) {
		f, err := m.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		f.WriteAt([]byte(s), 0)
		if sync {
			f.Sync()
		}
		f.Close()
	}
	write("/both", "synced", true)
	write("/old", "rename", true)
	m.SyncDir("/")
	write("/name-only-in-memory", "x", true)
	m.Rename("/old", "/new")
	f, _ := m.Open("/both")
	f.WriteAt(bytes.Repeat([]byte("u"), 3*4096), 6)

	seen := map[string]int{}
	for seed := range uint64(400) {
		c := m.CrashClone(rand.New(rand.NewPCG(seed, 0)))
		p, err := ReadFile(c, "/both", 1<<20)
		if err != nil || !bytes.HasPrefix(p, []byte("synced")) {
			t.Fatalf("seed %d: synced bytes lost: %q, %v", seed, p, err)
		}
		switch {
		case len(p) == 6:
			seen["nothing"]++
		case len(p) == 6+3*4096 && bytes.Count(p, []byte("u")) == 3*4096:
			seen["everything"]++
		case bytes.IndexByte(p[6:], 0) >= 0:
			seen["hole"]++
		default:
			seen["torn"]++
		}
		_, errOld := c.Stat("/old")
		_, errNew := c.Stat("/new")
		if (errOld == nil) == (errNew == nil) {
			t.Fatalf("seed %d: rename is not atomic: old %v, new %v", seed, errOld, errNew)
		}
		if _, err := c.Stat("/name-only-in-memory"); err != nil {
			seen["name lost"]++
		} else {
			seen["name kept"]++
		}
	}
	for _, outcome := range []string{"nothing", "everything", "hole", "torn", "name lost", "name kept"} {
		if seen[outcome] == 0 {
			t.Errorf("no crash showed %q: %v", outcome, seen)
		}
	}
}

func TestMemFull(t *testing.T) {
	m := NewMem(nil)
	m.SetCapacity(10)
	f, _ := m.Create("/f")
	if n, err := f.WriteAt(make([]byte, 16), 0); n != 10 || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("write to a full disk: %d, %v", n, err)
	}
	if n, err := f.WriteAt(make([]byte, 10), 0); n != 10 || err != nil {
		t.Fatalf("overwriting on a full disk: %d, %v", n, err)
	}
	f.Truncate(0)
	if n, err := f.WriteAt(make([]byte, 10), 0); n != 10 || err != nil {
		t.Fatalf("writing after making room: %d, %v", n, err)
	}
}

func TestInject(t *testing.T) {
	var ops []OpKind
	fsys := Inject(NewMem(nil), func(op Op) error {
		ops = append(ops, op.Kind)
		if op.N == 1 {
			return &ShortWrite{N: 2, Err: syscall.EIO}
		}
		return nil
	})
	f, err := fsys.Create("/f")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := f.WriteAt([]byte("abc"), 0); n != 2 || err != syscall.EIO {
		t.Fatalf("short write: %d, %v", n, err)
	}
	if n, _ := f.Size(); n != 2 {
		t.Fatalf("size after a short write: %d", n)
	}
	if len(ops) != 3 || ops[1] != OpWrite {
		t.Fatalf("operations: %v", ops)
	}
}
