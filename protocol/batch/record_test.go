package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kerr"
)

var codecs = []Codec{None, Gzip, Snappy, LZ4, Zstd}

// anyTime are rules that let every timestamp pass.
var anyTime = RecordRules{Now: 1000, TimestampBeforeMaxMs: math.MaxInt64, TimestampAfterMaxMs: math.MaxInt64}

// withPayload is a batch of the given header fields around any payload.
func withPayload(codec Codec, count int32, payload []byte) Batch {
	b := NewBuilder().Build()
	b = append(b, payload...)
	binary.BigEndian.PutUint32(b[lengthAt:], uint32(len(b)-logOverhead))
	return edit(b, func(b Batch) {
		b[attributesLowByte] = byte(codec)
		put32(countAt, count)(b)
		put32(lastOffsetDeltaAt, count-1)(b)
		put64(baseTimestampAt, 0)(b)
	})
}

// collect copies what Records yields.
func collect(b Batch) (all []Record, err error) {
	for r, err := range b.Records() {
		if err != nil {
			return all, err
		}
		r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
		r.Headers.raw = bytes.Clone(r.Headers.raw)
		all = append(all, r)
	}
	return all, nil
}

func randomRecords(rnd *rand.Rand, n, maxValue int) []Record {
	data := func(max int) []byte {
		switch rnd.IntN(5) {
		case 0:
			return nil
		case 1:
			return []byte{}
		}
		p := make([]byte, rnd.IntN(max))
		for i := range p {
			p[i] = "abcdefgh"[rnd.IntN(8)]
		}
		return p
	}
	records := make([]Record, n)
	for i := range records {
		r := Record{Offset: int64(i), Timestamp: 1_700_000_000_000 + rnd.Int64N(1<<40) - 1<<39, Key: data(30), Value: data(maxValue)}
		var headers []Header
		for range rnd.IntN(4) {
			headers = append(headers, Header{string(data(10)), data(50)})
		}
		r.Headers = NewHeaders(headers...)
		records[i] = r
	}
	return records
}

func sameRecords(t *testing.T, got, want []Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	null := func(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }
	for i, g := range got {
		w := want[i]
		if g.Offset != w.Offset || g.Timestamp != w.Timestamp || !null(g.Key, w.Key) || !null(g.Value, w.Value) || g.Headers.Len() != w.Headers.Len() || !bytes.Equal(g.Headers.raw, w.Headers.raw) {
			t.Fatalf("record %d is %v, want %v", i, g, w)
		}
	}
}

// TestRoundTrip builds batches of random records, from tiny ones to records
// that span many pieces of what they are expanded in, and reads them back.
func TestRoundTrip(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, codec := range codecs {
		for _, size := range []struct{ n, value int }{{1, 10}, {100, 100}, {3000, 200}, {20, 200_000}} {
			records := randomRecords(rnd, size.n, size.value)
			w := NewBuilder()
			w.Codec = codec
			for _, r := range records {
				w.Add(r)
			}
			b := w.Build()
			if err := b.Validate(); err != nil {
				t.Fatalf("%v: %v", codec, err)
			}
			sum, err := b.ValidateRecords(anyTime)
			if err != nil {
				t.Fatalf("%v: %v", codec, err)
			}
			if sum.MaxTimestamp != b.MaxTimestamp() || records[sum.MaxTimestampDelta].Timestamp != sum.MaxTimestamp || sum.ExpandedBytes != int64(w.Size()-HeaderSize) {
				t.Errorf("%v: %+v of %d bytes", codec, sum, w.Size())
			}
			b.Stamp(500, 1)
			got, err := collect(b)
			if err != nil {
				t.Fatalf("%v: %v", codec, err)
			}
			for i := range records {
				records[i].Offset += 500
			}
			sameRecords(t, got, records)

			// Another batch of the same records, without decoding headers.
			w = NewBuilder()
			w.Codec = codec
			for r := range b.Records() {
				w.Add(r)
			}
			w.BaseOffset, w.LeaderEpoch = 500, 1
			if again := w.Build(); !bytes.Equal(again, b) {
				t.Errorf("%v: copied batch differs", codec)
			}
		}
	}
}

