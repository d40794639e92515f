package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// kind is one sort of what a client can ask a broker.
type kind string

const (
	topics    kind = "topics"
	configs   kind = "configs of topics"
	offsets   kind = "offsets"
	records   kind = "records"
	times     kind = "offsets by time"
	epochs    kind = "leader epochs"
	producers kind = "producers"
	committed kind = "committed offsets"
	visible   kind = "records for readers of committed data"
	txns      kind = "transactional ids"
)

func kinds() []kind {
	return []kind{topics, configs, offsets, records, times, epochs, producers, committed, visible, txns}
}

// answers are lines of text, in an order that does not depend on the broker.
type answers map[kind][]string

func (a answers) add(k kind, format string, args ...any) {
	a[k] = append(a[k], fmt.Sprintf(format, args...))
}

// partition is one of a topic that users see.
type partition struct {
	topic  string
	number int32
	start  int64
	end    int64
	stable int64
}

func newClient(addr string, opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(addr),
		kgo.MaxVersions(kversion.V3_8_0()), // topics by name in every request
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
	}, opts...)...)
}

// ask asks a broker everything.
func ask(ctx context.Context, addr string) (answers, error) {
	cl, err := newClient(addr)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	a := make(answers)
	list, err := a.askTopics(ctx, cl)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if err := list[i].askOffsets(ctx, cl); err != nil {
			return nil, err
		}
		p := list[i]
		a.add(offsets, "%s-%d: %d to %d, stable %d", p.topic, p.number, p.start, p.end, p.stable)
	}
	for _, p := range list {
		read, err := readAll(ctx, addr, p)
		if err != nil {
			return nil, err
		}
		for _, r := range read {
			a.add(records, "%s", line(r))
		}
		if err := a.askByRecords(ctx, cl, p, read); err != nil {
			return nil, err
		}
		if read, err = readAll(ctx, addr, p, kgo.FetchIsolationLevel(kgo.ReadCommitted())); err != nil {
			return nil, err
		}
		for _, r := range read {
			a.add(visible, "%s-%d@%d", r.Topic, r.Partition, r.Offset)
		}
	}
	if err := a.askProducers(ctx, cl, list); err != nil {
		return nil, err
	}
	if err := a.askTransactionalIDs(ctx, cl); err != nil {
		return nil, err
	}
	return a, a.askGroups(ctx, cl)
}

func (a answers) askTopics(ctx context.Context, cl *kgo.Client) (list []partition, err error) {
	resp, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(resp.Topics, func(a, b kmsg.MetadataResponseTopic) int { return strings.Compare(*a.Topic, *b.Topic) })
	describe := kmsg.NewPtrDescribeConfigsRequest()
	for _, t := range resp.Topics {
		if strings.HasPrefix(*t.Topic, "__") || *t.Topic == openTopic {
			continue
		}
		a.add(topics, "%s: id %x, %d partitions", *t.Topic, t.TopicID, len(t.Partitions))
		for n := range int32(len(t.Partitions)) {
			list = append(list, partition{topic: *t.Topic, number: n})
		}
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, *t.Topic
		describe.Resources = append(describe.Resources, r)
	}
	described, err := describe.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	for _, r := range described.Resources {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return nil, fmt.Errorf("configs of %s: %w", r.ResourceName, err)
		}
		for _, c := range r.Configs {
			if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
				a.add(configs, "%s: %s=%s", r.ResourceName, c.Name, *c.Value)
			}
		}
	}
	slices.Sort(a[configs])
	return list, nil
}

func (p *partition) askOffsets(ctx context.Context, cl *kgo.Client) error {
	for _, q := range []struct {
		timestamp int64
		isolation int8
		answer    *int64
	}{{-2, 0, &p.start}, {-1, 0, &p.end}, {-1, 1, &p.stable}} {
		got, err := p.listOffsets(ctx, cl, q.timestamp, q.isolation)
		if err != nil {
			return err
		}
		*q.answer = got.Offset
	}
	return nil
}

func (p *partition) listOffsets(ctx context.Context, cl *kgo.Client, timestamp int64, isolation int8) (kmsg.ListOffsetsResponseTopicPartition, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	req.IsolationLevel = isolation
	rt, rp := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	rt.Topic, rp.Partition, rp.Timestamp = p.topic, p.number, timestamp
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return kmsg.ListOffsetsResponseTopicPartition{}, err
	}
	got := resp.Topics[0].Partitions[0]
	return got, kerr.ErrorForCode(got.ErrorCode)
}

// readAll reads a partition from start to end, control records too.
func readAll(ctx context.Context, addr string, p partition, opts ...kgo.Opt) (read []*kgo.Record, err error) {
	if p.start >= p.end {
		return nil, nil
	}
	cl, err := newClient(addr, append(opts, kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{p.topic: {p.number: kgo.NewOffset().At(p.start)}}))...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		fetches := cl.PollFetches(limited)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%s-%d after %d records: %w", p.topic, p.number, len(read), err)
		}
		read = append(read, fetches.Records()...)
		// Compaction too leaves the last record of a log.
		if n := len(read); n > 0 && read[n-1].Offset >= p.end-1 {
			return read, nil
		}
	}
}

func line(r *kgo.Record) string {
	var headers strings.Builder
	for _, h := range r.Headers {
		fmt.Fprintf(&headers, " %s=%q", h.Key, h.Value)
	}
	return fmt.Sprintf("%s-%d@%d: epoch %d, time %d, codec %d, control %v, transactional %v, producer %d/%d, key %s, value %s,%s",
		r.Topic, r.Partition, r.Offset, r.LeaderEpoch, r.Timestamp.UnixMilli(), r.Attrs.CompressionType(), r.Attrs.IsControl(), r.Attrs.IsTransactional(),
		r.ProducerID, r.ProducerEpoch, orNull(r.Key), orNull(r.Value), &headers)
}

