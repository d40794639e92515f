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
var filling = single.with(func(p *production) { p.batch = 128 << 10 })

// fetchBatches are in each answer.
const fetchBatches = 8

// passes is how often a topic is read in the page cache: once is over before its cost can be told.
const passes = 4

// hotRequests are produced each second while others read what is cold.
const hotRequests = 1000

func fetchRows() []row {
	const set, hot = "fetch", "fetch, page cache: "
	return []row{
		{set: set, fills: true, name: "fetch, catch-up from the page cache, answers of 1 MiB", run: catchUp, bare: true,
			aims: []aim{{hot + cpuPerGiB.name, cpuPerGiB}, {hot + throughput.name, throughput}}},
		{set: set, fills: true, name: "fetch, catch-up from the disk while 16 MiB/s are produced", run: coldCatchUp},
		{set: set, fills: true, name: "fetch, at the tail of a topic that is produced to as fast as it goes", run: tail},
	}
}

// fill writes the row's volume into a fresh topic and returns the number of whole answers in it.
func fill(ctx context.Context, l load, b *broker) (topic string, answers int, err error) {
	if topic, err = newTopicOn(ctx, b, 1); err != nil {
		return "", 0, err
	}
	requests := l.bytes / (filling.record * filling.records()) / pumps
	if _, err = filling.pump(ctx, b.addr, topic, requests); err != nil {
		err = errors.Join(err, deleteTopicOn(ctx, b, topic))
	}
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

// reader fetches a filled topic from its beginning, as often as it is told, over one connection and returns the bytes of records that came.
type reader struct {
	depth   int
	answers int // the topic's
	passes  int // over the topic
}

func (r reader) read(ctx context.Context, addr, topic string) (total int, took []time.Duration, err error) {
	w, err := dial(ctx, addr)
	if err != nil {
		return 0, nil, err
	}
	defer w.Close()
	want := fetchBatches * len(filling.encoded())
	req := fetchRequest(topic, 0, int32(want), 1, 0)
	encoded := w.encode(req)
	offsets, err := marks(req, encoded, w)
	if err != nil {
		return 0, nil, err
	}
	err = w.pump(r.depth, func(i int) []byte {
		if i == r.answers*r.passes {
			return nil
		}
		offsets.put(encoded, int64(i%r.answers*fetchBatches*filling.records()))
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

// catchUp has pumps readers read all of a topic that was just written.
func catchUp(ctx context.Context, l load, b *broker) (list []measured, err error) {
	topic, answers, err := fill(ctx, l, b)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, deleteTopicOn(ctx, b, topic)) }()
	totals, errs := make([]int, pumps), make([]error, pumps)
	c, err := b.costOf(func() error {
		var running sync.WaitGroup
		for i := range pumps {
			running.Go(func() { totals[i], _, errs[i] = reader{4, answers, passes}.read(ctx, b.addr, topic) })
		}
		running.Wait()
		return errors.Join(errs...)
	})
	if err != nil {
		return nil, err
	}
	bytes := 0.0
	for _, n := range totals {
		bytes += float64(n)
	}
	return []measured{
		{throughput, c.perSecond(bytes / (1 << 20))},
		{cpuPerGiB, c.perGiB(bytes)},
		{cpuPerReq, c.perMillion(float64(pumps * passes * answers))},
	}, nil
}

// coldCatchUp reads a topic of which nothing is cached, while another connection produces to another topic at a steady
// rate: a cold read must not stall the hot ones.
func coldCatchUp(ctx context.Context, l load, b *broker) (list []measured, err error) {
	topic, answers, err := fill(ctx, l, b)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, deleteTopic(ctx, b.addr, topic)) }()
	hot, err := newTopic(ctx, b.addr, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, deleteTopic(ctx, b.addr, hot)) }()
	if err := evict(b.dir); err != nil {
		return nil, err
	}
	var took []time.Duration
	var read float64
	c, err := b.costOf(func() error {
		producing, stop := context.WithCancel(ctx)
		defer stop()
		var running sync.WaitGroup
		var produceErr error
		running.Go(func() {
			took, produceErr = paced(producing, ctx, b.addr, hot, single, hotRequests)
		})
		began := time.Now()
		total, _, err := reader{1, answers, 1}.read(ctx, b.addr, topic)
		read = float64(total) / (1 << 20) / time.Since(began).Seconds()
		stop()
		running.Wait()
		return errors.Join(err, produceErr)
	})
	if err != nil {
		return nil, err
	}
	list = []measured{{throughput, read}, {figure{costPrefix + " s", lowerIsBetter}, c.cpu}}
	for _, m := range latencies(took) {
		m.name = "produce " + m.name
		list = append(list, m)
	}
	return list, nil
}

// paced sends requests at a rate until producing ends; what each took counts from when it was to be sent.
func paced(producing, ctx context.Context, addr, topic string, p production, perSecond int) (took []time.Duration, err error) {
	w, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	req := produceRequest(topic, p.acks, p.encoded(), 0, 1)
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
func tail(ctx context.Context, l load, b *broker) (list []measured, err error) {
	topic, err := newTopic(ctx, b.addr, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, deleteTopic(ctx, b.addr, topic)) }()
	requests := l.bytes / (single.records() * single.record) / pumps
	c, err := b.costOf(func() error {
		var producing sync.WaitGroup
		var produceErr error
		following, stop := context.WithCancel(ctx)
		defer stop()
		producing.Go(func() {
			if _, produceErr = single.pump(ctx, b.addr, topic, requests); produceErr != nil {
				stop()
			}
		})
		err := follow(following, b.addr, topic, pumps*requests*len(single.encoded()))
		producing.Wait()
		return errors.Join(err, produceErr)
	})
	if err != nil {
		return nil, err
	}
	bytes := float64(pumps * requests * single.records() * single.record)
	return []measured{{throughput, c.perSecond(bytes / (1 << 20))}, {cpuPerGiB, c.perGiB(bytes)}}, nil
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