// TestRecompress: from every codec to every other, nothing changes but the form.
func TestRecompress(t *testing.T) {
	records := randomRecords(rand.New(rand.NewPCG(3, 4)), 300, 2000)
	for _, from := range codecs {
		w := NewBuilder()
		w.Codec, w.Transactional = from, true
		w.ProducerID, w.ProducerEpoch, w.BaseSequence = 7, 8, 9
		for _, r := range records {
			w.Add(r)
		}
		b := w.Build()
		for _, to := range codecs {
			c, err := b.Recompress(Compression{Codec: to}, len(b)*8)
			if err != nil || c.Codec() != to {
				t.Fatalf("%v to %v: %v, %v", from, to, c.Codec(), err)
			}
			if err := c.Validate(); err != nil {
				t.Errorf("%v to %v: %v", from, to, err)
			}
			if sum, err := c.ValidateRecords(anyTime); err != nil || sum.MaxTimestamp != b.MaxTimestamp() {
				t.Errorf("%v to %v: %v", from, to, err)
			}
			got, err := collect(c)
			if err != nil {
				t.Fatalf("%v to %v: %v", from, to, err)
			}
			sameRecords(t, got, records)
			back, err := c.Recompress(Compression{Codec: from}, 0)
			if err != nil || !bytes.Equal(back, b) {
				t.Errorf("%v to %v and back differs: %v", from, to, err)
			}
			if from == to {
				continue
			}
			if _, err := b.Recompress(Compression{Codec: to}, len(c)-1); !errors.Is(err, kerr.MessageTooLarge) {
				t.Errorf("%v to %v, a byte too large: %v", from, to, err)
			}
			if _, err := b.Recompress(Compression{Codec: to}, len(c)); err != nil {
				t.Errorf("%v to %v, just small enough: %v", from, to, err)
			}
		}
	}
	bad := withPayload(Gzip, 1, []byte("this is not gzip"))
	if _, err := bad.Recompress(Compression{}, 0); !errors.Is(err, kerr.InvalidRecord) {
		t.Error(err)
	}
	bomb := withPayload(Zstd, 1, zstdZeros(128<<10, 1, 512))
	var err error
	if used := allocated(func() { _, err = bomb.Recompress(Compression{}, 1<<20) }); !errors.Is(err, kerr.MessageTooLarge) || used > 6<<20 {
		t.Errorf("%v, %d bytes allocated", err, used)
	}
}

func TestHeaders(t *testing.T) {
	h := NewHeaders(Header{"a", []byte("1")}, Header{"", nil}, Header{"c", []byte{}})
	var got []string
	for k, v := range h.All() {
		got = append(got, fmt.Sprintf("%s=%q,%v", k, v, v == nil))
	}
	if want := `a="1",false ="",true c="",false`; strings.Join(got, " ") != want {
		t.Errorf("got %s", got)
	}
	for range h.All() {
		break
	}
}

func TestLogAppendTimeOfRecords(t *testing.T) {
	b := sample(Zstd)
	b.StampLogAppendTime(77)
	for r, err := range b.Records() {
		if err != nil || r.Timestamp != 77 {
			t.Errorf("%v, %v", r, err)
		}
	}
}

func TestCompactedBatch(t *testing.T) {
	w := NewBuilder()
	w.BaseOffset = 100
	w.AddAt(Record{Offset: 102, Timestamp: 1}).AddAt(Record{Offset: 107, Timestamp: 2})
	b := w.Build()
	records, err := collect(b)
	if err != nil || b.LastOffset() != 107 || len(records) != 2 || records[0].Offset != 102 || records[1].Offset != 107 || b.Validate() != nil {
		t.Errorf("%v, %v", records, err)
	}
	if records, err := collect(edit(b, put32(countAt, 0))); len(records) != 0 || err != nil {
		t.Errorf("empty batch: %v, %v", records, err)
	}
}

