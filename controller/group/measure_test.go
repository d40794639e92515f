package group

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blumfeld/controller/etcd"
)

// The benchmarks here measure what the design promises, on the real store: run them by name.
//
//	go test -run '^$' -bench StoreSize -benchtime 10000000x -timeout 3h ./controller/group
//	go test -run '^$' -bench EmptyGroups -benchtime 10000x ./controller/group

func openEtcd(tb testing.TB) (store *etcd.Store, dir string) {
	tb.Helper()
	dir = tb.TempDir()
	// What is on disk is the same without fsync.
	store, err := etcd.Open(tb.Context(), etcd.Options{Dir: dir, NodeID: 1, NoSync: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { store.Close() })
	return store, dir
}

// BenchmarkStoreSize is how much the store holds after so many commits of 12 partitions by 500 groups, with its own
// compaction. It prints the curve; the size is that of the files, the database's free pages and the log included.
func BenchmarkStoreSize(b *testing.B) {
	const groups, partitions, workers = 500, 12, 64
	store, dir := openEtcd(b)
	c := New(Options{Store: store, Config: testConfig()})
	if err := c.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	var next atomic.Int64
	var wg sync.WaitGroup
	point := max(int64(b.N)/10, 1)
	began := time.Now()
	b.ResetTimer()
	for range workers {
		wg.Go(func() {
			list := make([]OffsetToCommit, partitions)
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				for i := range list {
					list[i] = OffsetToCommit{Topic: "orders", Partition: int32(i), Offset: n, LeaderEpoch: 0}
				}
				r := <-c.Commit(CommitRequest{Group: fmt.Sprint("consumer-group-", n%groups), Generation: -1, Offsets: list})
				for _, err := range r.Errs {
					if err != nil {
						b.Error(err)
						return
					}
				}
				if n%point == 0 {
					b.Logf("%9d commits: %.1f MB, %.0f commits/s", n, megabytes(b, dir), float64(n)/time.Since(began).Seconds())
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(megabytes(b, dir), "MB-on-disk")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// megabytes are the sizes of all files in a directory; files come and go meanwhile.
func megabytes(tb testing.TB, dir string) float64 {
	var n int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			if info, err := d.Info(); err == nil {
				n += info.Size()
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return float64(n) / 1e6
}

// BenchmarkEmptyGroups is what an Empty group costs on the heap: this package's part, and the store's with it. Each has
// had a member.
func BenchmarkEmptyGroups(b *testing.B) {
	store, _ := openEtcd(b)
	c := New(Options{Store: store, Config: testConfig()})
	if err := c.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	before := heapInUse()
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				group := fmt.Sprint("consumer-group-", n)
				r := consumer(group, "client", "", "orders")
				r.RequireKnownMemberID = false
				j := <-c.Join(r)
				l := <-c.Leave(LeaveRequest{Group: group, Members: []LeavingMember{{MemberID: j.MemberID}}})
				if j.Err != nil || l.Err != nil {
					b.Error(j.Err, l.Err)
				}
			}
		})
	}
	wg.Wait()
	all := heapInUse()
	if n := len(c.List(ListFilter{States: []string{"Empty"}})); n != b.N {
		b.Errorf("%d groups", n)
	}
	c.Close()
	runtime.KeepAlive(store)
	c = nil
	b.ReportMetric(float64(all-before)/float64(b.N), "B/group")
	b.ReportMetric(float64(all-heapInUse())/float64(b.N), "B/group-here")
}

// heapInUse is what is in use, in bytes.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