func orNull(p []byte) string {
	if p == nil {
		return "null"
	}
	return fmt.Sprintf("%q", p)
}

// askByRecords asks for the times and the epochs that occur in what was read, and for those next to them.
func (a answers) askByRecords(ctx context.Context, cl *kgo.Client, p partition, read []*kgo.Record) error {
	const ofLargest = -3
	ask := []int64{ofLargest, 0}
	last := int32(-1)
	for i, r := range read {
		if i%29 == 0 {
			ask = append(ask, r.Timestamp.UnixMilli()-1, r.Timestamp.UnixMilli(), r.Timestamp.UnixMilli()+1)
		}
		last = max(last, r.LeaderEpoch)
	}
	for _, at := range ask {
		got, err := p.listOffsets(ctx, cl, at, 0)
		if err != nil {
			return err
		}
		a.add(times, "%s-%d at %d: offset %d, time %d", p.topic, p.number, at, got.Offset, got.Timestamp)
	}
	for epoch := range last + 1 {
		req := kmsg.NewPtrOffsetForLeaderEpochRequest()
		rt, rp := kmsg.NewOffsetForLeaderEpochRequestTopic(), kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		rt.Topic, rp.Partition, rp.LeaderEpoch, rp.CurrentLeaderEpoch = p.topic, p.number, epoch, -1
		rt.Partitions = append(rt.Partitions, rp)
		req.Topics = append(req.Topics, rt)
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		got := resp.Topics[0].Partitions[0]
		a.add(epochs, "%s-%d, epoch %d: error %d, epoch %d ends at %d", p.topic, p.number, epoch, got.ErrorCode, got.LeaderEpoch, got.EndOffset)
	}
	return nil
}

func (a answers) askProducers(ctx context.Context, cl *kgo.Client, list []partition) error {
	for _, p := range list {
		req := kmsg.NewPtrDescribeProducersRequest()
		rt := kmsg.NewDescribeProducersRequestTopic()
		rt.Topic, rt.Partitions = p.topic, []int32{p.number}
		req.Topics = append(req.Topics, rt)
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		got := resp.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
			return err
		}
		for _, s := range got.ActiveProducers {
			a.add(producers, "%s-%d: producer %d/%d, sequence %d at %d, coordinator %d, transaction %d",
				p.topic, p.number, s.ProducerID, s.ProducerEpoch, s.LastSequence, s.LastTimestamp, s.CoordinatorEpoch, s.CurrentTxnStartOffset)
		}
	}
	slices.Sort(a[producers])
	return nil
}

func (a answers) askGroups(ctx context.Context, cl *kgo.Client) error {
	for _, group := range groups() {
		req := kmsg.NewPtrOffsetFetchRequest()
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = group
		req.Groups = append(req.Groups, g)
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		if len(resp.Groups) != 1 {
			return errors.New("an answer without the group")
		}
		if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
			return fmt.Errorf("group %s: %w", group, err)
		}
		for _, t := range resp.Groups[0].Topics {
			for _, p := range t.Partitions {
				meta := ""
				if p.Metadata != nil {
					meta = *p.Metadata
				}
				a.add(committed, "%s: %s-%d at %d, epoch %d, %q", group, t.Topic, p.Partition, p.Offset, p.LeaderEpoch, meta)
			}
		}
	}
	slices.Sort(a[committed])
	return nil
}

// askTransactionalIDs asks for all but the one whose transaction is open.
func (a answers) askTransactionalIDs(ctx context.Context, cl *kgo.Client) error {
	list, err := kmsg.NewPtrListTransactionsRequest().RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, t := range list.TransactionStates {
		if t.TransactionalID == openTopic {
			continue
		}
		is, err := describeTransaction(ctx, cl, t.TransactionalID)
		if err != nil {
			return err
		}
		a.add(txns, "%s: %s, producer %d/%d, timeout %d, begun %d", t.TransactionalID, is.State, is.ProducerID, is.ProducerEpoch, is.TimeoutMillis, is.StartTimestamp)
	}
	slices.Sort(a[txns])
	return nil
}

func describeTransaction(ctx context.Context, cl *kgo.Client, id string) (is kmsg.DescribeTransactionsResponseTransactionState, err error) {
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{id}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return is, err
	}
	is = resp.TransactionStates[0]
	return is, kerr.ErrorForCode(is.ErrorCode)
}

// openIsAborted: what was open when Apache Kafka ended is hidden, and over.
func openIsAborted(ctx context.Context, addr string) error {
	cl, err := newClient(addr)
	if err != nil {
		return err
	}
	defer cl.Close()
	p := partition{topic: openTopic}
	for p.stable = -1; p.stable != p.end || p.end == 0; { // markers are written right after the start
		if err := p.askOffsets(ctx, cl); err != nil {
			return err
		}
	}
	read, err := readAll(ctx, addr, p, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return err
	}
	for _, r := range read {
		if !r.Attrs.IsControl() {
			return fmt.Errorf("offset %d is shown to readers of committed data", r.Offset)
		}
	}
	is, err := describeTransaction(ctx, cl, openTopic)
	if err == nil && is.State != "CompleteAbort" {
		err = fmt.Errorf("%+v", is)
	}
	return err
}
