package vfs

import (
	"io"
	"sync/atomic"
)

// OpKind names an operation of FS or File.
type OpKind string

// The operations that an Injector sees.
const (
	OpOpen        OpKind = "open"
	OpCreate      OpKind = "create"
	OpMkdir       OpKind = "mkdir"
	OpRename      OpKind = "rename"
	OpRemove      OpKind = "remove"
	OpReadDir     OpKind = "readdir"
	OpStat        OpKind = "stat"
	OpSyncDir     OpKind = "syncdir"
	OpLock        OpKind = "lock"
	OpSpace       OpKind = "space"
	OpRead        OpKind = "read"
	OpWrite       OpKind = "write"
	OpSize        OpKind = "size"
	OpTruncate    OpKind = "truncate"
	OpSync        OpKind = "sync"
	OpPreallocate OpKind = "preallocate"
	OpMap         OpKind = "map"
	OpClose       OpKind = "close"
)

// Op is one operation about to happen.
type Op struct {
	N    int64 // its number, from 0, over the whole file system
	Kind OpKind
	Path string
	Off  int64 // bytes, where the kind has one
	Len  int64 // bytes, where the kind has one
}

// Mutates says whether the operation changes anything that a crash could reveal.
func (o Op) Mutates() bool {
	switch o.Kind {
	case OpCreate, OpMkdir, OpRename, OpRemove, OpWrite, OpTruncate, OpSync, OpSyncDir:
		return true
	}
	return false
}

// ShortWrite, returned by an Injector for OpWrite, lets the first N bytes through before the write fails with Err.
type ShortWrite struct {
	N   int
	Err error
}

func (e *ShortWrite) Error() string { return e.Err.Error() }
func (e *ShortWrite) Unwrap() error { return e.Err }

// Injector is asked before each operation, possibly by several goroutines at once. An error is what the operation
// returns, without having happened.
type Injector func(Op) error

// Inject returns fsys with every operation shown to inject first.
func Inject(fsys FS, inject Injector) FS { return &injected{fs: fsys, inject: inject} }

type injected struct {
	fs     FS
	inject Injector
	n      atomic.Int64
}

func (i *injected) ask(kind OpKind, path string, off, n int64) error {
	return i.inject(Op{N: i.n.Add(1) - 1, Kind: kind, Path: path, Off: off, Len: n})
}

func (i *injected) Open(name string) (File, error) {
	if err := i.ask(OpOpen, name, 0, 0); err != nil {
		return nil, err
	}
	f, err := i.fs.Open(name)
	if err != nil {
		return nil, err
	}
	return &injectedFile{i, f, name}, nil
}

func (i *injected) Create(name string) (File, error) {
	if err := i.ask(OpCreate, name, 0, 0); err != nil {
		return nil, err
	}
	f, err := i.fs.Create(name)
	if err != nil {
		return nil, err
	}
	return &injectedFile{i, f, name}, nil
}

func (i *injected) Mkdir(name string) error {
	if err := i.ask(OpMkdir, name, 0, 0); err != nil {
		return err
	}
	return i.fs.Mkdir(name)
}

func (i *injected) MkdirAll(name string) error {
	if err := i.ask(OpMkdir, name, 0, 0); err != nil {
		return err
	}
	return i.fs.MkdirAll(name)
}

func (i *injected) Rename(oldName, newName string) error {
	if err := i.ask(OpRename, newName, 0, 0); err != nil {
		return err
	}
	return i.fs.Rename(oldName, newName)
}

func (i *injected) Remove(name string) error {
	if err := i.ask(OpRemove, name, 0, 0); err != nil {
		return err
	}
	return i.fs.Remove(name)
}

func (i *injected) RemoveAll(name string) error {
	if err := i.ask(OpRemove, name, 0, 0); err != nil {
		return err
	}
	return i.fs.RemoveAll(name)
}

func (i *injected) ReadDir(name string) ([]Entry, error) {
	if err := i.ask(OpReadDir, name, 0, 0); err != nil {
		return nil, err
	}
	return i.fs.ReadDir(name)
}

func (i *injected) Stat(name string) (Info, error) {
	if err := i.ask(OpStat, name, 0, 0); err != nil {
		return Info{}, err
	}
	return i.fs.Stat(name)
}

func (i *injected) SyncDir(name string) error {
	if err := i.ask(OpSyncDir, name, 0, 0); err != nil {
		return err
	}
	return i.fs.SyncDir(name)
}

func (i *injected) Lock(name string) (io.Closer, error) {
	if err := i.ask(OpLock, name, 0, 0); err != nil {
		return nil, err
	}
	return i.fs.Lock(name)
}

func (i *injected) Space(name string) (Space, error) {
	if err := i.ask(OpSpace, name, 0, 0); err != nil {
		return Space{}, err
	}
	return i.fs.Space(name)
}

type injectedFile struct {
	i    *injected
	f    File
	name string
}

func (f *injectedFile) ReadAt(p []byte, off int64) (int, error) {
	if err := f.i.ask(OpRead, f.name, off, int64(len(p))); err != nil {
		return 0, err
	}
	return f.f.ReadAt(p, off)
}

func (f *injectedFile) WriteAt(p []byte, off int64) (int, error) {
	if err := f.i.ask(OpWrite, f.name, off, int64(len(p))); err != nil {
		short, ok := err.(*ShortWrite)
		if !ok {
			return 0, err
		}
		n, err := f.f.WriteAt(p[:min(short.N, len(p))], off)
		if err != nil {
			return n, err
		}
		return n, short.Err
	}
	return f.f.WriteAt(p, off)
}

func (f *injectedFile) Size() (int64, error) {
	if err := f.i.ask(OpSize, f.name, 0, 0); err != nil {
		return 0, err
	}
	return f.f.Size()
}

func (f *injectedFile) Truncate(size int64) error {
	if err := f.i.ask(OpTruncate, f.name, size, 0); err != nil {
		return err
	}
	return f.f.Truncate(size)
}

func (f *injectedFile) Sync() error {
	if err := f.i.ask(OpSync, f.name, 0, 0); err != nil {
		return err
	}
	return f.f.Sync()
}

func (f *injectedFile) Preallocate(off, n int64) error {
	if err := f.i.ask(OpPreallocate, f.name, off, n); err != nil {
		return err
	}
	return f.f.Preallocate(off, n)
}

func (f *injectedFile) Map(n int64) (Mapping, error) {
	if err := f.i.ask(OpMap, f.name, 0, n); err != nil {
		return nil, err
	}
	return f.f.Map(n)
}

func (f *injectedFile) Close() error {
	if err := f.i.ask(OpClose, f.name, 0, 0); err != nil {
		return err
	}
	return f.f.Close()
}
