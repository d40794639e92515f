package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const mirroredPartitions = 3

// The topics that are mirrored.
const (
	mixed   = "mixed"   // records of all forms
	recoded = "recoded" // compressed by the broker
	grows   = "grows"   // gets partitions
	read    = "read"    // has consumers
	counts  = "counts"  // goes on while the mirror is killed
)

// fill makes what is mirrored, before there is a mirror: creating a topic is then part of it.
func fill(ctx context.Context, m *mirror, d direction) error {
	for name, configs := range map[string]properties{
		mixed:   {"retention.ms": "-1", "max.message.bytes": "777777"}, // some records are old
		recoded: {"compression.type": "lz4", "retention.ms": "-1", "cleanup.policy": "compact", "segment.bytes": "1048576"},
		grows:   {},
		read:    {},
		counts:  {},
	} {
		if err := create(ctx, d.from.addr, d.named(m, name), mirroredPartitions, configs); err != nil {
			return err
		}
	}
	for codec, compression := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		for _, name := range []string{mixed, recoded} {
			if err := produce(ctx, d.from.addr, d.named(m, name), variety(codec), kgo.ProducerBatchCompression(compression)); err != nil {
				return err
			}
		}
	}
	return nil
}

// named is a topic's name on its own side: the two sides have each their own.
func (d direction) named(m *mirror, name string) string {
	return m.topic(name) + "-of-" + strings.TrimSuffix(d.from.alias, "-"+m.stem)
}

// variety are records of every form, the same each time for a seed.
func variety(seed int) (records []*kgo.Record) {
	began := time.UnixMilli(1_000_000_000_000)
	for n := range 120 {
		r := &kgo.Record{
			Partition: int32(n % mirroredPartitions),
			Key:       fmt.Appendf(nil, "key %d-%d", seed, n),
			Value:     []byte(strings.Repeat(fmt.Sprintf("value %d-%d ", seed, n), n)),
			Timestamp: began.Add(time.Duration(n*n*7919+seed) * time.Millisecond),
		}
		switch n % 7 {
		case 1:
			r.Value = nil
		case 2:
			r.Value = []byte{}
		case 3:
			r.Headers = []kgo.RecordHeader{{Key: "twice", Value: []byte{0, 255, 10}}, {Key: "twice", Value: nil}, {Key: "", Value: []byte{}}}
		case 4:
			r.Key = []byte{}
		case 5:
			r.Value = []byte{0xff, 0xfe, 0, '\n'}
		}
		records = append(records, r)
	}
	return records
}

// line is all of a record that a mirror keeps.
func line(r *kgo.Record) string {
	var headers strings.Builder
	for _, h := range r.Headers {
		fmt.Fprintf(&headers, " %q=%s", h.Key, orNull(h.Value))
	}
	return fmt.Sprintf("time %d, type %d, key %s, value %s,%s", r.Timestamp.UnixMilli(), r.Attrs.TimestampType(), orNull(r.Key), orNull(r.Value), &headers)
}

func orNull(p []byte) string {
	if p == nil {
		return "null"
	}
	return fmt.Sprintf("%q", p)
}

// mirrorsRecords: every record is there, in its partition, in order, byte for byte, with headers and time; compressed
// as the mirror's producer or the topic has it.
func mirrorsRecords(ctx context.Context, m *mirror, d direction) error {
	for name, codec := range map[string]uint8{mixed: 4, recoded: 3} {
		topic := d.named(m, name)
		want, err := readTopic(ctx, d.from.addr, topic, mirroredPartitions, false)
		if err != nil {
			return err
		}
		r, err := newReader(d.to.addr, d.policy(topic), mirroredPartitions, false)
		if err != nil {
			return err
		}
		defer r.close()
		if err := r.until(ctx, func() error {
			for p := range want {
				last := want[p][len(want[p])-1]
				if !slices.Contains(lines(r.records[p]), line(last)) {
					return fmt.Errorf("partition %d has %d records, and not the last of %d", p, len(r.records[p]), len(want[p]))
				}
			}
			return nil
		}); err != nil {
			return err
		}
		for p := range want {
			// While topics are found tasks are started anew, and may repeat what was not committed.
			if err := atLeastOnce(fmt.Sprintf("%s-%d", topic, p), lines(want[p]), lines(r.records[p])); err != nil {
				return err
			}
			for _, record := range r.records[p] {
				if record.Attrs.CompressionType() != codec {
					return fmt.Errorf("%s-%d, record %d: codec %d, not %d", topic, p, record.Offset, record.Attrs.CompressionType(), codec)
				}
			}
		}
	}
	return nil
}