func TestValidateRecords(t *testing.T) {
	good := sample(None)
	idempotent := func(pid int64, epoch int16, seq int32) Batch {
		w := NewBuilder()
		w.ProducerID, w.ProducerEpoch, w.BaseSequence = pid, epoch, seq
		return w.Add(Record{Key: []byte("k")}).Build()
	}
	at := func(times ...int64) Batch {
		w := NewBuilder()
		for _, ms := range times {
			w.Add(Record{Timestamp: ms, Key: []byte("k")})
		}
		return w.Build()
	}
	day := RecordRules{Now: 1000, TimestampBeforeMaxMs: 100, TimestampAfterMaxMs: 10}
	stamped := day
	stamped.LogAppendTime = true
	compacted := anyTime
	compacted.Compacted = true
	internal := anyTime
	internal.Internal = true
	small := anyTime
	small.MaxBytes = len(good) - 1
	exact := anyTime
	exact.MaxBytes = len(good)
	lat := sample(None)
	lat.StampLogAppendTime(5)
	gap := NewBuilder().AddAt(Record{Offset: 0}).AddAt(Record{Offset: 2})
	late := NewBuilder().AddAt(Record{Offset: 1})
	control := edit(at(1), func(b Batch) { b[attributesLowByte] |= controlBit })

	for _, c := range []struct {
		name    string
		b       Batch
		rules   RecordRules
		want    error
		records string // indexes of records in a RecordErrors
	}{
		{"good", good, anyTime, nil, ""},
		{"exactly max.message.bytes", good, exact, nil, ""},
		{"more than max.message.bytes", good, small, kerr.MessageTooLarge, ""},
		{"no key in a compacted topic", good, compacted, kerr.InvalidRecord, "1"},
		{"base offset", edit(good, put64(baseOffsetAt, 1)), anyTime, kerr.InvalidRecord, ""},
		{"no records", NewBuilder().Build(), anyTime, kerr.InvalidRecord, ""},
		{"count below", edit(good, put32(countAt, 2)), anyTime, kerr.InvalidRecord, ""},
		{"count and offsets below", edit(good, func(b Batch) { put32(countAt, 2)(b); put32(lastOffsetDeltaAt, 1)(b) }), anyTime, kerr.InvalidRecord, ""},
		{"count and offsets above", edit(good, func(b Batch) { put32(countAt, 4)(b); put32(lastOffsetDeltaAt, 3)(b) }), anyTime, kerr.InvalidRecord, ""},
		{"huge count", edit(good, func(b Batch) { put32(countAt, math.MaxInt32)(b); put32(lastOffsetDeltaAt, math.MaxInt32-1)(b) }), anyTime, kerr.InvalidRecord, ""},
		{"offsets with a gap", gap.Build(), anyTime, kerr.InvalidRecord, ""},
		{"a gap and a header that hides it", edit(gap.Build(), put32(lastOffsetDeltaAt, 1)), anyTime, kerr.InvalidRecord, ""},
		{"offsets from 1", edit(late.Build(), put32(lastOffsetDeltaAt, 0)), anyTime, kerr.InvalidRecord, ""},
		{"control records of a client", control, anyTime, kerr.InvalidRecord, ""},
		{"control records of a coordinator", control, internal, nil, ""},
		{"idempotent", idempotent(0, 0, 0), anyTime, nil, ""},
		{"idempotent, last sequence", idempotent(0, 0, math.MaxInt32), anyTime, nil, ""},
		{"idempotent without sequence", idempotent(0, 0, -1), anyTime, kerr.InvalidRecord, ""},
		{"idempotent without epoch", idempotent(0, -1, 0), anyTime, kerr.InvalidRecord, ""},
		{"marker of a coordinator", idempotent(0, 0, -1), internal, nil, ""},
		{"timestamps at the bounds", at(900, 1010), day, nil, ""},
		{"no timestamp", at(-1), day, nil, ""},
		{"too old, too new", at(900, 899, 1000, 1011), day, kerr.InvalidTimestamp, "1 3"},
		{"too old, but the broker stamps", at(0, 1<<62), stamped, nil, ""},
		{"log append time by a producer", lat, stamped, kerr.InvalidTimestamp, "0 1 2"},
	} {
		_, err := c.b.ValidateRecords(c.rules)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		var refused *RecordErrors
		var indexes []string
		if errors.As(err, &refused) {
			for _, r := range refused.Records {
				indexes = append(indexes, fmt.Sprint(r.Index))
			}
		}
		if got := strings.Join(indexes, " "); got != c.records {
			t.Errorf("%s: records %q are refused, want %q", c.name, got, c.records)
		}
	}
}

