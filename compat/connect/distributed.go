package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
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
