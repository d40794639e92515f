package compact

import "math"

// State is a log as a cleaning finds it.
type State struct {
	LogStart, LastStable, LogEnd int64
	Cleaned                      int64 // where the dirty part begins, as the last cleaning noted; -1 if there was none
	Segments                     []Segment
	// FirstTime and LargestTime are timestamps in ms of a segment by its number: of its first batch, and the largest.
	// They are asked for only where the rules need them, since they may have to be read. Negative is none.
	FirstTime, LargestTime func(i int) (int64, error)
}

// Segment is what the rules ask of a segment. The last of a log is its active one.
type Segment struct {
	Base                   int64
	Bytes                  int64 // of the .log
	OffsetIndex, TimeIndex int64 // bytes of the index files
}

// Rules are a topic's: min.cleanable.dirty.ratio, min.compaction.lag.ms, max.compaction.lag.ms.
type Rules struct {
	MinDirtyRatio      float64
	MinLagMs, MaxLagMs int64
}

// Plan is what of a log may be cleaned.
type Plan struct {
	FirstDirty int64 // where the dirty part begins
	Limit      int64 // where what may be cleaned ends: the base of a segment
	CleanBytes int64 // of segments that begin below FirstDirty
	DirtyBytes int64 // of segments from the one with FirstDirty up to Limit
	Invalid    bool  // what was noted as cleaned lies outside of the log
	Due        bool  // it is to be cleaned: dirty enough, or waiting for longer than it may
}

// Ratio is the dirty share of what could be cleaned.
func (p Plan) Ratio() float64 {
	if p.CleanBytes+p.DirtyBytes == 0 {
		return 0
	}
	return float64(p.DirtyBytes) / float64(p.CleanBytes+p.DirtyBytes)
}

// Plan says what of the log may be cleaned at now, in ms, and whether it should be (Kafka's
// LogCleanerManager.cleanableOffsets, calculateCleanableBytes and grabFilthiestCompactedLog).
//
// Never cleaned are the active segment, what reaches beyond the last stable offset, and from the first segment on that
// has a record younger than min.compaction.lag.ms.
func (s State) Plan(r Rules, now int64) (Plan, error) {
	p := Plan{FirstDirty: s.Cleaned}
	if s.Cleaned < 0 {
		p.FirstDirty = s.LogStart
	} else if s.Cleaned < s.LogStart || s.Cleaned > s.LogEnd {
		// Retention went past it; or the end of the log was lost, and there is no telling what is clean.
		p.FirstDirty, p.Invalid = s.LogStart, true
	}
	active := len(s.Segments) - 1
	first := s.at(p.FirstDirty)

	limit := min(s.LastStable, s.Segments[active].Base)
	if r.MinLagMs > 0 {
		for i := first; i < active; i++ {
			largest, err := s.LargestTime(i)
			if err != nil {
				return p, err
			}
			if largest > now-r.MinLagMs {
				limit = min(limit, s.Segments[i].Base)
				break
			}
		}
	}
	// Segments are cleaned whole, so the one that contains the limit is not.
	end := s.at(max(limit, p.FirstDirty))
	p.Limit = s.Segments[end].Base
	for i, seg := range s.Segments {
		if seg.Base < p.FirstDirty {
			p.CleanBytes += seg.Bytes
		}
		if i >= first && i < end {
			p.DirtyBytes += seg.Bytes
		}
	}
	if p.DirtyBytes == 0 {
		return p, nil
	}
	overdue, err := s.overdue(first, active, r.MaxLagMs, now)
	p.Due = overdue || p.Ratio() > r.MinDirtyRatio
	return p, err
}

// overdue says whether one of the dirty segments begins with a record older than max.compaction.lag.ms.
func (s State) overdue(first, active int, maxLagMs, now int64) (bool, error) {
	if maxLagMs == math.MaxInt64 {
		return false, nil
	}
	for i := first; i < active; i++ {
		t, err := s.FirstTime(i)
		if err != nil {
			return false, err
		}
		if t > 0 && t < now-max(maxLagMs, 0) {
			return true, nil
		}
	}
	return false, nil
}

// at is the number of the segment that contains an offset, the first if it is below all.
func (s State) at(offset int64) int {
	i := len(s.Segments) - 1
	for i > 0 && s.Segments[i].Base > offset {
		i--
	}
	return i
}

// Group splits segments into runs that each fit one new segment, and returns how long each run is. The segments are
// those that are cleaned, in order; limit is where they end at most. A run has at most maxBytes and maxIndexBytes,
// unless it is a single segment, and its offsets fit 32 bits (Kafka's Cleaner.groupSegmentsBySize).
func Group(segments []Segment, limit int64, maxBytes, maxIndexBytes int64) []int {
	var runs []int
	for i := 0; i < len(segments); {
		sum := segments[i]
		n := 1
		for ; i+n < len(segments); n++ {
			s := segments[i+n]
			last := limit - 1 // not read from the file: where the next one begins is good enough
			if i+n+1 < len(segments) {
				last = segments[i+n+1].Base - 1
			}
			if sum.Bytes+s.Bytes > maxBytes || sum.OffsetIndex+s.OffsetIndex > maxIndexBytes || sum.TimeIndex+s.TimeIndex > maxIndexBytes ||
				s.Bytes > 0 && last-sum.Base > math.MaxInt32 {
				break
			}
			sum.Bytes, sum.OffsetIndex, sum.TimeIndex = sum.Bytes+s.Bytes, sum.OffsetIndex+s.OffsetIndex, sum.TimeIndex+s.TimeIndex
		}
		runs = append(runs, n)
		i += n
	}
	return runs
}
