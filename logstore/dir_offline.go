package logstore

import (
	"errors"
	"fmt"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// OpenDirOrOffline is OpenDir, but a directory that the file system does not let be opened is returned nevertheless:
// offline, as if it had failed a moment later. What it holds is not known then.
//
// Errors: OpenDir's about a directory that is somebody else's.
func OpenDirOrOffline(fsys vfs.FS, name string, o DirOptions) (*Dir, error) {
	d := newDir(fsys, name, o)
	err := d.start()
	if err == nil {
		return d, nil
	}
	if errors.Is(err, vfs.ErrLocked) || errors.Is(err, ErrNotOurs) {
		return nil, err
	}
	d.begun.Store(true)
	d.fail(err)
	return d, nil
}

// Offline returns why the directory is offline, nil if it is not.
func (d *Dir) Offline() error {
	if err := d.offline.Load(); err != nil {
		return *err
	}
	return nil
}

// fail takes the directory offline. Whatever is on disk stays as it is: there is no telling what a disk that failed
// once did with it.
func (d *Dir) fail(err error) {
	if d.offline.CompareAndSwap(nil, &err) {
		d.logger.Error("log directory goes offline", "error", err)
		d.o.Offline(err)
	}
}

func (d *Dir) usable() error {
	if err := d.Offline(); err != nil {
		return fmt.Errorf("%s: %w (%w): %w", d.path, ErrOffline, err, kerr.KafkaStorageError)
	}
	return nil
}
