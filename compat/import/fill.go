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

const (
	goesOnTopic = "goes-on"   // of the producer that does not end with its broker
	openTopic   = "left-open" // and transactional id of who writes to it
	mixedParts  = 6

	readers       = "readers"         // a classic group
	nextGroup     = "next-generation" // of KIP-848
	simple        = "simple"          // offsets committed by hand, with metadata
	transactional = "transactional"   // offsets committed in transactions, one of which is aborted
	deleted       = "deleted"
)

func groups() []string { return []string{readers, nextGroup, simple, transactional, deleted} }

// writer fills an Apache Kafka and goes on where that has ended.
type writer struct {
	addr    string
	lasting *kgo.Client // idempotent, of goesOnTopic
	open    *kgo.Client // of openTopic; nil before leaveOpen
	id      int64       // its producer id
	next    int64       // offset of its next record
}

func newWriter(addr string) (*writer, error) {
	lasting, err := newClient(addr, kgo.DefaultProduceTopic(goesOnTopic), kgo.UnknownTopicRetries(-1), kgo.AllowAutoTopicCreation(),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(50*time.Millisecond), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	return &writer{addr: addr, lasting: lasting, next: -1}, err
}

func (w *writer) close() {
	w.lasting.Close()
	if w.open != nil {
		w.open.Close()
	}
}

// leaveOpen begins a transaction that nobody will end.
func (w *writer) leaveOpen(ctx context.Context) (err error) {
	w.open, err = newClient(w.addr, kgo.TransactionalID(openTopic), kgo.DefaultProduceTopic(openTopic))
	if err != nil {
		return err
	}
	if err := w.open.BeginTransaction(); err != nil {
		return err
	}
	for range 3 {
		if err := w.open.ProduceSync(ctx, &kgo.Record{Value: []byte("of a transaction that is open")}).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// goOn writes some records with the producer that outlives its broker: each has to get the next offset.
func (w *writer) goOn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for range 25 {
		r, err := w.lasting.ProduceSync(ctx, &kgo.Record{Value: []byte("goes on")}).First()
		if err != nil {
			return err
		}
		if w.next >= 0 && r.Offset != w.next {
			return fmt.Errorf("a record got offset %d, the one before %d", r.Offset, w.next-1)
		}
		w.next = r.Offset + 1
	}
	id, _, err := w.lasting.ProducerID(ctx)
	if w.id == 0 {
		w.id = id
	}
	return err
}

// sameProducer: the producer id is that of the first write, and the broker knows its newest sequence.
func (w *writer) sameProducer(ctx context.Context) error {
	id, epoch, err := w.lasting.ProducerID(ctx)
	if err != nil {
		return err
	}
	if id != w.id || epoch != 0 {
		return fmt.Errorf("producer %d/%d, was %d/0", id, epoch, w.id)
	}
	a := make(answers)
	if err := a.askProducers(ctx, w.lasting, []partition{{topic: goesOnTopic}}); err != nil {
		return err
	}
	want := fmt.Sprintf("producer %d/0, sequence 49 ", id) // twice 25 records
	if !slices.ContainsFunc(a[producers], func(l string) bool { return strings.Contains(l, want) }) {
		return fmt.Errorf("%q is not in\n%s", want, strings.Join(a[producers], "\n"))
	}
	return nil
}

// fill makes one of everything that is to be taken over.
func (w *writer) fill(ctx context.Context) error {
	cl, err := newClient(w.addr)
	if err != nil {
		return err
	}
	defer cl.Close()
	for _, t := range []struct {
		name       string
		partitions int32
		configs    map[string]string
	}{
		{"mixed", mixedParts, map[string]string{"internal.segment.bytes": "20000", "index.interval.bytes": "500", "retention.ms": "864000000", "max.message.bytes": "777777"}},
		{"compacted", 2, map[string]string{"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "segment.ms": "100"}},
		{"trimmed", 1, nil}, // in one segment: where whole segments lie below the start, Kafka finds no time until it has deleted them
		{"transactions", 2, map[string]string{"message.timestamp.type": "LogAppendTime"}},
		{"recoded", 1, map[string]string{"compression.type": "lz4"}},
		{"gone", 3, map[string]string{"retention.ms": "1000000"}},
		{"again", 3, map[string]string{"retention.ms": "2000000"}},
		{"empty", 2, nil},
		{goesOnTopic, 1, nil},
		{openTopic, 1, nil},
	} {
		if err := create(ctx, cl, t.name, t.partitions, t.configs); err != nil {
			return fmt.Errorf("topic %s: %w", t.name, err)
		}
	}
	for _, name := range []string{"gone", "again"} {
		if err := write(ctx, w.addr, name, 3, 50); err != nil {
			return err
		}
		if err := remove(ctx, cl, name); err != nil {
			return err
		}
	}
	if err := create(ctx, cl, "again", 2, map[string]string{"min.insync.replicas": "1"}); err != nil {
		return err
	}
	if err := alter(ctx, cl, "mixed"); err != nil {
		return err
	}
	if err := w.more(ctx); err != nil {
		return err
	}
	if err := compact(ctx, w.addr); err != nil {
		return err
	}
	if err := write(ctx, w.addr, "trimmed", 1, 200); err != nil {
		return err
	}
	if err := deleteRecords(ctx, cl, "trimmed", 77); err != nil {
		return err
	}
	return deleteGroup(ctx, w.addr, cl)
}

// more writes what can be written again.
func (w *writer) more(ctx context.Context) error {
	for _, topic := range []string{"mixed", "again", "recoded"} {
		if err := write(ctx, w.addr, topic, map[string]int32{"mixed": mixedParts, "again": 2, "recoded": 1}[topic], 120); err != nil {
			return fmt.Errorf("topic %s: %w", topic, err)
		}
	}
	if err := consumeSome(ctx, w.addr, readers, "classic"); err != nil {
		return fmt.Errorf("group %s: %w", readers, err)
	}
	if err := consumeSome(ctx, w.addr, nextGroup, "consumer", kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()), kgo.MaxVersions(kversion.V4_0_0())); err != nil {
		return fmt.Errorf("group %s: %w", nextGroup, err)
	}
	if err := w.commitByHand(ctx); err != nil {
		return err
	}
	return w.transact(ctx)
}

func create(ctx context.Context, cl *kgo.Client, name string, partitions int32, configs map[string]string) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	for key, value := range configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = key, kmsg.StringPtr(value)
		t.Configs = append(t.Configs, c)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

func remove(ctx context.Context, cl *kgo.Client, name string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = kmsg.StringPtr(name)
	req.Topics, req.TopicNames = append(req.Topics, t), append(req.TopicNames, name)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

// alter changes a configuration that was set at creation, deletes one, and sets another.
func alter(ctx context.Context, cl *kgo.Client, topic string) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	for _, c := range []struct {
		key, value string
		op         kmsg.IncrementalAlterConfigOp
	}{
		{"retention.ms", "964000000", kmsg.IncrementalAlterConfigOpSet},
		{"max.message.bytes", "", kmsg.IncrementalAlterConfigOpDelete},
		{"cleanup.policy", "delete", kmsg.IncrementalAlterConfigOpSet},
	} {
		rc := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		rc.Name, rc.Op, rc.Value = c.key, c.op, kmsg.StringPtr(c.value)
		r.Configs = append(r.Configs, rc)
	}
	req.Resources = append(req.Resources, r)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Resources[0].ErrorCode)
}

// write puts n records into each partition, by producers with and without sequences and of every codec, in many
// batches, with keys, values and headers that are there or not.
func write(ctx context.Context, addr, topic string, partitions int32, n int) error {
	for i, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		for _, opts := range [][]kgo.Opt{nil, {kgo.DisableIdempotentWrite()}} {
			cl, err := newClient(addr, append(opts, kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(-1))...)
			if err != nil {
				return err
			}
			err = writeBatches(ctx, cl, topic, partitions, n/10, i)
			cl.Close()
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func writeBatches(ctx context.Context, cl *kgo.Client, topic string, partitions int32, n, salt int) error {
	const batches = 3
	for b := range batches {
		var rs []*kgo.Record
		for p := range partitions {
			for i := range n / batches {
				r := &kgo.Record{Topic: topic, Partition: p, Timestamp: time.Now().Add(time.Duration((i*7919+salt)%400-200) * time.Millisecond)}
				if i%5 != 0 {
					r.Key = fmt.Appendf(nil, "key %d", i%11)
				}
				if i%13 != 1 {
					r.Value = []byte(fmt.Sprintf("value %d of batch %d, ", i, b) + strings.Repeat("and so on ", i%17))
				}
				if i%3 == 0 {
					r.Headers = []kgo.RecordHeader{{Key: "h", Value: []byte("1")}, {Key: "h", Value: nil}, {Key: "", Value: []byte{}}}
				}
				rs = append(rs, r)
			}
		}
		if err := cl.ProduceSync(ctx, rs...).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// compact writes the same keys over and over, and tombstones, until Kafka's cleaner has removed some.
func compact(ctx context.Context, addr string) error {
	cl, err := newClient(addr, kgo.DefaultProduceTopic("compacted"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for round := 0; ; round++ {
		if round == 200 {
			return errors.New("nothing was compacted")
		}
		for p := range int32(2) {
			var rs []*kgo.Record
			for i := range 12 {
				r := &kgo.Record{Partition: p, Key: fmt.Appendf(nil, "k%d", (i*i+round)%20), Value: fmt.Appendf(nil, "%d in round %d", i, round)}
				if i%6 == 5 {
					r.Value = nil
				}
				rs = append(rs, r)
			}
			if err := cl.ProduceSync(ctx, rs...).FirstErr(); err != nil {
				return err
			}
		}
		left := 0
		for n := range int32(2) {
			p := partition{topic: "compacted", number: n}
			if err := p.askOffsets(ctx, cl); err != nil {
				return err
			}
			read, err := readAll(ctx, addr, p)
			if err != nil {
				return err
			}
			if int64(len(read)) < p.end/2 {
				left++
			}
		}
		if left == 2 {
			return nil
		}
	}
}

func deleteRecords(ctx context.Context, cl *kgo.Client, topic string, before int64) error {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 10_000
	t, p := kmsg.NewDeleteRecordsRequestTopic(), kmsg.NewDeleteRecordsRequestTopicPartition()
	t.Topic, p.Offset = topic, before
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// consumeSome reads a part of a topic as a member of a group of the type, and commits it.
func consumeSome(ctx context.Context, addr, group, groupType string, opts ...kgo.Opt) error {
	cl, err := newClient(addr, append([]kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics("mixed"), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxPartitionBytes(1500)}, opts...)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for read := 0; read < 60; {
		fetches := cl.PollRecords(ctx, 17)
		if err := fetches.Err(); err != nil {
			return err
		}
		read += fetches.NumRecords()
		if err := cl.CommitRecords(ctx, fetches.Records()...); err != nil {
			return err
		}
	}
	list, err := kmsg.NewPtrListGroupsRequest().RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, g := range list.Groups {
		if g.Group == group && g.GroupType == groupType {
			return nil
		}
	}
	return fmt.Errorf("no group of type %s in %+v", groupType, list.Groups)
}

func (w *writer) commitByHand(ctx context.Context) error {
	cl, err := newClient(w.addr)
	if err != nil {
		return err
	}
	defer cl.Close()
	for n := range int64(5) { // the newest counts
		if err := commit(ctx, cl, simple, n, fmt.Sprintf("read %d", n)); err != nil {
			return err
		}
	}
	return nil
}

func commit(ctx context.Context, cl *kgo.Client, group string, at int64, metadata string) error {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = "mixed"
	for n := range int32(mixedParts) {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.Metadata, p.LeaderEpoch = n, at+int64(n), kmsg.StringPtr(metadata), n%2-1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// transact reads, writes and commits in transactions; each second one is aborted, with the offsets in it.
func (w *writer) transact(ctx context.Context) error {
	s, err := kgo.NewGroupTransactSession(kgo.SeedBrokers(w.addr), kgo.ConsumerGroup(transactional), kgo.ConsumeTopics("mixed"),
		kgo.TransactionalID("mover"), kgo.DefaultProduceTopic("transactions"), kgo.FetchMaxPartitionBytes(1500),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for n, done := 0, 0; done < 6; n++ {
		fetches := s.PollRecords(ctx, 10)
		if err := fetches.Err(); err != nil {
			return err
		}
		if fetches.NumRecords() == 0 {
			continue
		}
		if err := s.Begin(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			s.Produce(ctx, &kgo.Record{Key: r.Key, Value: r.Value}, nil)
		})
		if err := s.Client().Flush(ctx); err != nil {
			return err
		}
		if _, err := s.End(ctx, kgo.TransactionEndTry(done%2 == 0)); err != nil {
			return err
		}
		done++
	}
	return nil
}

// deleteGroup commits and deletes the group again: tombstones.
func deleteGroup(ctx context.Context, addr string, cl *kgo.Client) error {
	if err := commit(ctx, cl, deleted, 5, "not for long"); err != nil {
		return err
	}
	req := kmsg.NewPtrDeleteGroupsRequest()
	req.Groups = append(req.Groups, deleted)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Groups[0].ErrorCode)
}

// consumerGoesOn joins the group and wants the first record of each partition to be the one that was committed.
func (w *writer) consumerGoesOn(ctx context.Context, want answers) error {
	cl, err := newClient(w.addr, kgo.ConsumerGroup(readers), kgo.ConsumeTopics("mixed"), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	at := make(map[int32]int64)
	for _, l := range want[committed] {
		var p int32
		var offset int64
		if _, err := fmt.Sscanf(l, readers+": mixed-%d at %d,", &p, &offset); err == nil {
			at[p] = offset
		}
	}
	if len(at) == 0 {
		return errors.New("nothing was committed")
	}
	for len(at) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			if offset, first := at[r.Partition]; first {
				if r.Offset != offset {
					return fmt.Errorf("partition %d goes on at %d, was committed at %d", r.Partition, r.Offset, offset)
				}
				delete(at, r.Partition)
			}
		}
	}
	return nil
}
