package logstore

// A mapping may be handed to readers only where its pages are in memory: a page fault that goes to the disk stops a
// whole thread of the scheduler, and in Go code with it whatever was to run there. What was written recently is in
// memory. So each segment notes, for every granule of its file, how much had been written to the directory when the
// granule was last written; it is warm while not much has been written since. Of what is not, the system is asked (see
// handle.mapped), which costs more than the write of a small answer.

// warmGranule is the size in bytes of a range whose warmth is noted as one.
const warmGranule = 4 << 20

// recent is a ring of the newest batches of a segment. Readers at the end of a log, which is most of them, find
// their way through it without touching the file. The zero value is empty.
type recent struct {
	ring *[recentBatches]recentBatch
	n    int // batches ever added
}

const recentBatches = 32

type recentBatch struct {
	base, last int64 // offsets
	pos        int64 // bytes
}

func (r *recent) add(b recentBatch) {
	if r.ring == nil {
		r.ring = new([recentBatches]recentBatch)
	}
	r.ring[r.n%recentBatches] = b
	r.n++
}

// search returns the number of the oldest batch of the ring for which holds is true, n if there is none. holds must
// be false for a prefix of the batches and true for the rest.
func (r *recent) search(holds func(recentBatch) bool) int {
	lo, hi := max(0, r.n-recentBatches), r.n
	for lo < hi {
		mid := (lo + hi) / 2
		if holds(r.at(mid)) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

func (r *recent) at(i int) recentBatch { return r.ring[i%recentBatches] }

// covers says whether the first batch that reaches an offset is known to be in the ring, if there is one.
func (r *recent) covers(offset int64) bool {
	if r.n == 0 {
		return false
	}
	oldest := r.at(max(0, r.n-recentBatches))
	return oldest.base <= offset || oldest.pos == 0
}

// warmed notes that [from, size) was just written, when written bytes in all had been written to the directory.
// Granules of an earlier opening count as never written. Called under mu.
func (s *segment) warmed(from, written int64) {
	for int64(len(s.warmth))*warmGranule < from {
		s.warmth = append(s.warmth, neverWarm)
	}
	for i := int(from / warmGranule); i <= int((s.size-1)/warmGranule); i++ {
		if i == len(s.warmth) {
			s.warmth = append(s.warmth, written)
		}
		s.warmth[i] = written
	}
}

const neverWarm = -1 << 62

// warm says whether the page cache should still hold the file from pos on, if it holds the newest limit bytes
// written to the directory. Called under mu.
func (s *segment) warm(pos, written, limit int64) bool {
	i := int(pos / warmGranule)
	return i < len(s.warmth) && written-s.warmth[i] <= limit
}
