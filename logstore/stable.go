package logstore

import (
	"math"
	"slices"
)

// The last stable offset is where readers of committed data end: no transaction that begins below it is open, and the
// markers of those that have ended are below the high watermark, so that no other leader could show them open again.
// (Kafka's ProducerStateManager.firstUnstableOffset.)

// decidedTxn is a transaction that has ended, by a marker at last.
type decidedTxn struct{ first, last int64 }

// Offsets tells where the log stands. What it returns was true at one moment or, while a truncation is under way,
// at none: but LogStart <= LastStable <= HighWatermark <= LogEnd always holds.
func (l *Log) Offsets() Offsets {
	o := Offsets{LogEnd: l.logEnd.Load()}
	o.HighWatermark = min(l.highWatermark.Load(), o.LogEnd)
	// A transaction that begins below this high watermark is in one of the two, and in this order is seen: it goes into
	// the second before it leaves the first.
	o.LastStable = min(l.undecided.Load(), l.unreplicated.Load(), o.HighWatermark)
	// The beginning of an open transaction may have been deleted.
	start := l.logStart.Load()
	o.LastStable = max(o.LastStable, min(start, o.HighWatermark))
	o.LogStart = min(start, o.LastStable)
	return o
}

// SetHighWatermark moves the high watermark, within the log. Only the caller knows whether it may move back.
func (l *Log) SetHighWatermark(offset int64) {
	l.hwMu.Lock()
	defer l.hwMu.Unlock()
	hw := max(l.logStart.Load(), min(offset, l.logEnd.Load()))
	l.highWatermark.Store(hw)
	if n := len(l.decided); n > 0 {
		i, _ := slices.BinarySearchFunc(l.decided, hw, func(t decidedTxn, hw int64) int {
			if t.last < hw {
				return -1
			}
			return 1
		})
		if i > 0 {
			l.setDecided(slices.Delete(l.decided, 0, i))
		}
	}
}

// decide takes note that a transaction has ended. Called under mu, or before anybody knows the log.
func (l *Log) decide(first, last int64) {
	l.hwMu.Lock()
	defer l.hwMu.Unlock()
	if last < l.highWatermark.Load() {
		return
	}
	l.decided = append(l.decided, decidedTxn{first, last})
	l.unreplicated.Store(min(l.unreplicated.Load(), first))
}

// undecide forgets the transactions that have ended at or behind an offset.
func (l *Log) undecide(offset int64) {
	l.hwMu.Lock()
	defer l.hwMu.Unlock()
	if len(l.decided) > 0 {
		l.setDecided(slices.DeleteFunc(l.decided, func(t decidedTxn) bool { return t.last >= offset }))
	}
}

// setDecided is called under hwMu.
func (l *Log) setDecided(list []decidedTxn) {
	l.decided = list
	first := int64(math.MaxInt64)
	for _, t := range list {
		first = min(first, t.first)
	}
	l.unreplicated.Store(first)
	if len(list) == 0 {
		l.decided = nil
	}
}
