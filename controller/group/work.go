package group

import (
	"hash/maphash"
	"maps"
	"slices"

	"blumfeld/controller"
	"blumfeld/controller/shard"
)

// group is one group of a shard: its machine, the offsets that the store holds, and what is to be written.
type group struct {
	*machine
	prefix string // of its keys
	blocks map[blockID][]committed
	txns   map[int64]*openTxn // by producer id; with all that waits to be written
	// sequence is that of the last pending offset. It need not be stored: those that are say where to go on.
	sequence int64
	stored   map[string]uint64 // members that the store holds, and a hash of their records
	work     work
	failed   bool // a write failed: the store is read again, and until then nothing is known of this group
	alarm    shard.Alarm[*group]
}

func (g *group) offset(topic string, partition int32) (committed, bool) {
	if g == nil || g.state == Dead || partition < 0 {
		return committed{}, false
	}
	id, slot := blockOf(topic, partition)
	for _, c := range g.blocks[id] {
		if c.slot == slot {
			return c, true
		}
	}
	return committed{}, false
}

// work is what a group waits to have written. Later changes take the place of earlier ones.
type work struct {
	queued   bool
	remove   bool      // all of the group; nothing else then
	snapshot *snapshot // nil: as stored
	offsets  map[blockID]*blockChanges
	replies  []reply             // that leave when it is written
	topics   map[string]struct{} // whose deletion this includes
	latest   latestBlock
	pending  map[pendingID]struct{} // that have changed
	settled  map[blockID]slots      // of which something was pending that this ends
}

// forgets notes that topics were deleted, for when this work cannot be written.
func (w *work) forgets(topics map[string]struct{}) {
	if w.topics == nil {
		w.topics = make(map[string]struct{})
	}
	maps.Copy(w.topics, topics)
}

// pendingChanged: the group's transactions say how.
func (w *work) pendingChanged(id pendingID) {
	if w.pending == nil {
		w.pending = make(map[pendingID]struct{})
	}
	w.pending[id] = struct{}{}
}

func (w *work) settle(id pendingID, which slots) {
	w.pendingChanged(id)
	if w.settled == nil {
		w.settled = make(map[blockID]slots)
	}
	w.settled[id.block] |= which
}

// latestBlock is where the last change went; the next mostly goes there too.
type latestBlock struct {
	id      blockID
	changes *blockChanges // nil: none yet
}

// blockChanges are the changes of one block in the order of their slots, one for each.
type blockChanges struct{ list []offsetChange }

type offsetChange struct {
	committed
	deleted bool
}

func (w *work) setOffset(id blockID, c offsetChange) { w.changesOf(id, 1).set(c) }

// changesOf returns the changes of a block, with room for so many more if there are none yet.
func (w *work) changesOf(id blockID, room int) *blockChanges {
	if w.latest.changes == nil || w.latest.id != id {
		if w.offsets == nil {
			w.offsets = make(map[blockID]*blockChanges)
		}
		changes := w.offsets[id]
		if changes == nil {
			changes = &blockChanges{make([]offsetChange, 0, min(room, blockSize))}
			w.offsets[id] = changes
		}
		w.latest = latestBlock{id, changes}
	}
	return w.latest.changes
}

func (b *blockChanges) set(c offsetChange) {
	n := len(b.list)
	if n == 0 || b.list[n-1].slot < c.slot { // partitions are mostly named in order
		b.list = append(b.list, c)
		return
	}
	i, found := slices.BinarySearchFunc(b.list, c.slot, func(o offsetChange, slot uint8) int { return int(o.slot) - int(slot) })
	if found {
		b.list[i] = c
	} else {
		b.list = slices.Insert(b.list, i, c)
	}
}

// discard turns all work into the removal of the group.
func (g *group) discard() {
	g.work = work{queued: g.work.queued, remove: true, replies: g.work.replies, topics: g.work.topics}
	g.txns = nil
}

