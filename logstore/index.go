package logstore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Widths of index entries in bytes. All integers in our files are big-endian.
//
//	.index:     offset relative to the segment's base int32, position in the .log int32
//	.timeindex: timestamp int64 (ms), offset relative to the segment's base int32
//	.txnindex:  see txnindex.go
const (
	offsetEntryWidth = 8
	timeEntryWidth   = 12
)

// tailEntries is how many of an index's newest entries stay in memory at least, once it was appended to: with the
// default interval they cover the last 2 MiB of a segment, where nearly all look-ups go. Older entries are read
// from the file by pread. (Not through a mapping: a look-up in a cold segment would fault in Go code and stall
// whatever else its thread was to run.)
const tailEntries = 512

// flushEntries is how many new entries are written at once. It is smaller than tailEntries.
const flushEntries = 64

// index is one .index, .timeindex or .txnindex file: entries of one width, ascending, append-only but for truncation.
// Its methods are called under the segment's lock; a view taken there may be searched without.
type index struct {
	path     string
	width    int
	exists   bool    // the file does
	known    bool    // n is; it is read from an existing file's length when first needed
	file     *handle // nil while closed
	n        int     // entries
	written  int     // of them, those in the file; the others are in tail
	scratch  [timeEntryWidth]byte
	tail     []byte // entries [tailFrom, n); never changed in place within its length
	tailFrom int
	unsynced bool // entries were written or cut since the last sync
}

// load makes n known.
func (x *index) load(fsys opener) error {
	if x.known || !x.exists {
		x.known = true
		return nil
	}
	if err := x.open(fsys); err != nil {
		return err
	}
	size, err := x.file.f.Size()
	if err != nil {
		return err
	}
	x.n = int(size / int64(x.width)) // a torn entry at the end will be overwritten
	x.written, x.tailFrom, x.known = x.n, x.n, true
	return nil
}

// view returns the index as it is now, for search outside the lock. release it.
func (x *index) view(fsys opener) (indexView, error) {
	if err := x.load(fsys); err != nil {
		return indexView{}, err
	}
	v := indexView{path: x.path, width: x.width, n: x.n, tail: x.tail, tailFrom: x.tailFrom}
	if x.tailFrom > 0 {
		if err := x.open(fsys); err != nil {
			return v, err
		}
		v.file = x.file
		v.file.retain()
	}
	return v, nil
}

func (x *index) open(fsys opener) error {
	if x.file != nil {
		return nil
	}
	h, err := fsys.openFile(x.path, !x.exists)
	if err != nil {
		return err
	}
	x.file, x.exists = h, true
	return nil
}

// append adds an entry. It goes to the file together with others, when there are enough of them or when flush is
// called: a crash loses nothing by that, since recovery makes entries anew for all batches behind the recovery point.
// The entry is added even if writing the others fails; they are written with the next ones then.
func (x *index) append(fsys opener, entry []byte) error {
	if err := x.load(fsys); err != nil {
		return err
	}
	x.add(entry)
	if x.pending() < flushEntries {
		return nil
	}
	return x.flush(fsys)
}

// pending is how many entries are not in the file.
func (x *index) pending() int { return x.n - x.written }

// add adds an entry in memory, to an index that is known.
func (x *index) add(entry []byte) {
	if len(x.tail)+x.width > cap(x.tail) {
		// A new array, since views may look at the old one. Start small: most logs never see many entries.
		keep := x.tail[min(max(0, len(x.tail)-tailEntries*x.width), (x.written-x.tailFrom)*x.width):]
		grown := make([]byte, len(keep), max(16*x.width, 2*len(keep)))
		copy(grown, keep)
		x.tailFrom += (len(x.tail) - len(keep)) / x.width
		x.tail = grown
	}
	x.tail = append(x.tail, entry...)
	x.n++
	x.unsynced = true
}

// flush writes the entries that are not in the file yet.
func (x *index) flush(fsys opener) error {
	if x.written == x.n {
		return nil
	}
	if err := x.open(fsys); err != nil {
		return err
	}
	if _, err := x.file.f.WriteAt(x.tail[(x.written-x.tailFrom)*x.width:], int64(x.written)*int64(x.width)); err != nil {
		return err // what did get written will be overwritten
	}
	x.written = x.n
	return nil
}

// truncate keeps the first n entries.
func (x *index) truncate(fsys opener, n int) error {
	if err := x.open(fsys); err != nil {
		return err
	}
	if x.known && n > x.written {
		if err := x.flush(fsys); err != nil {
			return err
		}
	}
	if err := x.file.f.Truncate(int64(n) * int64(x.width)); err != nil {
		return err
	}
	x.n, x.written, x.known, x.tail, x.tailFrom, x.unsynced = n, n, true, nil, n, true
	return nil
}

func (x *index) closeFile() {
	if x.file != nil {
		x.file.release()
		x.file = nil
	}
}

// shrink drops the entries that are in the file from memory.
func (x *index) shrink() {
	if x.written == x.n {
		x.tail = nil
	} else {
		x.tail = bytes.Clone(x.tail[(x.written-x.tailFrom)*x.width:])
	}
	x.tailFrom = x.written
}

