package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// workerKilled: tasks of a killed worker move to the other, and move back when it is there again. At least once: nothing
// is lost, and the order is kept but for what is done again.
func (l *lane) workerKilled(ctx context.Context, c *cluster) error {
	const tasks = 4
	topic := l.name("killed")
	if err := create(ctx, l.addr, topic, tasks, nil); err != nil {
		return err
	}
	stays, dies := c.workers[0], c.workers[1]
	source, sink := topic+"-source", topic+"-sink"
	counting := properties{"connector.class": countingSource, "topic": topic, "tasks.max": fmt.Sprint(tasks)}
	if err := stays.rest.put(ctx, source, counting, tasks); err != nil {
		return err
	}
	out := l.path(topic + ".out")
	if err := stays.rest.put(ctx, sink, properties{"connector.class": fileSink, "file": out, "topics": topic, "tasks.max": "2"}, 2); err != nil {
		return err
	}
	if err := spread(ctx, stays.rest, source, 2); err != nil {
		return err
	}
	r, err := newReader(l.addr, topic, tasks, false)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.grow(ctx, 50); err != nil {
		return err
	}
	if err := dies.kill(); err != nil {
		return err
	}
	if err := spread(ctx, stays.rest, source, 1); err != nil {
		return fmt.Errorf("after the kill: %w", err)
	}
	if err := r.grow(ctx, 50); err != nil {
		return fmt.Errorf("after the kill: %w", err)
	}
	if err := dies.start(); err != nil {
		return err
	}
	if err := dies.ready(ctx); err != nil {
		return err
	}
	if err := spread(ctx, stays.rest, source, 2); err != nil {
		return fmt.Errorf("after the restart: %w", err)
	}
	if err := r.grow(ctx, 50); err != nil {
		return fmt.Errorf("after the restart: %w", err)
	}
	if err := stays.rest.stop(ctx, source); err != nil {
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
	return await(ctx, func() error { return contains(out, r.all()) })
}

// contains: the values of all records are in a sink's file, as often. In which order depends on how its tasks wrote.
func contains(file string, records []*kgo.Record) error {
	lines, err := readLines(file)
	if err != nil {
		return err
	}
	left := make(map[string]int)
	for _, line := range lines {
		left[line]++
	}
	for _, r := range records {
		if left[string(r.Value)]--; left[string(r.Value)] < 0 {
			return fmt.Errorf("%q of partition %d is missing in the file", r.Value, r.Partition)
		}
	}
	return nil
}

// spread waits until a connector's tasks run on as many workers.
func spread(ctx context.Context, r rest, name string, workers int) error {
	return await(ctx, func() error {
		var s status
		if err := r.get(ctx, "/connectors/"+name+"/status", &s); err != nil {
			return err
		}
		on := make(map[string]bool)
		for _, t := range s.Tasks {
			if t.State != "RUNNING" {
				return fmt.Errorf("task %d is %s\n%s", t.ID, t.State, t.Trace)
			}
			on[t.Worker] = true
		}
		if len(on) != workers {
			return fmt.Errorf("tasks run on %d workers, not %d: %v", len(on), workers, s.Tasks)
		}
		return nil
	})
}

// grow reads until each partition has so many records more, but those that are only repeated.
func (r *reader) grow(ctx context.Context, records int) error {
	goal := make([]int, len(r.records))
	for p := range goal {
		goal[p] = len(counted(r.records[p])) + records
	}
	return r.until(ctx, func() error {
		for p, have := range r.records {
			if have := len(counted(have)); have < goal[p] {
				return fmt.Errorf("partition %d has counted to %d, not to %d", p, have, goal[p])
			}
		}
		return nil
	})
}

// counted is what a counting task has to have written that has come so far.
func counted(records []*kgo.Record) (want []string) {
	reached := -1
	for _, r := range records {
		n := -1
		fmt.Sscan(strings.TrimSuffix(string(r.Value), " aborted"), &n)
		reached = max(reached, n)
	}
	for n := range reached + 1 {
		want = append(want, fmt.Sprint(n))
	}
	return want
}
