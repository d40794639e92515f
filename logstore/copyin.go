package logstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/logstore/vfs"
)

// copyFolderSuffix marks the copy of a log that is not complete. A folder of that name is no log.
const copyFolderSuffix = "-importing"

// rebuilt are the suffixes of files that are made anew from the records where they are missing.
var rebuilt = []string{indexSuffix, timeIndexSuffix}

// CopyIn copies a log's folder from another directory, whose files are the same as ours: Apache Kafka's. Nothing there
// may change meanwhile. The copy is durable when CopyIn returns, and there at all only if it is complete; the log is
// not open. Without indexes, which a broker that did not stop in order may have left torn, Open makes them anew.
//
// Errors: fs.ErrExist if the log is here already; kerr.KafkaStorageError.
func (d *Dir) CopyIn(from fs.FS, log FoundLog, indexes bool) error {
	if err := errors.Join(d.usable(), d.begin()); err != nil {
		return err
	}
	folder := log.Folder()
	if _, err := d.fs.Stat(d.file(folder)); err == nil {
		return fmt.Errorf("%s: %w", d.file(folder), fs.ErrExist)
	}
	if err := d.startOver(topicPartition{log.Topic, log.Partition}); err != nil {
		return err
	}
	if err := d.copyFolder(from, folder, indexes); err != nil {
		return fmt.Errorf("copy %s to %s: %w: %w", folder, d.path, err, kerr.KafkaStorageError)
	}
	// What is copied is on disk. Only the last segment may be torn, and what Kafka has compacted may have gaps between
	// segments, which recovery would take for losses.
	if base, ok := lastSegment(from, folder); ok {
		d.mu.Lock()
		d.known[recoveryPointFile][topicPartition{log.Topic, log.Partition}] = base
		d.mu.Unlock()
	}
	return nil
}

// lastSegment is the offset at which the last segment of a log begins; false if there is none.
func lastSegment(from fs.FS, folder string) (base int64, ok bool) {
	entries, err := fs.ReadDir(from, folder) // by name, which is by offset
	if err != nil {
		return 0, false
	}
	for _, e := range entries {
		if at, is := parseFileName(e.Name(), logSuffix); is {
			base, ok = at, true
		}
	}
	return base, ok
}

func (d *Dir) copyFolder(from fs.FS, folder string, indexes bool) error {
	entries, err := fs.ReadDir(from, folder)
	if err != nil {
		return err
	}
	tmp := d.file(folder + copyFolderSuffix)
	if err := d.fs.RemoveAll(tmp); err != nil { // of an earlier attempt
		return err
	}
	if err := d.fs.Mkdir(tmp); err != nil {
		return err
	}
	for _, e := range entries {
		suffix := path.Ext(e.Name())
		if !e.Type().IsRegular() || suffix == deletedSuffix || !indexes && slices.Contains(rebuilt, suffix) {
			continue
		}
		if err := copyFrom(from, path.Join(folder, e.Name()), d.fs, path.Join(tmp, e.Name())); err != nil {
			return err
		}
	}
	if err := d.fs.SyncDir(tmp); err != nil {
		return err
	}
	if err := d.fs.Rename(tmp, d.file(folder)); err != nil {
		return err
	}
	d.namesChanged()
	return d.syncNames()
}

// copyFrom makes a durable copy of a file.
func copyFrom(from fs.FS, source string, to vfs.FS, name string) error {
	in, err := from.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := to.Create(name)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(io.NewOffsetWriter(out, 0), in); err != nil {
		return err
	}
	return out.Sync()
}
