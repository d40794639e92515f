package main

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
)

// sourceOffsets: a source's offsets are read, set back, and forgotten.
func (l *lane) sourceOffsets(ctx context.Context, c *cluster) error {
	const lines = 100
	topic := l.name("source-offsets")
	in, err := l.file(topic + ".in")
	if err != nil {
		return err
	}
	if err := appendLines(in, 0, lines); err != nil {
		return err
	}
	r := c.workers[0].rest
	if err := r.put(ctx, topic, properties{"connector.class": fileSource, "file": in, "topic": topic,
		"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"}, 1); err != nil {
		return err
	}
	records, err := newReader(l.addr, topic, 1, true)
	if err != nil {
		return err
	}
	defer records.close()
	path := "/connectors/" + topic + "/offsets"
	at := func(position int) offsets {
		return offsets{[]offset{{map[string]any{"filename": in}, map[string]any{"position": float64(position)}}}}
	}
	length := len(numbered(0)) + 1
	const again = 30 // so many lines are read once more
	want := numbers(lines)
	for _, step := range []struct {
		method string
		body   any
		adds   []string
	}{
		{http.MethodPatch, at((lines - again) * length), numbers(lines)[lines-again:]},
		{http.MethodDelete, nil, numbers(lines)},
	} {
		if err := records.count(ctx, len(want)); err != nil {
			return err
		}
		if err := shows(ctx, r, path, at(lines*length)); err != nil {
			return err
		}
		if err := r.stop(ctx, topic); err != nil {
			return err
		}
		if err := r.do(ctx, step.method, path, step.body, nil); err != nil {
			return err
		}
		if err := r.resume(ctx, topic, 1); err != nil {
			return err
		}
		want = append(want, step.adds...)
	}
	if err := records.count(ctx, len(want)); err != nil {
		return err
	}
	if err := r.remove(ctx, topic); err != nil {
		return err
	}
	if err := records.toEnd(ctx); err != nil {
		return err
	}
	return same("the topic", want, values(records.all()))
}

// sinkOffsets: those of a sink are the offsets of a consumer group, altered and deleted by the worker's admin client.
func (l *lane) sinkOffsets(ctx context.Context, c *cluster) error {
	const lines = 100
	topic := l.name("sink-offsets")
	if err := create(ctx, l.addr, topic, 1, nil); err != nil {
		return err
	}
	if err := produce(ctx, l.addr, topic, recordsOf(numbers(lines))); err != nil {
		return err
	}
	r := c.workers[1].rest
	out := l.path(topic + ".out")
	if err := r.put(ctx, topic, properties{"connector.class": fileSink, "file": out, "topics": topic}, 1); err != nil {
		return err
	}
	path := "/connectors/" + topic + "/offsets"
	at := func(next int) offsets {
		return offsets{[]offset{{map[string]any{"kafka_topic": topic, "kafka_partition": float64(0)}, map[string]any{"kafka_offset": float64(next)}}}}
	}
	want := numbers(lines)
	for _, step := range []struct {
		method string
		body   any
		adds   []string
	}{
		{http.MethodPatch, at(80), numbers(lines)[80:]},
		{http.MethodDelete, nil, numbers(lines)},
	} {
		if err := awaitFile(ctx, out, want); err != nil {
			return err
		}
		if err := shows(ctx, r, path, at(lines)); err != nil {
			return err
		}
		if err := r.stop(ctx, topic); err != nil {
			return err
		}
		if err := r.do(ctx, step.method, path, step.body, nil); err != nil {
			return err
		}
		if err := r.resume(ctx, topic, 1); err != nil {
			return err
		}
		want = append(want, step.adds...)
	}
	return awaitFile(ctx, out, want)
}

// shows waits until a connector's offsets are what they should be.
func shows(ctx context.Context, r rest, path string, want offsets) error {
	return await(ctx, func() error {
		var got offsets
		if err := r.get(ctx, path, &got); err != nil {
			return err
		}
		if !reflect.DeepEqual(got, want) {
			return fmt.Errorf("the offsets are %v, not %v", got, want)
		}
		return nil
	})
}
