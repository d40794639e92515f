package broker

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/controller"
	"blumfeld/protocol/batch"
)

// alter sets one key of a resource, "topic name", "broker id" or "brokers" for
// all of them; no value takes the setting away.
func (c *client) alter(resource, key, value string) {
	c.t.Helper()
	kind, name, _ := strings.Cut(resource, " ")
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.Version = 1
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeBroker, name
	if kind == "topic" {
		res.ResourceType = kmsg.ConfigResourceTypeTopic
	}
	config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	config.Name, config.Value = key, &value
	if value == "" {
		config.Op, config.Value = kmsg.IncrementalAlterConfigOpDelete, nil
	}
	res.Configs = append(res.Configs, config)
	req.Resources = append(req.Resources, res)
	for _, res := range ask[*kmsg.IncrementalAlterConfigsResponse](c, req).Resources {
		if res.ErrorCode != 0 {
			c.t.Fatalf("%s of %s: error %d %s", key, resource, res.ErrorCode, *res.ErrorMessage)
		}
	}
}

// produced appends a batch to partition 0 and answers the error's name.
func (c *client) produced(topic string, acks int16, b batch.Batch) string {
	c.t.Helper()
	code := produceCode(ask[*kmsg.ProduceResponse](c, produceRequest(topic, 0, acks, b)))
	if code == 0 {
		return "taken"
	}
	return kerr.TypedErrorForCode(code).Message
}

// batchAt is a batch of one record of that time.
func batchAt(timestamp int64) batch.Batch {
	b := batch.NewBuilder()
	b.Add(batch.Record{Timestamp: timestamp, Value: []byte("v")})
	return b.Build()
}

// segments answers how many segments partition 0 of a topic has.
func segments(t testing.TB, dir, topic string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, topic+"-0", "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// TestDynamicTopicSettings changes, while the broker runs, what topics go by: for
// one topic, for this broker, for all brokers. The request that follows the
// answer meets the new value, and the old one once it is taken back.
func TestDynamicTopicSettings(t *testing.T) {
	dir := t.TempDir()
	c := start(t, config.Properties{"log.dirs": dir}).dial()
	for _, tc := range []struct {
		key, value    string // of the topic
		brokerKey     string
		observe       func(c *client, topic string) string
		before, after string
	}{
		{"max.message.bytes", "1000", "message.max.bytes",
			func(c *client, topic string) string { return c.produced(topic, 1, someBatch(1, 1500)) }, "taken", "MESSAGE_TOO_LARGE"},
		{"cleanup.policy", "compact", "log.cleanup.policy", // a record without a key
			func(c *client, topic string) string { return c.produced(topic, 1, someBatch(1, 10)) }, "taken", "INVALID_RECORD"},
		{"message.timestamp.before.max.ms", "1000", "log.message.timestamp.before.max.ms",
			func(c *client, topic string) string { return c.produced(topic, 1, batchAt(1)) }, "taken", "INVALID_TIMESTAMP"},
		{"message.timestamp.type", "LogAppendTime", "log.message.timestamp.type",
			func(c *client, topic string) string {
				r := ask[*kmsg.ProduceResponse](c, produceRequest(topic, 0, 1, batchAt(1)))
				return fmt.Sprint(r.Topics[0].Partitions[0].LogAppendTime > 0)
			}, "false", "true"},
		{"segment.bytes", "1048576", "log.segment.bytes",
			func(c *client, topic string) string {
				was := segments(c.t, dir, topic)
				for range 3 {
					c.produced(topic, 1, someBatch(1, 600_000))
				}
				return fmt.Sprint(segments(c.t, dir, topic) > was)
			}, "false", "true"},
		{"segment.ms", "1", "log.roll.ms", // by the records' time
			func(c *client, topic string) string {
				was := segments(c.t, dir, topic)
				c.produced(topic, 1, batchAt(1_000_000))
				c.produced(topic, 1, batchAt(1_000_000+3_600_000))
				return fmt.Sprint(segments(c.t, dir, topic) > was)
			}, "false", "true"},
	} {
		for _, at := range []struct{ resource, key string }{{"topic", tc.key}, {"broker 1", tc.brokerKey}, {"broker", tc.brokerKey}} {
			topic := strings.ReplaceAll(tc.key+at.resource, " ", "-")
			t.Run(topic, func(t *testing.T) {
				c.t = t
				c.createTopic(topic, 1)
				if at.resource == "topic" {
					at.resource += " " + topic
				}
				check := func(when, want string) {
					t.Helper()
					if got := tc.observe(c, topic); got != want {
						t.Errorf("%s: %s, want %s", when, got, want)
					}
				}
				check("at first", tc.before)
				c.alter(at.resource, at.key, tc.value)
				check("changed", tc.after)
				c.alter(at.resource, at.key, "")
				check("taken back", tc.before)
			})
		}
	}
}

// Retention works by the new value the next time that it looks.
func TestDynamicRetention(t *testing.T) {
	for _, tc := range []struct{ resource, key, value string }{
		{"topic t", "retention.bytes", "1"}, {"topic t", "retention.ms", "1000"},
		{"broker", "log.retention.bytes", "1"}, {"broker 1", "log.retention.ms", "1000"},
	} {
		t.Run(tc.resource+" "+tc.key, func(t *testing.T) {
			dir := t.TempDir()
			c := start(t, config.Properties{"log.dirs": dir, "log.roll.ms": "1", "log.retention.ms": "-1",
				"log.retention.check.interval.ms": "10"}).dial()
			c.createTopic("t", 1)
			for n := range 3 {
				c.produced("t", 1, batchAt(1_000_000+10*int64(n)))
			}
			if n := segments(t, dir, "t"); n != 3 {
				t.Fatalf("%d segments", n)
			}
			c.alter(tc.resource, tc.key, tc.value)
			waitFor(t, func() bool {
				req := kmsg.NewPtrListOffsetsRequest()
				req.Version = 5
				topic, p := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
				topic.Topic, p.Timestamp = "t", -2
				topic.Partitions = append(topic.Partitions, p)
				req.Topics = append(req.Topics, topic)
				return ask[*kmsg.ListOffsetsResponse](c, req).Topics[0].Partitions[0].Offset >= 2
			})
		})
	}
}

// Connection limits count for the next connection, and are still there after a
// restart.
func TestDynamicConnectionLimits(t *testing.T) {
	for _, tc := range []struct{ resource, key, value string }{
		{"broker", "max.connections", "1"},
		{"broker 1", "max.connections.per.ip", "1"},
		{"broker", "max.connections.per.ip.overrides", "127.0.0.1:1"},
		{"broker", "max.connections.per.ip.overrides", "no-such-host.invalid:7,localhost:1"},
	} {
		t.Run(tc.key+"="+tc.value, func(t *testing.T) {
			store := lastingStore{controller.NewMemStore()}
			r := run(t, nil, "", store)
			c := r.dial()
			ask[*kmsg.MetadataResponse](r.dial(), metadataOf())
			c.alter(tc.resource, tc.key, tc.value)
			r.dial().gone()
			if err := r.end(); err != nil {
				t.Fatal(err)
			}
			r = run(t, nil, "", store)
			c = r.dial()
			ask[*kmsg.MetadataResponse](c, metadataOf())
			r.dial().gone()
			c.alter(tc.resource, tc.key, "")
			ask[*kmsg.MetadataResponse](r.dial(), metadataOf())
		})
	}
}

func TestDynamicProducerExpiration(t *testing.T) {
	c := start(t, config.Properties{"producer.id.expiration.check.interval.ms": "10"}).dial()
	c.createTopic("t", 1)
	b := batch.NewBuilder()
	b.ProducerID, b.ProducerEpoch, b.BaseSequence = 7, 0, 0
	b.Add(batch.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("v")}) // an old one would expire at once
	c.produced("t", 1, b.Build())
	producers := func() int {
		req := kmsg.NewPtrDescribeProducersRequest()
		req.Topics = append(req.Topics, kmsg.DescribeProducersRequestTopic{Topic: "t", Partitions: []int32{0}})
		return len(ask[*kmsg.DescribeProducersResponse](c, req).Topics[0].Partitions[0].ActiveProducers)
	}
	if n := producers(); n != 1 {
		t.Fatalf("%d producers", n)
	}
	c.alter("broker", "producer.id.expiration.ms", "1")
	waitFor(t, func() bool { return producers() == 0 })
}

