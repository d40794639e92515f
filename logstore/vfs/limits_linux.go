package vfs

import (
	"os"
	"strconv"
	"strings"
)

func maxMappings() int {
	p, err := os.ReadFile("/proc/sys/vm/max_map_count")
	if err != nil {
		return usualMappings
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(p)))
	if err != nil || n <= 0 {
		return usualMappings
	}
	return n
}
