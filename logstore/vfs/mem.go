package vfs

import (
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Mem is a file system in memory that remembers what was made durable. The zero value is not ready; see NewMem.
//
// Lock order: one mutex, Mem.mu, guards everything, contents included. It is a test double: clarity over speed.
type Mem struct {
	mu       sync.Mutex
	root     *memNode
	capacity int64 // bytes of file contents that fit; 0 is no limit
	used     int64
	now      func() time.Time
}

var _ FS = (*Mem)(nil)

// NewMem returns an empty file system whose root folder "/" exists. now stamps modification times; nil is time.Now.
func NewMem(now func() time.Time) *Mem {
	if now == nil {
		now = time.Now
	}
	return &Mem{root: newMemDir(), now: now}
}

// memNode is a file or a folder. Present state and durable state lie side by side: for a file the bytes as of the
// last Sync and the changes since, for a folder the names as of the last SyncDir and the changes since.
type memNode struct {
	dir     bool
	modTime time.Time
	locked  bool

	data    []byte
	synced  []byte
	pending []memChange
	maps    []*memMapping

	names        map[string]*memNode
	syncedNames  map[string]*memNode
	pendingNames []memRename
}

// memChange is a write of p at off, or, if p is nil, a truncation to off.
type memChange struct {
	off int64
	p   []byte
}

// memRename sets and clears names of one folder in one step.
type memRename struct {
	set   string
	node  *memNode
	clear string
}

func newMemDir() *memNode {
	return &memNode{dir: true, names: map[string]*memNode{}, syncedNames: map[string]*memNode{}}
}

func (n *memNode) change(c memRename) {
	c.apply(n.names)
	n.pendingNames = append(n.pendingNames, c)
}

func (c memRename) apply(names map[string]*memNode) {
	if c.clear != "" {
		delete(names, c.clear)
	}
	if c.set != "" {
		names[c.set] = c.node
	}
}

// SetCapacity makes writes beyond n bytes of contents in all files fail with ENOSPC, as a full disk does: after
// what still fits was written. 0 lifts the limit.
func (m *Mem) SetCapacity(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.capacity = n
}

// Used is how many bytes all files hold.
func (m *Mem) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

func (m *Mem) find(name string) *memNode {
	n := m.root
	for part := range strings.SplitSeq(path.Clean("/"+name), "/") {
		if part == "" {
			continue
		}
		if n == nil || !n.dir {
			return nil
		}
		n = n.names[part]
	}
	return n
}

func (m *Mem) parent(name string) (*memNode, string) {
	dir, base := path.Split(path.Clean("/" + name))
	p := m.find(dir)
	if p == nil || !p.dir {
		return nil, base
	}
	return p, base
}

func pathError(op, name string, err error) error { return &fs.PathError{Op: op, Path: name, Err: err} }

// Open implements FS.
func (m *Mem) Open(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.find(name)
	if n == nil {
		return nil, pathError("open", name, fs.ErrNotExist)
	}
	if n.dir {
		return nil, pathError("open", name, syscall.EISDIR)
	}
	return &memFile{fs: m, node: n, name: name}, nil
}

// Create implements FS.
func (m *Mem) Create(name string) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, base := m.parent(name)
	if p == nil {
		return nil, pathError("open", name, fs.ErrNotExist)
	}
	n := p.names[base]
	if n == nil {
		n = &memNode{modTime: m.now()}
		p.change(memRename{set: base, node: n})
	}
	if n.dir {
		return nil, pathError("open", name, syscall.EISDIR)
	}
	return &memFile{fs: m, node: n, name: name}, nil
}

// Mkdir implements FS.
func (m *Mem) Mkdir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, base := m.parent(name)
	if p == nil {
		return pathError("mkdir", name, fs.ErrNotExist)
	}
	if p.names[base] != nil {
		return pathError("mkdir", name, fs.ErrExist)
	}
	p.change(memRename{set: base, node: newMemDir()})
	return nil
}

