package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"blumfeld/compat/broker"
)

// exactlyOnce are the cases of two workers that write records and offsets of sources in transactions.
func exactlyOnce(ctx context.Context, l *lane) {
	once := properties{"exactly.once.source.support": "enabled"}
	w := &workers{make: func(ctx context.Context) (*cluster, error) { return l.newCluster(ctx, l.addr, "once", 2, once) }}
	l.run(ctx, "connect/once-file", w.with(l.fileOnce))
	l.run(ctx, "connect/once-source-offsets", w.with(l.sourceOffsets))
	l.run(ctx, "connect/once-boundaries", w.with(l.boundaries))
	l.run(ctx, "connect/once-worker-killed", w.with(l.onceWorkerKilled))
	l.run(ctx, "connect/once-zombie-fenced", w.with(l.zombieFenced))
	l.close()

	var b broker.Broker
	own := &workers{make: func(ctx context.Context) (_ *cluster, err error) {
		if b, err = l.startBroker(ctx, "once-killed"); err != nil {
			return nil, err
		}
		return l.newCluster(ctx, b.Addr(), "once-broker-killed", 1, once)
	}}
	l.run(ctx, "connect/once-broker-killed", own.with(func(ctx context.Context, c *cluster) error { return l.onceBrokerKilled(ctx, c, b) }))
}

// fileOnce: a file, a topic: each line once, with nothing killed.
func (l *lane) fileOnce(ctx context.Context, c *cluster) error {
	const lines = 1000
	topic := l.name("once-file")
	in, err := l.file(topic + ".in")
	if err != nil {
		return err
	}
	if err := appendLines(in, 0, lines); err != nil {
		return err
	}
	if err := create(ctx, l.addr, topic, 1, nil); err != nil {
		return err
	}
	rest := c.workers[0].rest
	if err := rest.put(ctx, topic, properties{"connector.class": fileSource, "file": in, "topic": topic, "exactly.once.support": "required"}, 1); err != nil {
		return err
	}
	r, err := newReader(c.addr, topic, 1, true)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.count(ctx, lines); err != nil {
		return err
	}
	if err := rest.stop(ctx, topic); err != nil {
		return err
	}
	if err := r.toEnd(ctx); err != nil {
		return err
	}
	return same("the topic", numbers(lines), values(r.all()))
}

// count makes a topic, and a source whose tasks count into its partitions, and reads what is committed.
func (l *lane) count(ctx context.Context, c *cluster, topic string, tasks int, more properties) (*reader, error) {
	if err := create(ctx, c.addr, topic, tasks, nil); err != nil {
		return nil, err
	}
	if err := c.workers[0].rest.put(ctx, topic, properties{"connector.class": countingSource, "topic": topic, "tasks.max": fmt.Sprint(tasks),
		"exactly.once.support": "required"}.with(more), tasks); err != nil {
		return nil, err
	}
	return newReader(c.addr, topic, tasks, true)
}

// ends stops the source; what was committed has to be a count without a gap and without a repetition.
func (r *reader) ends(ctx context.Context, rest rest) error {
	if err := rest.stop(ctx, r.topic); err != nil {
		return err
	}
	if err := r.toEnd(ctx); err != nil {
		return err
	}
	for p, records := range r.records {
		if err := same(fmt.Sprintf("%s-%d", r.topic, p), counted(records), values(records)); err != nil {
			return err
		}
	}
	return nil
}

