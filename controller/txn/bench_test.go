package txn

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
	"blumfeld/controller/etcd"
)

// counting counts the transactions of a store.
type counting struct {
	controller.Store
	txns atomic.Int64
}

func (c *counting) Txn(ctx context.Context, conds []controller.Cond, ops []controller.Op) (int64, bool, error) {
	c.txns.Add(1)
	return c.Store.Txn(ctx, conds, ops)
}

// willing are leaders that take everything at once.
type willing struct{}

func (willing) WriteMarkers(_ context.Context, m Markers, done func([]error)) {
	done(make([]error, len(m.Partitions)))
}

// BenchmarkTransaction: producers begin and commit transactions over one partition, whose leader takes its marker at once.
// One operation is one transaction.
func BenchmarkTransaction(b *testing.B) {
	for _, producers := range []int{1, 100} {
		b.Run(fmt.Sprintf("store=memory/producers=%d", producers), func(b *testing.B) {
			mem := controller.NewMemStore()
			transactions(b, mem, producers, func() { mem.Compact(b.Context(), 1<<62) })
		})
		b.Run(fmt.Sprintf("store=etcd/producers=%d", producers), func(b *testing.B) {
			store, err := etcd.Open(b.Context(), etcd.Options{Dir: b.TempDir(), NodeID: 1})
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close()
			transactions(b, store, producers, func() {})
		})
	}
}

func transactions(b *testing.B, store controller.Store, producers int, compact func()) {
	counted := &counting{Store: store}
	c := open(b, counted, willing{})
	defer c.Close()
	var next atomic.Int64
	var wg sync.WaitGroup
	ids := make([]int64, producers)
	for i := range ids {
		ids[i], _ = initialize(b, c, fmt.Sprint("producer", i))
	}
	before := counted.txns.Load()
	b.ReportAllocs()
	b.ResetTimer()
	for i, pid := range ids {
		wg.Go(func() {
			id, epoch := fmt.Sprint("producer", i), int16(0)
			partitions := []TopicPartition{{"topic", int32(i)}}
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				for {
					err := <-c.AddPartitions(AddPartitionsRequest{5, id, pid, epoch, partitions})
					if err == nil {
						break
					}
					if !errors.Is(err, kerr.ConcurrentTransactions) {
						b.Error(err)
						return
					}
				}
				r := <-c.EndTxn(EndTxnRequest{5, id, pid, epoch, true})
				if r.Err != nil {
					b.Error(r.Err)
					return
				}
				pid, epoch = r.ProducerID, r.Epoch
				if n%10_000 == 0 {
					compact()
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "txn/s")
	b.ReportMetric(float64(counted.txns.Load()-before)/float64(b.N), "store-txns/txn")
}

// BenchmarkLoad reads 10,000 transactional ids.
func BenchmarkLoad(b *testing.B) {
	store := controller.NewMemStore()
	d := metadata{producerID: 1, prevProducerID: -1, nextProducerID: -1, lastEpoch: -1, timeoutMs: 1, start: -1, updated: 1 << 40}
	for i := range 10_000 {
		if _, _, err := store.Txn(b.Context(), nil, []controller.Op{controller.Put(idKey(fmt.Sprint("id", i)), d.encode())}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		c := open(b, store, &leaders{})
		c.Close()
	}
}