// MkdirAll implements FS.
func (m *Mem) MkdirAll(name string) error {
	name = path.Clean("/" + name)
	if name == "/" {
		return nil
	}
	if err := m.MkdirAll(path.Dir(name)); err != nil {
		return err
	}
	if err := m.Mkdir(name); err != nil {
		if info, statErr := m.Stat(name); statErr == nil && info.IsDir {
			return nil
		}
		return err
	}
	return nil
}

// Rename implements FS. Both names have to be in one folder: that is all the log store needs, and all that is
// atomic after a crash.
func (m *Mem) Rename(oldName, newName string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, from := m.parent(oldName)
	q, to := m.parent(newName)
	if p == nil || q == nil || p.names[from] == nil {
		return pathError("rename", oldName, fs.ErrNotExist)
	}
	if p != q {
		return pathError("rename", oldName, syscall.EXDEV)
	}
	if old := p.names[to]; old != nil && (old.dir || p.names[from].dir) {
		return pathError("rename", newName, fs.ErrExist)
	}
	if from == to {
		return nil
	}
	m.unlinked(p.names[to])
	p.change(memRename{set: to, node: p.names[from], clear: from})
	return nil
}

// unlinked gives back a file's room. (Open files of it go on for nothing: a simplification.)
func (m *Mem) unlinked(n *memNode) {
	if n != nil {
		m.used -= int64(len(n.data))
		for _, c := range n.names {
			m.unlinked(c)
		}
	}
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, base := m.parent(name)
	if p == nil || p.names[base] == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	if n := p.names[base]; n.dir && len(n.names) > 0 {
		return pathError("remove", name, syscall.ENOTEMPTY)
	}
	m.unlinked(p.names[base])
	p.change(memRename{clear: base})
	return nil
}

// RemoveAll implements FS.
func (m *Mem) RemoveAll(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, base := m.parent(name)
	if p == nil || p.names[base] == nil {
		return nil
	}
	m.unlinked(p.names[base])
	p.change(memRename{clear: base})
	return nil
}

