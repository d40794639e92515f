package main

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	startUpTopic      = "bench-start-up"
	startUpPartitions = 100
)

func startUpRows() []row {
	return []row{{set: "start-up", name: "start-up with 100 partitions", young: true, run: startUp}}
}

// startUp restarts a broker on 100 partitions, after an orderly stop.
func startUp(ctx context.Context, _ load, b *broker) ([]measured, error) {
	if err := createTopic(ctx, b.addr, startUpTopic, startUpPartitions); err != nil {
		return nil, err
	}
	// A record in each, so that there is something to open.
	if err := produceToAll(ctx, b.addr); err != nil {
		return nil, err
	}
	if err := b.restart(ctx); err != nil {
		return nil, err
	}
	if err := produceToAll(ctx, b.addr); err != nil {
		return nil, err
	}
	all := time.Since(b.began)
	return []measured{
		{figure{"ms to the first answer", lowerIsBetter}, ms(b.ready)},
		{figure{"ms to all leaders in Metadata and a record acknowledged by each", lowerIsBetter}, ms(all)},
	}, deleteTopic(ctx, b.addr, startUpTopic)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// produceToAll waits until Metadata names a leader for every partition of the
// start-up topic and has a record acknowledged by each.
func produceToAll(ctx context.Context, addr string) error {
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
		if n == startUpPartitions {
			break
		}
	}
	var records []*kgo.Record
	for p := range int32(startUpPartitions) {
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
