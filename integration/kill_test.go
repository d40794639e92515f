package integration

import (
	"context"
	"flag"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"blumfeld/integration/process"
)

var rounds = flag.Int("rounds", 3, "how often each TestKilled kills the broker; make torture has more")

// One idempotent producer writes through any number of kills, on its retries
// alone. In the end each partition holds exactly its records: none lost, none
// twice, in order, each at the offset that was acknowledged.
func TestKilledWhileWriting(t *testing.T) {
	const topic, partitions = "tortured", 3
	o := options(t, t.TempDir(),
		"--override", "num.partitions="+strconv.Itoa(partitions),
		"--override", "log.segment.bytes=1048576") // so that kills meet rolls too
	b := start(t, o)

	cl := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(-1))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Duration(*rounds)*10*time.Second)
	defer cancel()

	var (
		acked   atomic.Int64
		writing = make(chan struct{})
		writers sync.WaitGroup
		written [partitions]int64
	)
	for p := range int32(partitions) {
		writers.Go(func() {
			for n := int64(0); ; n++ {
				select {
				case <-writing:
					written[p] = n
					return
				default:
				}
				r := &kgo.Record{Topic: topic, Partition: p, Value: strconv.AppendInt(nil, n, 10)}
				cl.Produce(ctx, r, func(r *kgo.Record, err error) {
					switch {
					case err != nil:
						t.Errorf("partition %d, record %d: %v", p, n, err)
					case r.Offset != n:
						t.Errorf("partition %d, record %d: acknowledged at offset %d", p, n, r.Offset)
					}
					acked.Add(1)
				})
			}
		})
	}

	random := rand.New(rand.NewPCG(uint64(*rounds), 9))
	for round := range *rounds {
		// Kill in the middle of writing: after some more were acknowledged, which also shows
		// that the producer found its way back.
		target := acked.Load() + int64(1+random.IntN(30_000))
		for acked.Load() < target {
			if ctx.Err() != nil || t.Failed() {
				close(writing)
				t.Fatalf("round %d: %d of %d acknowledged: %v", round, acked.Load(), target, ctx.Err())
			}
			time.Sleep(time.Millisecond) // the kill's moment is meant to be arbitrary
		}
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		b = start(t, o)
	}
	close(writing)
	writers.Wait()
	if err := cl.Flush(ctx); err != nil {
		t.Fatal(err)
	}

	for p := range int32(partitions) {
		verify(t, ctx, b, topic, p, written[p])
	}
	t.Logf("%d kills, %d records", *rounds, acked.Load())
}

// verify reads a partition and wants n records that count from 0.
func verify(t *testing.T, ctx context.Context, b *process.Broker, topic string, partition int32, n int64) {
	t.Helper()
	cl := client(t, b, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}))
	defer cl.Close()
	for next := int64(0); next < n; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("partition %d after %d of %d records: %v", partition, next, n, err)
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) {
			if f.HighWatermark != n {
				t.Errorf("partition %d: high watermark %d, want %d", partition, f.HighWatermark, n)
			}
		})
		for _, r := range fetches.Records() {
			if want := strconv.FormatInt(next, 10); r.Offset != next || string(r.Value) != want {
				t.Fatalf("partition %d: offset %d has record %s, want offset %s with it", partition, r.Offset, r.Value, want)
			}
			next++
		}
	}
}
