package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
)

func createTopicsRequest(version int16, topics ...kmsg.CreateTopicsRequestTopic) *kmsg.CreateTopicsRequest {
	r := kmsg.NewPtrCreateTopicsRequest()
	r.Version, r.TimeoutMillis, r.Topics = version, 30000, topics
	return r
}

// wanted is one topic of a CreateTopics request with this configuration, given as
// key, value, …; the value "null" stands for none.
func wanted(name string, partitions int32, replicas int16, configs ...string) kmsg.CreateTopicsRequestTopic {
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, replicas
	for i := 0; i < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name = configs[i]
		if configs[i+1] != "null" {
			c.Value = &configs[i+1]
		}
		t.Configs = append(t.Configs, c)
	}
	return t
}

// placed adds a replica assignment: of partitions to brokers.
func placed(t kmsg.CreateTopicsRequestTopic, partitions []int32, brokers ...int32) kmsg.CreateTopicsRequestTopic {
	for _, p := range partitions {
		a := kmsg.NewCreateTopicsRequestTopicReplicaAssignment()
		a.Partition, a.Replicas = p, brokers
		t.ReplicaAssignment = append(t.ReplicaAssignment, a)
	}
	return t
}

// created is a response in short: name, error and message or partitions x
// replication factor.
func created(r *kmsg.CreateTopicsResponse) (out []string) {
	for _, t := range r.Topics {
		s := fmt.Sprintf("%s %dx%d", t.Topic, t.NumPartitions, t.ReplicationFactor)
		if t.ErrorCode != 0 {
			s = fmt.Sprintf("%s e%d %s", t.Topic, t.ErrorCode, text(t.ErrorMessage))
		} else if t.ErrorMessage != nil {
			s += " " + *t.ErrorMessage
		}
		out = append(out, s)
	}
	return out
}

func TestCreateTopics(t *testing.T) {
	f := newFixture(t)
	f.topic("there", 1)
	for name, c := range map[string]struct {
		topics []kmsg.CreateTopicsRequestTopic
		want   []string
	}{
		"plain":         {[]kmsg.CreateTopicsRequestTopic{wanted("p", 3, 1)}, []string{"p 3x1"}},
		"defaults":      {[]kmsg.CreateTopicsRequestTopic{wanted("d", -1, -1)}, []string{"d 1x1"}},
		"nothing":       {nil, nil},
		"exists":        {[]kmsg.CreateTopicsRequestTopic{wanted("there", 1, 1)}, []string{"there e36 Topic 'there' already exists."}},
		"illegal name":  {[]kmsg.CreateTopicsRequestTopic{wanted("", 1, 1)}, []string{" e17 Topic name is invalid: the empty string is not allowed"}},
		"metadata log":  {[]kmsg.CreateTopicsRequestTopic{wanted("__cluster_metadata", 1, 1)}, []string{"__cluster_metadata e42 Creation of internal topic __cluster_metadata is prohibited."}},
		"no partitions": {[]kmsg.CreateTopicsRequestTopic{wanted("n", 0, 1)}, []string{"n e37 Number of partitions was set to an invalid non-positive value."}},
		"no replicas":   {[]kmsg.CreateTopicsRequestTopic{wanted("n", 1, 0)}, []string{"n e38 Replication factor must be larger than 0, or -1 to use the default value."}},
		"twice": {[]kmsg.CreateTopicsRequestTopic{wanted("t", 1, 1), wanted("u", 1, 1), wanted("t", 1, 1)},
			[]string{"u 1x1", "t e42 Duplicate topic name."}},
		"one of two": {[]kmsg.CreateTopicsRequestTopic{wanted("a b", 1, 1), wanted("v", 2, 1)},
			[]string{"a b e17 Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", "v 2x1"}},
		"unknown configuration": {[]kmsg.CreateTopicsRequestTopic{wanted("n", 1, 1, "retention.mss", "1")},
			[]string{"n e40 Unknown topic config name: retention.mss"}},
		"bad configuration": {[]kmsg.CreateTopicsRequestTopic{wanted("n", 1, 1, "retention.ms", "x")},
			[]string{"n e40 Invalid value x for configuration retention.ms: Not a number of type LONG"}},
		"null configuration": {[]kmsg.CreateTopicsRequestTopic{wanted("n", 1, 1, "retention.ms", "null")},
			[]string{"n e40 Null value not supported for topic configs: retention.ms"}},
		"placed": {[]kmsg.CreateTopicsRequestTopic{placed(wanted("w", -1, -1), []int32{1, 0}, 1)}, []string{"w 2x1"}},
		"placed with a gap": {[]kmsg.CreateTopicsRequestTopic{placed(wanted("n", -1, -1), []int32{0, 2}, 1)},
			[]string{"n e39 partitions should be a consecutive 0-based integer sequence"}},
		"placed on an unknown broker": {[]kmsg.CreateTopicsRequestTopic{placed(wanted("n", -1, -1), []int32{0}, 9)},
			[]string{"n e39 The manual partition assignment includes broker 9, but no such broker is registered."}},
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, "answer", created(ask[*kmsg.CreateTopicsResponse](f, createTopicsRequest(7, c.topics...))), c.want)
		})
	}
	for _, topic := range []string{"p", "w"} {
		f.partition(topic, 1) // what is answered is served
	}
	if _, ok := f.Partitions.Image().Topic("n"); ok {
		t.Error("a refused topic was created")
	}
}

