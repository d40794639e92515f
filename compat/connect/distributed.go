package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const countingSource = "blumfeld.compat.connect.CountingSource"

// workers starts a cluster when the first of its cases wants it.
type workers struct {
	make func(context.Context) (*cluster, error)
	c    *cluster
	err  error
}

// with makes a case of work that needs the cluster.
func (w *workers) with(work func(context.Context, *cluster) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if w.c == nil && w.err == nil {
			w.c, w.err = w.make(ctx)
		}
		if w.err != nil {
			return fmt.Errorf("starting the workers: %w", w.err)
		}
		err := work(ctx, w.c)
		if err == nil {
			err = w.c.clear(ctx)
		}
		return withLog(err, w.c.workers...)
	}
}

// clear removes the connectors of a case: those of the next one are alone.
func (c *cluster) clear(ctx context.Context) error {
	r := c.workers[0].rest
	var names []string
	if err := r.get(ctx, "/connectors", &names); err != nil {
		return err
	}
	for _, name := range names {
		if err := r.remove(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// distributed are the cases of two workers, at least once.
func distributed(ctx context.Context, l *lane) {
	w := &workers{make: func(ctx context.Context) (*cluster, error) { return l.newCluster(ctx, l.addr, "distributed", 2, nil) }}
	l.run(ctx, "connect/internal-topics", w.with(hasInternalTopics))
	l.run(ctx, "connect/group", w.with(isConnectGroup))
	l.run(ctx, "connect/file-distributed", w.with(l.fileDistributed))
	l.run(ctx, "connect/rest", w.with(l.overREST))
	l.run(ctx, "connect/source-offsets", w.with(l.sourceOffsets))
	l.run(ctx, "connect/sink-offsets", w.with(l.sinkOffsets))
	l.run(ctx, "connect/dead-letters", w.with(l.deadLetters))
	l.run(ctx, "connect/worker-killed", w.with(l.workerKilled))
}

// hasInternalTopics: the workers have made their topics themselves, compacted.
func hasInternalTopics(ctx context.Context, c *cluster) error {
	for topic, partitions := range map[string]int{c.topics.config: 1, c.topics.offset: 3, c.topics.status: 2} {
		resp, err := ask[*kmsg.MetadataResponse](ctx, c.addr, &kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr(topic)}}})
		if err != nil {
			return err
		}
		if have := len(resp.Topics[0].Partitions); have != partitions {
			return fmt.Errorf("%s has %d partitions, not %d: %w", topic, have, partitions, kerr.ErrorForCode(resp.Topics[0].ErrorCode))
		}
		if configs, err := configsOf(ctx, c.addr, topic); err != nil || configs["cleanup.policy"] != "compact" {
			return errors.Join(fmt.Errorf("%s has the configs %v", topic, configs), err)
		}
	}
	return nil
}

// isConnectGroup: the workers are a group of the type connect, with the newest of Connect's protocols.
func isConnectGroup(ctx context.Context, c *cluster) error {
	return await(ctx, func() error {
		described, err := ask[*kmsg.DescribeGroupsResponse](ctx, c.addr, &kmsg.DescribeGroupsRequest{Groups: []string{c.group}})
		if err != nil {
			return err
		}
		g := described.Groups[0]
		if g.ErrorCode != 0 || g.State != "Stable" || g.ProtocolType != "connect" || g.Protocol != "sessioned" || len(g.Members) != len(c.workers) {
			return fmt.Errorf("group %s: error %d, state %s, type %s, protocol %s, %d members", g.Group, g.ErrorCode, g.State, g.ProtocolType, g.Protocol, len(g.Members))
		}
		for _, m := range g.Members {
			if len(m.ProtocolMetadata) == 0 || len(m.MemberAssignment) == 0 {
				return fmt.Errorf("member %s has metadata of %d bytes and an assignment of %d", m.MemberID, len(m.ProtocolMetadata), len(m.MemberAssignment))
			}
		}
		listed, err := ask[*kmsg.ListGroupsResponse](ctx, c.addr, kmsg.NewPtrListGroupsRequest())
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(listed.Groups, func(g kmsg.ListGroupsResponseGroup) bool {
			return g.Group == c.group && g.ProtocolType == "connect"
		}) {
			return fmt.Errorf("the list of groups has no %s of the type connect: %v", c.group, listed.Groups)
		}
		return nil
	})
}