// TestBrokenRecords feeds records that are malformed in one way each, plain and
// through every codec, in small pieces and large: both walks, the one that keeps
// records and the one that passes over them, must refuse each.
func TestBrokenRecords(t *testing.T) {
	record := func(body ...byte) []byte { return append(binary.AppendVarint(nil, int64(len(body))), body...) }
	large := func(tail ...byte) []byte {
		// attributes, timestamp, offset, no key, a value of 100,000 bytes
		body := binary.AppendVarint([]byte{0, 0, 0, 1}, 100_000)
		body = append(body, make([]byte, 100_000)...)
		return record(append(body, tail...)...)
	}
	for _, c := range []struct {
		name    string
		records []byte
		ok      bool
	}{
		{"smallest", record(0, 0, 0, 1, 1, 0), true},
		{"large", large(0), true},
		{"large with a header", large(2, 2, 'k', 4, 'v', 'v'), true},
		{"nothing", nil, false},
		{"empty record", record(), false},
		{"negative size", []byte{1}, false},
		{"size beyond the end", record(0, 0, 0, 1, 1, 0)[:6], false},
		{"size of 2 GiB", append(binary.AppendVarint(nil, math.MaxInt32), 0, 0, 0, 1, 1, 0), false},
		{"size that does not end", bytes.Repeat([]byte{0x80}, 20), false},
		{"size of 33 bits", []byte{0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0}, false},
		{"timestamp that does not end", record(append([]byte{0}, bytes.Repeat([]byte{0xff}, 11)...)...), false},
		{"only attributes", record(0), false},
		{"no offset", record(0, 0), false},
		{"no key", record(0, 0, 0), false},
		{"no value", record(0, 0, 0, 1), false},
		{"no headers", record(0, 0, 0, 1, 1), false},
		{"key beyond the record", record(0, 0, 0, 6, 1, 0), false},
		{"value beyond the record", record(0, 0, 0, 1, 4, 0), false},
		{"negative headers", record(0, 0, 0, 1, 1, 1), false},
		{"more headers than bytes", record(0, 0, 0, 1, 1, 100), false},
		{"header without value", record(0, 0, 0, 1, 1, 2, 0), false},
		{"header with null key", record(0, 0, 0, 1, 1, 2, 1, 1), false},
		{"header key beyond the record", record(0, 0, 0, 1, 1, 2, 8, 1), false},
		{"header value beyond the record", record(0, 0, 0, 1, 1, 2, 0, 8), false},
		{"bytes left in the record", record(0, 0, 0, 1, 1, 0, 0), false},
		{"bytes left in the batch", append(record(0, 0, 0, 1, 1, 0), 0), false},
		{"a second record", append(record(0, 0, 0, 1, 1, 0), record(0, 0, 2, 1, 1, 0)...), false},
		{"large, torn", large(0)[:50_000], false},
		{"large without headers", large(), false},
		{"large with bytes left", large(0, 0), false},
		{"large with negative headers", large(1), false},
		{"large with more headers than bytes", large(100), false},
		{"large with a header cut", large(2, 2, 'k', 4, 'v'), false},
		{"large with a null header key", large(2, 1, 1), false},
		{"large with an endless varint", large(0x80, 0x80, 0x80, 0x80, 0x80, 0x80), false},
	} {
		for _, codec := range codecs {
			b := withPayload(codec, 1, appendCompressed(nil, codec, c.records))
			if err := b.Validate(); err != nil {
				t.Fatal(err)
			}
			_, err := b.ValidateRecords(anyTime)
			_, err2 := collect(b)
			if c.ok && (err != nil || err2 != nil) {
				t.Errorf("%s, %v: %v; %v", c.name, codec, err, err2)
			}
			if !c.ok && (!errors.Is(err, kerr.InvalidRecord) || !errors.Is(err2, kerr.InvalidRecord)) {
				t.Errorf("%s, %v: %v; %v", c.name, codec, err, err2)
			}
		}
		checkInPieces(t, c.name, c.records, c.ok)
	}
}

