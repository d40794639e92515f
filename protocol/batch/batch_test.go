package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func sample(codec Codec) Batch {
	w := NewBuilder()
	w.Codec = codec
	w.Add(Record{Timestamp: 1000, Key: []byte("k"), Value: []byte("v")})
	w.Add(Record{Timestamp: 1500, Value: bytes.Repeat([]byte("value "), 100), Headers: NewHeaders(Header{"h", []byte("x")}, Header{"null", nil})})
	w.Add(Record{Timestamp: 900, Key: []byte{}, Value: nil})
	return w.Build()
}

// edit returns a copy of b with fields changed and, unless the change is meant
// to break it, the checksum of the changed bytes.
func edit(b Batch, change func(Batch)) Batch {
	b = bytes.Clone(b)
	change(b)
	b.putCRC()
	return b
}

func put16(at int, v int16) func(Batch) {
	return func(b Batch) { binary.BigEndian.PutUint16(b[at:], uint16(v)) }
}
func put32(at int, v int32) func(Batch) {
	return func(b Batch) { binary.BigEndian.PutUint32(b[at:], uint32(v)) }
}
func put64(at int, v int64) func(Batch) {
	return func(b Batch) { binary.BigEndian.PutUint64(b[at:], uint64(v)) }
}

// TestHeaderAgainstKmsg holds every accessor against another implementation.
func TestHeaderAgainstKmsg(t *testing.T) {
	w := NewBuilder()
	w.BaseOffset, w.LeaderEpoch = 1<<40, 7
	w.ProducerID, w.ProducerEpoch, w.BaseSequence = 1<<33, 3, math.MaxInt32
	w.Transactional, w.Control, w.Codec = true, true, LZ4
	w.Add(Record{Timestamp: 1 << 41, Value: []byte("a")}).Add(Record{Timestamp: 1<<41 + 5, Value: []byte("b")})
	b := w.Build()
	var k kmsg.RecordBatch
	if err := k.ReadFrom(b); err != nil {
		t.Fatal(err)
	}
	for _, f := range []struct {
		name      string
		got, want int64
	}{
		{"base offset", b.BaseOffset(), k.FirstOffset},
		{"length", int64(len(b)) - logOverhead, int64(k.Length)},
		{"leader epoch", int64(b.LeaderEpoch()), int64(k.PartitionLeaderEpoch)},
		{"magic", int64(b.Magic()), int64(k.Magic)},
		{"crc", int64(b.CRC()), int64(uint32(k.CRC))},
		{"crc of the bytes", int64(b.CRC()), int64(crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))},
		{"attributes", int64(LZ4 | transactionalBit | controlBit), int64(k.Attributes)},
		{"last offset delta", int64(b.LastOffsetDelta()), int64(k.LastOffsetDelta)},
		{"base timestamp", b.BaseTimestamp(), k.FirstTimestamp},
		{"max timestamp", b.MaxTimestamp(), k.MaxTimestamp},
		{"producer id", b.ProducerID(), k.ProducerID},
		{"producer epoch", int64(b.ProducerEpoch()), int64(k.ProducerEpoch)},
		{"base sequence", int64(b.BaseSequence()), int64(k.FirstSequence)},
		{"count", int64(b.Count()), int64(k.NumRecords)},
		{"last offset", b.LastOffset(), k.FirstOffset + 1},
		{"last sequence wraps to", int64(b.LastSequence()), 0},
	} {
		if f.got != f.want {
			t.Errorf("%s: %d, want %d", f.name, f.got, f.want)
		}
	}
	if b.Codec() != LZ4 || !b.IsTransactional() || !b.IsControl() || b.LogAppendTime() || b.HasDeleteHorizon() || !b.HasProducerID() {
		t.Errorf("attributes: %v %v %v %v %v %v", b.Codec(), b.IsTransactional(), b.IsControl(), b.LogAppendTime(), b.HasDeleteHorizon(), b.HasProducerID())
	}
	if !bytes.Equal(b.Payload(), k.Records) {
		t.Error("payload differs")
	}
	if err := b.Validate(); err != nil {
		t.Error(err)
	}
}

