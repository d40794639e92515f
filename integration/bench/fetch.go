package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// filling is what the topics of fetch rows hold: batches of 128 KiB, all of one size, so that it is known beforehand at
// which offset every MiB or so begins, and many fetches can be under way.
var filling = production{partitions: 1, together: 1, record: 1 << 10, records: batchOf(128<<10, 1<<10), acks: -1, part: 1}

// fetchBatches are in each answer.
const fetchBatches = 8

func fetchRows() []row {
	return []row{
		{set: "fetch", name: "fetch, catch-up from the page cache, answers of 1 MiB", run: catchUp(pumps), bare: true},
		{set: "fetch", name: "fetch, catch-up from the disk while others produce 16 MiB/s", run: coldCatchUp},
		{set: "fetch", name: "fetch, at the tail of a topic that is produced to as fast as it goes", run: tail},
	}
}

// fill writes the row's volume into a fresh topic and returns the number of whole answers in it.
func fill(ctx context.Context, l load, b *broker) (topic string, answers int, err error) {
	if topic, err = newTopicOn(ctx, b, 1); err != nil {
		return "", 0, err
	}
	requests := l.bytes / (filling.record * filling.records) / pumps
	_, err = filling.pump(ctx, b.addr, topic, requests)
	return topic, pumps * requests / fetchBatches, err
}

// fetchRequest is one without a session, in the last version before topics have ids.
func fetchRequest(topic string, offset int64, maxBytes, minBytes int32, wait time.Duration) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxBytes, req.MinBytes, req.MaxWaitMillis = 12, maxBytes, minBytes, int32(wait.Milliseconds())
	req.SessionEpoch = -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.FetchOffset, p.PartitionMaxBytes = offset, maxBytes
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.Partitions = topic, append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// fetched is the one partition of an answer.
func fetched(w *wire, req *kmsg.FetchRequest, answer []byte) ([]byte, error) {
	resp := kmsg.NewPtrFetchResponse()
	if err := w.decode(req, resp, answer); err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.Topics) == 0 { // nothing has come since the last answer
		return nil, nil
	}
	p := resp.Topics[0].Partitions[0]
	return p.RecordBatches, kerr.ErrorForCode(p.ErrorCode)
}

// reader fetches a filled topic from its beginning over one connection and returns the bytes of records that came.
type reader struct {
	depth   int
	answers int
}

func (r reader) read(ctx context.Context, addr, topic string) (total int, took []time.Duration, err error) {
	w, err := dial(ctx, addr)
	if err != nil {
		return 0, nil, err
	}
	defer w.Close()
	want := fetchBatches * len(encodeBatch(filling.payload.values(filling.records, filling.record), false))
	req := fetchRequest(topic, 0, int32(want), 1, 0)
	encoded := w.encode(req)
	offsets, err := marks(req, encoded, w)
	if err != nil {
		return 0, nil, err
	}
	err = w.pump(r.depth, func(i int) []byte {
		if i == r.answers {
			return nil
		}
		offsets.put(encoded, int64(i*fetchBatches*filling.records))
		return encoded
	}, func(i int, d time.Duration, answer []byte) error {
		took = append(took, d)
		if i > 0 && len(answer) >= want {
			// Decoding would cost the client as much as all the rest.
			total += want
			return nil
		}
		records, err := fetched(w, req, answer)
		if err == nil && len(records) != want {
			err = fmt.Errorf("fetch %d: %d bytes of records, want %d", i, len(records), want)
		}
		total += len(records)
		return err
	})
	return total, took, err
}

// catchUp has so many readers read all of a topic that was just written.
func catchUp(readers int) func(context.Context, load, *broker) ([]measured, error) {
	return func(ctx context.Context, l load, b *broker) ([]measured, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
		defer cancel()
		topic, answers, err := fill(ctx, l, b)
		if err != nil {
			return nil, err
		}
		before, err := b.usage()
		if err != nil {
			return nil, err
		}
		began := time.Now()
		totals, errs := make([]int, readers), make([]error, readers)
		var running sync.WaitGroup
		for i := range readers {
			running.Go(func() { totals[i], _, errs[i] = reader{4, answers}.read(ctx, b.addr, topic) })
		}
		running.Wait()
		period := time.Since(began)
		after, err := b.usage()
		if err := errors.Join(append(errs, err)...); err != nil {
			return nil, err
		}
		bytes := 0.0
		for _, n := range totals {
			bytes += float64(n)
		}
		cpu := (after.CPU - before.CPU).Seconds()
		return []measured{
			{throughput, bytes / (1 << 20) / period.Seconds()},
			{cpuPerGiB, cpu / (bytes / (1 << 30))},
			{cpuPerReq, cpu / (float64(readers*answers) / 1e6)},
		}, deleteTopicOn(ctx, b, topic)
	}
}

