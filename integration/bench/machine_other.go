//go:build !linux

package main

import "os"

// allocate gives a file a size; its blocks come when they are written.
func allocate(f *os.File, n int64) error { return f.Truncate(n) }

// evict: there is no way to have the kernel forget a file.
func evict(string) error { return errUnsupported }

// makeRoom does nothing: what it is for was seen on Linux.
func makeRoom(int) error { return nil }
