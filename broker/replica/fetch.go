package replica

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/logstore"
)

// Slice is a reference-counted run of whole record batches in a log. Every Slice
// that Fetch returned must be released.
type Slice = logstore.Slice

// FetchParams asks for records of one partition.
type FetchParams struct {
	Offset             int64 // first offset wanted; the batch that holds it comes whole
	MaxBytes           int   // whole batches up to this many bytes
	AtLeastOne         bool  // return the first batch even if it is larger than MaxBytes (KIP-74)
	ReadCommitted      bool  // stop at the last stable offset instead of the high watermark; fill Slice.Aborted
	ReplicaID          int32 // -1: a consumer; otherwise the follower that fetches
	CurrentLeaderEpoch int32 // the fetcher's view of the epoch, -1 if it has none (KIP-320)
	LastFetchedEpoch   int32 // epoch of its last record, -1 if it has none (KIP-595)
}

// FetchResult is what Fetch found. Offsets are filled whenever the error is nil
// or OFFSET_OUT_OF_RANGE.
type FetchResult struct {
	Offsets   logstore.Offsets
	Slice     Slice
	Diverging *EpochEnd // histories differ: the fetcher must truncate; no records then
}

// EpochEnd is a leader epoch and the offset one past its last record.
type EpochEnd struct {
	Epoch     int32
	EndOffset int64
}

// Fetch reads whole batches from p.Offset on. Errors: NOT_LEADER_OR_FOLLOWER,
// FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_OUT_OF_RANGE,
// UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR.
func (p *Partition) Fetch(f FetchParams) (FetchResult, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if err := p.leads(f.CurrentLeaderEpoch); err != nil {
		return FetchResult{}, err
	}
	r := FetchResult{Offsets: p.Log().Offsets()}
	if f.LastFetchedEpoch >= 0 {
		epoch, end := p.Log().EndOffsetForEpoch(f.LastFetchedEpoch)
		if epoch < 0 || end < 0 {
			// The fetcher's epoch is older than anything the leader remembers.
			return r, kerr.OffsetOutOfRange
		}
		if f.Offset < r.Offsets.LogStart {
			// Whatever the epochs: truncating would not bring the fetcher back into
			// the log.
			return r, kerr.OffsetOutOfRange
		}
		if epoch < f.LastFetchedEpoch || end < f.Offset {
			r.Diverging = &EpochEnd{epoch, end}
			return r, nil
		}
	}
	var err error
	read := p.Log().Read
	if f.ReadCommitted && f.ReplicaID < 0 {
		read = p.Log().ReadCommitted
	}
	r.Slice, err = read(f.Offset, f.limit(r.Offsets), f.MaxBytes, f.AtLeastOne)
	if err != nil {
		return r, err
	}
	if f.ReplicaID >= 0 && !p.followed(f.ReplicaID, f.Offset) {
		r.Slice.Release()
		r.Slice = Slice{}
		return r, kerr.NotLeaderForPartition
	}
	return r, nil
}

// limit is the first offset that the fetcher may not see.
func (f *FetchParams) limit(at logstore.Offsets) int64 {
	switch {
	case f.ReplicaID >= 0:
		return at.LogEnd
	case f.ReadCommitted:
		return at.LastStable
	}
	return at.HighWatermark
}

// Available answers how many bytes Fetch could return now if MaxBytes were no
// bound, and whether there are more that it would still not return, because one
// read ends with its segment. Nothing is read.
func (p *Partition) Available(f FetchParams) (bytes int, more bool) {
	limit := f.limit(p.Log().Offsets())
	size := func(limit int64) int {
		n, err := p.Log().Extent(f.Offset, limit)
		if err != nil {
			return 0
		}
		return n
	}
	bytes = size(limit)
	// If the run reaches the limit, its last batch holds the offset before it.
	return bytes, bytes > 0 && f.Offset < limit-1 && size(limit-1) == bytes
}

// followed records that a follower has everything below offset.
func (p *Partition) followed(replica int32, offset int64) bool {
	p.hw.Lock()
	known := p.progress.fetched(replica, offset, p.Log().Offsets().LogEnd)
	p.hw.Unlock()
	if known {
		p.advance(0)
	}
	return known
}
