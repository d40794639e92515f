//go:build !linux

package vfs

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// syncData: darwin's fsync leaves data in the drive's cache; F_FULLFSYNC does not. Not every file system there
// has it, and then fsync is all that is to be had.
func syncData(fd int) error {
	if runtime.GOOS == "darwin" {
		const fullFsync = 51 // F_FULLFSYNC
		if _, err := unix.FcntlInt(uintptr(fd), fullFsync, 0); err == nil {
			return nil
		}
	}
	return unix.Fsync(fd)
}

// preallocate: there is no portable call that keeps the length.
func preallocate(int, int64, int64) error { return nil }

// resident: mincore is not to be had everywhere.
func resident([]byte, int64) bool { return false }
