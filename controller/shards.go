package controller

import (
	"maps"
	"slices"
	"strings"
)

const shardCount = 256

// shards is an immutable map in 256 parts. An Image holds it; the next Image shares all parts but those that changed,
// so that one change among 10,000 topics copies 40 entries and not 10,000.
type shards[K comparable, V any] struct {
	parts *[shardCount]map[K]V
	n     int
}

func (s shards[K, V]) get(shard uint8, k K) (v V, ok bool) {
	if s.parts == nil {
		return v, false
	}
	v, ok = s.parts[shard][k]
	return v, ok
}

// shardsEdit makes the next shards from the last. It copies a part at its first change.
type shardsEdit[K comparable, V any] struct {
	shards[K, V]
	owned [shardCount]bool
	fresh bool // parts is our own array
}

func (s shards[K, V]) edit() *shardsEdit[K, V] { return &shardsEdit[K, V]{shards: s} }

func (e *shardsEdit[K, V]) part(shard uint8) map[K]V {
	if !e.fresh {
		parts := new([shardCount]map[K]V)
		if e.parts != nil {
			*parts = *e.parts
		}
		e.parts, e.fresh = parts, true
	}
	if !e.owned[shard] {
		if m := e.parts[shard]; m != nil {
			e.parts[shard] = maps.Clone(m)
		} else {
			e.parts[shard] = make(map[K]V)
		}
		e.owned[shard] = true
	}
	return e.parts[shard]
}

func (e *shardsEdit[K, V]) set(shard uint8, k K, v V) {
	m := e.part(shard)
	before := len(m)
	m[k] = v
	e.n += len(m) - before
}

func (e *shardsEdit[K, V]) delete(shard uint8, k K) {
	if _, ok := e.get(shard, k); ok {
		delete(e.part(shard), k)
		e.n--
	}
}

// idShard: ids are random, their bytes spread by themselves; byte 0 has no bits of the UUID version.
func idShard(id [16]byte) uint8 { return id[0] }

// nameShard is FNV-1a, folded.
func nameShard(s string) uint8 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return uint8(h ^ h>>8 ^ h>>16 ^ h>>24)
}

// topicList is all topics in order of names, in chunks, so that a change copies one chunk and the list of chunks.
// No chunk is empty.
type topicList [][]*Topic

const topicChunk = 128

func compareTopicName(t *Topic, name string) int { return strings.Compare(t.Name, name) }

// find returns where name is, or where it belongs: a chunk and a place in it.
func (l topicList) find(name string) (chunk, i int, found bool) {
	// The first chunk whose last topic is not before name; past the end of all, the last one.
	chunk, _ = slices.BinarySearchFunc(l, name, func(c []*Topic, name string) int {
		return compareTopicName(c[len(c)-1], name)
	})
	if chunk == len(l) {
		if chunk == 0 {
			return 0, 0, false
		}
		chunk--
		return chunk, len(l[chunk]), false
	}
	i, found = slices.BinarySearchFunc(l[chunk], name, compareTopicName)
	return chunk, i, found
}

// with returns the list with t in it, instead of a topic of the same name if there is one.
func (l topicList) with(t *Topic) topicList {
	if len(l) == 0 {
		return topicList{{t}}
	}
	c, i, found := l.find(t.Name)
	l = slices.Clone(l)
	if found {
		l[c] = slices.Clone(l[c])
		l[c][i] = t
		return l
	}
	chunk := make([]*Topic, 0, len(l[c])+1)
	chunk = append(append(append(chunk, l[c][:i]...), t), l[c][i:]...)
	if len(chunk) <= topicChunk {
		l[c] = chunk
		return l
	}
	half := len(chunk) / 2
	l[c] = chunk[:half:half]
	return slices.Insert(l, c+1, chunk[half:])
}

// without returns the list without the topic of that name.
func (l topicList) without(name string) topicList {
	if len(l) == 0 {
		return l
	}
	c, i, found := l.find(name)
	if !found {
		return l
	}
	l = slices.Clone(l)
	if len(l[c]) == 1 {
		return slices.Delete(l, c, c+1)
	}
	l[c] = slices.Concat(l[c][:i], l[c][i+1:])
	return l
}

// edit returns the list with many changes: a nil topic removes that name. Many changes cost one pass over all.
func (l topicList) edit(changes map[string]*Topic) topicList {
	const few = 64
	if len(changes) <= few {
		for name, t := range changes {
			if t == nil {
				l = l.without(name)
			} else {
				l = l.with(t)
			}
		}
		return l
	}
	all := make([]*Topic, 0, len(l)*topicChunk+len(changes))
	for _, chunk := range l {
		for _, t := range chunk {
			if _, changed := changes[t.Name]; !changed {
				all = append(all, t)
			}
		}
	}
	for _, t := range changes {
		if t != nil {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) })
	// Chunks of three quarters, so that the next insertions split none.
	return slices.Collect(slices.Chunk(all, topicChunk*3/4))
}
