package logstore

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"sync"
)

// undefinedEpoch and undefinedOffset answer a question about an epoch that the log knows nothing of.
const (
	undefinedEpoch  int32 = -1
	undefinedOffset int64 = -1
)

// epochEntry says at which offset a leader's epoch begins.
type epochEntry struct {
	epoch int32
	start int64
}

// epochCache is the history of leaders of a log (KIP-101, KIP-279; Kafka's LeaderEpochFileCache): entries ascending
// in both epoch and start offset. It is a pure value with a lock; the log writes it to leader-epoch-checkpoint.
//
// The file need not be written on every change: an epoch is also in every batch, and recovery learns from those
// behind the recovery point. So the file has to be durable before the recovery point moves past a change, and no
// sooner.
type epochCache struct {
	mu      sync.RWMutex // leaf
	entries []epochEntry
	version int // counts changes
	saved   int // version that is in the file
}

// assign notes that an epoch begins at an offset, unless the latest entry is of that epoch and begins no later.
// Entries that the new one contradicts go. Negative arguments are ignored.
func (c *epochCache) assign(epoch int32, start int64) {
	if epoch < 0 || start < 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := len(c.entries); n > 0 && c.entries[n-1].epoch == epoch && c.entries[n-1].start <= start {
		return
	}
	for n := len(c.entries); n > 0 && (c.entries[n-1].epoch >= epoch || c.entries[n-1].start >= start); n-- {
		c.entries = c.entries[:n-1]
	}
	c.entries = append(c.entries, epochEntry{epoch, start})
	c.version++
}

// latest returns the newest epoch.
func (c *epochCache) latest() (int32, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if n := len(c.entries); n > 0 {
		return c.entries[n-1].epoch, true
	}
	return undefinedEpoch, false
}

// endOffset returns the largest epoch that is not above the requested one, and where it ends: at the start of the
// next, or at logEnd if it is the latest (Kafka's LeaderEpochFileCache.endOffsetFor).
//
// An epoch older than all entries is answered with itself and the start of the oldest; one newer than all with
// undefined values, and so is every question to an empty cache.
func (c *epochCache) endOffset(epoch int32, logEnd int64) (int32, int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := len(c.entries)
	if epoch == undefinedEpoch || n == 0 || epoch > c.entries[n-1].epoch {
		return undefinedEpoch, undefinedOffset
	}
	if epoch == c.entries[n-1].epoch {
		return epoch, logEnd
	}
	higher := c.firstAbove(epoch)
	if higher == 0 {
		return epoch, c.entries[0].start
	}
	return c.entries[higher-1].epoch, c.entries[higher].start
}

// firstAbove returns the index of the first entry of a larger epoch. Called under mu.
func (c *epochCache) firstAbove(epoch int32) int {
	i, found := slices.BinarySearchFunc(c.entries, epoch, func(e epochEntry, epoch int32) int { return int(e.epoch) - int(epoch) })
	if found {
		i++
	}
	return i
}

// at returns the epoch that an offset was written in.
func (c *epochCache) at(offset int64) (int32, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, e := range slices.Backward(c.entries) {
		if e.start <= offset {
			return e.epoch, true
		}
	}
	return undefinedEpoch, false
}

// truncateFromEnd drops the entries that begin at or behind the end of the log.
func (c *epochCache) truncateFromEnd(end int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := len(c.entries); n > 0 && c.entries[n-1].start >= end; n-- {
		c.entries = c.entries[:n-1]
		c.version++
	}
}

// truncateFromStart drops the entries before the start of the log, but for the one that covers it, which now
// begins there.
func (c *epochCache) truncateFromStart(start int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	covers := -1
	for i, e := range c.entries {
		if e.start <= start {
			covers = i
		}
	}
	if covers < 0 || covers == 0 && c.entries[0].start == start {
		return
	}
	c.entries = slices.Delete(c.entries, 0, covers)
	c.entries[0].start = start
	c.version++
}

func (c *epochCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) > 0 {
		c.entries = nil
		c.version++
	}
}

// unsaved returns the contents for the file and their version, if the file does not have them yet.
func (c *epochCache) unsaved() (contents []byte, version int, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.version == c.saved {
		return nil, 0, false
	}
	lines := make([]string, len(c.entries))
	for i, e := range c.entries {
		lines[i] = fmt.Sprintf("%d %d", e.epoch, e.start)
	}
	return formatCheckpoint(lines), c.version, true
}

func (c *epochCache) setSaved(version int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saved = max(c.saved, version)
}

// load replaces the entries by those of a leader-epoch-checkpoint file. Entries that contradict a later one are
// dropped, as in Kafka, where loading is assigning one after the other.
func (c *epochCache) load(contents []byte) error {
	lines, err := parseCheckpoint(contents)
	if err != nil {
		return err
	}
	for i, line := range lines {
		f := bytes.Fields(line)
		if len(f) != 2 {
			return fmt.Errorf("entry %d: %q is not an epoch and an offset", i, line)
		}
		epoch, err := strconv.ParseInt(string(f[0]), 10, 32)
		if err != nil {
			return fmt.Errorf("entry %d: epoch: %w", i, err)
		}
		start, err := strconv.ParseInt(string(f[1]), 10, 64)
		if err != nil {
			return fmt.Errorf("entry %d: offset: %w", i, err)
		}
		c.assign(int32(epoch), start)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.saved = c.version
	return nil
}