func TestNext(t *testing.T) {
	one, two := sample(None), sample(Gzip)
	run := append(append([]byte{}, one...), two...)
	b, rest, err := Next(run)
	if err != nil || !bytes.Equal(b, one) || !bytes.Equal(rest, two) {
		t.Fatalf("first of two: %d bytes, %d left, %v", len(b), len(rest), err)
	}
	if cap(b) != len(b) {
		t.Error("an append to the batch would overwrite the one behind it")
	}
	for n := range len(one) {
		if _, rest, err := Next(one[:n]); err != ErrShort || len(rest) != n {
			t.Fatalf("%d of %d bytes: %v", n, len(one), err)
		}
		size, err := SizeOf(one[:n])
		if n <= magicAt && err != ErrShort || n > magicAt && (err != nil || size != len(one)) {
			t.Fatalf("size from %d bytes: %d, %v", n, size, err)
		}
	}
	for _, c := range []struct {
		name   string
		change func(Batch)
		want   error
	}{
		{"length below any format", put32(lengthAt, 13), kerr.CorruptMessage},
		{"length below the header", put32(lengthAt, HeaderSize-logOverhead-1), kerr.CorruptMessage},
		{"negative length", put32(lengthAt, -1), kerr.CorruptMessage},
		{"length that overflows", put32(lengthAt, math.MaxInt32), kerr.CorruptMessage},
		{"huge length", put32(lengthAt, math.MaxInt32-logOverhead), ErrShort},
		{"magic 0", func(b Batch) { b[magicAt] = 0 }, kerr.InvalidRecord},
		{"magic 1", func(b Batch) { b[magicAt] = 1 }, kerr.InvalidRecord},
		{"magic 3", func(b Batch) { b[magicAt] = 3 }, kerr.CorruptMessage},
		{"magic -1", func(b Batch) { b[magicAt] = 0xff }, kerr.CorruptMessage},
	} {
		if _, _, err := Next(edit(one, c.change)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestFromProduce(t *testing.T) {
	one, z := sample(None), sample(Zstd)
	old := edit(one, func(b Batch) { b[magicAt] = 1 })
	join := func(bs ...[]byte) []byte { return bytes.Join(bs, nil) }
	for _, c := range []struct {
		name    string
		records []byte
		version int16
		want    error
	}{
		{"one batch", one, 3, nil},
		{"nothing", nil, 9, kerr.InvalidRecord},
		{"torn", one[:len(one)-1], 9, kerr.InvalidRecord},
		{"two batches", join(one, one), 9, kerr.InvalidRecord},
		{"a torn batch behind is dropped", join(one, one[:40]), 9, nil},
		{"rubbish behind", join(one, make([]byte, 20)), 9, kerr.CorruptMessage},
		{"magic 1", old, 9, kerr.InvalidRecord},
		{"zstd too early", z, 6, kerr.UnsupportedCompressionType},
		{"zstd", z, 7, nil},
	} {
		b, err := FromProduce(c.records, c.version)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if err == nil && !bytes.HasPrefix(c.records, b) {
			t.Errorf("%s: not the first batch", c.name)
		}
	}
}

func TestValidate(t *testing.T) {
	good := sample(None)
	for codec := None; codec <= Zstd; codec++ {
		if err := sample(codec).Validate(); err != nil {
			t.Errorf("%v: %v", codec, err)
		}
	}
	for i := range good {
		if i >= leaderEpochAt && i < magicAt || i < lengthAt {
			continue // outside the checksum, any value will do
		}
		b := bytes.Clone(good)
		b[i] ^= 0x10
		if err := Batch(b).Validate(); !errors.Is(err, kerr.CorruptMessage) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
	for n := range HeaderSize {
		if err := good[:n].Validate(); !errors.Is(err, kerr.CorruptMessage) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for _, c := range []struct {
		name   string
		change func(Batch)
		want   error
	}{
		{"an empty batch that compaction left", put32(countAt, 0), nil},
		{"fewer records than offsets", put32(lastOffsetDeltaAt, 100), nil},
		{"more records than offsets", put32(lastOffsetDeltaAt, 1), kerr.InvalidRecord},
		{"negative count", put32(countAt, -1), kerr.InvalidRecord},
		{"negative last offset delta", put32(lastOffsetDeltaAt, -1), kerr.InvalidRecord},
		{"negative base offset", put64(baseOffsetAt, -1), kerr.InvalidRecord},
		{"base offset at the end", put64(baseOffsetAt, math.MaxInt64-1), kerr.InvalidRecord},
		{"codec 5", put16(attributesAt, 5), kerr.UnsupportedCompressionType},
		{"unused attribute bits", put16(attributesAt, 0x7f80), nil},
	} {
		if err := edit(good, c.change).Validate(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

func TestStamp(t *testing.T) {
	b := sample(Snappy)
	crc := b.CRC()
	b.Stamp(1234, 9)
	if b.BaseOffset() != 1234 || b.LastOffset() != 1236 || b.LeaderEpoch() != 9 || b.CRC() != crc {
		t.Errorf("stamped: %d %d %d", b.BaseOffset(), b.LastOffset(), b.LeaderEpoch())
	}
	b.StampCreateTime(b.MaxTimestamp())
	if b.CRC() != crc {
		t.Error("checksum computed for nothing")
	}
	b.StampLogAppendTime(5000)
	if !b.LogAppendTime() || b.MaxTimestamp() != 5000 || b.Codec() != Snappy || b.Validate() != nil {
		t.Errorf("log append time: %v %d %v", b.LogAppendTime(), b.MaxTimestamp(), b.Validate())
	}
	b.StampCreateTime(1500)
	if b.LogAppendTime() || b.MaxTimestamp() != 1500 || b.CRC() != crc || b.Validate() != nil {
		t.Errorf("create time: %v %d %v", b.LogAppendTime(), b.MaxTimestamp(), b.Validate())
	}
}

func TestAddSequence(t *testing.T) {
	for _, c := range [][3]int32{{0, 5, 5}, {math.MaxInt32, 1, 0}, {math.MaxInt32 - 1, 3, 1}, {math.MaxInt32, math.MaxInt32, math.MaxInt32 - 1}} {
		if got := AddSequence(c[0], c[1]); got != c[2] {
			t.Errorf("%d + %d = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestCodecNames(t *testing.T) {
	for c := None; c <= Zstd; c++ {
		if got, err := ParseCodec(c.String()); got != c || err != nil {
			t.Errorf("%v: %v, %v", c, got, err)
		}
	}
	if _, err := ParseCodec("producer"); err == nil {
		t.Error("producer is not a codec")
	}
}
