package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const pollPause = 50 * time.Millisecond

// client is one that a broker's restart does not bother.
func client(addr string, opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(addr),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
		kgo.MetadataMinAge(100 * time.Millisecond),
		kgo.UnknownTopicRetries(-1),
	}, opts...)...)
}

// create creates topics, and again those that are being deleted.
func (s *scene) create(ctx context.Context, partitions int32, topics ...string) error {
	cl, err := client(s.address())
	if err != nil {
		return err
	}
	defer cl.Close()
	for _, topic := range topics {
		req := kmsg.NewPtrCreateTopicsRequest()
		req.TimeoutMillis = 30_000
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = topic, partitions, 1
		req.Topics = append(req.Topics, t)
		if err := eventually(ctx, func() error {
			resp, err := req.RequestWith(ctx, cl)
			if err != nil {
				return err
			}
			return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
		}); err != nil {
			return fmt.Errorf("creating %s: %w", topic, err)
		}
		// The controller has answered; a broker may hear of it later.
		if err := eventually(ctx, func() error { _, err := bounds(ctx, cl, topic, earliest); return err }); err != nil {
			return err
		}
	}
	return nil
}

// delete deletes topics, those that there are.
func (s *scene) delete(ctx context.Context, topics ...string) error {
	cl, err := client(s.address())
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = 30_000
	for _, topic := range topics {
		t := kmsg.NewDeleteTopicsRequestTopic()
		t.Topic = kmsg.StringPtr(topic)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("deleting %s: %w", *t.Topic, err)
		}
	}
	return nil
}

// topics are the names of all that there are.
func (s *scene) topics(ctx context.Context) (names []string, err error) {
	cl, err := client(s.address())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = nil
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		names = append(names, *t.Topic)
	}
	return names, nil
}

// write writes records, partitioned by key as Java's producer does it, and waits for them.
func (s *scene) write(ctx context.Context, records ...*kgo.Record) error {
	cl, err := client(s.address())
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.ProduceSync(ctx, records...).FirstErr()
}

// level is which end of a partition is meant, as in ListOffsets.
type level int8

const (
	earliest    level = -1
	committed   level = 1
	uncommitted level = 0
)

// bounds are the offsets at which each partition begins or ends.
func bounds(ctx context.Context, cl *kgo.Client, topic string, l level) (map[int32]int64, error) {
	meta := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	meta.Topics = append(meta.Topics, t)
	described, err := meta.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(described.Topics[0].ErrorCode); err != nil {
		return nil, fmt.Errorf("%s: %w", topic, err)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	timestamp := int64(-1)
	if l == earliest {
		timestamp = -2
	} else {
		req.IsolationLevel = int8(l)
	}
	lt := kmsg.NewListOffsetsRequestTopic()
	lt.Topic = topic
	for _, p := range described.Topics[0].Partitions {
		lp := kmsg.NewListOffsetsRequestTopicPartition()
		lp.Partition, lp.Timestamp = p.Partition, timestamp
		lt.Partitions = append(lt.Partitions, lp)
	}
	req.Topics = append(req.Topics, lt)
	offsets := make(map[int32]int64)
	for _, shard := range cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, fmt.Errorf("%s-%d: %w", topic, p.Partition, err)
				}
				offsets[p.Partition] = p.Offset
			}
		}
	}
	return offsets, nil
}

func (s *scene) bounds(ctx context.Context, topic string, l level) (map[int32]int64, error) {
	cl, err := client(s.address())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return bounds(ctx, cl, topic, l)
}

// read reads a topic to its end, partition by partition. Committed leaves out what was aborted, and ends at the last
// stable offset.
func (s *scene) read(ctx context.Context, topic string, l level) ([]*kgo.Record, error) {
	cl, err := client(s.address())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	starts, err := bounds(ctx, cl, topic, earliest)
	if err != nil {
		return nil, err
	}
	ends, err := bounds(ctx, cl, topic, l)
	if err != nil {
		return nil, err
	}
	at := make(map[int32]kgo.Offset)
	for p, end := range ends {
		if starts[p] < end {
			at[p] = kgo.NewOffset().At(starts[p])
		}
	}
	if len(at) == 0 {
		return nil, nil
	}
	isolation := kgo.ReadUncommitted()
	if l == committed {
		isolation = kgo.ReadCommitted()
	}
	// Control records say how far was read where no record of a transaction is left.
	reader, err := client(s.address(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: at}),
		kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	var records []*kgo.Record
	for left := len(at); left > 0; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("reading %s: %w", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset < ends[r.Partition] && !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if r.Offset == ends[r.Partition]-1 {
				left--
			}
		})
	}
	slices.SortStableFunc(records, func(a, b *kgo.Record) int {
		if a.Partition != b.Partition {
			return int(a.Partition - b.Partition)
		}
		return int(a.Offset - b.Offset)
	})
	return records, nil
}

// offsets are what a group has committed for a topic, none of it in an open transaction.
func (s *scene) offsets(ctx context.Context, group, topic string) (map[int32]int64, error) {
	cl, err := client(s.address())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	req.Groups = append(req.Groups, g)
	offsets := make(map[int32]int64)
	return offsets, eventually(ctx, func() error {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
			return err
		}
		for _, t := range resp.Groups[0].Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return err
				}
				if t.Topic == topic {
					offsets[p.Partition] = p.Offset
				}
			}
		}
		return nil
	})
}

// config is what a topic's configuration says of a key.
func (s *scene) config(ctx context.Context, topic, key string) (string, error) {
	cl, err := client(s.address())
	if err != nil {
		return "", err
	}
	defer cl.Close()
	req := kmsg.NewPtrDescribeConfigsRequest()
	r := kmsg.NewDescribeConfigsRequestResource()
	r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{key}
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return "", err
	}
	if err := kerr.ErrorForCode(resp.Resources[0].ErrorCode); err != nil {
		return "", err
	}
	for _, c := range resp.Resources[0].Configs {
		if c.Name == key && c.Value != nil {
			return *c.Value, nil
		}
	}
	return "", fmt.Errorf("%s has no %s", topic, key)
}

// eventually asks until there is no error, or ctx ends; then it returns the last one.
func eventually(ctx context.Context, ask func() error) error {
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(pollPause):
		}
	}
}
