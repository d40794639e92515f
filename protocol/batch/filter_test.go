package batch

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TestFilter: what stays is what it was, in every codec, and header and checksum agree with it.
func TestFilter(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 1))
	records := randomRecords(rng, 200, 1500)
	for _, codec := range codecs {
		for _, appendTime := range []int64{NoTimestamp, 5_000} {
			w := NewBuilder()
			w.Codec, w.Transactional, w.BaseOffset, w.LeaderEpoch, w.LogAppendTime = codec, true, 1000, 5, appendTime
			w.ProducerID, w.ProducerEpoch, w.BaseSequence = 7, 8, 9
			for _, r := range records {
				r.Value = append(r.Value, 'v')
				w.Add(r)
			}
			b := w.Build()
			all, err := collect(b)
			if err != nil {
				t.Fatal(err)
			}
			for _, share := range []int{0, 1, 50, 100} {
				var want []Record
				i := 0
				got, kept, err := b.AppendFiltered([]byte("before"), Filter{DeleteHorizon: 1, Keep: func(r Record) bool {
					keep := rng.IntN(100) < share
					if keep {
						want = append(want, all[i])
					}
					i++
					return keep
				}})
				if err != nil || !bytes.HasPrefix(got, []byte("before")) || int(kept) != len(want) {
					t.Fatalf("%v: kept %d of %d, %v", codec, kept, len(want), err)
				}
				got = got[len("before"):]
				if len(want) == 0 || share == 100 {
					if len(want) == 0 && len(got) > 0 || share == 100 && !bytes.Equal(got, b) {
						t.Fatalf("%v, %d%%: %d bytes", codec, share, len(got))
					}
					continue
				}
				c := Batch(got)
				if err := c.Validate(); err != nil {
					t.Fatalf("%v: %v", codec, err)
				}
				have, err := collect(c)
				if err != nil {
					t.Fatalf("%v: %v", codec, err)
				}
				sameRecords(t, have, want)
				largest := appendTime
				for _, r := range want {
					largest = max(largest, r.Timestamp)
				}
				if header(c) != header(b) || c.MaxTimestamp() != largest || c.HasDeleteHorizon() {
					t.Errorf("%v: %s, max %d; was %s, max should be %d", codec, header(c), c.MaxTimestamp(), header(b), largest)
				}
			}
		}
	}
}

// header is what filtering leaves alone.
func header(b Batch) string {
	return fmt.Sprint(b.BaseOffset(), b.LastOffset(), b.LeaderEpoch(), b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(),
		b.Codec(), b.LogAppendTime(), b.IsTransactional(), b.IsControl())
}

