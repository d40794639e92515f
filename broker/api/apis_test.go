package api

import (
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// kafkaVersions are the APIs of Apache Kafka 4.3.1's broker with the versions
// that it advertises.
var kafkaVersions = map[int16][2]int16{
	0: {0, 13}, 1: {4, 18}, 2: {1, 11}, 3: {0, 13}, 8: {2, 10}, 9: {1, 10}, 10: {0, 6},
	11: {0, 9}, 12: {0, 4}, 13: {0, 5}, 14: {0, 5}, 15: {0, 6}, 16: {0, 5}, 17: {0, 1},
	18: {0, 4}, 19: {2, 7}, 20: {1, 6}, 21: {0, 2}, 22: {0, 5}, 23: {2, 4}, 24: {0, 5},
	25: {0, 4}, 26: {0, 5}, 27: {1, 2}, 28: {0, 5}, 29: {1, 3}, 30: {1, 3}, 31: {1, 3},
	32: {1, 4}, 33: {0, 2}, 34: {1, 2}, 35: {1, 5}, 36: {0, 2}, 37: {0, 3}, 38: {1, 3},
	39: {1, 2}, 40: {1, 2}, 41: {1, 3}, 42: {0, 2}, 43: {0, 2}, 44: {0, 1}, 45: {0, 1},
	46: {0, 0}, 47: {0, 0}, 48: {0, 1}, 49: {0, 1}, 50: {0, 0}, 51: {0, 0}, 55: {0, 2},
	57: {0, 2}, 60: {0, 2}, 61: {0, 0}, 64: {0, 0}, 65: {0, 0}, 66: {0, 2}, 68: {0, 1},
	69: {0, 1}, 74: {0, 1}, 75: {0, 0}, 76: {1, 1}, 77: {1, 1}, 78: {1, 2}, 79: {1, 2},
	80: {0, 1}, 81: {0, 0}, 83: {0, 0}, 84: {0, 0}, 85: {0, 1}, 86: {0, 0}, 87: {0, 1},
	88: {0, 0}, 89: {0, 0}, 90: {0, 1}, 91: {0, 0}, 92: {0, 0},
}

func TestTableVersionsAreKafkas(t *testing.T) {
	for _, a := range Table() {
		want, ok := kafkaVersions[a.Key]
		switch {
		case !ok:
			t.Errorf("key %d: Kafka's broker does not answer it", a.Key)
		case want != [2]int16{a.Min, a.Max}:
			t.Errorf("key %d: versions %d to %d, Kafka has %d to %d", a.Key, a.Min, a.Max, want[0], want[1])
		case a.Served < a.Min || a.Served > a.Max:
			t.Errorf("key %d: served from %d, which is not in %d to %d", a.Key, a.Served, a.Min, a.Max)
		case a.Max > kmsg.RequestForKey(a.Key).MaxVersion():
			t.Errorf("key %d: version %d cannot be decoded", a.Key, a.Max)
		}
	}
}

// notYet are the APIs of Apache Kafka 4.3.1's broker that are not served, with
// what they wait for.
var notYet = map[string][]int16{
	"KIP-848":        {68, 69},
	"share groups":   {76, 77, 78, 79, 83, 84, 85, 86, 87, 90, 91, 92},
	"streams groups": {88, 89},
}

// TestTableIsWhole: an API is served or waits for something that is named.
func TestTableIsWhole(t *testing.T) {
	known := make(map[int16]bool)
	for _, a := range Table() {
		known[a.Key] = true
	}
	for what, keys := range notYet {
		for _, key := range keys {
			if known[key] {
				t.Errorf("key %d is served, and waits for %s", key, what)
			}
			known[key] = true
		}
	}
	for key := range kafkaVersions {
		if !known[key] {
			t.Errorf("key %d (%s) is not served, and nothing says why", key, kmsg.NameForKey(key))
		}
	}
}

func TestTableIsSorted(t *testing.T) {
	if !slices.IsSortedFunc(Table(), func(a, b API) int { return int(a.Key - b.Key) }) {
		t.Error("not in the order of the keys")
	}
	for i, a := range Table() {
		if i > 0 && Table()[i-1].Key == a.Key {
			t.Errorf("key %d comes twice", a.Key)
		}
	}
}

// TestHandlersAreInTheirFiles: NN_name.go holds the handler of key NN.
func TestHandlersAreInTheirFiles(t *testing.T) {
	for _, a := range Table() {
		entry := reflect.ValueOf(a.Handle).Pointer()
		path, _ := runtime.FuncForPC(entry).FileLine(entry)
		if file, prefix := filepath.Base(path), fmt.Sprintf("%02d_", a.Key); !strings.HasPrefix(file, prefix) {
			t.Errorf("the handler of key %d (%s) is in %s", a.Key, kmsg.NameForKey(a.Key), file)
		}
	}
}

func TestIndex(t *testing.T) {
	x := NewIndex([]API{{Key: 2, Min: 1, Max: 5, Served: 3}})
	for _, key := range []int16{-1, 0, 1, 3, 32767, -32768} {
		if x.Lookup(key) != nil {
			t.Errorf("key %d is known", key)
		}
		if _, _, ok := x.Served(key); ok {
			t.Errorf("key %d is served", key)
		}
	}
	lowest, highest, ok := x.Served(2)
	equal(t, "served", []any{lowest, highest, ok}, []any{int16(3), int16(5), true})
}
