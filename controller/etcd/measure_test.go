package etcd

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"blumfeld/controller"
)

// The benchmarks here measure what the design promises: run them by name, with fsync, on an idle machine.
//
//	go test -run '^$' -bench . -benchtime 200x ./controller/etcd

func putOnce(tb testing.TB, s *Store, key string, value []byte) {
	tb.Helper()
	if _, _, err := s.Txn(context.Background(), nil, []controller.Op{controller.Put(key, value)}); err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkOpen measures Open until the first write is committed.
func BenchmarkOpen(b *testing.B) {
	fresh := func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			dir := b.TempDir()
			b.StartTimer()
			s := open(b, Options{Dir: dir, NodeID: 1})
			putOnce(b, s, "k", nil)
			b.StopTimer()
			s.Close()
			b.StartTimer()
		}
	}
	b.Run("fresh", fresh)
	for _, writes := range []int{1, 10_000, 100_000} {
		b.Run(fmt.Sprintf("after %d writes", writes), func(b *testing.B) { benchmarkReopen(b, writes) })
	}
}

// BenchmarkOpenAfterMillion is what a restart costs after a million small transactions. It takes a minute to write them.
func BenchmarkOpenAfterMillion(b *testing.B) { benchmarkReopen(b, 1_000_000) }

// benchmarkReopen measures Open of a directory that a process left that was killed in the middle of writing.
func benchmarkReopen(b *testing.B, writes int) {
	dir, _ := killedWriter(b, writes)
	size := dirBytes(b, dir)
	var cpu time.Duration
	for b.Loop() {
		before := cpuTime(b)
		s := open(b, Options{Dir: dir, NodeID: 1})
		b.StopTimer()
		cpu += cpuTime(b) - before
		s.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(cpu.Microseconds())/1e3/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(size)/1e6, "MB-on-disk")
}

func dirBytes(tb testing.TB, dir string) (n int64) {
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// BenchmarkPut is the latency of one writer.
func BenchmarkPut(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir(), NodeID: 1})
	value := make([]byte, 100)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		putOnce(b, s, fmt.Sprintf("k%04d", i%1000), value)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
}

// BenchmarkPut64 is the throughput of 64 writers.
func BenchmarkPut64(b *testing.B) {
	s := open(b, Options{Dir: b.TempDir(), NodeID: 1})
	value := make([]byte, 100)
	var next atomic.Int64
	var wg sync.WaitGroup
	start, cpu := time.Now(), cpuTime(b)
	b.ResetTimer()
	for w := range 64 {
		wg.Go(func() {
			for next.Add(1) <= int64(b.N) {
				putOnce(b, s, fmt.Sprintf("k%04d", w), value)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "puts/s")
	b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N), "cpu-us/put")
}

// BenchmarkIdle reports what an idle member costs: cores, and anonymous memory.
func BenchmarkIdle(b *testing.B) {
	const period = 20 * time.Second
	s := open(b, Options{Dir: b.TempDir(), NodeID: 1})
	putOnce(b, s, "k", nil)
	runtime.GC()
	for b.Loop() {
		before := cpuTime(b)
		time.Sleep(period)
		b.ReportMetric((cpuTime(b)-before).Seconds()/period.Seconds(), "cores")
	}
	b.ReportMetric(anonymousMB(b), "MB-anon")
}

func cpuTime(tb testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func anonymousMB(tb testing.TB) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0 // not linux
	}
	for line := range strings.Lines(string(status)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "RssAnon: %f", &kb); n == 1 {
			return kb / 1024
		}
	}
	return 0
}
