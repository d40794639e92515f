package etcd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/server/v3/storage/datadir"
	"go.etcd.io/etcd/server/v3/storage/wal"
)

// ErrLocked is returned by Open if another process, or another Store of this one, has the directory.
var ErrLocked = errors.New("is in use by another process")

// prepareDir creates the directory, locks it, and refuses files that etcd would fail on in a worse way.
func prepareDir(dir string) (lock *fileutil.LockedFile, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("metadata directory: %w", err)
	}
	lock, err = fileutil.TryLockFile(filepath.Join(dir, ".lock"), os.O_WRONLY|os.O_CREATE, 0o600)
	if errors.Is(err, fileutil.ErrLocked) {
		return nil, fmt.Errorf("metadata directory %s %w", dir, ErrLocked)
	}
	if err != nil {
		return nil, fmt.Errorf("metadata directory: %w", err)
	}
	if err := checkFiles(dir); err != nil {
		lock.Close()
		return nil, fmt.Errorf("metadata directory %s: %w", dir, err)
	}
	return lock, nil
}

// checkFiles looks at the database and at whether it and the write-ahead log are both there.
func checkFiles(dir string) error {
	db := datadir.ToBackendFileName(dir)
	index, err := checkDatabase(db)
	switch haveWAL := wal.Exist(datadir.ToWALDir(dir)); {
	case errors.Is(err, fs.ErrNotExist) && !haveWAL:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the database %s is missing", db)
	case errors.Is(err, errEmpty) && haveWAL:
		return fmt.Errorf("the database %s is empty", db)
	case errors.Is(err, errEmpty):
		return os.Remove(db)
	case err != nil:
		return fmt.Errorf("the database %s is damaged: %w", db, err)
	case !haveWAL && index == 0:
		// The first start was interrupted between the two: nothing was written yet.
		return os.Remove(db)
	case !haveWAL:
		// etcd would begin a new log at index 1, and skip every entry as applied already.
		return fmt.Errorf("the write-ahead log %s is missing", datadir.ToWALDir(dir))
	}
	return nil
}

// checkDatabase opens the database for reading, which walks over all its pages, and returns the index of the last raft
// entry that it holds. Whatever bbolt does with a damaged page (it panics, and a page beyond the end of the file is a
// fault) becomes an error.
func checkDatabase(path string) (index uint64, err error) {
	if err := checkExtent(path); err != nil {
		return 0, err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	db, err := bolt.Open(path, 0o600, &bolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		if b := tx.Bucket([]byte("meta")); b != nil {
			if v := b.Get([]byte("consistent_index")); len(v) == 8 {
				index = binary.BigEndian.Uint64(v)
			}
		}
		return tx.ForEach(func(_ []byte, b *bolt.Bucket) error {
			c := b.Cursor()
			for k, _ := c.First(); k != nil; k, _ = c.Next() {
				continue // that the pages can be read is what we want to know
			}
			return nil
		})
	})
	return index, err
}

// Where a page of bbolt's file has what checkExtent reads; its format is documented to be stable.
const (
	boltMagic      = 0xED0CDAED
	boltMetaOffset = 16 // of the meta structure in its page, after the page header
	boltMetaBytes  = 64
)

var errEmpty = errors.New("the file is empty")

// checkExtent compares the file's length with the number of pages that its newest header claims. bbolt walks over pages
// in goroutines of its own, in which a fault cannot be caught.
func checkExtent(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return errEmpty
	}
	var pages, txid, pageSize uint64
	valid := false
	// The two headers are the first two pages. The page size is in the header; it is the machine's that wrote it.
	for offset, n := int64(0), 0; n < 2; offset, n = int64(max(pageSize, uint64(os.Getpagesize()))), n+1 {
		m := make([]byte, boltMetaBytes)
		if _, err := f.ReadAt(m, offset+boltMetaOffset); err != nil {
			return fmt.Errorf("header %d: %w", n, err)
		}
		sum := fnv.New64a()
		sum.Write(m[:boltMetaBytes-8])
		if binary.NativeEndian.Uint32(m) != boltMagic || binary.NativeEndian.Uint64(m[boltMetaBytes-8:]) != sum.Sum64() {
			continue // the other one has to do
		}
		size, high, tx := binary.NativeEndian.Uint32(m[8:]), binary.NativeEndian.Uint64(m[40:]), binary.NativeEndian.Uint64(m[48:])
		if !valid || tx > txid {
			pages, txid, pageSize = high, tx, uint64(size)
		}
		valid = true
	}
	if !valid {
		return errors.New("it has no valid header")
	}
	if pageSize == 0 || pages > uint64(info.Size())/pageSize {
		return fmt.Errorf("it has %d bytes, and %d pages of %d bytes are in use", info.Size(), pages, pageSize)
	}
	return nil
}