// boundaries: transactions of a poll, of a time, and of the connector's own choice, which aborts every second of them. A
// sink that reads what is committed gets that alone.
func (l *lane) boundaries(ctx context.Context, c *cluster) error {
	const tasks, records = 2, 60
	rest := c.workers[0].rest
	var readers []*reader
	for _, p := range []properties{
		{"transaction.boundary": "poll"},
		{"transaction.boundary": "interval", "transaction.boundary.interval.ms": "200"},
		{"transaction.boundary": "connector"},
	} {
		r, err := l.count(ctx, c, l.name("once-"+p["transaction.boundary"]), tasks, p)
		if err != nil {
			return err
		}
		defer r.close()
		readers = append(readers, r)
	}
	for _, r := range readers {
		out := l.path(r.topic + ".out")
		if err := rest.put(ctx, r.topic+"-sink", properties{"connector.class": fileSink, "file": out, "topics": r.topic,
			"consumer.override.isolation.level": "read_committed"}, 1); err != nil {
			return err
		}
		if err := r.grow(ctx, records); err != nil {
			return err
		}
		if err := r.ends(ctx, rest); err != nil {
			return err
		}
		if err := await(ctx, func() error { return contains(out, r.all()) }); err != nil {
			return err
		}
		if sunk, err := readLines(out); err != nil || len(sunk) != len(r.all()) {
			return errors.Join(fmt.Errorf("%d records of %s are in the file, %d are committed", len(sunk), r.topic, len(r.all())), err)
		}
		everything, err := readTopic(ctx, c.addr, r.topic, tasks, false)
		if err != nil {
			return err
		}
		aborts := slices.ContainsFunc(values(slices.Concat(everything...)), func(v string) bool { return strings.HasSuffix(v, " aborted") })
		if aborts != strings.Contains(r.topic, "once-connector") {
			return fmt.Errorf("%s has aborted records: %v", r.topic, aborts)
		}
	}
	return nil
}

// onceWorkerKilled: both workers are killed, one after the other; the tasks go on elsewhere.
func (l *lane) onceWorkerKilled(ctx context.Context, c *cluster) error {
	const tasks, records = 4, 50
	r, err := l.count(ctx, c, l.name("once-killed"), tasks, nil)
	if err != nil {
		return err
	}
	defer r.close()
	for n, dies := range c.workers {
		stays := c.workers[1-n]
		if err := spread(ctx, stays.rest, r.topic, 2); err != nil {
			return err
		}
		if err := r.grow(ctx, records); err != nil {
			return err
		}
		if err := dies.kill(); err != nil {
			return err
		}
		if err := spread(ctx, stays.rest, r.topic, 1); err != nil {
			return fmt.Errorf("after the kill: %w", err)
		}
		if err := r.grow(ctx, records); err != nil {
			return fmt.Errorf("after the kill: %w", err)
		}
		if err := dies.start(); err != nil {
			return err
		}
		if err := dies.ready(ctx); err != nil {
			return err
		}
	}
	return r.ends(ctx, c.workers[0].rest)
}

// zombieFenced: a worker sleeps until its tasks run on the other, and wakes in the middle of a transaction that is not
// its own any more.
func (l *lane) zombieFenced(ctx context.Context, c *cluster) error {
	const tasks, records = 4, 50
	r, err := l.count(ctx, c, l.name("once-zombie"), tasks, nil)
	if err != nil {
		return err
	}
	defer r.close()
	stays, sleeps := c.workers[0], c.workers[1]
	if err := spread(ctx, stays.rest, r.topic, 2); err != nil {
		return err
	}
	if err := r.grow(ctx, records); err != nil {
		return err
	}
	if err := sleeps.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	err = errors.Join(spread(ctx, stays.rest, r.topic, 1), r.grow(ctx, records), sleeps.signal(syscall.SIGCONT))
	if err != nil {
		return fmt.Errorf("while a worker sleeps: %w", err)
	}
	if err := spread(ctx, stays.rest, r.topic, 2); err != nil {
		return fmt.Errorf("after it woke: %w", err)
	}
	if err := r.grow(ctx, records); err != nil {
		return fmt.Errorf("after it woke: %w", err)
	}
	if !sleeps.logged("InvalidProducerEpochException") && !sleeps.logged("ProducerFencedException") {
		return errors.New("the worker that slept was not fenced")
	}
	return r.ends(ctx, stays.rest)
}

// onceBrokerKilled: the broker is killed twice; transactions that were open are ended, and nothing is lost or comes twice.
func (l *lane) onceBrokerKilled(ctx context.Context, c *cluster, b broker.Broker) error {
	const tasks, records = 3, 100
	r, err := l.count(ctx, c, l.name("once-survives"), tasks, nil)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.growThroughKills(ctx, b, records); err != nil {
		return err
	}
	return r.ends(ctx, c.workers[0].rest)
}
