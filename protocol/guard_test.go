package protocol

import (
	"encoding/binary"
	"math"
	"reflect"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// everyVersion calls f for each request and version that kmsg knows.
func everyVersion(f func(key, version int16)) {
	for key := int16(0); key <= kmsg.MaxKey; key++ {
		if r := kmsg.RequestForKey(key); r != nil {
			for version := int16(0); version <= r.MaxVersion(); version++ {
				f(key, version)
			}
		}
	}
}

// randomBody is the encoding of a request with random fields.
func randomBody(f *filler, key, version int16) []byte {
	r := kmsg.RequestForKey(key)
	f.fill(reflect.ValueOf(r).Elem())
	r.SetVersion(version)
	return r.AppendTo(nil)
}

// unbounded walks a body without a bound on memory. It returns what the walk
// thinks that decoding allocates, and what it left over.
func unbounded(key, version int16, body []byte) (spent int64, rest []byte, bad bool) {
	w := walker{reader: reader{p: body}, version: version, flexible: version >= layouts[key].flexible, memory: math.MaxInt64}
	w.layout(&layouts[key].body)
	return math.MaxInt64 - w.memory, w.p, w.bad
}

// TestLayouts proves the table against kmsg, for every request and version: the
// walk ends exactly where kmsg's encoding does, for any values, and nowhere
// before it if any byte is missing.
func TestLayouts(t *testing.T) {
	seeds, n := 30, 0
	if underRace {
		seeds = 3
	}
	everyVersion(func(key, version int16) {
		for seed := range uint64(seeds) {
			f := newFiller(seed)
			f.maxLen = 1 + int(seed%5)
			body := randomBody(f, key, version)
			if _, rest, bad := unbounded(key, version, body); bad || len(rest) > 0 {
				t.Fatalf("%s v%d: %d of %d bytes left, %v:\n%x", kmsg.NameForKey(key), version, len(rest), len(body), bad, body)
			}
			for cut := range min(len(body), 100) {
				if _, _, bad := unbounded(key, version, body[:cut]); !bad {
					t.Fatalf("%s v%d: %d of %d bytes do", kmsg.NameForKey(key), version, cut, len(body))
				}
			}
			n++
		}
	})
	if n < seeds*300 {
		t.Errorf("only %d requests", n)
	}
}

// allocated is how many bytes f allocates, or what that would be without the
// race detector, at least.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	used := after.TotalAlloc - before.TotalAlloc
	if underRace {
		used /= 3
	}
	return used
}

// TestMemoryIsAccountedFor holds what the walk thinks against what kmsg does.
func TestMemoryIsAccountedFor(t *testing.T) {
	everyVersion(func(key, version int16) {
		if version != 0 && version != kmsg.RequestForKey(key).MaxVersion() {
			return
		}
		for _, tags := range []bool{false, true} {
			f := newFiller(uint64(key))
			f.maxLen, f.tags = 20, tags
			var body []byte
			for len(body) < 20_000 && f.maxLen < 120 { // some have no arrays
				body = randomBody(f, key, version)
				f.maxLen += 10
			}
			spent, _, _ := unbounded(key, version, body)
			r := kmsg.RequestForKey(key)
			r.SetVersion(version)
			used := allocated(func() {
				if err := r.ReadFrom(body); err != nil {
					t.Fatal(err)
				}
			})
			// Sizes are rounded up to those the allocator has.
			if float64(used) > 1.25*float64(spent)+8<<10 {
				t.Errorf("%s v%d: %d bytes allocated for %d, %d thought of (tags: %v)", kmsg.NameForKey(key), version, used, len(body), spent, tags)
			}
		}
	})
}

// TestRealisticRequests: full arrays of whatever a request may hold, with names
// of a few letters, are within the bound.
func TestRealisticRequests(t *testing.T) {
	everyVersion(func(key, version int16) {
		f := newFiller(uint64(version))
		f.maxLen, f.tags = 40, false
		body := randomBody(f, key, version)
		if reason := guard(key, version, body); reason != "" {
			t.Errorf("%s v%d: %d bytes: %s", kmsg.NameForKey(key), version, len(body), reason)
		}
	})
}

