package compact

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
)

// An entry of the map is the first 128 bits of the key's SHA-256 and its offset plus one. Two keys of one hash would
// be one key to the cleaner, and the older record would be lost: so the hash has to be one for which nobody can find
// such keys. (Kafka takes MD5, for which anybody can. With the instructions that processors have for it SHA-256 is
// faster too.)
const (
	hashBytes  = 16
	entryBytes = hashBytes + 8
)

// The map is split into shards by the first bits of the hash, which grow one by one as keys come in. So it takes the
// memory that its keys need, and not, as Kafka's does, at once all that is allowed; nor does growing ever need a
// second map of the same size. A shard is filled up to shardFull and grows by shardGrowth.
const (
	maxShards   = 256
	shardSlots  = 4096 // entries that a shard of a large map has at least when it is full grown
	firstSlots  = 64
	shardFull   = 0.85
	shardGrowth = 1.2
)

// OffsetMap is the newest offset of each key, within a bound of memory (Kafka's SkimpyOffsetMap). The memory is not
// the garbage collector's: Free gives it back.
type OffsetMap struct {
	shards   []shard
	shift    int // of the hash's first 16 bits, to the number of a shard
	most     int // entries
	maxSlots int // of a shard
	n        int
	latest   int64
	err      error // of the system, when it had no memory
}

type shard struct {
	p     []byte // entries
	slots int
	n     int
}

// NewOffsetMap returns an empty map of at most so many bytes, of which at most the share loadFactor will be used
// (log.cleaner.io.buffer.load.factor). It takes one key at least.
func NewOffsetMap(bytes int64, loadFactor float64) *OffsetMap {
	slots := max(2, int(bytes/entryBytes))
	shards := 1
	for shards < maxShards && slots/(2*shards) >= shardSlots {
		shards *= 2
	}
	return &OffsetMap{
		shards:   make([]shard, shards),
		shift:    16 - bits.TrailingZeros(uint(shards)),
		most:     max(1, int(float64(slots)*loadFactor)),
		maxSlots: slots / shards,
		latest:   -1,
	}
}

// Put makes offset the newest of a key. It returns false, and changes nothing, if the key is new and there is no room
// for another.
func (m *OffsetMap) Put(key []byte, offset int64) bool {
	h := sha256.Sum256(key)
	s := m.shard(h[:])
	i, found := s.find(h[:hashBytes])
	if !found {
		if m.n >= m.most {
			return false
		}
		if float64(s.n+1) > shardFull*float64(s.slots) && s.slots < m.maxSlots {
			if m.err = s.grow(m.maxSlots); m.err != nil {
				return false
			}
			i, _ = s.find(h[:hashBytes])
		}
		if s.n+1 > s.slots {
			return false // more keys fell into this shard than into any other
		}
		s.n++
		m.n++
	}
	e := s.p[i*entryBytes:][:entryBytes]
	copy(e, h[:hashBytes])
	binary.BigEndian.PutUint64(e[hashBytes:], uint64(offset+1))
	return true
}

// Get is the newest offset of a key, -1 if it is not in the map.
func (m *OffsetMap) Get(key []byte) int64 {
	h := sha256.Sum256(key)
	s := m.shard(h[:])
	i, found := s.find(h[:hashBytes])
	if !found {
		return -1
	}
	return int64(binary.BigEndian.Uint64(s.p[i*entryBytes+hashBytes:])) - 1
}

// Latest is the offset up to which, inclusive, the log's keys are in the map; -1 at first.
func (m *OffsetMap) Latest() int64 { return m.latest }

// SetLatest says how far the log's keys are in the map.
func (m *OffsetMap) SetLatest(offset int64) { m.latest = offset }

// Len is how many keys there are.
func (m *OffsetMap) Len() int { return m.n }

// Err says why the system gave no memory for more keys, nil if it did.
func (m *OffsetMap) Err() error { return m.err }

// Bytes is the memory in use.
func (m *OffsetMap) Bytes() int64 {
	var sum int64
	for i := range m.shards {
		sum += int64(len(m.shards[i].p))
	}
	return sum
}

// Free gives the memory back. The map is empty then, and of no use.
func (m *OffsetMap) Free() {
	for i := range m.shards {
		m.shards[i].free()
	}
	m.n, m.most = 0, 0
}

func (m *OffsetMap) shard(h []byte) *shard {
	return &m.shards[binary.BigEndian.Uint16(h)>>m.shift]
}

// find returns the slot of the hash, or the free one where it belongs. Only a shard without any free slot, which
// holds other hashes, has neither: then the slot means nothing.
func (s *shard) find(h []byte) (slot int, found bool) {
	if s.slots == 0 {
		return 0, false
	}
	// The bits behind those that chose the shard, spread over the slots.
	hi, _ := bits.Mul64(binary.BigEndian.Uint64(h[2:]), uint64(s.slots))
	i := int(hi)
	for range s.slots {
		e := s.p[i*entryBytes:][:entryBytes]
		if binary.BigEndian.Uint64(e[hashBytes:]) == 0 {
			return i, false
		}
		if string(e[:hashBytes]) == string(h) {
			return i, true
		}
		if i++; i == s.slots {
			i = 0
		}
	}
	return 0, false
}

// grow moves the shard into more memory.
func (s *shard) grow(most int) error {
	slots := min(most, max(firstSlots, int(float64(s.slots)*shardGrowth)))
	p, err := allocate(slots * entryBytes)
	if err != nil {
		return err
	}
	next := shard{p: p, slots: slots, n: s.n}
	for old := s.p[:s.slots*entryBytes]; len(old) > 0; old = old[entryBytes:] {
		if binary.BigEndian.Uint64(old[hashBytes:]) == 0 {
			continue
		}
		i, _ := next.find(old[:hashBytes])
		copy(next.p[i*entryBytes:], old[:entryBytes])
	}
	s.free()
	*s = next
	return nil
}

func (s *shard) free() {
	if s.p != nil {
		release(s.p)
	}
	*s = shard{}
}
