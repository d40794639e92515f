package vfs

import (
	"math"

	"golang.org/x/sys/unix"
)

// Limits tells how many descriptors this process may have, and how many mappings. What cannot be learnt counts as the
// least that is usual.
func Limits() (files, mappings int) {
	files, mappings = 1024, maxMappings()
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err == nil {
		files = int(min(l.Cur, math.MaxInt32))
	}
	return files, mappings
}

// usualMappings is Linux' default of vm.max_map_count.
const usualMappings = 65530