// fileDistributed: a file, a topic that the worker makes, a file. On the way into the topic a header is put on
// each record, and on the way out a field around it.
func (l *lane) fileDistributed(ctx context.Context, c *cluster) error {
	const lines = 1000
	topic := l.name("file")
	in, err := l.file(topic + ".in")
	if err != nil {
		return err
	}
	if err := appendLines(in, 0, lines); err != nil {
		return err
	}
	one, other := c.workers[0].rest, c.workers[1].rest
	if err := one.put(ctx, topic+"-source", properties{
		"connector.class": fileSource, "file": in, "topic": topic,
		"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1",
		"topic.creation.default.retention.ms": "7654321", "topic.creation.default.compression.type": "lz4",
		"producer.override.compression.type": "zstd",
		"transforms":                         "origin", "transforms.origin.type": "org.apache.kafka.connect.transforms.InsertHeader",
		"transforms.origin.header": "origin", "transforms.origin.value.literal": "file",
	}, 1); err != nil {
		return err
	}
	out := l.path(topic + ".out")
	// What one worker is told the other knows, and either asks the leader where it has to.
	if err := other.put(ctx, topic+"-sink", properties{
		"connector.class": fileSink, "file": out, "topics": topic,
		"transforms": "field", "transforms.field.type": "org.apache.kafka.connect.transforms.HoistField$Value", "transforms.field.field": "text",
	}, 1); err != nil {
		return err
	}
	var want []string
	for _, line := range numbers(lines) {
		want = append(want, "Struct{text="+line+"}")
	}
	if err := awaitFile(ctx, out, want); err != nil {
		return err
	}
	read, err := readTopic(ctx, l.addr, topic, 1, false)
	if err != nil {
		return err
	}
	for _, r := range read[0] {
		if len(r.Headers) != 1 || r.Headers[0].Key != "origin" || string(r.Headers[0].Value) != "file" || r.Attrs.CompressionType() != 3 {
			return fmt.Errorf("record %d has the headers %v, and codec %d", r.Offset, r.Headers, r.Attrs.CompressionType())
		}
	}
	if configs, err := configsOf(ctx, l.addr, topic); err != nil || configs["retention.ms"] != "7654321" || configs["compression.type"] != "lz4" {
		return errors.Join(fmt.Errorf("%s has the configs %v", topic, configs), err)
	}
	return same("the topic", numbers(lines), values(read[0]))
}