// The property is what the cluster begins with; from then on the cluster has its
// own say, and who changes the property is told so.
func TestMinInsyncPropertyIsForTheFirstStart(t *testing.T) {
	store := lastingStore{controller.NewMemStore()}
	for _, tc := range []struct {
		property string
		told     bool
	}{{"2", false}, {"3", true}, {"1", false}} {
		r := run(t, config.Properties{"min.insync.replicas": tc.property}, "", store)
		c := r.dial()
		c.createTopic("t"+tc.property, 1)
		req := kmsg.NewPtrDescribeConfigsRequest()
		req.Version = 4
		res := kmsg.NewDescribeConfigsRequestResource()
		res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, "t"+tc.property
		res.ConfigNames = []string{"min.insync.replicas"}
		req.Resources = append(req.Resources, res)
		entry := ask[*kmsg.DescribeConfigsResponse](c, req).Resources[0].Configs[0]
		if *entry.Value != "2" || entry.Source != kmsg.ConfigSourceDynamicDefaultBrokerConfig {
			t.Errorf("property %s: %s of source %d", tc.property, *entry.Value, entry.Source)
		}
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		if told := strings.Contains(r.logs.String(), "key=min.insync.replicas"); told != tc.told {
			t.Errorf("property %s: told of it: %v", tc.property, told)
		}
	}
}

func TestDynamicLogLevel(t *testing.T) {
	for level, want := range map[string]bool{"INFO": true, "ERROR": false} {
		r := start(t, nil)
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		res := kmsg.NewIncrementalAlterConfigsRequestResource()
		res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeBrokerLogger, "1"
		config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config.Name, config.Value = "root", &level
		res.Configs = append(res.Configs, config)
		req.Resources = append(req.Resources, res)
		ask[*kmsg.IncrementalAlterConfigsResponse](r.dial(), req)
		if err := r.end(); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(r.logs.String(), "msg=stopping"); got != want {
			t.Errorf("at level %s the end is told of: %v", level, got)
		}
	}
}
