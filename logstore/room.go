package logstore

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// room watches over the free space of a directory's file system. Appends are refused while less than reserved is
// free, because what else lives there (the metadata store ends the process when it cannot write) must not meet a
// full disk. It asks the system once for every few appends: each answer is good for so many bytes.
type room struct {
	fs       vfs.FS
	path     string
	reserved int64 // bytes; 0 is no limit of ours

	total  atomic.Int64 // bytes ever written
	credit atomic.Int64 // bytes that may be written before asking again

	mu sync.Mutex // leaf; one asks
}

// maxCredit bounds by how many bytes an answer is trusted: others write to the file system too.
const maxCredit = 64 << 20

// need returns nil if n bytes may be written, or an error wrapping ErrNoRoom and kerr.KafkaStorageError.
func (r *room) need(n int64) error {
	if r.reserved <= 0 || r.credit.Load() >= n {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.credit.Load() >= n {
		return nil
	}
	space, err := r.fs.Space(r.path)
	if err != nil {
		return fmt.Errorf("free space of %s: %w: %w", r.path, err, kerr.KafkaStorageError)
	}
	free := space.Available - r.reserved
	if free < n {
		r.credit.Store(0)
		return fmt.Errorf("%s: %d bytes free, %d reserved: %w: %w", r.path, space.Available, r.reserved, ErrNoRoom, kerr.KafkaStorageError)
	}
	r.credit.Store(max(n, min(free/4, maxCredit)))
	return nil
}

// has says whether n bytes more may be reserved ahead.
func (r *room) has(n int64) bool { return r.reserved <= 0 || r.credit.Load() >= n }

// took notes that n bytes were written.
func (r *room) took(n int64) {
	r.total.Add(n)
	r.credit.Add(-n)
}

// written is how many bytes were ever written.
func (r *room) written() int64 { return r.total.Load() }

// syncError is the failure of a sync, whatever the reason. The system may have dropped what it could not write, and
// will call the next sync a success: there is no trying again.
type syncError struct{ err error }

func (e *syncError) Error() string { return "sync: " + e.err.Error() }
func (e *syncError) Unwrap() error { return e.err }

func syncFile(f vfs.File) error {
	if err := f.Sync(); err != nil {
		return &syncError{err}
	}
	return nil
}

func (d *Dir) syncFolder(name string) error {
	err := d.fs.SyncDir(name)
	if err != nil && !isOutOfDescriptors(err) { // it has to be opened first
		return &syncError{err}
	}
	return err
}

func isSync(err error) bool {
	_, ok := errors.AsType[*syncError](err)
	return ok
}

// isNoSpace says whether a write failed for lack of room, which passes.
func isNoSpace(err error) bool {
	return (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) && !isSync(err)
}

// isTransient says whether an operation failed for a reason that is not the disk's.
func isTransient(err error) bool {
	return isNoSpace(err) || isOutOfDescriptors(err) || errors.Is(err, syscall.ENOMEM) && !isSync(err)
}

// isOutOfDescriptors says whether no file can be opened before another is closed.
func isOutOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}
