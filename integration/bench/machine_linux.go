package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// allocate gives a file blocks for n bytes.
func allocate(f *os.File, n int64) error { return unix.Fallocate(int(f.Fd()), 0, 0, n) }

// evict has the kernel forget what it caches of the logs below dir, after they are on disk.
func evict(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".log") {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // deleted meanwhile
			}
			return err
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		return errors.Join(f.Sync(), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	})
}

// makeRoom has the machine find n bytes of memory and leaves them free. A virtual machine may have given what was free
// back to its host, and whoever writes to a fresh page then pays for getting it again, several times what the write
// itself costs: which of the brokers that meets is chance.
func makeRoom(n int) error {
	p, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return err
	}
	for at := 0; at < n; at += unix.Getpagesize() {
		p[at] = 1
	}
	return unix.Munmap(p)
}
