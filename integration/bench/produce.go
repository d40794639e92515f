package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	pumps     = 2 // connections of a row that pumps
	pumpDepth = 8 // requests under way on each
)

// production is a row of requests that were encoded before, over several connections with many requests under way: the
// broker and not the client is the limit.
type production struct {
	partitions int
	together   int // partitions in one request
	record     int // bytes of a value
	records    int // in a batch
	acks       int16
	payload    payload
	lz4        bool
	part       int // of the row's volume, one in so many: small records take longer
	bare       bool
}

// batchOf is how many records of a size fill a batch of that many bytes.
func batchOf(batch, record int) int { return max(1, (batch-batchHead)/(record+10)) }

func pumpRows() (list []row) {
	for _, p := range []production{
		{partitions: 1, record: 1 << 10, records: batchOf(16<<10, 1<<10), acks: -1, bare: true},
		{partitions: 12, together: 12, record: 1 << 10, records: batchOf(16<<10, 1<<10), acks: -1},
		{partitions: 1000, together: 100, record: 1 << 10, records: 4, acks: -1},
		{partitions: 12, together: 12, record: 100, records: batchOf(16<<10, 100), acks: -1, part: 4},
		{partitions: 1, record: 16 << 10, records: 1, acks: -1},
		{partitions: 1, record: 1 << 10, records: batchOf(128<<10, 1<<10), acks: -1, bare: true},
		{partitions: 1, record: 1 << 10, records: batchOf(16<<10, 1<<10), acks: 0},
		{partitions: 1, record: 1 << 10, records: batchOf(16<<10, 1<<10), acks: 1},
		{partitions: 1, record: 1 << 10, records: batchOf(128<<10, 1<<10), acks: -1, payload: prose, lz4: true},
	} {
		p.together, p.part = max(p.together, 1), max(p.part, 1)
		list = append(list, row{set: "pump", name: p.name(), run: p.run, bare: p.bare})
	}
	return list
}

func (p production) name() string {
	acks := map[int16]string{-1: "all", 0: "0", 1: "1"}[p.acks]
	codec := ""
	if p.lz4 {
		codec = ", lz4"
	}
	batch := fmt.Sprintf("%d records a batch", p.records)
	return fmt.Sprintf("produce, partitions: %d, records of %s, %s%s, acks=%s", p.partitions, size(p.record), batch, codec, acks)
}

func (p production) run(ctx context.Context, l load, b *broker) ([]measured, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	topic, err := newTopicOn(ctx, b, int32(p.partitions))
	if err != nil {
		return nil, err
	}
	before, err := b.usage()
	if err != nil {
		return nil, err
	}
	perRequest := p.together * p.records
	requests := max(1, l.bytes/p.part/(perRequest*p.record)/pumps)
	began := time.Now()
	took, err := p.pump(ctx, b.addr, topic, requests)
	if err != nil {
		return nil, err
	}
	period := time.Since(began)
	after, err := b.usage()
	if err != nil {
		return nil, err
	}
	n := float64(pumps * requests)
	records := n * float64(perRequest)
	bytes := records * float64(p.record)
	cpu := (after.CPU - before.CPU).Seconds()
	list := []measured{
		{figure{"records/s", higherIsBetter}, records / period.Seconds()},
		{throughput, bytes / (1 << 20) / period.Seconds()},
		{cpuPerGiB, cpu / (bytes / (1 << 30))},
		{cpuPerReq, cpu / (n / 1e6)},
	}
	return append(list, latencies(took)...), deleteTopicOn(ctx, b, topic)
}

// latencies are the figures of what each request took; none, none.
func latencies(took []time.Duration) []measured {
	if len(took) == 0 {
		return nil
	}
	slices.Sort(took)
	at := func(permille int) float64 { return ms(took[min(len(took)-1, len(took)*permille/1000)]) }
	return []measured{
		{figure{"p50 ms", lowerIsBetter}, at(500)},
		{p99, at(990)},
		{figure{"p99.9 ms", lowerIsBetter}, at(999)},
	}
}

// pump sends so many requests on each connection and returns what each took, until its answer was there.
func (p production) pump(ctx context.Context, addr, topic string, requests int) ([]time.Duration, error) {
	batch := encodeBatch(p.payload.values(p.records, p.record), p.lz4)
	took := make([][]time.Duration, pumps)
	errs := make([]error, pumps)
	var running sync.WaitGroup
	for c := range pumps {
		running.Go(func() {
			w, err := dial(ctx, addr)
			if err != nil {
				errs[c] = err
				return
			}
			defer w.Close()
			took[c], errs[c] = p.pumpOne(w, topic, batch, requests)
		})
	}
	running.Wait()
	return slices.Concat(took...), errors.Join(errs...)
}

func (p production) pumpOne(w *wire, topic string, batch []byte, requests int) (took []time.Duration, err error) {
	var reqs []*kmsg.ProduceRequest
	var encoded [][]byte
	for first := 0; first < p.partitions; first += p.together {
		req := produceRequest(topic, p.acks, batch, first, p.together)
		reqs, encoded = append(reqs, req), append(encoded, w.encode(req))
	}
	if p.acks == 0 {
		for i := range requests {
			if err := w.write(encoded[i%len(encoded)]); err != nil {
				return nil, err
			}
		}
		// Nothing answers, so one more request tells when all are done.
		last := produceRequest(topic, 1, batch, 0, 1)
		answer, err := w.send(w.encode(last))
		if err != nil {
			return nil, err
		}
		return nil, checkProduced(w, last, answer)
	}
	err = w.pump(pumpDepth, func(i int) []byte {
		if i == requests {
			return nil
		}
		return encoded[i%len(encoded)]
	}, func(i int, d time.Duration, answer []byte) error {
		took = append(took, d)
		return checkProduced(w, reqs[i%len(reqs)], answer)
	})
	return took, err
}

// produceRequest has the same batch for some partitions. Version 11 is the last but one before topics have ids.
func produceRequest(topic string, acks int16, batch []byte, first, partitions int) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 11, acks, 30_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	for i := range partitions {
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition, p.Records = int32(first+i), batch
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	return req
}

func checkProduced(w *wire, req *kmsg.ProduceRequest, answer []byte) error {
	resp := kmsg.NewPtrProduceResponse()
	if err := w.decode(req, resp, answer); err != nil {
		return err
	}
	n := 0
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("produce to partition %d: %w", p.Partition, err)
			}
			n++
		}
	}
	if want := len(req.Topics[0].Partitions); n != want {
		return fmt.Errorf("produce: %d partitions answered, want %d", n, want)
	}
	return nil
}

// newTopicOn is newTopic; the bare loop has no topics.
func newTopicOn(ctx context.Context, b *broker, partitions int32) (string, error) {
	if b.name == bareLoop {
		return "bench", nil
	}
	return newTopic(ctx, b.addr, partitions)
}

func deleteTopicOn(ctx context.Context, b *broker, topic string) error {
	if b.name == bareLoop {
		return nil
	}
	return deleteTopic(ctx, b.addr, topic)
}
