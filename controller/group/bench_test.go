package group

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blumfeld/controller"
)

// BenchmarkCommit: 64 members commit 12 offsets each, over groups, to a store in memory. One operation is one commit.
func BenchmarkCommit(b *testing.B) {
	for _, groups := range []int{1, 50, 500} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			store := controller.NewMemStore()
			c := New(Options{Store: store, Config: testConfig()})
			if err := c.Start(b.Context()); err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for w := range 64 {
				wg.Go(func() {
					group := fmt.Sprint("group", w%groups)
					for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
						if groups > 64 {
							group = fmt.Sprint("group", n%int64(groups))
						}
						list := make([]OffsetToCommit, 12)
						for i := range list {
							list[i] = OffsetToCommit{Topic: "topic", Partition: int32(w*12 + i), Offset: n, LeaderEpoch: 1}
						}
						<-c.Commit(CommitRequest{Group: group, Generation: -1, Offsets: list})
						if n%10_000 == 0 {
							store.Compact(b.Context(), 1<<62)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
		})
	}
}

// BenchmarkCommitTxn: 64 producers commit 12 offsets each in transactions of one group, to a store in memory. One operation
// is one transaction: guard, commit and marker.
func BenchmarkCommitTxn(b *testing.B) {
	store := controller.NewMemStore()
	c := New(Options{Store: store, Config: testConfig()})
	if err := c.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for w := range int64(64) {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				list := make([]OffsetToCommit, 12)
				for i := range list {
					list[i] = OffsetToCommit{Topic: "topic", Partition: int32(int(w)*12 + i), Offset: n, LeaderEpoch: 1}
				}
				guard := (<-c.BeginTxnCommit("g", w, 0)).Guard
				r := TxnCommitRequest{CommitRequest{Group: "g", Generation: -1, Offsets: list}, w, 0, guard}
				if errs := (<-c.CommitTxn(r)).Errs; errs[0] != nil {
					b.Error(errs[0])
				}
				if err := <-c.EndTxn(EndTxnRequest{ProducerID: w, Commit: true}); err != nil {
					b.Error(err)
				}
				if n%10_000 == 0 {
					store.Compact(b.Context(), 1<<62)
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transactions/s")
}

func BenchmarkHeartbeat(b *testing.B) {
	cl := newClock()
	c := open(b, controller.NewMemStore(), cl, nil)
	member := stable(b, c, cl, "g", "t")
	b.ReportAllocs()
	for b.Loop() {
		if err := beat(b, c, "g", member, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoad reads 10,000 groups of one offset each.
func BenchmarkLoad(b *testing.B) {
	store := controller.NewMemStore()
	for i := range 10_000 {
		block := encodeBlock([]committed{{offset: 1, leaderEpoch: -1, time: time.Now().UnixMilli()}})
		id := blockID{"topic", 0}
		if _, _, err := store.Txn(b.Context(), nil, []controller.Op{controller.Put(id.keyIn(groupPrefix(fmt.Sprint("group", i))), block)}); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		c := New(Options{Store: store, Config: testConfig()})
		if err := c.Start(b.Context()); err != nil {
			b.Fatal(err)
		}
		c.Close()
	}
}
