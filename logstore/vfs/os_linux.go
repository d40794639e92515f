package vfs

import "golang.org/x/sys/unix"

func syncData(fd int) error { return unix.Fdatasync(fd) }

// preallocate keeps the file's length, so that the length stays what was written and Kafka's tools can read it.
func preallocate(fd int, off, n int64) error {
	return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, off, n)
}
