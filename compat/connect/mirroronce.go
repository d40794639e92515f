package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// startMove starts a mirror as people move with one: from an Apache Kafka, in transactions, to topics of the same names.
func (l *lane) startMove(ctx context.Context) (*mirror, error) {
	theirs, err := l.startKafka(ctx)
	if err != nil {
		return nil, err
	}
	m, err := l.newMirror(theirs.Addr(), "move", properties{
		"theirs->ours.enabled":             "true",
		"ours->theirs.enabled":             "false",
		"ours.exactly.once.source.support": "enabled",
		// A mirror of one worker reads what its own dead tasks have committed, and waits until the broker has ended what they
		// have not. Tasks that fail for a transaction that took longer do not start again by themselves.
		"ours.producer.transaction.timeout.ms": "15000",
		"replication.policy.class":             "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
	})
	if err != nil {
		return nil, err
	}
	if err := fill(ctx, m, m.move()); err != nil {
		return nil, err
	}
	return m, m.worker.start()
}

func (m *mirror) move() direction {
	return direction{m.theirs, m.ours, func(topic string) string { return topic }}
}

// mirrorsOnce: while records are written the mirror is killed in the middle of a transaction, and goes on. Each record is
// there once, as it was.
func mirrorsOnce(ctx context.Context, m *mirror) (err error) {
	d := m.move()
	topic := d.named(m, counts)
	r, err := newReader(d.to.addr, topic, mirroredPartitions, true)
	if err != nil {
		return err
	}
	defer r.close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(d.from.addr), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer cl.Close()
	written := 0
	write := func(records int) error {
		var batch []*kgo.Record
		for range records {
			batch = append(batch, &kgo.Record{Partition: int32(written % mirroredPartitions), Value: fmt.Append(nil, written/mirroredPartitions)})
			written++
		}
		return cl.ProduceSync(ctx, batch...).FirstErr()
	}
	// flow writes on until as many more records have come out at the other end.
	flow := func(more int) error {
		goal := len(r.all()) + more
		return r.until(ctx, func() error {
			if len(r.all()) >= goal {
				return nil
			}
			if err := write(30); err != nil {
				return err
			}
			return fmt.Errorf("%d of %d records, after %d were written", len(r.all()), goal, written)
		})
	}
	if err := flow(300); err != nil {
		return err
	}
	// Enough for the mirror to be at work when it is killed.
	for range 5 {
		if err := write(600); err != nil {
			return err
		}
	}
	if err := m.worker.kill(); err != nil {
		return err
	}
	if err := m.worker.start(); err != nil {
		return err
	}
	if err := flow(300); err != nil {
		return err
	}
	if err := r.count(ctx, written); err != nil {
		return err
	}
	if err := r.toEnd(ctx); err != nil {
		return err
	}
	want, err := readTopic(ctx, d.from.addr, topic, mirroredPartitions, false)
	if err != nil {
		return err
	}
	for p := range want {
		if err := same(fmt.Sprintf("%s-%d", topic, p), lines(want[p]), lines(r.records[p])); err != nil {
			return err
		}
	}
	return nil
}
