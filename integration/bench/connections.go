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
	idleEvery = 5 * time.Second
	// pollMessages are sent to many that wait, pollEvery apart.
	pollMessages = 30
	pollEvery    = 100 * time.Millisecond
)

func connectionRows() []row {
	return []row{
		{set: "connections", name: fmt.Sprintf("%d connections, a request each every %v", manyConnections, idleEvery), run: mostlyIdle},
		{set: "connections", name: fmt.Sprintf("%d consumers wait for the same partition, a message every %v", manyConnections, pollEvery), run: longPolls},
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

// mostlyIdle measures what connections cost that hardly do anything: memory that came with them, and processor time.
func mostlyIdle(ctx context.Context, _ load, b *broker) ([]measured, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	empty, err := b.usage()
	if err != nil {
		return nil, err
	}
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
	before, err := b.usage()
	if err != nil {
		return nil, err
	}
	took, err := round(idleEvery)
	if err != nil {
		return nil, err
	}
	after, err := b.usage()
	if err != nil {
		return nil, err
	}
	return append([]measured{
		{figure{"RssAnon, KiB a connection", lowerIsBetter}, float64(int64(after.RSSAnon)-int64(empty.RSSAnon)) / 1024 / manyConnections},
		{figure{"broker CPU cores", lowerIsBetter}, (after.CPU - before.CPU).Seconds() / idleEvery.Seconds()},
	}, latencies(took)...), nil
}

// longPolls wakes many consumers with each message; its latency is that of the last of them.
func longPolls(ctx context.Context, _ load, b *broker) ([]measured, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	topic, err := newTopic(ctx, b.addr, 1)
	if err != nil {
		return nil, err
	}
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
	before, err := b.usage()
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(all))
	got := make([]sync.WaitGroup, pollMessages) // by message: who has not got it yet
	for i := range got {
		got[i].Add(len(all))
	}
	var polling sync.WaitGroup
	for i, w := range all {
		polling.Go(func() {
			n := 0
			defer func() { // whoever failed is not waited for
				for ; n < pollMessages; n++ {
					got[n].Done()
				}
			}()
			req := fetchRequest(topic, 0, 1<<20, 1, 30*time.Second)
			resp := kmsg.NewPtrFetchResponse()
			for n < pollMessages {
				if errs[i] = w.ask(req, resp); errs[i] != nil {
					return
				}
				p := resp.Topics[0].Partitions[0]
				if errs[i] = kerr.ErrorForCode(p.ErrorCode); errs[i] != nil {
					return
				}
				_, records := wholeBatches(p.RecordBatches)
				req.Topics[0].Partitions[0].FetchOffset += records
				for ; records > 0; records-- {
					got[n].Done()
					n++
				}
			}
		})
	}
	var took []time.Duration
	for i := range got {
		time.Sleep(pollEvery)
		start := time.Now()
		answer, err := producer.send(m.at(0))
		if err == nil {
			err = checkProduced(producer, req, answer)
		}
		if err != nil {
			return nil, err
		}
		got[i].Wait()
		took = append(took, time.Since(start))
	}
	polling.Wait()
	after, err := b.usage()
	if err := errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	list := []measured{{figure{"broker CPU s/million answers", lowerIsBetter}, (after.CPU - before.CPU).Seconds() / (manyConnections * pollMessages / 1e6)}}
	for _, m := range latencies(took)[:1] {
		m.name += " until all have it"
		list = append(list, m)
	}
	return list, deleteTopic(ctx, b.addr, topic)
}