// TestFilterDeleteHorizon: the first tombstone that stays gives the batch its horizon, and nothing ever moves it.
func TestFilterDeleteHorizon(t *testing.T) {
	w := NewBuilder()
	w.Codec = Gzip
	w.Add(Record{Timestamp: 100, Key: []byte("a"), Value: []byte("v")})
	w.Add(Record{Timestamp: 300, Key: []byte("b")})
	w.Add(Record{Timestamp: 200, Key: []byte("c"), Value: []byte{}})
	b := w.Build()
	all, _ := collect(b)
	keep := func(keys string) func(Record) bool {
		return func(r Record) bool { return bytes.Contains([]byte(keys), r.Key) }
	}
	filtered := func(b Batch, f Filter) Batch {
		out, _, err := b.AppendFiltered(nil, f)
		if err != nil {
			t.Fatal(err)
		}
		if err := Batch(out).Validate(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	without := filtered(b, Filter{Keep: keep("ac"), DeleteHorizon: 9_000})
	if without.HasDeleteHorizon() || without.BaseTimestamp() != 100 || without.MaxTimestamp() != 200 {
		t.Errorf("no tombstone stays, horizon %v, base %d", without.HasDeleteHorizon(), without.BaseTimestamp())
	}
	with := filtered(b, Filter{Keep: keep("abc"), DeleteHorizon: 9_000})
	if ms, ok := with.DeleteHorizon(); !ok || ms != 9_000 {
		t.Errorf("horizon %d, %v", ms, ok)
	}
	got, err := collect(with)
	if err != nil {
		t.Fatal(err)
	}
	sameRecords(t, got, all)
	if again := filtered(with, Filter{Keep: keep("abc"), DeleteHorizon: 10_000}); !bytes.Equal(again, with) {
		t.Error("a batch with a horizon changes though everything stays")
	}
	less := filtered(with, Filter{Keep: keep("bc"), DeleteHorizon: 10_000})
	if ms, ok := less.DeleteHorizon(); !ok || ms != 9_000 {
		t.Errorf("horizon %d, %v after it was filtered again", ms, ok)
	}
	if got, _ = collect(less); true {
		sameRecords(t, got, all[1:])
	}
	empty := filtered(with, Filter{Keep: keep(""), KeepEmpty: true})
	if len(empty) != HeaderSize || empty.Count() != 0 || empty.HasDeleteHorizon() || empty.Codec() != None ||
		empty.BaseTimestamp() != NoTimestamp || empty.MaxTimestamp() != 300 || empty.LastOffset() != 2 {
		t.Errorf("empty batch: % x", []byte(empty))
	}
	if gone := filtered2(t, empty, Filter{Keep: keep("abc")}); len(gone) != 0 {
		t.Errorf("an empty batch leaves %d bytes", len(gone))
	}

	w = NewBuilder()
	w.Control = true
	w.Add(Record{Timestamp: 100, Key: []byte{0, 0, 0, 1}, Value: []byte{0, 0, 0, 0, 0, 0}})
	marker := w.Build()
	if kept := filtered(marker, Filter{Keep: func(Record) bool { return true }, DeleteHorizon: 5}); kept.HasDeleteHorizon() {
		t.Error("a marker of a transaction that is still there gets a horizon")
	}
	if kept := filtered(marker, Filter{Keep: func(Record) bool { return true }, DeleteHorizon: 5, Marker: true}); kept.BaseTimestamp() != 5 {
		t.Error("a marker of an empty transaction gets no horizon")
	}
}

func filtered2(t *testing.T, b Batch, f Filter) []byte {
	out, _, err := b.AppendFiltered(nil, f)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestFilterHostile: bytes that are no records are an error, and a batch that expands far is not held.
func TestFilterHostile(t *testing.T) {
	f := Filter{Keep: func(Record) bool { return true }}
	bad := withPayload(Gzip, 1, []byte("this is not gzip"))
	if out, _, err := bad.AppendFiltered([]byte("x"), f); !errors.Is(err, kerr.InvalidRecord) || string(out) != "x" {
		t.Errorf("%v, %q", err, out)
	}
	// A claim of two thousand million records costs nothing.
	claim := edit(withPayload(None, 1, nil), put32(countAt, 1<<31-1))
	if used := allocated(func() { claim.AppendFiltered(nil, f) }); used > 1<<20 {
		t.Errorf("%d bytes allocated for a claim", used)
	}
	var big []byte
	for i := range int32(64 << 10) {
		big = AppendRecord(big, i, 0, Record{Key: []byte{byte(i), byte(i >> 8)}, Value: make([]byte, 1000)})
	}
	bomb := withPayload(Zstd, 64<<10, appendCompressed(nil, Zstd, big))
	var out []byte
	var err error
	i := 0
	used := allocated(func() {
		out, _, err = bomb.AppendFiltered(nil, Filter{Keep: func(Record) bool { i++; return i%2 == 0 }})
	})
	if err != nil || used > 12<<20 {
		t.Errorf("%d bytes that expand to %d: %d allocated, %d left, %v", len(bomb), len(big), used, len(out), err)
	}
}

// TestLevels: every level of Kafka's range writes what can be read, and more effort gives no more bytes.
func TestLevels(t *testing.T) {
	var records []Record
	for i := range 3000 {
		records = append(records, Record{Timestamp: int64(i), Key: fmt.Appendf(nil, "key-%d", i%97), Value: fmt.Appendf(nil, "a value of %d with some text, and %d again", i*i, i%13)})
	}
	w := NewBuilder()
	for _, r := range records {
		w.Add(r)
	}
	b := w.Build()
	all, _ := collect(b)
	for codec, levels := range map[Codec][]int{
		Gzip: {-1, 0, 1, 2, 6, 9},
		LZ4:  {0, 1, 2, 8, 9, 10, 12, 17},
		Zstd: {-131072, -1, 0, 1, 3, 8, 19, 22},
	} {
		sizes := map[int]int{}
		for _, level := range levels {
			c, err := b.Recompress(Compression{codec, level}, 0)
			if err != nil {
				t.Fatalf("%v %d: %v", codec, level, err)
			}
			if err := c.Validate(); err != nil {
				t.Fatal(err)
			}
			got, err := collect(c)
			if err != nil {
				t.Fatalf("%v %d: %v", codec, level, err)
			}
			sameRecords(t, got, all)
			sizes[level] = len(c)
			if same, err := c.Recompress(Compression{codec, 1}, 0); err != nil || &same[0] != &c[0] {
				t.Errorf("%v: compressed again for another level, %v", codec, err)
			}
		}
		low, high := levels[2], levels[len(levels)-1]
		if sizes[high] >= sizes[low] && codec != LZ4 || codec == LZ4 && sizes[9] != sizes[0] || sizes[high] > sizes[levels[0]] {
			t.Errorf("%v: sizes by level %v", codec, sizes)
		}
	}
}
