// Package vfs is the seam between the log store and the file system.
//
// It owns nothing but the way to bytes: positional reads and writes, the calls that make them durable,
// preallocation, read-only mappings, locks, free space. It must not know what a segment or an index is.
//
// Three implementations:
//
//   - [OS] is the operating system. Files are bare descriptors: no poller registration, one system call per call.
//   - [Mem] keeps everything in memory and knows, for every byte and every directory entry, whether it was made
//     durable. [Mem.CrashClone] returns what a machine might find after losing power now.
//   - [Inject] wraps another FS and lets a test fail, shorten or merely observe the n-th operation.
//
// # Durability, as every implementation promises it
//
// A write or truncation survives a crash of the process at once, and a crash of the machine only after Sync of
// that file. Creating, renaming and removing a name survives a crash of the machine only after SyncDir of the
// folder that holds the name; Sync of a new file does not make its name durable. Rename within one folder is
// atomic: after a crash either the old or the new state of the two names is found. Unsynced writes may survive
// in part and in any order.
package vfs

import (
	"io"
	"io/fs"
	"time"
)

// FS is a file system. Paths are slash-separated and handed to the implementation as they are.
// All methods are safe for concurrent use. Errors satisfy errors.Is with fs.ErrNotExist, fs.ErrExist and the
// syscall errno (ENOSPC, EIO, …) where there is one.
type FS interface {
	// Open opens an existing file for reading and writing.
	Open(name string) (File, error)
	// Create opens a file for reading and writing and creates it, empty, if it does not exist.
	// An existing file keeps its contents.
	Create(name string) (File, error)
	// Mkdir creates a folder; fs.ErrExist if the name is taken.
	Mkdir(name string) error
	// MkdirAll creates a folder and the missing ones above it.
	MkdirAll(name string) error
	// Rename moves a file or folder onto newName, replacing a file that is there.
	Rename(oldName, newName string) error
	// Remove unlinks a file or an empty folder. Open files and mappings of it stay usable.
	Remove(name string) error
	// RemoveAll removes a folder with all it holds; a missing one is no error.
	RemoveAll(name string) error
	// ReadDir lists a folder, sorted by name.
	ReadDir(name string) ([]Entry, error)
	// Stat describes a file or folder without opening it.
	Stat(name string) (Info, error)
	// SyncDir makes the names in a folder durable.
	SyncDir(name string) error
	// Lock takes the exclusive advisory lock of a file, which it creates if need be, and holds it until Close.
	// It does not wait: ErrLocked if somebody else holds it.
	Lock(name string) (io.Closer, error)
	// Space tells the size and the free bytes of the file system that holds name.
	Space(name string) (Space, error)
}

// File is an open file. Reads may run concurrently with each other and with writes to other ranges.
type File interface {
	// ReadAt and WriteAt are pread and pwrite. ReadAt returns io.EOF at the end of the file, WriteAt an error
	// with the number of bytes that did get written if that is less than len(p).
	io.ReaderAt
	io.WriterAt
	// Size is the current length in bytes.
	Size() (int64, error)
	// Truncate sets the length in bytes. Truncating to the present length frees what was preallocated behind it.
	Truncate(size int64) error
	// Sync makes contents and length durable (fdatasync; F_FULLFSYNC on darwin).
	Sync() error
	// Preallocate reserves blocks for [off, off+n) without changing the length. Where the file system cannot,
	// it does nothing and returns nil: preallocation is an optimisation. ENOSPC is returned.
	Preallocate(off, n int64) error
	// Map maps the first n bytes read-only and shared: later writes show up. n may exceed the length, but
	// touching a page beyond the end of the file is a fault; so is touching one that was truncated away.
	Map(n int64) (Mapping, error)
	// Close closes the descriptor. Mappings stay valid.
	Close() error
}

// Mapping is a read-only view of a file.
type Mapping interface {
	// Bytes is the mapped range. It must not be written to, nor touched after Unmap.
	Bytes() []byte
	// Resident says whether a range of the file, n bytes from off on, is in memory, so that reading the mapping there does
	// not wait for the disk; false where the system does not tell. The range must lie inside the mapping and the file.
	Resident(off, n int64) bool
	Unmap() error
}

// Entry is one name in a folder.
type Entry struct {
	Name  string
	IsDir bool
}

// Info describes a file or folder.
type Info struct {
	Size    int64 // bytes
	ModTime time.Time
	IsDir   bool
}

// Space is the room on a file system, in bytes.
type Space struct {
	Total     int64
	Available int64 // to this process; excludes what is reserved for root
}

// lockedError is the type of ErrLocked.
type lockedError struct{}

func (lockedError) Error() string { return "locked by another process" }

// ErrLocked is returned by FS.Lock when somebody else holds the lock.
var ErrLocked error = lockedError{}

// ReadFile reads a whole file of at most limit bytes; a longer one is an error wrapping fs.ErrInvalid,
// before anything is allocated for it.
func ReadFile(fsys FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > limit {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	p := make([]byte, size)
	n, err := f.ReadAt(p, 0)
	if err == io.EOF {
		err = nil
	}
	return p[:n], err
}

// WriteFileAtomic replaces name with the given contents so that a crash leaves either the old or the new file,
// never a mixture: it writes and syncs name+".tmp", renames it onto name and syncs the folder dir that holds both.
func WriteFileAtomic(fsys FS, dir, name string, contents []byte) error {
	if err := ReplaceFile(fsys, name, contents); err != nil {
		return err
	}
	return fsys.SyncDir(dir)
}

// ReplaceFile is WriteFileAtomic without the last step: until the folder is synced a crash may leave the old file.
func ReplaceFile(fsys FS, name string, contents []byte) error {
	tmp := name + ".tmp"
	if err := writeAndSync(fsys, tmp, contents); err != nil {
		return err
	}
	return fsys.Rename(tmp, name)
}

func writeAndSync(fsys FS, name string, contents []byte) error {
	f, err := fsys.Create(name)
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return err
	}
	if _, err := f.WriteAt(contents, 0); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
