package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/integration/process"
)

// The directories that are dumped: as kill -9 left it, and as a stop did later.
const (
	killed  = "killed"
	stopped = "stopped"

	compactedTopic = "compacted"
	txnTopic       = "transactions"
	bothTopic      = "compacted-transactions"
)

// topicOf is one topic and how many partitions it has.
type topicOf struct {
	name       string
	partitions int32
	configs    map[string]string
}

func topics() []topicOf {
	return []topicOf{
		{"codecs", 3, map[string]string{"internal.segment.bytes": "30000", "index.interval.bytes": "400"}},
		{"recoded", 1, map[string]string{"internal.segment.bytes": "20000", "index.interval.bytes": "1000", "compression.type": "gzip", "message.timestamp.type": "LogAppendTime"}},
		{"large", 1, nil}, // as the defaults have it: one segment
		{compactedTopic, 2, map[string]string{"cleanup.policy": "compact", "internal.segment.bytes": "10000", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "index.interval.bytes": "100"}},
		{txnTopic, 1, map[string]string{"internal.segment.bytes": "5000", "index.interval.bytes": "400"}},
		{bothTopic, 1, map[string]string{"cleanup.policy": "compact", "internal.segment.bytes": "10000", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "index.interval.bytes": "100"}},
	}
}

// isCompacted says whether a folder is of a topic with cleanup.policy=compact.
func isCompacted(folder string) bool { return strings.HasPrefix(folder, compactedTopic+"-") }

// partition is what a consumer reads of a partition.
type partition struct {
	records []string // in the form of record
	aborted []hidden // those of them that a consumer of committed data does not get
}

// hidden is a record of an aborted transaction.
type hidden struct {
	offset, producerID int64
	record             string
}

// writeDirectories makes both directories in work, and returns what a consumer reads of each: by directory and folder of
// a partition.
func writeDirectories(ctx context.Context, work string) (read map[string]map[string]partition, err error) {
	binary, err := process.Build(ctx, work)
	if err != nil {
		return nil, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	o := process.Options{Binary: binary, Dir: filepath.Join(work, stopped), Port: port,
		Args: []string{"--override", "log.cleaner.backoff.ms=100", "--override", "log.segment.delete.delay.ms=0"}}
	b, err := process.Start(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if b != nil {
			b.Kill()
		}
	}()
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	for _, t := range topics() {
		if err := create(ctx, cl, t); err != nil {
			return nil, fmt.Errorf("topic %s: %w", t.name, err)
		}
		if err := write(ctx, b.Addr(), t); err != nil {
			return nil, fmt.Errorf("topic %s: %w", t.name, err)
		}
	}
	if err := compact(ctx, b.Addr()); err != nil {
		return nil, err
	}
	read = make(map[string]map[string]partition)
	if read[killed], err = readAll(ctx, b.Addr()); err != nil {
		return nil, err
	}
	if b, err = killBetweenSwaps(ctx, b, o); err != nil {
		return nil, err
	}
	for folder := range read[killed] {
		if err := os.CopyFS(filepath.Join(work, killed, folder), os.DirFS(filepath.Join(o.Dir, folder))); err != nil {
			return nil, err
		}
	}

	if b, err = process.Start(ctx, o); err != nil {
		return nil, err
	}
	for _, t := range topics() {
		if err := write(ctx, b.Addr(), t); err != nil {
			return nil, fmt.Errorf("topic %s: %w", t.name, err)
		}
	}
	if err := compact(ctx, b.Addr()); err != nil {
		return nil, err
	}
	if read[stopped], err = readAll(ctx, b.Addr()); err != nil {
		return nil, err
	}
	code, err := b.Stop(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d\n%s", code, b.Stderr())
	}
	return read, err
}

// killBetweenSwaps kills the broker until it does not happen in the middle of a swap of the cleaner, which the next start
// ends: the tool does not know a segment by its name of meanwhile. The broker is nil if it did not start again.
func killBetweenSwaps(ctx context.Context, b *process.Broker, o process.Options) (*process.Broker, error) {
	for {
		if err := b.Kill(); err != nil {
			return b, err
		}
		swaps, err := filepath.Glob(filepath.Join(o.Dir, "*", "*.swap"))
		if err != nil || len(swaps) == 0 {
			return b, err
		}
		if b, err = process.Start(ctx, o); err != nil {
			return nil, err
		}
	}
}

func create(ctx context.Context, cl *kgo.Client, t topicOf) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = t.name, t.partitions, 1
	for key, value := range t.configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = key, kmsg.StringPtr(value)
		rt.Configs = append(rt.Configs, c)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

// write puts batches of every codec into each partition, of producers with and without sequences, or transactions.
func write(ctx context.Context, addr string, t topicOf) error {
	if t.name == txnTopic || t.name == bothTopic {
		return writeTransactions(ctx, addr, t.name)
	}
	for i, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		for _, opts := range [][]kgo.Opt{nil, {kgo.DisableIdempotentWrite()}} {
			cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.ProducerBatchCompression(codec),
				kgo.DefaultProduceTopic(t.name), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
			if err != nil {
				return err
			}
			for b := range 10 {
				var rs []*kgo.Record
				for p := range t.partitions {
					for n := range 20 {
						rs = append(rs, &kgo.Record{Partition: p, Key: fmt.Appendf(nil, "k%d", n%7+i),
							Value:     []byte(fmt.Sprintf("%d-%d", b, n) + strings.Repeat("-x", n*b)),
							Timestamp: time.Now().Add(time.Duration(n*31%17) * time.Millisecond)})
					}
				}
				if err := cl.ProduceSync(ctx, rs...).FirstErr(); err != nil {
					cl.Close()
					return err
				}
			}
			cl.Close()
		}
	}
	return nil
}