// TestHostileBodies are requests whose numbers promise far more than they hold.
func TestHostileBodies(t *testing.T) {
	i16 := func(v int) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
	i32 := func(v int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(v)) }
	uv := func(v uint64) []byte { return binary.AppendUvarint(nil, v) }
	join := func(parts ...[]byte) (all []byte) {
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	const mega = 1 << 20
	zeros := make([]byte, mega)
	for _, c := range []struct {
		name         string
		key, version int16
		body         []byte
		want         string
	}{
		{"produce: 2^31-1 topics", 0, 3, join(i16(-1), i16(1), i32(0), i32(math.MaxInt32)), reasonTooShort},
		{"produce: as many topics as bytes follow", 0, 3, join(i16(-1), i16(1), i32(0), i32(mega), zeros), reasonTooMemory},
		{"produce: as many partitions as bytes follow", 0, 3, join(i16(-1), i16(1), i32(0), i32(1), i16(1), []byte("t"), i32(mega/2), zeros), reasonTooMemory},
		{"produce: a million empty topics", 0, 3, join(i16(-1), i16(1), i32(0), i32(mega/6), zeros), ""},
		{"produce: records longer than the request", 0, 3, join(i16(-1), i16(1), i32(0), i32(1), i16(1), []byte("t"), i32(1), i32(0), i32(math.MaxInt32)), reasonTooShort},
		{"produce, flexible: empty topics", 0, 9, join(uv(0), i16(1), i32(0), uv(mega/3), zeros), reasonTooMemory},
		{"produce, flexible: 2^32-1 tagged fields", 0, 9, join(uv(0), i16(1), i32(0), uv(1), uv(math.MaxUint32)), reasonTooShort},
		{"produce, flexible: half a million tagged fields", 0, 9, join(uv(0), i16(1), i32(0), uv(1), uv(mega/2), zeros), reasonTooMemory},
		{"produce, flexible: a tagged field in each of many partitions", 0, 9, join(uv(0), i16(1), i32(0), uv(2), []byte("\x02t"), uv(100_001), manyTags(100_000), zeros[:2]), reasonTooMemory},
		{"metadata: 2^31-1 topics", 3, 1, i32(math.MaxInt32), reasonTooShort},
		{"metadata: all topics", 3, 1, i32(-1), ""},
		{"metadata: a count of 2^32-2", 3, 12, uv(math.MaxUint32), reasonTooShort},
		{"metadata: a count that does not end", 3, 12, []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, reasonTooShort},
		{"delete topics: empty names", 20, 1, join(i32(mega/2), zeros, i32(0)), ""},
		{"fetch: a tagged field longer than the request", 1, 12, join(make([]byte, 4*6+1), uv(1), uv(1), uv(1), uv(1), uv(0), uv(1000)), reasonTooShort},
		{"heartbeat: the longest group", 12, 4, join(uv(32768), zeros[:32767], i32(1), uv(1), uv(0), uv(0)), ""},
		{"heartbeat: a group that is too long", 12, 4, join(uv(32769), zeros[:32768], i32(1), uv(1), uv(0), uv(0)), reasonTooLong},
		{"a key without a layout", 4000, 0, nil, "its layout is not known"},
		{"the key after the last", int16(len(layouts)), 0, nil, "its layout is not known"},
		{"a negative key", -1, 0, nil, "its layout is not known"},
	} {
		if got := guard(c.key, c.version, c.body); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if allocs := testing.AllocsPerRun(1, func() { guard(c.key, c.version, c.body) }); allocs > 0 {
			t.Errorf("%s: %v allocations to find out", c.name, allocs)
		}
	}
}

// manyTags are so many partitions of a Produce request, each with no records
// and a tagged field that nobody knows.
func manyTags(n int) (p []byte) {
	for range n {
		p = append(p, 0, 0, 0, 0, 1, 1, 9, 0)
	}
	return p
}

// Kafka's generated readers refuse null for an array that is not nullable in that
// version; kmsg's do not.
func TestNullArrays(t *testing.T) {
	served := func(int16) (lowest, highest int16, ok bool) { return 0, 9, true }
	null := []byte{0xff, 0xff, 0xff, 0xff}
	for name, c := range map[string]struct {
		key, version int16
		body         []byte
		refused      bool
	}{
		"DescribeGroups":        {15, 0, null, true},
		"DeleteGroups":          {42, 0, null, true},
		"ListOffsets":           {2, 1, append([]byte{0xff, 0xff, 0xff, 0xff}, null...), true},
		"DescribeGroups, empty": {15, 0, []byte{0, 0, 0, 0}, false},
		"Metadata before 1":     {3, 0, null, true},
		"Metadata from 1 on":    {3, 1, null, false},
		"DescribeLogDirs":       {35, 1, null, false},
	} {
		frame := append([]byte{0, byte(c.key), 0, byte(c.version), 0, 0, 0, 1, 0xff, 0xff}, c.body...)
		if _, err := Parse(frame, served); (err != nil) != c.refused {
			t.Errorf("%s: %v, refused should be %v", name, err, c.refused)
		}
	}
}
