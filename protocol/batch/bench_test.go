package batch

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/pierrec/lz4/v4"
)

// benchBatch is a batch of about size bytes of records of 100 bytes each, that
// compress like text does.
func benchBatch(codec Codec, size int) (b Batch, expanded int) {
	w := NewBuilder()
	w.Codec = codec
	for i := 0; w.Size() < size; i++ {
		value := fmt.Appendf(nil, "%08d the quick brown fox jumps over the lazy dog %08x", i*7919, i*i)
		w.Add(Record{Timestamp: 1_700_000_000_000 + int64(i), Key: fmt.Appendf(nil, "key-%d", i), Value: bytes.Repeat(value, 2)[:90]})
	}
	return w.Build(), w.Size()
}

func BenchmarkNext(b *testing.B) {
	p, _ := benchBatch(None, 16<<10)
	run := bytes.Repeat(p, 64)
	b.SetBytes(int64(len(run)))
	b.ReportAllocs()
	for b.Loop() {
		for rest := run; len(rest) > 0; {
			var err error
			if _, rest, err = Next(rest); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkValidate(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		p, _ := benchBatch(None, size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for b.Loop() {
				if err := p.Validate(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkValidateRecords: MB/s are of the records as they expand.
func BenchmarkValidateRecords(b *testing.B) {
	for _, codec := range codecs {
		for _, size := range []int{16 << 10, 1 << 20} {
			p, expanded := benchBatch(codec, size)
			b.Run(fmt.Sprintf("%v/%d", codec, size), func(b *testing.B) {
				b.SetBytes(int64(expanded))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := p.ValidateRecords(anyTime); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(p.Count()), "ns/record")
			})
		}
	}
}

// BenchmarkLZ4Frames: clients announce blocks of 64 KiB (Java) or 4 MiB (the
// format's default, franz-go), however little is in them.
func BenchmarkLZ4Frames(b *testing.B) {
	plain, expanded := benchBatch(None, 128<<10)
	for _, size := range []lz4.BlockSize{lz4.Block64Kb, lz4.Block4Mb} {
		var packed bytes.Buffer
		w := lz4.NewWriter(&packed)
		if err := w.Apply(lz4.BlockSizeOption(size)); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(plain.Payload()); err != nil {
			b.Fatal(err)
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		p := withPayload(LZ4, plain.Count(), packed.Bytes())
		b.Run(size.String(), func(b *testing.B) {
			b.SetBytes(int64(expanded))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := validateOffsetsAside(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRecords(b *testing.B) {
	for _, codec := range codecs {
		p, expanded := benchBatch(codec, 1<<20)
		b.Run(codec.String(), func(b *testing.B) {
			b.SetBytes(int64(expanded))
			b.ReportAllocs()
			for b.Loop() {
				for _, err := range p.Records() {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkStampLogAppendTime(b *testing.B) {
	p, _ := benchBatch(None, 1<<20)
	b.SetBytes(int64(len(p)))
	for ms := int64(0); b.Loop(); ms++ {
		p.StampLogAppendTime(ms)
	}
}

// BenchmarkBomb is the dearest batch there is: 1 MB of zstd that stands for
// 31 GiB of zeros, and is given up at 2 GiB.
func BenchmarkBomb(b *testing.B) {
	p := withPayload(Zstd, 128, zstdZeros(128<<10, 128, 2000))
	for b.Loop() {
		if _, err := validateOffsetsAside(p); !errors.Is(err, errExpanded) {
			b.Fatal(err)
		}
	}
}