// writeTransactions has two producers write transactions side by side, of which two in three abort.
func writeTransactions(ctx context.Context, addr, topic string) error {
	var producers [2]*kgo.Client
	for i := range producers {
		cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.TransactionalID(fmt.Sprintf("%s-%d", topic, i)), kgo.DefaultProduceTopic(topic))
		if err != nil {
			return err
		}
		defer cl.Close()
		producers[i] = cl
	}
	for n := range 60 {
		cl := producers[n%2]
		if n >= 2 {
			if err := cl.EndTransaction(ctx, n%3 == 0); err != nil {
				return err
			}
		}
		if err := cl.BeginTransaction(); err != nil {
			return err
		}
		for i := range 1 + n%4 {
			r := &kgo.Record{Key: fmt.Appendf(nil, "k%d", n%7), Value: fmt.Appendf(nil, "%d-%d", n, i)}
			if err := cl.ProduceSync(ctx, r).FirstErr(); err != nil {
				return err
			}
		}
	}
	for _, cl := range producers {
		if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
			return err
		}
	}
	return nil
}

// compact writes a little now and then, so that segments roll, until the cleaner has left less than half.
func compact(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	partitions := []kgo.Record{{Topic: compactedTopic}, {Topic: compactedTopic, Partition: 1}, {Topic: bothTopic}}
	for {
		done := 0
		for _, p := range partitions {
			r := &kgo.Record{Topic: p.Topic, Partition: p.Partition, Key: []byte("k0"), Value: []byte("again")}
			producer, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()))
			if err != nil {
				return err
			}
			err = producer.ProduceSync(ctx, r).FirstErr()
			producer.Close()
			if err != nil {
				return err
			}
			read, err := readPartition(ctx, addr, p.Topic, p.Partition)
			if err != nil {
				return err
			}
			if int64(len(read.records)) < r.Offset/2 {
				done++
			}
		}
		if done == len(partitions) {
			return nil
		}
		if ctx.Err() != nil {
			return errors.New("the cleaner has removed too little")
		}
	}
}

func readAll(ctx context.Context, addr string) (map[string]partition, error) {
	all := make(map[string]partition)
	for _, t := range topics() {
		for p := range t.partitions {
			read, err := readPartition(ctx, addr, t.name, p)
			if err != nil {
				return nil, err
			}
			all[fmt.Sprintf("%s-%d", t.name, p)] = read
		}
	}
	return all, nil
}

func readPartition(ctx context.Context, addr, topic string, number int32) (p partition, err error) {
	all, err := consume(ctx, addr, topic, number, kgo.ReadUncommitted())
	if err != nil {
		return p, err
	}
	committed, err := consume(ctx, addr, topic, number, kgo.ReadCommitted())
	if err != nil {
		return p, err
	}
	visible := make(map[int64]bool)
	for _, r := range committed {
		visible[r.Offset] = true
	}
	for _, r := range all {
		text := fmt.Sprintf("%d %s=%s", r.Offset, r.Key, r.Value)
		p.records = append(p.records, text)
		if !visible[r.Offset] {
			p.aborted = append(p.aborted, hidden{r.Offset, r.ProducerID, text})
		}
	}
	return p, nil
}

// consume reads a partition, in which no transaction is open, to its end.
func consume(ctx context.Context, addr, topic string, number int32, isolation kgo.IsolationLevel) (read []*kgo.Record, err error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {number: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	for next, end := int64(0), int64(1); next < end; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("%s-%d: %w", topic, number, err)
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) { end = f.HighWatermark })
		for _, r := range fetches.Records() {
			if !r.Attrs.IsControl() {
				read = append(read, r)
			}
			next = r.Offset + 1
		}
	}
	return read, nil
}
