package group

import (
	"cmp"
	"slices"
)

// openTxn is what the open transaction of a producer would commit to a group. Unlike the offsets of a group it goes ahead
// of the store: whatever is queued has taken place. When the store fails the group is read again.
//
// Invariant: blocks is not empty, and neither is one of its blocks.
type openTxn struct {
	epoch            int16
	coordinatorEpoch int32 // the last that was known of the producer when it committed; -1: none
	blocks           map[blockID]pendingBlock
}

// pendingBlock are the pending offsets of a transaction in a block, in the order of their slots.
type pendingBlock []pendingOffset

// pendingOffset is committed with its transaction, unless something later is by then. Kafka compares the offsets that
// both have in its log. Here overtaken says so of commits that are stored, and sequence of those that are pending.
type pendingOffset struct {
	committed
	sequence  int64 // in which the group's pending offsets came
	overtaken bool
}

func (b pendingBlock) find(slot uint8) (int, bool) {
	return slices.BinarySearchFunc(b, slot, func(o pendingOffset, slot uint8) int { return cmp.Compare(o.slot, slot) })
}

// slots are the partitions of a block, a bit for each.
type slots uint64

func (b pendingBlock) slots() (all slots) {
	for _, o := range b {
		all |= 1 << o.slot
	}
	return all
}

func (s slots) has(slot uint8) bool { return s&(1<<slot) != 0 }

// pend adds an offset to a transaction.
func (g *group) pend(producerID int64, id blockID, c committed) {
	t := g.txns[producerID]
	block := t.blocks[id]
	at, found := block.find(c.slot)
	g.sequence++
	o := pendingOffset{committed: c, sequence: g.sequence}
	if found {
		block[at] = o
	} else {
		t.blocks[id] = slices.Insert(block, at, o)
	}
	g.work.pendingChanged(pendingID{producerID, id})
}

// overtake: an offset is committed that came after all pending ones, or after those before a sequence.
func (g *group) overtake(id blockID, slot uint8, before int64) {
	for producerID, t := range g.txns {
		block := t.blocks[id]
		if i, found := block.find(slot); found && block[i].sequence < before && !block[i].overtaken {
			block[i].overtaken = true
			g.work.pendingChanged(pendingID{producerID, id})
		}
	}
}

// endTxn commits what is pending of a producer, or forgets it. It returns false if nothing is.
func (g *group) endTxn(producerID int64, commit bool) bool {
	t := g.txns[producerID]
	if t == nil {
		return false
	}
	delete(g.txns, producerID)
	for id, block := range t.blocks {
		g.work.settle(pendingID{producerID, id}, block.slots())
		if !commit {
			continue
		}
		for _, o := range block {
			if !o.overtaken {
				g.work.setOffset(id, offsetChange{committed: o.committed})
				g.overtake(id, o.slot, o.sequence)
			}
		}
	}
	return true
}

// forgetPending removes what is pending of some partitions of a block, of all transactions.
func (g *group) forgetPending(id blockID, which slots) {
	for producerID, t := range g.txns {
		block, found := t.blocks[id]
		gone := block.slots() & which
		if !found || gone == 0 {
			continue
		}
		g.work.settle(pendingID{producerID, id}, gone)
		block = slices.DeleteFunc(block, func(o pendingOffset) bool { return gone.has(o.slot) })
		t.blocks[id] = block
		if len(block) == 0 {
			delete(t.blocks, id)
		}
		if len(t.blocks) == 0 {
			delete(g.txns, producerID)
		}
	}
}

// pendingSlots returns those of which a transaction has an offset; nil: there are none.
func (g *group) pendingSlots() map[blockID]slots {
	if len(g.txns) == 0 {
		return nil
	}
	all := make(map[blockID]slots)
	for _, t := range g.txns {
		for id, block := range t.blocks {
			all[id] |= block.slots()
		}
	}
	return all
}
