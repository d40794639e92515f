package logstore

import (
	"encoding/binary"
	"flag"
	"math"
	"math/rand/v2"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"
)

var (
	cleanMiB    = flag.Int64("clean-mib", 64, "how large a log BenchmarkClean cleans")
	cleanKeys   = flag.Int64("clean-keys", 1<<16, "how many keys it has")
	cleanCodec  = flag.String("clean-codec", "none", "the codec of its batches")
	cleanDedupe = flag.Int64("clean-dedupe", 128<<20, "log.cleaner.dedupe.buffer.size")
)

// BenchmarkClean cleans a log of 1 KiB records, in batches of 16, whose keys come in random order. extra-MiB is the
// resident memory at its highest beyond that before; passes is how many cleanings it took.
//
//	go test ./logstore -run XXX -bench Clean$ -benchtime 1x -clean-mib 1024 -clean-keys 1000000
func BenchmarkClean(b *testing.B) {
	codec, err := batch.ParseCodec(*cleanCodec)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		b.StopTimer()
		d, err := OpenDir(vfs.OS{}, b.TempDir(), DirOptions{NodeID: 1})
		if err != nil {
			b.Fatal(err)
		}
		cfg := DefaultConfig()
		cfg.SegmentBytes, cfg.FileDeleteDelayMs = 100<<20, 0
		cfg.Compact, cfg.Delete, cfg.MinCleanableRatio = true, false, 0.01
		l, err := d.Open("bench", 0, testTopicID, cfg)
		if err != nil {
			b.Fatal(err)
		}
		fillRandom(b, l, codec, *cleanMiB<<20, *cleanKeys)
		if _, err := l.Roll(d.nowMs()); err != nil {
			b.Fatal(err)
		}
		if err := l.Flush(); err != nil {
			b.Fatal(err)
		}
		l.SetHighWatermark(math.MaxInt64)
		size := l.Size()
		debug.FreeOSMemory()
		before := resident(b)
		peak := make(chan int64)
		stop := make(chan struct{})
		go func() {
			most := before
			for tick := time.NewTicker(5 * time.Millisecond); ; {
				select {
				case <-tick.C:
					most = max(most, resident(b))
				case <-stop:
					tick.Stop()
					peak <- most
					return
				}
			}
		}()
		o := CleanerConfig{DedupeBufferBytes: *cleanDedupe, LoadFactor: 0.9, IOBufferBytes: 512 << 10, MaxBytesPerSecond: math.MaxFloat64}
		c := NewCleaner(l.logger)
		passes := 0
		b.StartTimer()
		for {
			done, err := c.Clean(b.Context(), l, o)
			if err == errCleanedElsewhere {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			passes++
			b.Logf("%+v", done)
		}
		b.StopTimer()
		close(stop)
		b.SetBytes(size)
		b.ReportMetric(float64(<-peak-before)/(1<<20), "extra-MiB")
		b.ReportMetric(float64(passes), "passes")
		b.ReportMetric(float64(l.Size())/(1<<20), "left-MiB")
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// fillRandom appends records of 1 KiB whose keys are all of [0, keys), each once, and then any of them again.
func fillRandom(b *testing.B, l *Log, codec batch.Codec, bytes, keys int64) {
	rng := rand.New(rand.NewPCG(1, 1))
	order := rng.Perm(int(keys))
	value := make([]byte, 970)
	for i := range value {
		value[i] = byte('a' + rng.IntN(16))
	}
	n := int64(0)
	for written := int64(0); written < bytes; {
		w := batch.NewBuilder()
		w.Codec = codec
		for range 16 {
			key := rng.Int64N(keys)
			if n < keys {
				key = int64(order[n])
			}
			n++
			binary.BigEndian.PutUint64(value, uint64(n))
			w.Add(batch.Record{Timestamp: startMs + n, Key: strconv.AppendInt([]byte("some-prefix-"), key, 10), Value: value})
		}
		written += int64(w.Size())
		if _, err := l.AppendAsLeader(w.Build(), 0); err != nil {
			b.Fatal(err)
		}
	}
}

// resident is the process's resident memory in bytes; 0 where /proc does not tell.
func resident(t testing.TB) int64 {
	p, err := os.ReadFile("/proc/self/statm")
	if os.IsNotExist(err) {
		return 0
	}
	if err != nil {
		t.Error(err)
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(p))[1], 10, 64)
	if err != nil {
		t.Error(err)
	}
	return pages * int64(os.Getpagesize())
}
