package batch

import (
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Compression is a codec and how hard it tries.
//
// Level is that of compression.gzip.level (1 to 9, -1), compression.lz4.level
// (1 to 17) or compression.zstd.level (-131072 to 22); 0 is the codec's own, and
// the other codecs have none. The libraries have fewer steps than Kafka's: LZ4
// above 9 is 9 (and 9, Kafka's default, is the fast compressor, as in Kafka),
// zstd has four.
type Compression struct {
	Codec Codec
	Level int
}

// lz4DefaultLevel is Kafka's, which stands for the fast compressor.
const lz4DefaultLevel = 9

// pool is that of the compressors of a codec at a level. A library that has no
// such level takes the nearest.
func (c Compression) pool() *sync.Pool {
	switch c.Codec {
	case Gzip:
		level := c.Level
		if level == 0 {
			level = gzip.DefaultCompression
		}
		return &gzipWriters[max(gzip.DefaultCompression, min(level, gzip.BestCompression))+1]
	case LZ4:
		level := min(c.Level, lz4DefaultLevel)
		if c.Level == lz4DefaultLevel {
			level = 0
		}
		return &lz4Writers[max(level, 0)]
	case Zstd:
		level := zstd.SpeedDefault
		if c.Level != 0 {
			level = zstd.EncoderLevelFromZstd(c.Level)
		}
		return &zstdWriters[level]
	}
	return &xerialWriters
}

// The pools hold what a compressor of that level is made of, and make it.
var (
	xerialWriters = sync.Pool{New: func() any { return new(xerialWriter) }}
	gzipWriters   = gzipPools() // by level + 1
	lz4Writers    = lz4Pools()  // by level; 0 is the fast compressor
	zstdWriters   = zstdPools() // by the library's level
)

func gzipPools() *[gzip.BestCompression + 2]sync.Pool {
	pools := new([gzip.BestCompression + 2]sync.Pool)
	for i := range pools {
		p := &pools[i]
		p.New = func() any {
			w, err := gzip.NewWriterLevel(nil, i-1)
			must(err)
			return &gzipWriter{w, p}
		}
	}
	return pools
}

func lz4Pools() *[lz4DefaultLevel + 1]sync.Pool {
	pools := new([lz4DefaultLevel + 1]sync.Pool)
	for i := range pools {
		p := &pools[i]
		p.New = func() any {
			w := lz4.NewWriter(nil)
			level := lz4.Fast
			if i > 0 {
				level = lz4.Level1 << (i - 1)
			}
			// Blocks of 64 KiB, and no content checksum, which Kafka does not look at.
			must(w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false), lz4.ConcurrencyOption(1),
				lz4.CompressionLevelOption(level)))
			return &lz4Writer{w, p}
		}
	}
	return pools
}

func zstdPools() *[zstd.SpeedBestCompression + 1]sync.Pool {
	pools := new([zstd.SpeedBestCompression + 1]sync.Pool)
	for i := range pools {
		p := &pools[i]
		p.New = func() any {
			w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
				zstd.WithEncoderLevel(zstd.EncoderLevel(i)), zstd.WithWindowSize(1<<20))
			must(err)
			return &zstdWriter{w, p}
		}
	}
	return pools
}

// must panics for options that contradict each other, which these do not.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func newCompressor(c Compression, out io.Writer) compressor {
	if c.Codec == None {
		return plain{out}
	}
	if !c.Codec.known() {
		panic(fmt.Sprintf("batch: compression codec %d", c.Codec)) // never one that was received
	}
	w := c.pool().Get().(compressor)
	w.Reset(out)
	return w
}

type plain struct{ io.Writer }

func (plain) Close() error    { return nil }
func (plain) Reset(io.Writer) {}
func (plain) release()        {}

type gzipWriter struct {
	*gzip.Writer
	pool *sync.Pool
}

func (w *gzipWriter) release() {
	w.Reset(nil)
	w.pool.Put(w)
}

type lz4Writer struct {
	*lz4.Writer
	pool *sync.Pool
}

func (w *lz4Writer) release() {
	w.Reset(nil)
	w.pool.Put(w)
}

type zstdWriter struct {
	*zstd.Encoder
	pool *sync.Pool
}

func (w *zstdWriter) release() {
	w.Reset(nil)
	w.pool.Put(w)
}
