package main

import (
	"context"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// newTopic creates a topic of a name of its own.
func newTopic(ctx context.Context, addr string, partitions int32) (string, error) {
	name := "bench-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if err := createTopic(ctx, addr, name, partitions); err != nil {
		return "", err
	}
	return name, served(ctx, addr, name, partitions)
}

// served waits until every partition has a leader that serves it: Kafka acknowledges the creation of a topic, and even
// tells of its leaders, before.
func served(ctx context.Context, addr, topic string, partitions int32) error {
	w, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer w.Close()
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = 6, -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = i, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	for ready := int32(0); ready < partitions; {
		if err := ctx.Err(); err != nil {
			return err
		}
		resp := kmsg.NewPtrListOffsetsResponse()
		if err := w.ask(req, resp); err != nil {
			return err
		}
		ready = 0
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode == 0 {
					ready++
				}
			}
		}
	}
	return nil
}

func createTopic(ctx context.Context, addr, name string, partitions int32) error {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, topic)
	return request(ctx, addr, func(ctx context.Context, cl *kgo.Client) (int16, error) {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return 0, err
		}
		return resp.Topics[0].ErrorCode, nil
	})
}

func deleteTopic(ctx context.Context, addr, name string) error {
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics, req.TopicNames = append(req.Topics, topic), []string{name}
	return request(ctx, addr, func(ctx context.Context, cl *kgo.Client) (int16, error) {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return 0, err
		}
		return resp.Topics[0].ErrorCode, nil
	})
}

func request(ctx context.Context, addr string, do func(context.Context, *kgo.Client) (int16, error)) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	code, err := do(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(code)
}

// newTopicOn is newTopic; the bare loop has one topic at a time, without a name.
func newTopicOn(ctx context.Context, b *broker, partitions int32) (string, error) {
	if b.name != bareLoop {
		return newTopic(ctx, b.addr, partitions)
	}
	w, err := dial(ctx, b.addr)
	if err != nil {
		return "", err
	}
	defer w.Close()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 7
	return "bench", w.ask(req, kmsg.NewPtrCreateTopicsResponse())
}

func deleteTopicOn(ctx context.Context, b *broker, topic string) error {
	if b.name == bareLoop {
		return nil // the next one takes its place
	}
	return deleteTopic(ctx, b.addr, topic)
}
