package logstore

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"
)

// benchLog is a log on disk, with a batch of about so many bytes, of records of 1 KiB.
func benchLog(b *testing.B, size int) (*Log, batch.Batch) {
	d, err := OpenDir(vfs.OS{}, b.TempDir(), DirOptions{NodeID: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	cfg := DefaultConfig()
	cfg.MaxMessageBytes = 2 << 20
	cfg.SegmentBytes = 256 << 20
	cfg.RetentionBytes = 256 << 20
	cfg.RetentionMs = -1
	cfg.FileDeleteDelayMs = 0
	l, err := d.Open("bench", 0, testTopicID, cfg)
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.NewChaCha8([32]byte{})
	value := make([]byte, 1000)
	rng.Read(value)
	w := batch.NewBuilder()
	for w.Len() == 0 || w.Size() < size-1024 {
		w.Add(batch.Record{Timestamp: d.nowMs(), Value: value})
	}
	return l, w.Build()
}

// BenchmarkAppendAsLeader is the whole of an append: checksum, walk over the records, pwrite, index, publication.
func BenchmarkAppendAsLeader(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 128 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			l, p := benchLog(b, size)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				p.Stamp(0, -1) // as the producer sent it
				if _, err := l.AppendAsLeader(p, 0); err != nil {
					b.Fatal(err)
				}
				if i%((256<<20)/len(p)) == 0 { // as much stays as in BenchmarkBareWrite
					l.SetHighWatermark(1 << 62)
					if _, err := l.Retain(l.dir.nowMs()); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkTransaction is a transaction of one batch in one partition: what is noted before it is verified, the batch, the
// marker; with others open at the same time.
func BenchmarkTransaction(b *testing.B) {
	for _, open := range []int64{0, 1000} {
		b.Run(fmt.Sprintf("open=%d", open), func(b *testing.B) {
			d, err := OpenDir(vfs.OS{}, b.TempDir(), DirOptions{NodeID: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer d.Close()
			l, err := d.Open("t", 0, testTopicID, DefaultConfig())
			if err != nil {
				b.Fatal(err)
			}
			for id := range open {
				appendTxn(b, l, id+1, 0, "v", 0)
			}
			b.ReportAllocs()
			var sequence int32
			for b.Loop() {
				appendTxn(b, l, 0, sequence, "v", 0)
				if _, err := l.AppendMarker(Marker{Commit: sequence%8 > 0}, 0); err != nil {
					b.Fatal(err)
				}
				l.SetHighWatermark(1 << 62)
				sequence++
			}
		})
	}
}

// BenchmarkRead is finding a slice and, in one case, reading it: at the end of the log, where consumers are, and
// anywhere, through the index.
func BenchmarkRead(b *testing.B) {
	for _, c := range []struct {
		name  string
		tail  bool
		max   int
		pread bool
	}{
		{"tail/16KiB/locate", true, 16 << 10, false},
		{"tail/16KiB/pread", true, 16 << 10, true},
		{"anywhere/16KiB/locate", false, 16 << 10, false},
		{"anywhere/1MiB/locate", false, 1 << 20, false},
		{"anywhere/1MiB/pread", false, 1 << 20, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			l, p := benchLog(b, 16<<10)
			for range 8192 {
				p.Stamp(0, -1)
				if _, err := l.AppendAsLeader(p, 0); err != nil {
					b.Fatal(err)
				}
			}
			end := l.Offsets().LogEnd
			rng := rand.New(rand.NewPCG(1, 1))
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				from := end - int64(p.Count())
				if !c.tail {
					from = rng.Int64N(end)
				}
				sl, err := l.Read(from, end, c.max, true)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(sl.Len()))
				if c.pread {
					if buf, err = sl.AppendTo(buf[:0]); err != nil {
						b.Fatal(err)
					}
				}
				sl.Release()
			}
		})
	}
}

// BenchmarkCatchUp reads a log of 256 MiB from its beginning, 1 MiB at a time, after a restart: once when its checksums
// have to be looked at, and once when they have been.
func BenchmarkCatchUp(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		l, p := benchLog(b, size)
		for written := 0; written < 256<<20-len(p); written += len(p) {
			p.Stamp(0, -1)
			if _, err := l.AppendAsLeader(p, 0); err != nil {
				b.Fatal(err)
			}
		}
		for _, verified := range []bool{false, true} {
			b.Run(fmt.Sprintf("%dKiB/verified=%v", size>>10, verified), func(b *testing.B) {
				b.SetBytes(l.Size())
				var buf []byte
				for b.Loop() {
					for _, s := range *l.segments.Load() {
						s.distrust()
						if verified {
							s.verified.add(span{0, s.size})
						}
					}
					for from, end := int64(0), l.Offsets().LogEnd; from < end; {
						sl, err := l.Read(from, end, 1<<20, true)
						if err == nil {
							buf, err = sl.AppendTo(buf[:0])
						}
						if err != nil {
							b.Fatal(err)
						}
						sl.Release()
						from += int64(len(buf) / len(p) * int(p.Count()))
					}
				}
			})
		}
	}
}

// BenchmarkOpenClean is the start of a directory of 100 logs after a clean stop.
func BenchmarkOpenClean(b *testing.B) {
	root := b.TempDir()
	const logs = 100
	d, err := OpenDir(vfs.OS{}, root, DirOptions{NodeID: 1})
	if err != nil {
		b.Fatal(err)
	}
	for p := range int32(logs) {
		l, err := d.Open("bench", p, testTopicID, DefaultConfig())
		if err != nil {
			b.Fatal(err)
		}
		for range 100 {
			if _, err := l.AppendAsLeader(records(10, d.nowMs(), "some value of a few bytes"), 0); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		d, err := OpenDir(vfs.OS{}, root, DirOptions{NodeID: 1})
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range d.Logs() {
			if _, err := d.Open(f.Topic, f.Partition, f.TopicID, DefaultConfig()); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkBareWrite is the limit beside BenchmarkAppendAsLeader: the same bytes by pwrite into a preallocated file.
func BenchmarkBareWrite(b *testing.B) {
	for _, size := range []int{1 << 10, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			const most = 256 << 20
			f, err := vfs.OS{}.Create(b.TempDir() + "/f")
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			p := make([]byte, size)
			b.SetBytes(int64(size))
			at := int64(most)
			for b.Loop() {
				if at+int64(size) > most {
					at = 0
					if err := f.Truncate(0); err != nil {
						b.Fatal(err)
					}
					if err := f.Preallocate(0, most); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := f.WriteAt(p, at); err != nil {
					b.Fatal(err)
				}
				at += int64(size)
			}
		})
	}
}

// BenchmarkFlushMessages is an append with flush.messages=1: so many writers, each of which waits for the disk. Beside
// the time of one append for all of them there is that of a writer.
func BenchmarkFlushMessages(b *testing.B) {
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			l, p := benchLog(b, 1<<10)
			cfg := l.Config()
			cfg.FlushMessages = 1
			l.SetConfig(cfg)
			var left atomic.Int64
			left.Store(int64(b.N))
			var waited atomic.Int64
			var running sync.WaitGroup
			b.ResetTimer()
			for range writers {
				running.Go(func() {
					p := slices.Clone(p)
					for left.Add(-1) >= 0 {
						p.Stamp(0, -1)
						began := time.Now()
						if _, err := l.AppendAsLeader(p, 0); err != nil {
							b.Error(err)
							return
						}
						waited.Add(int64(time.Since(began)))
					}
				})
			}
			running.Wait()
			b.ReportMetric(float64(waited.Load())/float64(b.N)/1000, "us/append")
		})
	}
}