// coldCatchUp reads a topic of which nothing is cached, while another connection produces to another topic at a steady
// rate: a cold read must not stall the hot ones.
func coldCatchUp(ctx context.Context, l load, b *broker) ([]measured, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	topic, answers, err := fill(ctx, l, b)
	if err != nil {
		return nil, err
	}
	hot, err := newTopic(ctx, b.addr, 1)
	if err != nil {
		return nil, err
	}
	if err := evict(b.dir); err != nil {
		return nil, err
	}
	before, err := b.usage()
	if err != nil {
		return nil, err
	}
	producing, stop := context.WithCancel(ctx)
	defer stop()
	var running sync.WaitGroup
	var took []time.Duration
	var produceErr error
	running.Go(func() {
		took, produceErr = paced(producing, ctx, b.addr, hot, production{partitions: 1, together: 1, record: 1 << 10, records: 16, acks: -1}, 1000)
	})
	began := time.Now()
	total, _, err := reader{1, answers}.read(ctx, b.addr, topic)
	period := time.Since(began)
	stop()
	running.Wait()
	after, usageErr := b.usage()
	if err := errors.Join(err, produceErr, usageErr); err != nil {
		return nil, err
	}
	list := []measured{
		{throughput, float64(total) / (1 << 20) / period.Seconds()},
		{figure{"broker CPU s", lowerIsBetter}, (after.CPU - before.CPU).Seconds()},
	}
	for _, m := range latencies(took) {
		m.name = "produce " + m.name
		list = append(list, m)
	}
	return list, errors.Join(deleteTopic(ctx, b.addr, topic), deleteTopic(ctx, b.addr, hot))
}

// paced sends requests at a rate until producing ends; what each took counts from when it was to be sent.
func paced(producing, ctx context.Context, addr, topic string, p production, perSecond int) (took []time.Duration, err error) {
	w, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	req := produceRequest(topic, p.acks, encodeBatch(p.payload.values(p.records, p.record), p.lz4), 0, 1)
	encoded := w.encode(req)
	began := time.Now()
	due := func(i int) time.Time { return began.Add(time.Duration(i) * time.Second / time.Duration(perSecond)) }
	err = w.pump(perSecond, func(i int) []byte {
		select {
		case <-producing.Done():
			return nil
		case <-time.After(time.Until(due(i))):
			return encoded
		}
	}, func(i int, _ time.Duration, answer []byte) error {
		took = append(took, time.Since(due(i)))
		return checkProduced(w, req, answer)
	})
	return took, err
}

// tail reads at the end of a topic while the pump fills it: what is measured ends when the reader has everything.
func tail(ctx context.Context, l load, b *broker) ([]measured, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	topic, err := newTopic(ctx, b.addr, 1)
	if err != nil {
		return nil, err
	}
	p := production{partitions: 1, together: 1, record: 1 << 10, records: batchOf(16<<10, 1<<10), acks: -1, part: 1}
	requests := l.bytes / (p.records * p.record) / pumps
	want := pumps * requests * len(encodeBatch(p.payload.values(p.records, p.record), false))
	before, err := b.usage()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	var producing sync.WaitGroup
	var produceErr error
	producing.Go(func() { _, produceErr = p.pump(ctx, b.addr, topic, requests) })
	err = follow(ctx, b.addr, topic, want)
	period := time.Since(began)
	producing.Wait()
	after, usageErr := b.usage()
	if err := errors.Join(err, produceErr, usageErr); err != nil {
		return nil, err
	}
	bytes := float64(pumps * requests * p.records * p.record)
	return []measured{
		{throughput, bytes / (1 << 20) / period.Seconds()},
		{cpuPerGiB, (after.CPU - before.CPU).Seconds() / (bytes / (1 << 30))},
	}, deleteTopic(ctx, b.addr, topic)
}

// follow fetches a topic's one partition until so many bytes of batches have come.
func follow(ctx context.Context, addr, topic string, want int) error {
	w, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer w.Close()
	req := fetchRequest(topic, 0, 1<<20, 1, 500*time.Millisecond)
	resp := kmsg.NewPtrFetchResponse()
	for got := 0; got < want; {
		if err := w.ask(req, resp); err != nil {
			return err
		}
		p := resp.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return err
		}
		bytes, records := wholeBatches(p.RecordBatches)
		got += bytes
		req.Topics[0].Partitions[0].FetchOffset += records
	}
	return nil
}
