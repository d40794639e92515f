package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// translatesOffsets: a group that has read all on one side gets on the other what comes after, nothing less and nothing
// twice; and checkpoints say how far it was.
func translatesOffsets(ctx context.Context, m *mirror, d direction) error {
	const before, after = 300, 60
	topic := d.named(m, read)
	group := m.stem + "-readers-of-" + topic
	spread := func(from, to int) (records []*kgo.Record) {
		for n := from; n < to; n++ {
			records = append(records, &kgo.Record{Partition: int32(n % mirroredPartitions), Value: []byte(numbered(n))})
		}
		return records
	}
	if err := produce(ctx, d.from.addr, topic, spread(0, before)); err != nil {
		return err
	}
	if _, err := consume(ctx, d.from.addr, group, topic, before); err != nil {
		return err
	}
	ends, err := committed(ctx, d.from.addr, group, topic)
	if err != nil {
		return err
	}
	if err := hasCheckpoints(ctx, d, group, topic, ends); err != nil {
		return err
	}
	if err := await(ctx, func() error {
		there, err := readTopic(ctx, d.to.addr, d.policy(topic), mirroredPartitions, true)
		if err != nil {
			return err
		}
		downstream := make([]int64, mirroredPartitions)
		for p, records := range there {
			if len(records) > 0 {
				downstream[p] = records[len(records)-1].Offset + 1
			}
		}
		got, err := committed(ctx, d.to.addr, group, d.policy(topic))
		if err != nil || !slices.Equal(got, downstream) {
			return errors.Join(fmt.Errorf("group %s is at %v, not behind the last records, %v", group, got, downstream), err)
		}
		return nil
	}); err != nil {
		return err
	}

	if err := produce(ctx, d.from.addr, topic, spread(before, before+after)); err != nil {
		return err
	}
	got, err := consume(ctx, d.to.addr, group, d.policy(topic), after)
	if err != nil {
		return err
	}
	slices.Sort(got)
	return same("what the group goes on with", numbers(before + after)[before:], got)
}

// consume reads a topic in a group until it has as many records at least and there are no more, commits and leaves.
func consume(ctx context.Context, addr, group, topic string, records int) (got []string, err error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	for len(got) < records {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("group %s has %d of %d records: %w", group, len(got), records, err)
		}
		got = append(got, values(fetches.Records())...)
	}
	return got, cl.CommitUncommittedOffsets(ctx)
}

// committed are a group's offsets, by partition; -1: none.
func committed(ctx context.Context, addr, group, topic string) ([]int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic = topic
	for p := range int32(mirroredPartitions) {
		gt.Partitions = append(gt.Partitions, p)
	}
	g.Topics = append(g.Topics, gt)
	req.Groups = append(req.Groups, g)
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.MaxVersions(byName()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
		return nil, fmt.Errorf("group %s: %w", group, err)
	}
	next := make([]int64, mirroredPartitions)
	for _, p := range resp.Groups[0].Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return nil, fmt.Errorf("group %s: %w", group, err)
		}
		next[p.Partition] = p.Offset
	}
	return next, nil
}

// hasCheckpoints: on the other side it says how far the group has read on this one.
func hasCheckpoints(ctx context.Context, d direction, group, topic string, next []int64) error {
	r, err := newReader(d.to.addr, d.from.alias+".checkpoints.internal", 1, true)
	if err != nil {
		return err
	}
	defer r.close()
	return r.until(ctx, func() error {
		missing := make(map[string]bool)
		for p, upstream := range next {
			missing[fmt.Sprintf("%s, %s-%d at %d", group, d.policy(topic), p, upstream)] = true
		}
		for _, record := range r.all() {
			said, err := checkpoint(record)
			if err != nil {
				return err
			}
			delete(missing, said)
		}
		for said := range missing {
			return fmt.Errorf("%d checkpoints are missing, one of them %s", len(missing), said)
		}
		return nil
	})
}

// checkpoint reads one: group, topic and partition are the key, a version and the upstream offset begin the value.
func checkpoint(r *kgo.Record) (string, error) {
	group, rest, err := text(r.Key)
	topic, rest, err2 := text(rest)
	if err := errors.Join(err, err2); err != nil {
		return "", err
	}
	if len(rest) != 4 || len(r.Value) < 10 {
		return "", fmt.Errorf("a checkpoint of %d and %d bytes", len(r.Key), len(r.Value))
	}
	return fmt.Sprintf("%s, %s-%d at %d", group, topic, binary.BigEndian.Uint32(rest), binary.BigEndian.Uint64(r.Value[2:])), nil
}