func lines(records []*kgo.Record) (list []string) {
	for _, r := range records {
		list = append(list, line(r))
	}
	return list
}

// mirrorsConfigs: what is set for a topic is set for its mirror, then what is changed, and what is taken back.
func mirrorsConfigs(ctx context.Context, m *mirror, d direction) error {
	topic := d.named(m, recoded)
	const set, deleted = 0, 1
	for _, step := range []struct {
		key   string
		op    int8
		value *string
	}{
		{},
		{"retention.ms", set, kmsg.StringPtr("123456789")},
		{"segment.bytes", deleted, nil},
	} {
		if step.key != "" {
			if err := alter(ctx, d.from.addr, topic, step.key, step.op, step.value); err != nil {
				return err
			}
		}
		err := await(ctx, func() error {
			want, err := configsOf(ctx, d.from.addr, topic)
			if err != nil {
				return err
			}
			got, err := configsOf(ctx, d.to.addr, d.policy(topic))
			if err != nil {
				return err
			}
			// Apache Kafka shows this default of the cluster as a topic's own; MirrorMaker leaves it alone.
			delete(want, "min.insync.replicas")
			delete(got, "min.insync.replicas")
			if fmt.Sprint(want) != fmt.Sprint(got) {
				return fmt.Errorf("the configs are %v, and not %v", got, want)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("after %s: %w", step.key, err)
		}
	}
	return nil
}

// mirrorsPartitions: a topic that gets partitions gets them on the other side, and what is in them.
func mirrorsPartitions(ctx context.Context, m *mirror, d direction) error {
	const more = mirroredPartitions + 2
	topic := d.named(m, grows)
	req := kmsg.NewPtrCreatePartitionsRequest()
	rt := kmsg.NewCreatePartitionsRequestTopic()
	rt.Topic, rt.Count = topic, more
	req.Topics = append(req.Topics, rt)
	resp, err := ask[*kmsg.CreatePartitionsResponse](ctx, d.from.addr, req)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		return err
	}
	// Apache Kafka answers before its brokers know.
	if err := await(ctx, func() error {
		resp, err := ask[*kmsg.MetadataResponse](ctx, d.from.addr, &kmsg.MetadataRequest{Topics: []kmsg.MetadataRequestTopic{{Topic: kmsg.StringPtr(topic)}}})
		if err == nil && len(resp.Topics[0].Partitions) != more {
			err = fmt.Errorf("%s has %d partitions, not %d", topic, len(resp.Topics[0].Partitions), more)
		}
		return err
	}); err != nil {
		return err
	}
	records := recordsOf(numbers(50))
	for _, r := range records {
		r.Partition = more - 1
	}
	if err := produce(ctx, d.from.addr, topic, records, kgo.UnknownTopicRetries(-1)); err != nil {
		return err
	}
	r, err := newReader(d.to.addr, d.policy(topic), more, false)
	if err != nil {
		return err
	}
	defer r.close()
	if err := r.count(ctx, len(records)); err != nil {
		return err
	}
	return same("the new partition", numbers(50), values(r.records[more-1]))
}

// beats: the other side has heartbeats of this one, and those that this side has of it.
func beats(ctx context.Context, m *mirror, d direction) error {
	for topic, want := range map[string][2]string{
		"heartbeats":           {d.from.alias, d.to.alias},
		d.policy("heartbeats"): {d.to.alias, d.from.alias},
	} {
		r, err := newReader(d.to.addr, topic, 1, false)
		if err != nil {
			return err
		}
		defer r.close()
		if err := r.until(ctx, func() error {
			for _, record := range r.all() {
				source, rest, err := text(record.Key)
				target, rest, err2 := text(rest)
				if err := errors.Join(err, err2); err != nil || len(rest) > 0 {
					return fmt.Errorf("a heartbeat has the key %q: %w", record.Key, err)
				}
				if [2]string{source, target} == want {
					return nil
				}
			}
			return fmt.Errorf("no heartbeat in %s is from %v to %v", topic, want[0], want[1])
		}); err != nil {
			return err
		}
	}
	return nil
}

// text takes a string off a struct as MirrorMaker writes them: two bytes of length, and the bytes.
func text(p []byte) (string, []byte, error) {
	if len(p) < 2 || len(p)-2 < int(binary.BigEndian.Uint16(p)) {
		return "", nil, fmt.Errorf("%q holds no string", p)
	}
	n := int(binary.BigEndian.Uint16(p))
	return string(p[2 : 2+n]), p[2+n:], nil
}