// pieces is a source of n bytes at a time.
type pieces struct {
	p []byte
	n int
}

func (s *pieces) next() ([]byte, error) {
	if len(s.p) == 0 {
		return nil, io.EOF
	}
	n := min(s.n, len(s.p))
	piece := bytes.Clone(s.p[:n])
	s.p = s.p[n:]
	return piece, nil
}

func (s *pieces) release() {}

func checkInPieces(t *testing.T, name string, records []byte, ok bool) {
	t.Helper()
	for _, n := range []int{1, 2, 3, 7, 1000} {
		for _, walk := range []func(*scanner, *fields) error{(*scanner).read, (*scanner).check} {
			s := &scanner{src: &pieces{bytes.Clone(records), n}, limit: 1 << 20}
			var f fields
			err := walk(s, &f)
			if err == nil {
				err = s.end()
			}
			if (err == nil) != ok {
				t.Errorf("%s, %d bytes at a time: %v", name, n, err)
			}
		}
	}
}

// TestCompressedForms are the shapes that producers give compressed records.
func TestCompressedForms(t *testing.T) {
	records := AppendRecord(nil, 0, 0, Record{Value: bytes.Repeat([]byte("0123456789abcdef"), 20_000)})
	records = AppendRecord(records, 1, 0, Record{Value: []byte("x")})
	frame := func(opts ...lz4.Option) []byte {
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		if err := w.Apply(opts...); err != nil {
			t.Fatal(err)
		}
		w.Write(records)
		w.Close()
		return out.Bytes()
	}
	zstdFrame := func(p []byte, opts ...zstd.EOption) []byte {
		w, err := zstd.NewWriter(nil, opts...)
		if err != nil {
			t.Fatal(err)
		}
		return w.EncodeAll(p, nil)
	}
	zstdStream := func(opts ...zstd.EOption) []byte {
		var out bytes.Buffer
		w, err := zstd.NewWriter(&out, opts...)
		if err != nil {
			t.Fatal(err)
		}
		for p := range slices.Chunk(records, 1000) {
			w.Write(p)
		}
		w.Close()
		return out.Bytes()
	}
	half := len(records) / 2
	for _, c := range []struct {
		name    string
		codec   Codec
		payload []byte
		ok      bool
	}{
		{"xerial", Snappy, appendCompressed(nil, Snappy, records), true},
		{"raw", Snappy, snappy.Encode(nil, records), true},
		{"xerial, nothing in it", Snappy, []byte(xerialHeader), false},
		{"xerial, torn", Snappy, appendCompressed(nil, Snappy, records)[:200], false},
		{"xerial, block size beyond the end", Snappy, []byte(xerialHeader + "\x7f\xff\xff\xff"), false},
		{"xerial, negative block size", Snappy, []byte(xerialHeader + "\xff\xff\xff\xff"), false},
		{"a literal beyond the end", Snappy, []byte{100, 50 << 2}, false},
		{"a copy from before the beginning", Snappy, []byte{5, 0, 'a', 1, 9}, false},
		{"a copy of S2", Snappy, []byte{9, 0, 'a', 1, 1, 1, 0}, false},
		{"a size that is a lie", Snappy, []byte{0xff, 0xff, 0xff, 0xff, 0x07, 0, 'a'}, false},

		{"blocks of 64 KiB", LZ4, frame(lz4.BlockSizeOption(lz4.Block64Kb)), true},
		{"blocks of 4 MiB", LZ4, frame(lz4.BlockSizeOption(lz4.Block4Mb)), true},
		{"block checksums", LZ4, frame(lz4.BlockChecksumOption(true)), true},
		{"content checksum", LZ4, frame(lz4.ChecksumOption(true)), true},
		{"content size", LZ4, frame(lz4.SizeOption(uint64(len(records)))), true},
		{"high compression", LZ4, frame(lz4.CompressionLevelOption(lz4.Level9)), true},
		{"legacy frame", LZ4, frame(lz4.LegacyOption(true)), false},
		{"no end mark", LZ4, bytes.TrimSuffix(frame(lz4.ChecksumOption(false)), make([]byte, 4)), false},
		{"header checksum", LZ4, flip(frame(), 6), false},
		{"block checksum", LZ4, flip(frame(lz4.BlockChecksumOption(true)), 20), false},
		{"header cut", LZ4, frame()[:6], false},
		{"nothing", LZ4, nil, false},

		{"one member", Gzip, appendCompressed(nil, Gzip, records), true},
		{"two members", Gzip, append(appendCompressed(nil, Gzip, records[:half]), appendCompressed(nil, Gzip, records[half:])...), true},
		{"checksum", Gzip, flip(appendCompressed(nil, Gzip, records), -6), false},
		{"torn", Gzip, appendCompressed(nil, Gzip, records)[:60], false},
		{"nothing", Gzip, nil, false},
		{"rubbish", Gzip, []byte("not a gzip member at all"), false},

		{"default level", Zstd, zstdFrame(records), true},
		{"streamed, size unknown", Zstd, zstdStream(), true},
		{"best", Zstd, zstdFrame(records, zstd.WithEncoderLevel(zstd.SpeedBestCompression)), true},
		{"checksum", Zstd, zstdFrame(records, zstd.WithEncoderCRC(true)), true},
		{"wrong checksum", Zstd, flip(zstdFrame(records, zstd.WithEncoderCRC(true)), -1), false},
		{"window of 128 MiB declared", Zstd, zstdWide(zstdFrame(records, zstd.WithSingleSegment(false), zstd.WithWindowSize(1<<20))), true},
		{"single segment", Zstd, zstdFrame(records, zstd.WithSingleSegment(true)), true},
		{"two frames", Zstd, append(zstdFrame(records[:half]), zstdFrame(records[half:])...), true},
		{"a skippable frame between", Zstd, append(append(zstdFrame(records[:half]), "\x53\x2a\x4d\x18\x03\x00\x00\x00abc"...), zstdFrame(records[half:])...), true},
		{"a skippable frame beyond the end", Zstd, append(zstdFrame(records), "\x53\x2a\x4d\x18\xff\xff\xff\xffabc"...), false},
		{"torn", Zstd, zstdFrame(records)[:30], false},
		{"nothing", Zstd, nil, false},
		{"rubbish", Zstd, []byte("not a zstd frame at all"), false},
		{"dictionary", Zstd, append([]byte("\x28\xb5\x2f\xfd\x21\x07\x01"), 1<<3|1, 0, 0, 'a'), false},
	} {
		b := withPayload(c.codec, 2, c.payload)
		_, err := b.ValidateRecords(anyTime)
		all, err2 := collect(b)
		if c.ok && (err != nil || err2 != nil || len(all) != 2 || len(all[0].Value) != 320_000) {
			t.Errorf("%v, %s: %v; %v", c.codec, c.name, err, err2)
		}
		if !c.ok && (!errors.Is(err, kerr.InvalidRecord) || !errors.Is(err2, kerr.InvalidRecord)) {
			t.Errorf("%v, %s: %v; %v", c.codec, c.name, err, err2)
		}
	}
}

func flip(p []byte, at int) []byte {
	if at < 0 {
		at += len(p)
	}
	p[at] ^= 0x55
	return p
}

// zstdWide makes a frame declare the largest window that Kafka reads.
func zstdWide(p []byte) []byte {
	if p[4]&zstdSingleSegment != 0 {
		panic("no window descriptor")
	}
	p[5] = zstdWindowFor(zstdMaxWindow)
	return p
}

func TestXXHash32(t *testing.T) {
	for in, want := range map[string]uint32{
		"":    0x02CC5D05,
		"a":   0x550d7456,
		"abc": 0x32D153FF,
		"Nobody inspects the spammish repetition": 0xE2293B2F,
	} {
		if got := xxHash32([]byte(in)); got != want {
			t.Errorf("%q: %08x, want %08x", in, got, want)
		}
	}
}
