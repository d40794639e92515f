package compact

import "golang.org/x/sys/unix"

// allocate returns zeroed memory that the garbage collector does not count. On its heap a map of 30 MB would let the
// collector wait until as much garbage has gathered again; and a shard that has grown would leave its old memory to it.
func allocate(n int) ([]byte, error) {
	return unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

// release gives such memory back. It fails only for memory that is not.
func release(p []byte) { _ = unix.Munmap(p) }