func TestCreateTopicsVersions(t *testing.T) {
	f := newFixture(t)
	f.versions(kmsg.NewPtrCreateTopicsRequest(), func(v int16) {
		name := fmt.Sprint("topic-", v)
		r := createTopicsRequest(v, wanted(name, 2, 1, "retention.ms", "1000"))
		r.ValidateOnly = true
		ask[*kmsg.CreateTopicsResponse](f, r)
		if _, ok := f.Partitions.Image().Topic(name); ok {
			t.Fatalf("version %d: validate only created a topic", v)
		}
		r.ValidateOnly = false
		got := ask[*kmsg.CreateTopicsResponse](f, r).Topics[0]
		equal(t, "error", got.ErrorCode, 0)
		topic, ok := f.Partitions.Image().Topic(name)
		if !ok {
			t.Fatalf("version %d: no topic", v)
		}
		if want := topic.ID; v >= 7 && got.TopicID != want {
			t.Errorf("version %d: topic id %x, want %x", v, got.TopicID, want)
		}
		if v < 5 {
			return
		}
		equal(t, "partitions", []any{got.NumPartitions, got.ReplicationFactor}, []any{int32(2), int16(1)})
		names := make([]string, 0, len(got.Configs))
		for _, c := range got.Configs {
			names = append(names, c.Name)
			if c.Name == "retention.ms" {
				equal(t, c.Name, fmt.Sprint(text(c.Value), " ", c.Source), "1000 1")
			}
		}
		if !slices.IsSorted(names) || !slices.Contains(names, "segment.bytes") || len(names) < 30 {
			t.Errorf("version %d: configuration has the keys %s", v, strings.Join(names, ", "))
		}
	})
}

// The answer has the configuration as Kafka gives it: internal keys only where
// they are set, min.insync.replicas from the cluster's default.
func TestCreatedConfiguration(t *testing.T) {
	f := newFixture(t)
	described := func(configs ...string) (lines []string) {
		t.Helper()
		r := createTopicsRequest(7, wanted("t", 1, 1, configs...))
		r.ValidateOnly = true
		entries := ask[*kmsg.CreateTopicsResponse](f, r).Topics[0].Configs
		for _, c := range entries {
			if c.Source != int8(config.SourceDefault) {
				lines = append(lines, fmt.Sprintf("%s=%s %d", c.Name, text(c.Value), c.Source))
			}
		}
		return append(lines, fmt.Sprint(len(entries)))
	}
	equal(t, "plain", described(), []string{"min.insync.replicas=1 3", "33"})
	equal(t, "internal", described("internal.segment.bytes", "100", "segment.bytes", "2000000"),
		[]string{"internal.segment.bytes=100 1", "min.insync.replicas=1 3", "segment.bytes=2000000 1", "34"})
	f.log.take("")
	ask[*kmsg.CreateTopicsResponse](f, createTopicsRequest(7, wanted("t", 1, 1, "remote.log.copy.disable", "true", "retention.ms", "5")))
	equal(t, "log", f.log.take("effect"), []string{`"accepted, has no effect here" key=remote.log.copy.disable resource=topic name=t`})
}

// Without time nothing is begun, as in Kafka.
func TestTopicOperationsWithoutTime(t *testing.T) {
	f := newFixture(t)
	f.topic("there", 1)
	for _, timeout := range []int32{0, -1} {
		create := createTopicsRequest(7, wanted("new", 1, 1))
		create.TimeoutMillis = timeout
		equal(t, "create", created(ask[*kmsg.CreateTopicsResponse](f, create)), []string{"new e7 null"})
		grow := createPartitionsRequest(3, grown("there", 2))
		grow.TimeoutMillis = timeout
		equal(t, "create partitions", grownTo(ask[*kmsg.CreatePartitionsResponse](f, grow)), []string{"there e7 null"})
		remove := deleteTopicsRequest(6, "there")
		remove.TimeoutMillis = timeout
		equal(t, "delete", deleted(ask[*kmsg.DeleteTopicsResponse](f, remove)), []string{"there e7 null"})
	}
	image := f.Partitions.Image()
	if there, ok := image.Topic("there"); !ok || len(there.Partitions) != 1 {
		t.Error("an operation without time changed a topic")
	}
	if _, ok := image.Topic("new"); ok {
		t.Error("an operation without time created a topic")
	}
}