// last returns the newest entry, valid until the next call; nil if there is none.
func (x *index) last(fsys opener) ([]byte, error) {
	if err := x.load(fsys); err != nil || x.n == 0 {
		return nil, err
	}
	if x.tailFrom < x.n {
		return x.tail[len(x.tail)-x.width:], nil
	}
	v, err := x.view(fsys)
	if err != nil {
		return nil, err
	}
	defer v.release()
	return x.scratch[:x.width], v.read(x.n-1, x.scratch[:x.width])
}

// indexView is an index at one moment.
type indexView struct {
	path     string
	width    int
	n        int
	tail     []byte
	tailFrom int
	file     *handle // nil if everything is in tail
}

func (v *indexView) release() {
	if v.file != nil {
		v.file.release()
		v.file = nil
	}
}

// read fills p with entries from i on, out of the file.
func (v *indexView) read(i int, p []byte) error {
	n, err := v.file.f.ReadAt(p, int64(i)*int64(v.width))
	if n < len(p) && err == io.EOF {
		// Cut since the view was taken, or behind our back.
		return fmt.Errorf("%s: ends at byte %d, entry %d of %d expected there: %w",
			v.path, int64(i)*int64(v.width)+int64(n), i, v.n, kerr.CorruptMessage)
	}
	if n < len(p) {
		return err
	}
	return nil
}

// blockBytes is what one pread of a search takes at most.
const blockBytes = 4096

var blocks = sync.Pool{New: func() any { return new([blockBytes]byte) }}

// floor returns the last entry for which atMost holds, in p, and its number; -1 if there is none. atMost must hold
// for a prefix of the entries.
func (v *indexView) floor(p []byte, atMost func(entry []byte) bool) (int, error) {
	// The answer is in [lo-1, hi-1].
	lo, hi := 0, v.n
	if v.tailFrom < v.n {
		if atMost(v.tail[:v.width]) {
			lo = v.tailFrom + 1
			for lo < hi {
				mid := int(uint(lo+hi) / 2)
				if atMost(v.tail[(mid-v.tailFrom)*v.width:][:v.width]) {
					lo = mid + 1
				} else {
					hi = mid
				}
			}
			copy(p, v.tail[(lo-1-v.tailFrom)*v.width:][:v.width])
			return lo - 1, nil
		}
		hi = v.tailFrom
	}
	if hi == 0 {
		return -1, nil
	}
	block := blocks.Get().(*[blockBytes]byte)
	defer blocks.Put(block)
	perBlock := blockBytes / v.width
	for hi-lo > perBlock-1 {
		mid := int(uint(lo+hi) / 2)
		if err := v.read(mid, block[:v.width]); err != nil {
			return -1, err
		}
		if atMost(block[:v.width]) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	// Entry lo-1 is known to hold, if there is one; it comes along so that p can be filled.
	from := max(0, lo-1)
	entries := block[:(hi-from)*v.width]
	if len(entries) == 0 {
		return -1, nil
	}
	if err := v.read(from, entries); err != nil {
		return -1, err
	}
	found := -1
	for i := from; i < hi && atMost(entries[(i-from)*v.width:][:v.width]); i++ {
		found = i
	}
	if found >= 0 {
		copy(p, entries[(found-from)*v.width:][:v.width])
	}
	return found, nil
}

// each calls visit with the entries from the i-th on, each valid until the next, until it returns false.
func (v *indexView) each(i int, visit func(entry []byte) bool) error {
	block := blocks.Get().(*[blockBytes]byte)
	defer blocks.Put(block)
	for i < v.tailFrom {
		n := min(blockBytes/v.width, v.tailFrom-i)
		p := block[:n*v.width]
		if err := v.read(i, p); err != nil {
			return err
		}
		for ; len(p) > 0; p = p[v.width:] {
			if !visit(p[:v.width]) {
				return nil
			}
		}
		i += n
	}
	for ; i < v.n; i++ {
		if !visit(v.tail[(i-v.tailFrom)*v.width:][:v.width]) {
			return nil
		}
	}
	return nil
}

type offsetEntry struct {
	offset int64 // the last offset of the batch at position
	pos    int64
}

func putOffsetEntry(p []byte, base int64, e offsetEntry) []byte {
	p = binary.BigEndian.AppendUint32(p, uint32(e.offset-base))
	return binary.BigEndian.AppendUint32(p, uint32(e.pos))
}

func getOffsetEntry(p []byte, base int64) offsetEntry {
	return offsetEntry{
		offset: base + int64(int32(binary.BigEndian.Uint32(p))),
		pos:    int64(int32(binary.BigEndian.Uint32(p[4:]))),
	}
}

// relativeOf is the relative offset of an offset index entry, positionOf its position.
func relativeOf(e []byte) int64 { return int64(int32(binary.BigEndian.Uint32(e))) }
func positionOf(e []byte) int64 { return int64(int32(binary.BigEndian.Uint32(e[4:]))) }

type timeEntry struct {
	timestamp int64 // ms; the largest up to offset
	offset    int64
}

func putTimeEntry(p []byte, base int64, e timeEntry) []byte {
	p = binary.BigEndian.AppendUint64(p, uint64(e.timestamp))
	return binary.BigEndian.AppendUint32(p, uint32(e.offset-base))
}

func getTimeEntry(p []byte, base int64) timeEntry {
	return timeEntry{
		timestamp: int64(binary.BigEndian.Uint64(p)),
		offset:    base + int64(int32(binary.BigEndian.Uint32(p[8:]))),
	}
}
