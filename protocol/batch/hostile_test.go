package batch

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kerr"
)

// allocated returns how many bytes f allocates, all told.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// zeroRecord is a record whose value is nothing but zeros, in two parts: what
// precedes n zeros, the last of which is the number of its headers. Its offset
// is 0.
func zeroRecord(zeros int) (head []byte) {
	for body := zeros; ; body++ {
		head = binary.AppendVarint(nil, int64(body))
		size := len(head)
		head = append(head, 0, 0, 0, 1)
		head = binary.AppendVarint(head, int64(zeros-1))
		if len(head)-size+zeros == body {
			return head
		}
	}
}

// zstdZeros is a zstd frame of so many records, each of them zeroRecord with
// blocks of 128 KiB of zeros, a block in 4 bytes.
func zstdZeros(window uint64, records, blocks int) []byte {
	p := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, zstdWindowFor(window)}
	block := func(kind, size int, last bool, content []byte) {
		word := size<<3 | kind<<1
		if last {
			word |= 1
		}
		p = append(p, byte(word), byte(word>>8), byte(word>>16))
		p = append(p, content...)
	}
	for i := range records {
		head := zeroRecord(blocks * zstdMaxBlock)
		block(0, len(head), false, head)
		for j := range blocks {
			block(1, zstdMaxBlock, i == records-1 && j == blocks-1, []byte{0})
		}
	}
	return p
}

func lz4Zeros(t *testing.T, blocks int) []byte {
	p := []byte{4, 0x22, 0x4d, 0x18, 0x60, 7 << 4, 0} // blocks of 4 MiB
	p[6] = byte(xxHash32(p[4:6]) >> 8)
	head := zeroRecord(blocks * 4 << 20)
	p = binary.LittleEndian.AppendUint32(p, lz4Stored|uint32(len(head)))
	p = append(p, head...)
	buf := make([]byte, 1<<20)
	n, err := lz4.CompressBlock(make([]byte, 4<<20), buf, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range blocks {
		p = binary.LittleEndian.AppendUint32(p, uint32(n))
		p = append(p, buf[:n]...)
	}
	return append(p, 0, 0, 0, 0)
}

func gzipZeros(n int) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(zeroRecord(n))
	w.Write(make([]byte, n))
	w.Close()
	return out.Bytes()
}

// TestBombs: small payloads that expand a great deal, or claim to. Validation
// must come to a verdict and hold little memory however much that is.
func TestBombs(t *testing.T) {
	for _, c := range []struct {
		name    string
		codec   Codec
		count   int32
		payload []byte
		want    error
		memory  uint64
	}{
		{"zstd, 64 MiB of zeros", Zstd, 1, zstdZeros(8<<20, 1, 512), nil, 10 << 20},
		{"zstd, the same with a small window", Zstd, 1, zstdZeros(128<<10, 1, 512), nil, 2 << 20},
		{"zstd, a record beyond the largest", Zstd, 1, zstdZeros(128<<10, 1, 2049), errRecordBound, 2 << 20},
		{"zstd, records without end", Zstd, 20, zstdZeros(128<<10, 20, 1000), errExpanded, 2 << 20},
		{"zstd, a window too large for so few bytes", Zstd, 1, zstdZeros(64<<20, 1, 1000), errZstdWindow, 2 << 20},
		{"zstd, a window of terabytes for 128 KiB", Zstd, 1, zstdZeros(1<<41, 1, 1), nil, 2 << 20},
		{"zstd, a content of 2^63 bytes", Zstd, 1, []byte("\x28\xb5\x2f\xfd\xe0\x00\x00\x00\x00\x00\x00\x00\x80\x09\x00\x00a"), errZstdFrame, 2 << 20},
		{"lz4, 64 MiB of zeros", LZ4, 1, lz4Zeros(t, 16), nil, 5 << 20},
		{"lz4, blocks of 4 MiB announced", LZ4, 1, lz4Zeros(t, 1)[:40], errTorn, 1 << 20},
		{"snappy that claims 2 GiB", Snappy, 1, []byte("\xff\xff\xff\xff\x07\x00a"), errSnappy, 1 << 20},
		{"gzip, 64 MiB of zeros", Gzip, 1, gzipZeros(64 << 20), nil, 1 << 20},
	} {
		b := withPayload(c.codec, c.count, c.payload)
		// Records after the first have offset 0 too; that is not the point.
		var err error
		used := allocated(func() { _, err = validateOffsetsAside(b) })
		if !errors.Is(err, c.want) || c.want != nil && !errors.Is(err, kerr.InvalidRecord) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if used > c.memory {
			t.Errorf("%s: %d bytes received, %d allocated", c.name, len(c.payload), used)
		}
	}
}

// validateOffsetsAside walks the records as ValidateRecords does.
func validateOffsetsAside(b Batch) (int64, error) {
	s := newScanner(b)
	defer s.close()
	var f fields
	for i := range b.Count() {
		if err := s.check(&f); err != nil {
			return 0, b.recordError(i, err)
		}
	}
	return s.total, s.end()
}

// TestExpandLimit: an endless stream of good records is stopped at the limit.
func TestExpandLimit(t *testing.T) {
	for n, want := range map[int]int64{0: freeExpansion, 1 << 10: freeExpansion, 1 << 19: 1 << 30, 1 << 30: maxExpanded} {
		if got := expandLimit(n); got != want {
			t.Errorf("%d bytes may expand to %d, want %d", n, got, want)
		}
	}
	s := &scanner{src: &pieces{make([]byte, 101), 10}, limit: 100}
	if err := s.discard(100); err != nil {
		t.Error(err)
	}
	if err := s.discard(1); err != errExpanded {
		t.Error(err)
	}
}

// TestRecordErrorsAreBounded: a batch of many bad records gets an answer that
// is no larger than the batch, give or take.
func TestRecordErrorsAreBounded(t *testing.T) {
	w := NewBuilder()
	for range 10_000 {
		w.Add(Record{})
	}
	rules := anyTime
	rules.Compacted = true
	_, err := w.Build().ValidateRecords(rules)
	var refused *RecordErrors
	if !errors.As(err, &refused) || refused.Total != 10_000 || len(refused.Records) != maxRecordErrors || refused.Records[99].Index != 99 {
		t.Fatal(err)
	}
	const want = "One or more records have been rejected due to 10000 record errors in total, and only showing the first three errors at most: [RecordError(batchIndex=0, message='Compacted topic cannot accept message without key in topic partition -0')"
	if got := err.Error(); len(got) > 500 || got[:len(want)] != want {
		t.Error(got)
	}
}

func TestSteadyStateAllocations(t *testing.T) {
	for codec, most := range map[Codec]float64{None: 0, Snappy: 0, LZ4: 0, Gzip: 0, Zstd: 4} {
		b := sample(codec)
		validate := func() {
			if b.Validate() != nil {
				t.Fatal()
			}
			if _, err := b.ValidateRecords(anyTime); err != nil {
				t.Fatal(err)
			}
		}
		if underRace {
			most += 4
		}
		if n := testing.AllocsPerRun(100, validate); n > most {
			t.Errorf("%v: %v allocations for a batch", codec, n)
		}
	}
}
