package group

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestMerge compares blocks and their changes with maps.
func TestMerge(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want := make(map[uint8]int64)
		var block []committed
		for range random.IntN(4) {
			var w work
			id := blockID{"t", 3}
			for i := range int64(random.IntN(2 * blockSize)) {
				slot := uint8(random.IntN(blockSize))
				if random.IntN(3) == 0 {
					slot = uint8(i % blockSize)
				}
				deleted := random.IntN(4) == 0
				w.setOffset(id, offsetChange{committed: committed{offset: i, slot: slot}, deleted: deleted})
				if want[slot] = i; deleted {
					delete(want, slot)
				}
			}
			if changes := w.offsets[id]; changes != nil {
				old := slices.Clone(block)
				next := merge(block, changes.list)
				if !slices.Equal(block, old) {
					t.Fatal("the old block has changed")
				}
				block = next
			}
		}
		if len(block) != len(want) {
			t.Fatalf("%d offsets, want %d", len(block), len(want))
		}
		for i, c := range block {
			if offset, ok := want[c.slot]; !ok || c.offset != offset || i > 0 && block[i-1].slot >= c.slot {
				t.Fatalf("%v, want %v", block, want)
			}
		}
	}
}

// TestBlockKeys: what a block is called has not changed since it was first stored.
func TestBlockKeys(t *testing.T) {
	for id, want := range map[blockID]string{
		{"t", 0}:                       "groups/g/a%2Fb/o/t/00000000",
		{"x%y", 123}:                   "groups/g/a%2Fb/o/x%25y/00000123",
		{"t", (1<<31 - 1) / blockSize}: "groups/g/a%2Fb/o/t/33554431",
	} {
		key := id.keyIn(groupPrefix("a/b"))
		if key != want {
			t.Errorf("%v: %s, want %s", id, key, want)
		}
		if got, ok := parseBlock(key[len(groupPrefix("a/b"))+len(offsetsName):]); !ok || got != id {
			t.Errorf("%s: %v", key, got)
		}
	}
}
