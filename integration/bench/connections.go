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

const (
	manyConnections = 1000
	// idleEvery is how often each of many connections asks for something.
	idleEvery = 4 * time.Second
	// pollMessages are sent to many that wait, pollEvery apart.
	pollMessages = 20
	pollEvery    = 100 * time.Millisecond
)

func connectionRows() []row {
	many := show(manyConnections)
	return []row{
		{set: "connections", name: fmt.Sprintf("%s connections, a request each every %v", many, idleEvery), run: mostlyIdle},
		{set: "connections", name: fmt.Sprintf("%s consumers wait for the same partition, a message every %v", many, pollEvery), run: longPolls},
	}
}

// dialMany opens connections; close ends them all.
func dialMany(ctx context.Context, addr string, n int) (list []*wire, closeAll func(), err error) {
	closeAll = func() {
		for _, w := range list {
			w.Close()
		}
	}
	for range n {
		w, err := dial(ctx, addr)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		list = append(list, w)
	}
	return list, closeAll, nil
}

// mostlyIdle measures what connections cost that hardly do anything: processor time, and memory while they are there.
func mostlyIdle(ctx context.Context, _ load, b *broker) ([]measured, error) {
	all, closeAll, err := dialMany(ctx, b.addr, manyConnections)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	req := kmsg.NewPtrMetadataRequest()
	req.Version, req.Topics = 9, []kmsg.MetadataRequestTopic{}
	round := func(over time.Duration) (took []time.Duration, err error) {
		began := time.Now()
		for i, w := range all {
			time.Sleep(time.Until(began.Add(over * time.Duration(i) / manyConnections)))
			start := time.Now()
			if err := w.ask(req, kmsg.NewPtrMetadataResponse()); err != nil {
				return nil, err
			}
			took = append(took, time.Since(start))
		}
		return took, nil
	}
	if _, err := round(0); err != nil {
		return nil, err
	}
	var took []time.Duration
	c, err := b.costOf(func() error {
		took, err = round(idleEvery)
		return err
	})
	if err != nil {
		return nil, err
	}
	after, err := b.usage()
	if err != nil {
		return nil, err
	}
	return append([]measured{{idleCores, c.cpu / idleEvery.Seconds()}, {anonymousMemory, float64(after.RSSAnon) / (1 << 20)}}, latencies(took)...), nil
}

// longPolls wakes many consumers with each message; its latency is that of the last of them.
func longPolls(ctx context.Context, _ load, b *broker) (list []measured, err error) {
	topic, err := newTopic(ctx, b.addr, 1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, deleteTopic(ctx, b.addr, topic)) }()
	all, closeAll, err := dialMany(ctx, b.addr, manyConnections)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	producer, err := dial(ctx, b.addr)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	m, req, err := newMessage(producer, topic)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(all))
	got := make([]sync.WaitGroup, pollMessages) // by message: who has not got it yet
	for i := range got {
		got[i].Add(len(all))
	}
	var took []time.Duration
	c, err := b.costOf(func() error {
		var polling sync.WaitGroup
		defer polling.Wait()
		for i, w := range all {
			polling.Go(func() { errs[i] = poll(w, topic, got) })
		}
		for i := range got {
			time.Sleep(pollEvery)
			start := time.Now()
			answer, err := producer.send(m.at(0))
			if err == nil {
				err = checkProduced(producer, req, answer)
			}
			if err != nil {
				closeAll() // wakes all
				return err
			}
			got[i].Wait()
			took = append(took, time.Since(start))
		}
		return nil
	})
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	for _, m := range latencies(took)[:1] {
		m.name += " until all have it"
		list = append(list, m)
	}
	return append(list, measured{figure{costPrefix + " s/million answers", lowerIsBetter}, c.perMillion(manyConnections * pollMessages)}), nil
}

// poll fetches at the end of a topic until all messages have come, and tells of each that it did. If it fails nobody is
// to wait for it.
func poll(w *wire, topic string, got []sync.WaitGroup) error {
	n := 0
	defer func() {
		for ; n < len(got); n++ {
			got[n].Done()
		}
	}()
	req := fetchRequest(topic, 0, 1<<20, 1, 30*time.Second)
	resp := kmsg.NewPtrFetchResponse()
	for n < len(got) {
		if err := w.ask(req, resp); err != nil {
			return err
		}
		p := resp.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return err
		}
		_, records := wholeBatches(p.RecordBatches)
		req.Topics[0].Partitions[0].FetchOffset += records
		for ; records > 0; records-- {
			got[n].Done()
			n++
		}
	}
	return nil
}
