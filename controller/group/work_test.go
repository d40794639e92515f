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

func TestPendingKeys(t *testing.T) {
	for id, want := range map[pendingID]string{
		{0, blockID{"t", 0}}:         "groups/g/a%2Fb/p/0/t/00000000",
		{1<<63 - 1, blockID{"x", 7}}: "groups/g/a%2Fb/p/9223372036854775807/x/00000007",
	} {
		prefix := groupPrefix("a/b")
		key := id.keyIn(prefix)
		if key != want {
			t.Errorf("%v: %s, want %s", id, key, want)
		}
		if got, ok := parsePending(key[len(prefix)+len(pendingName):]); !ok || got != id {
			t.Errorf("%s: %v", key, got)
		}
	}
	for _, rest := range []string{"", "1", "1/", "1/t", "-1/t/00000000", "x/t/00000000", "9223372036854775808/t/00000000", "1/t/x"} {
		if got, ok := parsePending(rest); ok {
			t.Errorf("%q: %v", rest, got)
		}
	}
}
