package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	batch      int // bytes of a batch, or a little less; of one record at least
	acks       int16
	payload    payload
	lz4        bool
	part       int // of the row's volume, one in so many: small records take longer
	// keep: all runs of a row on one broker are to the same topic. Where it has many partitions Apache Kafka needs long for
	// the first record of each, and that much of it is to be met once, in the warm-up.
	keep bool
}

// single is a production of the default batches of a producer, to one partition.
var single = production{partitions: 1, together: 1, record: recordBytes, batch: 16 << 10, acks: -1, part: 1}

// with returns a variant of p.
func (p production) with(change func(*production)) production {
	change(&p)
	return p
}

// records are in a batch.
func (p production) records() int { return max(1, (p.batch-batchHead)/(p.record+10)) }

// encoded is the batch that is sent all the time.
func (p production) encoded() []byte {
	return encodeBatch(p.payload.values(p.records(), p.record), p.lz4)
}

var recordRate = figure{"records/s", higherIsBetter}

func produceRows() []row {
	large := single.with(func(p *production) { p.batch = 128 << 10 })
	to := func(partitions, together int) production {
		return single.with(func(p *production) { p.partitions, p.together = partitions, together })
	}
	besideBare := func(r row) row {
		r.bare = true
		return r
	}
	return []row{
		besideBare(single.row(cpuPerGiB)),
		to(12, 12).row(),
		to(1000, 50).with(func(p *production) { p.keep = true }).row(),
		to(12, 12).with(func(p *production) { p.record, p.part = 100, 4 }).row(recordRate),
		single.with(func(p *production) { p.record = 16 << 10 }).row(),
		besideBare(large.row(cpuPerGiB, throughput)),
		large.with(func(p *production) { p.payload, p.lz4 = prose, true }).row(cpuPerGiB),
		single.with(func(p *production) { p.acks = 1 }).row(),
		single.with(func(p *production) { p.acks = 0 }).row(),
	}
}

// row is p as a row, of which some figures are aims.
func (p production) row(aims ...figure) row {
	r := row{set: "produce", name: "produce, " + p.name(), run: p.run, fills: true}
	for _, f := range aims {
		r.aims = append(r.aims, aim{r.name + ": " + f.name, f})
	}
	return r
}

func (p production) name() string {
	parts := []string{count(p.partitions, "partition"), size(p.record) + " records", size(p.batch) + " batches"}
	if p.records() == 1 {
		parts[2] = "one a batch"
	}
	if p.lz4 {
		parts = append(parts, "lz4")
	}
	return strings.Join(append(parts, "acks="+map[int16]string{-1: "all", 0: "0", 1: "1"}[p.acks]), ", ")
}

func (p production) run(ctx context.Context, l load, b *broker) (list []measured, err error) {
	topic := b.kept
	if topic == "" {
		if topic, err = newTopicOn(ctx, b, int32(p.partitions)); err != nil {
			return nil, err
		}
	}
	if p.keep {
		b.kept = topic
	} else {
		defer func() { err = errors.Join(err, deleteTopicOn(ctx, b, topic)) }()
	}
	// The first record of a partition costs more than any other: indexes get their first page.
	if _, err := p.pump(ctx, b.addr, topic, p.partitions/p.together); err != nil {
		return nil, err
	}
	perRequest := p.together * p.records()
	requests := max(1, l.bytes/p.part/(perRequest*p.record)/pumps)
	var took []time.Duration
	c, err := b.costOf(func() error {
		took, err = p.pump(ctx, b.addr, topic, requests)
		return err
	})
	if err != nil {
		return nil, err
	}
	n := float64(pumps * requests)
	records := n * float64(perRequest)
	bytes := records * float64(p.record)
	return append([]measured{
		{throughput, c.perSecond(bytes / (1 << 20))},
		{recordRate, c.perSecond(records)},
		{cpuPerGiB, c.perGiB(bytes)},
		{cpuPerReq, c.perMillion(n)},
	}, latencies(took)...), nil
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
	batch := p.encoded()
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
