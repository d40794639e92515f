package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const startUpTopic = "bench-start-up"

func startUpRows() (list []row) {
	for _, n := range []int32{1, 1000} {
		list = append(list, row{set: "start-up", name: fmt.Sprintf("start-up after an orderly stop, partitions: %d", n), young: true, run: startUp(n)})
	}
	return list
}

// startUp restarts a broker that has so many partitions.
func startUp(partitions int32) func(context.Context, load, *broker) ([]measured, error) {
	return func(ctx context.Context, _ load, b *broker) ([]measured, error) {
		if err := createTopic(ctx, b.addr, startUpTopic, partitions); err != nil {
			return nil, err
		}
		// A record in each, so that there is something to open.
		if err := produceToAll(ctx, b.addr, partitions); err != nil {
			return nil, err
		}
		if err := b.restart(ctx); err != nil {
			return nil, err
		}
		if err := produceToAll(ctx, b.addr, partitions); err != nil {
			return nil, err
		}
		all := time.Since(b.began)
		return []measured{
			{figure{"ms to the first answer", lowerIsBetter}, ms(b.ready)},
			{figure{"ms to all leaders in Metadata and a record acknowledged by each", lowerIsBetter}, ms(all)},
		}, deleteTopic(ctx, b.addr, startUpTopic)
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// produceToAll waits until Metadata names a leader for every partition of the
// start-up topic and has a record acknowledged by each.
func produceToAll(ctx context.Context, addr string, partitions int32) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(startUpTopic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for {
		n, err := leaders(ctx, cl)
		if err != nil {
			return err
		}
		if n == int(partitions) {
			break
		}
	}
	var records []*kgo.Record
	for p := range partitions {
		records = append(records, &kgo.Record{Partition: p, Value: []byte("start-up")})
	}
	return cl.ProduceSync(ctx, records...).FirstErr()
}

// leaders counts the partitions of the start-up topic that have one.
func leaders(ctx context.Context, cl *kgo.Client) (n int, err error) {
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, cl) // all topics
	if err != nil {
		return 0, err
	}
	for _, topic := range resp.Topics {
		if topic.Topic == nil || *topic.Topic != startUpTopic {
			continue
		}
		for _, p := range topic.Partitions {
			if p.ErrorCode == 0 && p.Leader >= 0 {
				n++
			}
		}
	}
	return n, nil
}