// holds says whether replies that tell of the group's state have to wait for this work.
func (w *work) holds() bool { return w.remove || w.snapshot != nil }

// entry is one group's part of a flight.
type entry struct {
	g *group
	work
	blocks map[blockID][]committed // as they are once it is written; empty: none
	stored map[string]uint64       // nil: unchanged
}

var recordSeed = maphash.MakeSeed()

// hashRecord tells records apart within this process.
func hashRecord(b []byte) uint64 { return maphash.Bytes(recordSeed, b) }

// prepare turns a group's work into operations, in an order that may be cut anywhere. Of a snapshot the members come
// first, then the head that makes them count, then what is left of members that are gone. Then offsets, and only then what
// says that pending ones are committed or overtaken: so none is lost, and a marker that comes again does the rest.
func (g *group) prepare() (e *entry, ops []controller.Op) {
	e = &entry{g: g, work: g.work}
	if e.remove {
		return e, []controller.Op{controller.DeletePrefix(g.prefix)}
	}
	if s := e.snapshot; s != nil {
		e.stored = make(map[string]uint64, len(s.members))
		for i := range s.members {
			m := &s.members[i]
			value := m.encode(s.generation, i)
			hash := hashRecord(value)
			e.stored[m.id] = hash
			if old, ok := g.stored[m.id]; !ok || old != hash {
				ops = append(ops, controller.Put(g.prefix+memberName+m.id, value))
			}
		}
		ops = append(ops, controller.Put(g.prefix+headName, s.encodeHead()))
		for _, id := range slices.Sorted(maps.Keys(g.stored)) {
			if _, ok := e.stored[id]; !ok {
				ops = append(ops, controller.Delete(g.prefix+memberName+id))
			}
		}
	}
	if len(e.offsets) > 0 {
		e.blocks = make(map[blockID][]committed, len(e.offsets))
		for id, changes := range e.offsets {
			block := merge(g.blocks[id], changes.list)
			e.blocks[id] = block
			switch {
			case len(block) > 0:
				ops = append(ops, controller.Put(id.keyIn(g.prefix), encodeBlock(block)))
			case len(g.blocks[id]) > 0:
				ops = append(ops, controller.Delete(id.keyIn(g.prefix)))
			}
		}
	}
	return e, g.preparePending(ops)
}

func (g *group) preparePending(ops []controller.Op) []controller.Op {
	var gone []controller.Op
	for id := range g.work.pending {
		key := id.keyIn(g.prefix)
		if t := g.txns[id.producerID]; t != nil && len(t.blocks[id.block]) > 0 {
			ops = append(ops, controller.Put(key, encodePending(t, t.blocks[id.block])))
		} else {
			gone = append(gone, controller.Delete(key))
		}
	}
	return append(ops, gone...)
}

// merge returns a block with changes applied; the old one stays as it is. Both are in the order of their slots.
func merge(block []committed, changes []offsetChange) []committed {
	list := make([]committed, 0, max(len(block), len(changes))) // mostly a commit names what it named the last time
	for len(block)+len(changes) > 0 {
		switch {
		case len(changes) == 0 || len(block) > 0 && block[0].slot < changes[0].slot:
			list = append(list, block[0])
			block = block[1:]
			continue
		case len(block) > 0 && block[0].slot == changes[0].slot:
			block = block[1:]
		}
		if !changes[0].deleted {
			list = append(list, changes[0].committed)
		}
		changes = changes[1:]
	}
	return list
}

// landed makes what was written the truth in memory.
func (e *entry) landed() {
	if e.stored != nil {
		e.g.stored = e.stored
	}
	for id, block := range e.blocks {
		if len(block) == 0 {
			delete(e.g.blocks, id)
			continue
		}
		if e.g.blocks == nil {
			e.g.blocks = make(map[blockID][]committed)
		}
		e.g.blocks[id] = block
	}
}
