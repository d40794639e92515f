package batch

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func addSeeds(f *testing.F) {
	for _, p := range realBatches(f) {
		f.Add(p)
	}
	for _, codec := range codecs {
		f.Add([]byte(sample(codec)))
	}
	f.Add([]byte(sample(None)[:HeaderSize]))
	f.Add(bytes.Join([][]byte{sample(None), sample(LZ4)}, nil))
}

// FuzzNext: splitting arbitrary bytes loses none of them, and each batch is
// what the accessors rely on.
func FuzzNext(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, p []byte) {
		var joined []byte
		rest := p
		for {
			size, sizeErr := SizeOf(rest)
			b, r, err := Next(rest)
			if err != nil {
				if !errors.Is(err, ErrShort) && !errors.Is(err, kerr.CorruptMessage) && !errors.Is(err, kerr.InvalidRecord) {
					t.Fatalf("error of no kind: %v", err)
				}
				if b != nil || !bytes.Equal(r, rest) {
					t.Fatal("bytes taken in spite of an error")
				}
				if sizeErr == nil && size <= len(rest) {
					t.Fatalf("size %d of %d bytes, yet %v", size, len(rest), err)
				}
				break
			}
			if len(b) < HeaderSize || b.Magic() != Magic || sizeErr != nil || size != len(b) {
				t.Fatalf("batch of %d bytes, magic %d, size %d, %v", len(b), b.Magic(), size, sizeErr)
			}
			_ = b.Validate()
			joined = append(joined, b...)
			rest = r
		}
		if joined = append(joined, rest...); !bytes.Equal(joined, p) {
			t.Fatal("bytes lost")
		}
		for version := range int16(14) {
			_, _ = FromProduce(p, version)
		}
	})
}

// FuzzValidate: no header, however checksummed, makes anything panic, and what
// is accepted is consistent with itself.
func FuzzValidate(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, p []byte) {
		_ = Batch(p).Validate()
		if len(p) < HeaderSize {
			return
		}
		// Give the mutated bytes what a hostile producer would give them.
		b := edit(p, func(b Batch) {
			put32(lengthAt, int32(len(b)-logOverhead))(b)
			b[magicAt] = Magic
		})
		if err := b.Validate(); err != nil {
			return
		}
		if b.LastOffset() < b.BaseOffset() || b.Count() < 0 || !b.Codec().known() {
			t.Fatalf("accepted: offsets %d to %d, %d records, %v", b.BaseOffset(), b.LastOffset(), b.Count(), b.Codec())
		}
		_, _ = b.ValidateRecords(anyTime)
		c := Batch(bytes.Clone(b))
		c.StampLogAppendTime(1)
		c.Stamp(5, 5)
		if err := c.Validate(); err != nil && b.LastOffsetDelta() >= 0 {
			t.Fatalf("stamped: %v", err)
		}
	})
}

// FuzzRecords: any payload under any codec. The walk that validates and the walk
// that reads agree; what validated reads back as it says; building a batch of
// what was read and reading that gives the same.
func FuzzRecords(f *testing.F) {
	for _, p := range realBatches(f) {
		if b, _, err := Next(p); err == nil {
			f.Add(int8(b.Codec()), b.Count(), []byte(b.Payload()))
		}
	}
	for _, codec := range codecs {
		b := sample(codec)
		f.Add(int8(codec), b.Count(), b.Payload())
	}
	f.Add(int8(Zstd), int32(1), zstdZeros(8<<20, 1, 64))
	f.Add(int8(Snappy), int32(1), []byte("\xff\xff\xff\xff\x07\x00a"))
	f.Fuzz(func(t *testing.T, codec int8, count int32, payload []byte) {
		if !Codec(codec).known() || count < 1 || count > 1<<30 {
			return
		}
		b := withPayload(Codec(codec), count, payload)
		if err := b.Validate(); err != nil {
			t.Fatal(err)
		}
		var sum RecordSummary
		var err error
		used := allocated(func() { sum, err = b.ValidateRecords(anyTime) })
		if most := uint64(20<<20 + 2*zstdWindowRatio*len(b)); used > most {
			t.Fatalf("%d bytes allocated for %d, at most %d are allowed", used, len(b), most)
		}
		n := int32(0)
		w := NewBuilder()
		var readErr error
		ordered := true
		for r, err := range b.Records() {
			if err != nil {
				readErr = err
				break
			}
			ordered = ordered && r.Offset == int64(n)
			n++
			headers := 0
			for range r.Headers.All() {
				headers++
			}
			if headers != r.Headers.Len() {
				t.Fatalf("%d headers, %d said", headers, r.Headers.Len())
			}
			if w.Size() < 1<<20 {
				w.Add(r)
			}
		}
		if err == nil && (readErr != nil || n != count || !ordered) {
			t.Fatalf("valid, but record %d of %d does not read: %v", n, count, readErr)
		}
		if err != nil && readErr == nil && ordered {
			t.Fatalf("%d records read well, but: %v", n, err)
		}
		if err != nil && !errors.Is(err, kerr.InvalidRecord) {
			t.Fatalf("error of no kind: %v", err)
		}
		if readErr != nil && !errors.Is(readErr, kerr.InvalidRecord) {
			t.Fatalf("error of no kind: %v", readErr)
		}
		if err != nil || w.Len() != int(count) {
			return
		}
		again := w.Build()
		sum2, err := again.ValidateRecords(anyTime)
		if err != nil || sum2.MaxTimestamp != sum.MaxTimestamp || sum2.MaxTimestampDelta != sum.MaxTimestampDelta {
			t.Fatalf("built anew: %+v, %+v, %v", sum, sum2, err)
		}
	})
}

// FuzzFilter: whatever a valid header and any payload hold, what compaction leaves is a valid batch of the records
// that were to stay, or an error.
func FuzzFilter(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, p []byte) {
		if len(p) < HeaderSize {
			return
		}
		b := edit(p, func(b Batch) {
			put32(lengthAt, int32(len(b)-logOverhead))(b)
			b[magicAt] = Magic
		})
		if b.Validate() != nil {
			return
		}
		var want []Record
		asked := 0
		out, kept, err := b.AppendFiltered(nil, Filter{KeepEmpty: true, DeleteHorizon: 1, Keep: func(r Record) bool {
			asked++
			if asked%2 == 0 && asked < 1000 {
				r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
				want = append(want, r)
				return true
			}
			return false
		}})
		if err != nil {
			if !errors.Is(err, kerr.InvalidRecord) || len(out) > 0 {
				t.Fatalf("%d bytes, error of no kind: %v", len(out), err)
			}
			return
		}
		c := Batch(out)
		if err := c.Validate(); err != nil || int(kept) != len(want) || c.Count() != kept || c.LastOffset() != b.LastOffset() {
			t.Fatalf("%d of %d records kept, %v", kept, asked, err)
		}
		i := 0
		for r, err := range c.Records() {
			if err != nil || r.Offset != want[i].Offset || !bytes.Equal(r.Key, want[i].Key) || !bytes.Equal(r.Value, want[i].Value) {
				t.Fatalf("record %d: %+v, %v, was %+v", i, r, err, want[i])
			}
			i++
		}
	})
}
