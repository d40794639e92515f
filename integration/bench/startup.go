package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const startUpTopic = "bench-start-up"

var fullMetadata = figure{"ms to a full Metadata answer", lowerIsBetter}

func startUpRow(partitions int32) row {
	has, what := "empty", "start-up, empty"
	if partitions > 0 {
		has = fmt.Sprintf("%s partitions with a record each", show(float64(partitions)))
		what = fmt.Sprintf("start-up, %s partitions", show(float64(partitions)))
	}
	return row{set: "start-up", name: "start-up after an orderly stop, " + has, young: true, run: startUp(partitions),
		aims: []aim{{what + ": " + fullMetadata.name, fullMetadata}}}
}

// startUp restarts a broker that has so many partitions.
func startUp(partitions int32) func(context.Context, load, *broker) ([]measured, error) {
	return func(ctx context.Context, _ load, b *broker) (list []measured, err error) {
		if partitions > 0 {
			if err := createTopic(ctx, b.addr, startUpTopic, partitions); err != nil {
				return nil, err
			}
			defer func() { err = errors.Join(err, deleteTopic(ctx, b.addr, startUpTopic)) }()
			// A record in each, so that there is something to open.
			if err := produceToAll(ctx, b.addr, partitions); err != nil {
				return nil, err
			}
		}
		if err := b.stop(ctx); err != nil {
			return nil, err
		}
		asking, cancel := context.WithCancel(ctx)
		defer cancel()
		type answer struct {
			at  time.Time
			err error
		}
		answered := make(chan answer, 1)
		go func() {
			err := awaitMetadata(asking, b.addr, startUpTopic, partitions)
			answered <- answer{time.Now(), err}
		}()
		startErr := b.start(ctx)
		if startErr != nil {
			cancel()
		}
		full := <-answered
		if err := errors.Join(startErr, full.err); err != nil {
			return nil, err
		}
		list = []measured{
			{fullMetadata, ms(full.at.Sub(b.began))},
			{figure{"ms to the first answer", lowerIsBetter}, ms(b.ready)},
		}
		if partitions > 0 {
			if err := produceToAll(ctx, b.addr, partitions); err != nil {
				return nil, err
			}
			list = append(list, measured{figure{"ms until each has acknowledged another record", lowerIsBetter}, ms(time.Since(b.began))})
		}
		return list, nil
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// awaitMetadata returns when a broker that may not listen yet names itself and a leader for each partition of a topic.
func awaitMetadata(ctx context.Context, addr, topic string, partitions int32) error {
	const pause = 2 * time.Millisecond
	for {
		err := askMetadata(ctx, addr, topic, partitions)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// askMetadata asks, on one connection, until the answer is full.
func askMetadata(ctx context.Context, addr, topic string, partitions int32) error {
	w, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer w.Close()
	req := kmsg.NewPtrMetadataRequest() // of all topics
	req.Version = 9
	for {
		resp := kmsg.NewPtrMetadataResponse()
		if err := w.ask(req, resp); err != nil {
			return err
		}
		if len(resp.Brokers) > 0 && leaders(resp, topic) == int(partitions) {
			return nil
		}
	}
}

// leaders counts the partitions of a topic that have one.
func leaders(resp *kmsg.MetadataResponse, name string) (n int) {
	for _, topic := range resp.Topics {
		if topic.Topic == nil || *topic.Topic != name {
			continue
		}
		for _, p := range topic.Partitions {
			if p.ErrorCode == 0 && p.Leader >= 0 {
				n++
			}
		}
	}
	return n
}

// produceToAll has a record acknowledged by every partition of the start-up topic, as soon as Metadata names their
// leaders.
func produceToAll(ctx context.Context, addr string, partitions int32) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := awaitMetadata(ctx, addr, startUpTopic, partitions); err != nil {
		return err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(startUpTopic),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	var records []*kgo.Record
	for p := range partitions {
		records = append(records, &kgo.Record{Partition: p, Value: []byte("start-up")})
	}
	return cl.ProduceSync(ctx, records...).FirstErr()
}
