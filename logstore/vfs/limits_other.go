//go:build !linux

package vfs

// maxMappings: there is no such limit elsewhere, and no need for more.
func maxMappings() int { return usualMappings }
