package vfs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// OS is the operating system's file system.
type OS struct{}

var _ FS = OS{}

func open(name string, flags int) (*osFile, error) {
	for {
		fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0o644)
		if err == nil {
			return &osFile{fd: fd, name: name}, nil
		}
		if err != unix.EINTR {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
}

// Open implements FS.
func (OS) Open(name string) (File, error) {
	f, err := open(name, unix.O_RDWR)
	if err != nil {
		return nil, err // never a typed nil in the interface
	}
	return f, nil
}

// Create implements FS.
func (OS) Create(name string) (File, error) {
	f, err := open(name, unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Mkdir implements FS.
func (OS) Mkdir(name string) error { return os.Mkdir(name, 0o755) }

// MkdirAll implements FS.
func (OS) MkdirAll(name string) error { return os.MkdirAll(name, 0o755) }

// Rename implements FS.
func (OS) Rename(oldName, newName string) error { return os.Rename(oldName, newName) }

// Remove implements FS.
func (OS) Remove(name string) error { return os.Remove(name) }

// RemoveAll implements FS.
func (OS) RemoveAll(name string) error { return os.RemoveAll(name) }

// ReadDir implements FS.
func (OS) ReadDir(name string) ([]Entry, error) {
	list, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(list))
	for i, e := range list {
		entries[i] = Entry{Name: e.Name(), IsDir: e.IsDir()}
	}
	return entries, nil
}

// Stat implements FS.
func (OS) Stat(name string) (Info, error) {
	var st unix.Stat_t
	for {
		err := unix.Stat(name, &st)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return Info{}, &fs.PathError{Op: "stat", Path: name, Err: err}
		}
	}
	return Info{
		Size:    st.Size,
		ModTime: time.Unix(st.Mtim.Unix()),
		IsDir:   st.Mode&unix.S_IFMT == unix.S_IFDIR,
	}, nil
}

// SyncDir implements FS.
func (OS) SyncDir(name string) error {
	f, err := open(name, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		err := unix.Fsync(f.fd)
		switch {
		case err == nil:
			return nil
		case err == unix.EINTR:
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOTSUP):
			return nil // some network and FUSE file systems have no such call; there is nothing more to be had
		default:
			return &fs.PathError{Op: "fsync", Path: name, Err: err}
		}
	}
}

// Lock implements FS with flock.
func (OS) Lock(name string) (io.Closer, error) {
	f, err := open(name, unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return nil, err
	}
	for {
		err := unix.Flock(f.fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if err == unix.EINTR {
			continue
		}
		f.Close()
		if err == unix.EWOULDBLOCK {
			err = ErrLocked
		}
		return nil, &fs.PathError{Op: "lock", Path: name, Err: err}
	}
}

// Space implements FS.
func (OS) Space(name string) (Space, error) {
	var st unix.Statfs_t
	for {
		err := unix.Statfs(name, &st)
		if err == nil {
			break
		}
		if err != unix.EINTR {
			return Space{}, &fs.PathError{Op: "statfs", Path: name, Err: err}
		}
	}
	block := int64(st.Bsize)
	return Space{Total: int64(st.Blocks) * block, Available: int64(st.Bavail) * block}, nil
}

// osFile is a bare descriptor. The caller guarantees that no call is under way when Close is called.
type osFile struct {
	fd   int
	name string
}

func (f *osFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}

// maxIO bounds one system call: Linux moves at most 2 GiB less a page at once, darwin fails above 2 GiB.
const maxIO = 1 << 30

func (f *osFile) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		m, err := unix.Pread(f.fd, p[n:min(len(p), n+maxIO)], off+int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, f.fail("pread", err)
		case m == 0:
			return n, io.EOF
		default:
			n += m
		}
	}
	return n, nil
}

func (f *osFile) WriteAt(p []byte, off int64) (int, error) {
	n := 0
	for n < len(p) {
		m, err := unix.Pwrite(f.fd, p[n:min(len(p), n+maxIO)], off+int64(n))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return n, f.fail("pwrite", err)
		case m == 0:
			return n, f.fail("pwrite", io.ErrShortWrite)
		default:
			n += m
		}
	}
	return n, nil
}

func (f *osFile) Size() (int64, error) {
	var st unix.Stat_t
	for {
		err := unix.Fstat(f.fd, &st)
		if err == nil {
			return st.Size, nil
		}
		if err != unix.EINTR {
			return 0, f.fail("fstat", err)
		}
	}
}

func (f *osFile) Truncate(size int64) error {
	for {
		err := unix.Ftruncate(f.fd, size)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return f.fail("ftruncate", err)
		}
	}
}

func (f *osFile) Sync() error {
	for {
		err := syncData(f.fd)
		if err == nil {
			return nil
		}
		if err != unix.EINTR {
			return f.fail("fdatasync", err)
		}
	}
}

func (f *osFile) Preallocate(off, n int64) error {
	for {
		err := preallocate(f.fd, off, n)
		switch err {
		case nil, unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL:
			return nil
		case unix.EINTR:
		default:
			return f.fail("fallocate", err)
		}
	}
}

func (f *osFile) Map(n int64) (Mapping, error) {
	p, err := unix.Mmap(f.fd, 0, int(n), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, f.fail("mmap", err)
	}
	return &osMapping{p: p}, nil
}

func (f *osFile) Close() error {
	// POSIX leaves the descriptor's state unspecified after EINTR; on Linux and darwin it is closed.
	if err := unix.Close(f.fd); err != nil && err != unix.EINTR {
		return f.fail("close", err)
	}
	return nil
}

type osMapping struct {
	p    []byte
	once sync.Once
}

func (m *osMapping) Bytes() []byte { return m.p }

func (m *osMapping) Resident(off, n int64) bool {
	page := int64(os.Getpagesize())
	start := off &^ (page - 1)
	return n > 0 && resident(m.p[start:off+n], page)
}

func (m *osMapping) Unmap() (err error) {
	m.once.Do(func() { err = unix.Munmap(m.p) })
	return err
}