// overREST: what can be done with a connector is done, and has the effect.
func (l *lane) overREST(ctx context.Context, c *cluster) error {
	name := l.name("rest")
	in, err := l.file(name + ".in")
	if err != nil {
		return err
	}
	one, other := c.workers[0].rest, c.workers[1].rest
	config := properties{"connector.class": fileSource, "file": in, "topic": name, "name": name,
		"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"}

	var verdict struct {
		Errors int `json:"error_count"`
	}
	if err := one.do(ctx, http.MethodPut, "/connector-plugins/FileStreamSource/config/validate", config.with(properties{"batch.size": "many"}), &verdict); err != nil || verdict.Errors != 1 {
		return errors.Join(fmt.Errorf("validation of a wrong config finds %d errors", verdict.Errors), err)
	}
	if err := one.do(ctx, http.MethodPost, "/connectors", map[string]any{"name": name, "config": config, "initial_state": "STOPPED"}, nil); err != nil {
		return err
	}
	if err := other.awaitState(ctx, name, "STOPPED", 0); err != nil {
		return err
	}
	if err := other.resume(ctx, name, 1); err != nil {
		return err
	}
	r, err := newReader(l.addr, name, 1, false)
	if err != nil {
		return err
	}
	defer r.close()
	written := 0
	more := func() error {
		written += 10
		return appendLines(in, written-10, written)
	}
	goesOn := func() error {
		if err := more(); err != nil {
			return err
		}
		if err := r.count(ctx, written); err != nil {
			return err
		}
		return same("the topic", numbers(written), values(r.all()))
	}
	if err := goesOn(); err != nil {
		return err
	}
	var topics map[string]struct {
		Topics []string `json:"topics"`
	}
	if err := await(ctx, func() error {
		if err := one.get(ctx, "/connectors/"+name+"/topics", &topics); err != nil || !slices.Equal(topics[name].Topics, []string{name}) {
			return errors.Join(fmt.Errorf("the connector's topics are %v", topics), err)
		}
		return nil
	}); err != nil {
		return err
	}

	// A change of state is done when each worker has read of it: also the one that has the task.
	if err := one.pause(ctx, name, 1); err != nil {
		return err
	}
	if err := more(); err != nil {
		return err
	}
	if err := other.resume(ctx, name, 1); err != nil {
		return err
	}
	if err := goesOn(); err != nil {
		return err
	}
	for _, path := range []string{"/restart?includeTasks=true", "/tasks/0/restart"} {
		if err := one.do(ctx, http.MethodPost, "/connectors/"+name+path, nil, nil); err != nil {
			return err
		}
		if err := other.awaitState(ctx, name, "RUNNING", 1); err != nil {
			return err
		}
	}
	if err := goesOn(); err != nil {
		return err
	}
	if err := one.do(ctx, http.MethodPatch, "/connectors/"+name+"/config", properties{"transforms": "value", "transforms.value.type": "org.apache.kafka.connect.transforms.ValueToKey"}, nil); err == nil {
		return errors.New("a config that is wrong was taken")
	}
	if err := other.remove(ctx, name); err != nil {
		return err
	}
	return await(ctx, func() error {
		for _, w := range c.workers {
			err := w.rest.get(ctx, "/connectors/"+name, nil)
			if no := (*refused)(nil); !errors.As(err, &no) || no.status != http.StatusNotFound {
				return fmt.Errorf("the connector was removed, and is still there: %w", err)
			}
		}
		return nil
	})
}

// deadLetters: what a sink cannot convert goes to a topic, as it was, with where it came from in its headers.
func (l *lane) deadLetters(ctx context.Context, c *cluster) error {
	const records = 300
	topic := l.name("dead")
	letters, out := topic+"-letters", l.path(topic+".out")
	if err := create(ctx, l.addr, topic, 1, nil); err != nil {
		return err
	}
	var good, bad []string
	var produced []*kgo.Record
	for n := range records {
		value := fmt.Sprintf(`{"n":%d}`, n)
		if n%3 == 1 {
			value = fmt.Sprintf(`{"n":%d`, n)
			bad = append(bad, fmt.Sprintf("%d %s key %d", n, value, n))
		} else {
			good = append(good, fmt.Sprintf("{n=%d}", n))
		}
		produced = append(produced, &kgo.Record{Key: fmt.Appendf(nil, "key %d", n), Value: []byte(value)})
	}
	if err := produce(ctx, l.addr, topic, produced); err != nil {
		return err
	}
	r := c.workers[0].rest
	name := topic + "-sink"
	if err := r.put(ctx, name, properties{
		"connector.class": fileSink, "file": out, "topics": topic,
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
		"errors.tolerance": "all", "errors.deadletterqueue.topic.name": letters, "errors.deadletterqueue.topic.replication.factor": "1",
		"errors.deadletterqueue.context.headers.enable": "true",
	}, 1); err != nil {
		return err
	}
	if err := awaitFile(ctx, out, good); err != nil {
		return err
	}
	read, err := readTopic(ctx, l.addr, letters, 1, false)
	if err != nil {
		return err
	}
	var got []string
	for _, record := range read[0] {
		headers := make(map[string]string)
		for _, h := range record.Headers {
			headers[h.Key] = string(h.Value)
		}
		const prefix = "__connect.errors."
		if headers[prefix+"topic"] != topic || headers[prefix+"partition"] != "0" || headers[prefix+"connector.name"] != name || headers[prefix+"stage"] != "VALUE_CONVERTER" {
			return fmt.Errorf("a dead letter has the headers %v", headers)
		}
		got = append(got, fmt.Sprintf("%s %s %s", headers[prefix+"offset"], record.Value, record.Key))
	}
	return same("the dead letters", bad, got)
}

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
