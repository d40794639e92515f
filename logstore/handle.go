package logstore

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"blumfeld/logstore/vfs"
)

// handle is an open file that is shared: the segment that it belongs to holds one reference while it keeps the file
// open, every reader one more. The last to leave closes the descriptor and unmaps, so neither truncation nor
// deletion ever pulls a file from under a reader.
type handle struct {
	f     vfs.File
	files *OpenFiles // which counts it
	refs  atomic.Int32

	mu   sync.Mutex // leaf
	maps []vfs.Mapping
}

func newHandle(f vfs.File, files *OpenFiles) *handle {
	h := &handle{f: f, files: files}
	h.refs.Store(1)
	return h
}

// retain adds a reference. The caller holds one, or the lock under which the owner would give up its own.
func (h *handle) retain() { h.refs.Add(1) }

// shared says whether anybody but the owner holds a reference.
func (h *handle) shared() bool { return h.refs.Load() > 1 }

// release gives a reference up. An error of closing a file whose contents were synced, or never will be, has no
// consequence that anybody could act on.
func (h *handle) release() {
	if h.refs.Add(-1) > 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.maps {
		_ = m.Unmap()
	}
	h.files.mappings.Add(-int64(len(h.maps)))
	h.maps = nil
	_ = h.f.Close()
	h.files.files.Add(-1)
}

// A growing file is mapped anew at four times the size; the old mappings, which readers may still hold, go with the
// handle. At most six for a segment of 1 GiB, and address space is all that they cost.
const (
	minMapping    = 1 << 20
	mappingGrowth = 4
)

// mapped returns [pos, pos+n) of the file through a mapping; if it is not known to be warm, only if all of it is in
// memory. The range must lie inside the file: if somebody has cut it, touching the pages behind its end would be a fault,
// and what is left of the last one reads as zeros. The caller holds a reference.
func (h *handle) mapped(pos int64, n int, warm bool) ([]byte, error) {
	end := pos + int64(n)
	size, err := h.f.Size()
	if err != nil {
		return nil, err
	}
	if size < end {
		return nil, io.ErrUnexpectedEOF
	}
	m, err := h.mapping(end, size)
	if err != nil {
		return nil, err
	}
	if !warm && !m.Resident(pos, int64(n)) {
		return nil, errNotResident
	}
	return m.Bytes()[pos:end:end], nil
}

// mapping returns a mapping that reaches up to end: the newest, or a new one of all the file has.
func (h *handle) mapping(end, fileSize int64) (vfs.Mapping, error) {
	if m := h.newest(); m != nil && int64(len(m.Bytes())) >= end {
		return m, nil
	}
	if !h.files.reserveMapping() {
		return nil, errTooManyMappings
	}
	size := int64(minMapping)
	for size < fileSize {
		size *= mappingGrowth
	}
	m, err := h.f.Map(size)
	if err != nil {
		h.files.mappings.Add(-1)
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.maps = append(h.maps, m) // two readers at once may both have made one
	return m, nil
}

var (
	// errTooManyMappings says that there can be no mapping now.
	errTooManyMappings = errors.New("too many mappings")
	// errNotResident says that touching the bytes may wait for the disk.
	errNotResident = errors.New("not in memory")
)

func (h *handle) newest() vfs.Mapping {
	h.mu.Lock()
	defer h.mu.Unlock()
	if k := len(h.maps); k > 0 {
		return h.maps[k-1]
	}
	return nil
}