// ReadDir implements FS.
func (m *Mem) ReadDir(name string) ([]Entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.find(name)
	if n == nil || !n.dir {
		return nil, pathError("readdir", name, fs.ErrNotExist)
	}
	entries := make([]Entry, 0, len(n.names))
	for name, c := range n.names {
		entries = append(entries, Entry{Name: name, IsDir: c.dir})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// Stat implements FS.
func (m *Mem) Stat(name string) (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.find(name)
	if n == nil {
		return Info{}, pathError("stat", name, fs.ErrNotExist)
	}
	return Info{Size: int64(len(n.data)), ModTime: n.modTime, IsDir: n.dir}, nil
}

// SyncDir implements FS.
func (m *Mem) SyncDir(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.find(name)
	if n == nil || !n.dir {
		return pathError("fsync", name, fs.ErrNotExist)
	}
	for _, c := range n.pendingNames {
		c.apply(n.syncedNames)
	}
	n.pendingNames = nil
	return nil
}

// Lock implements FS.
func (m *Mem) Lock(name string) (io.Closer, error) {
	f, err := m.Create(name)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := f.(*memFile).node
	if n.locked {
		return nil, pathError("lock", name, ErrLocked)
	}
	n.locked = true
	return &memLock{fs: m, node: n}, nil
}

type memLock struct {
	fs   *Mem
	node *memNode
}

func (l *memLock) Close() error {
	l.fs.mu.Lock()
	defer l.fs.mu.Unlock()
	l.node.locked = false
	return nil
}

// Space implements FS. Without a limit there is room for 1 TiB.
func (m *Mem) Space(string) (Space, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	total := m.capacity
	if total == 0 {
		total = 1 << 40
	}
	return Space{Total: total, Available: max(0, total-m.used)}, nil
}

// CrashClone returns the file system that a machine might find after losing power now: what was synced, and of the
// rest whatever chance leaves of it. Of a folder's unsynced changes of names a prefix survives, since file systems
// journal those in order. Of a file's unsynced writes nothing, everything, a prefix ending in a torn write, or any
// subset of their 4 KiB pages survives. The original is not touched and may go on.
func (m *Mem) CrashClone(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &Mem{now: m.now, capacity: m.capacity}
	c.root = m.root.crash(rng, map[*memNode]*memNode{})
	c.used = c.root.total()
	return c
}

// Clone returns what a killed process leaves behind: everything it wrote, synced or not.
func (m *Mem) Clone() *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := &Mem{now: m.now, capacity: m.capacity}
	c.root = m.root.clone()
	c.used = c.root.total()
	return c
}

func (n *memNode) total() int64 {
	sum := int64(len(n.data))
	for _, c := range n.names {
		sum += c.total()
	}
	return sum
}

func (n *memNode) clone() *memNode {
	c := &memNode{dir: n.dir, modTime: n.modTime}
	if n.dir {
		c.names, c.syncedNames = map[string]*memNode{}, map[string]*memNode{}
		for name, child := range n.names {
			c.names[name] = child.clone()
			c.syncedNames[name] = c.names[name]
		}
		return c
	}
	c.data = slices.Clone(n.data)
	c.synced = slices.Clone(n.data)
	return c
}

// crash visits names in sorted order so that a seed gives the same clone every time.
func (n *memNode) crash(rng *rand.Rand, done map[*memNode]*memNode) *memNode {
	if c := done[n]; c != nil {
		return c
	}
	c := &memNode{dir: n.dir, modTime: n.modTime}
	done[n] = c
	if !n.dir {
		c.data = n.crashData(rng)
		c.synced = slices.Clone(c.data)
		return c
	}
	names := map[string]*memNode{}
	for name, child := range n.syncedNames {
		names[name] = child
	}
	for _, change := range n.pendingNames[:rng.IntN(len(n.pendingNames)+1)] {
		change.apply(names)
	}
	c.names, c.syncedNames = map[string]*memNode{}, map[string]*memNode{}
	sorted := make([]string, 0, len(names))
	for name := range names {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted)
	for _, name := range sorted {
		c.names[name] = names[name].crash(rng, done)
		c.syncedNames[name] = c.names[name]
	}
	return c
}

func (n *memNode) crashData(rng *rand.Rand) []byte {
	data := slices.Clone(n.synced)
	switch rng.IntN(4) {
	case 0: // nothing
	case 1: // everything
		for _, c := range n.pending {
			data = c.apply(data)
		}
	case 2: // a prefix, the last write torn at any byte
		k := rng.IntN(len(n.pending) + 1)
		for i, c := range n.pending[:k] {
			if i == k-1 && len(c.p) > 0 {
				c.p = c.p[:rng.IntN(len(c.p)+1)]
			}
			data = c.apply(data)
		}
	case 3: // pages in any order
		const page = 4096
		for _, c := range n.pending {
			if c.p == nil {
				if rng.IntN(2) == 0 {
					data = c.apply(data)
				}
				continue
			}
			for len(c.p) > 0 {
				k := min(int64(len(c.p)), page-c.off%page)
				if rng.IntN(2) == 0 {
					data = memChange{off: c.off, p: c.p[:k]}.apply(data)
				}
				c.off, c.p = c.off+k, c.p[k:]
			}
		}
	}
	return data
}

// apply returns data after the change; a gap before a write reads as zeros.
func (c memChange) apply(data []byte) []byte {
	end := c.off + int64(len(c.p))
	if c.p == nil && int64(len(data)) > c.off {
		return data[:c.off]
	}
	if int64(len(data)) < end {
		old := len(data)
		data = slices.Grow(data, int(end)-old)[:end]
		clear(data[old:])
	}
	copy(data[c.off:end], c.p)
	return data
}

// memFile is one opening of a file.
type memFile struct {
	fs     *Mem
	node   *memNode
	name   string
	closed bool
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return 0, pathError("pread", f.name, fs.ErrClosed)
	}
	if off >= int64(len(f.node.data)) {
		if len(p) == 0 {
			return 0, nil
		}
		return 0, io.EOF
	}
	n := copy(p, f.node.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) WriteAt(p []byte, off int64) (int, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return 0, pathError("pwrite", f.name, fs.ErrClosed)
	}
	var err error
	if grow := off + int64(len(p)) - int64(len(f.node.data)); f.fs.capacity > 0 && grow > 0 {
		if room := f.fs.capacity - f.fs.used; grow > room {
			p = p[:max(0, int64(len(p))-(grow-max(0, room)))]
			err = pathError("pwrite", f.name, syscall.ENOSPC)
		}
	}
	if len(p) > 0 {
		f.change(memChange{off: off, p: slices.Clone(p)})
	}
	return len(p), err
}

