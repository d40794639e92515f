package vfs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func syncData(fd int) error { return unix.Fdatasync(fd) }

// preallocate keeps the file's length, so that the length stays what was written and Kafka's tools can read it.
func preallocate(fd int, off, n int64) error {
	return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, off, n)
}

// resident asks mincore about mapped memory that begins with a page.
func resident(p []byte, page int64) bool {
	var pages [1024]byte // lowest bit: the page is in memory
	for len(p) > 0 {
		part := p[:min(len(p), len(pages)*int(page))]
		_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&part[0])), uintptr(len(part)), uintptr(unsafe.Pointer(&pages[0])))
		if errno != 0 {
			return false
		}
		for _, b := range pages[:(len(part)+int(page)-1)/int(page)] {
			if b&1 == 0 {
				return false
			}
		}
		p = p[len(part):]
	}
	return true
}
