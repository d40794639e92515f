package main

import (
	"context"
	"fmt"

	"blumfeld/compat/broker"
)

// brokerKilled is a worker whose broker is killed, at least once.
func brokerKilled(ctx context.Context, l *lane) {
	var b broker.Broker
	w := &workers{make: func(ctx context.Context) (_ *cluster, err error) {
		if b, err = l.startBroker(ctx, "killed"); err != nil {
			return nil, err
		}
		return l.newCluster(ctx, b.Addr(), "broker-killed", 1, nil)
	}}
	l.run(ctx, "connect/broker-killed", w.with(func(ctx context.Context, c *cluster) error { return l.brokerKilled(ctx, c, b) }))
}

// brokerKilled: the broker is killed twice while a source and a sink run; both go on by themselves. Connect's producers
// are not idempotent, so that records may come twice, but none is lost, and none overtakes another.
func (l *lane) brokerKilled(ctx context.Context, c *cluster, b broker.Broker) error {
	const partitions, records = 3, 200
	topic := l.name("survives")
	if err := create(ctx, c.addr, topic, partitions, nil); err != nil {
		return err
	}
	rest := c.workers[0].rest
	source, sink := topic+"-source", topic+"-sink"
	if err := rest.put(ctx, source, properties{"connector.class": countingSource, "topic": topic, "tasks.max": fmt.Sprint(partitions)}, partitions); err != nil {
		return err
	}
	out := l.path(topic + ".out")
	if err := rest.put(ctx, sink, properties{"connector.class": fileSink, "file": out, "topics": topic}, 1); err != nil {
		return err
	}
	r, err := newReader(c.addr, topic, partitions, false)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.growThroughKills(ctx, b, records); err != nil {
		return err
	}
	if err := rest.stop(ctx, source); err != nil {
		return err
	}
	if err := r.toEnd(ctx); err != nil {
		return err
	}
	for p, records := range r.records {
		if err := atLeastOnce(fmt.Sprintf("partition %d", p), counted(records), values(records)); err != nil {
			return err
		}
	}
	if err := await(ctx, func() error { return contains(out, r.all()) }); err != nil {
		return err
	}
	// The workers' own topics have survived too: this is read from them.
	if err := rest.resume(ctx, source, partitions); err != nil {
		return err
	}
	return r.grow(ctx, records)
}

// growThroughKills reads records of each partition three times, and kills the broker in between, while a source writes on.
func (r *reader) growThroughKills(ctx context.Context, b broker.Broker, records int) error {
	for range 2 {
		if err := r.grow(ctx, records); err != nil {
			return err
		}
		if err := b.Kill(ctx); err != nil {
			return err
		}
		if err := b.Start(ctx); err != nil {
			return err
		}
	}
	return r.grow(ctx, records)
}