func (f *memFile) change(c memChange) {
	before := len(f.node.data)
	f.node.data = c.apply(f.node.data)
	f.node.pending = append(f.node.pending, c)
	f.node.modTime = f.fs.now()
	f.fs.used += int64(len(f.node.data) - before)
	for _, m := range f.node.maps {
		m.changed(c, f.node.data)
	}
}

func (f *memFile) Size() (int64, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return 0, pathError("fstat", f.name, fs.ErrClosed)
	}
	return int64(len(f.node.data)), nil
}

func (f *memFile) Truncate(size int64) error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError("ftruncate", f.name, fs.ErrClosed)
	}
	if size < 0 {
		return pathError("ftruncate", f.name, syscall.EINVAL)
	}
	if size != int64(len(f.node.data)) {
		f.change(memChange{off: size})
	}
	return nil
}

func (f *memFile) Sync() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError("fdatasync", f.name, fs.ErrClosed)
	}
	for _, c := range f.node.pending {
		f.node.synced = c.apply(f.node.synced)
	}
	f.node.pending = nil
	return nil
}

func (f *memFile) Preallocate(int64, int64) error { return nil }

func (f *memFile) Map(n int64) (Mapping, error) {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return nil, pathError("mmap", f.name, fs.ErrClosed)
	}
	m := &memMapping{fs: f.fs, node: f.node, p: make([]byte, n)}
	m.used = int64(copy(m.p, f.node.data))
	f.node.maps = append(f.node.maps, m)
	return m, nil
}

func (f *memFile) Close() error {
	f.fs.mu.Lock()
	defer f.fs.mu.Unlock()
	if f.closed {
		return pathError("close", f.name, fs.ErrClosed)
	}
	f.closed = true
	return nil
}

// memMapping is a copy of the file that later changes are repeated in. Where the machine would fault (behind the
// end of the file, after Unmap) it reads poison instead, so that a reader that goes there gets a wrong checksum.
type memMapping struct {
	fs   *Mem
	node *memNode
	p    []byte
	used int64 // bytes of p that were ever part of the file
}

const poison = 0xdb

// Resident is false: no memory is said to hold what a test has let become cold.
func (m *memMapping) Resident(int64, int64) bool { return false }

func (m *memMapping) changed(c memChange, data []byte) {
	if c.p == nil {
		m.poison(c.off)
		return
	}
	if c.off < int64(len(m.p)) {
		n := copy(m.p[c.off:], data[c.off:c.off+int64(len(c.p))])
		m.used = max(m.used, c.off+int64(n))
	}
}

func (m *memMapping) poison(from int64) {
	for i := from; i < m.used; i++ {
		m.p[i] = poison
	}
}

func (m *memMapping) Bytes() []byte { return m.p }

func (m *memMapping) Unmap() error {
	m.fs.mu.Lock()
	defer m.fs.mu.Unlock()
	m.node.maps = slices.DeleteFunc(m.node.maps, func(o *memMapping) bool { return o == m })
	m.poison(0)
	return nil
}
