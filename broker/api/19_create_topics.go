package api

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/controller"
)

// CreateTopics, key 19, versions 2 to 7: KIP-4, KIP-195 (validate only), KIP-464
// (defaults by -1), KIP-525 (the configuration in the answer, version 5), KIP-516
// (topic id, version 7), KIP-599 (THROTTLING_QUOTA_EXCEEDED, version 6; never
// answered: there are no quotas).
//
// Deviation: Kafka answers when the topic is in the metadata, and clients have to
// wait until its leaders serve. Here they serve when the answer leaves.

func createTopics(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.CreateTopicsRequest)
	out := in.ResponseKind().(*kmsg.CreateTopicsResponse)
	if r.Version >= 5 && !d.answerRoom().take(len(in.Topics)*config.TopicDefs().Len()*configEntrySize) {
		return tooMuchAsked(r) // before anything is created
	}
	topics := make([]controller.NewTopic, len(in.Topics))
	for i, t := range in.Topics {
		topics[i] = newTopic(t)
	}
	var results []controller.TopicResult
	err := withinTimeout(ctx, in.TimeoutMillis, func(ctx context.Context) {
		var revision int64
		results, revision = d.Controller.CreateTopics(ctx, topics, in.ValidateOnly)
		awaitServed(ctx, d, revision)
	})
	if err != nil {
		for _, t := range in.Topics {
			results = append(results, controller.TopicResult{Name: t.Topic, Err: err})
		}
	}
	values := dynamicConfig(d)
	for _, res := range results {
		o := kmsg.NewCreateTopicsResponseTopic()
		o.Topic = res.Name
		o.NumPartitions, o.ReplicationFactor = -1, -1
		o.Configs = []kmsg.CreateTopicsResponseTopicConfig{}
		o.ErrorCode, o.ErrorMessage = code(res.Err), message(res.Err)
		if res.Err == nil {
			o.TopicID = res.Topic.ID
			o.NumPartitions, o.ReplicationFactor = int32(len(res.Topic.Partitions)), res.Topic.ReplicationFactor()
			if r.Version >= 5 {
				o.Configs = createdConfigs(values, res.Topic)
			}
		}
		out.Topics = append(out.Topics, o)
		if res.Err != nil || in.ValidateOnly {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(res.Topic.Configs)) {
			tellIfIdle(d, controller.ConfigResource{Type: controller.ResourceTopic, Name: res.Name}, key, res.Topic.Configs[key])
		}
	}
	return answer(out)
}

// newTopic is the request's topic as the controller takes it.
func newTopic(t kmsg.CreateTopicsRequestTopic) controller.NewTopic {
	n := controller.NewTopic{
		Name: t.Topic, Partitions: t.NumPartitions, ReplicationFactor: t.ReplicationFactor,
		Configs: make(map[string]string, len(t.Configs)),
	}
	for _, c := range t.Configs {
		if c.Value == nil {
			n.NullConfigs = append(n.NullConfigs, c.Name)
			continue
		}
		n.Configs[c.Name] = *c.Value // of several the last counts, as in Kafka
	}
	for _, a := range t.ReplicaAssignment {
		n.Assignments = append(n.Assignments, controller.ReplicaAssignment{Partition: a.Partition, Replicas: a.Replicas})
	}
	return n
}

// withinTimeout runs a control operation with the time that the client gives it.
// Without any it is not begun: as in Kafka, where it would expire in the
// controller's queue.
func withinTimeout(ctx context.Context, ms int32, operation func(ctx context.Context)) error {
	if ms <= 0 {
		return timedOut
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(ms)*time.Millisecond)
	defer cancel()
	operation(ctx)
	return nil
}

// timedOut has no message, as in Kafka.
var timedOut = &controller.Error{Code: kerr.RequestTimedOut}

// awaitServed waits until the partitions here are in the state of a revision. What
// was committed stays committed if that takes longer than the client waits, and
// is answered as done.
func awaitServed(ctx context.Context, d *Deps, revision int64) {
	if err := d.Partitions.Await(ctx, revision); err != nil {
		d.Logger.Warn("a change of topics is committed, but not served in the time the client gave", "revision", revision, "err", err)
	}
}

// createdConfigs is the effective configuration of a new topic.
func createdConfigs(values config.Values, t *controller.Topic) []kmsg.CreateTopicsResponseTopicConfig {
	out := []kmsg.CreateTopicsResponseTopicConfig{}
	for _, e := range values.CreatedTopic(t.Configs) {
		c := kmsg.NewCreateTopicsResponseTopicConfig()
		c.Name, c.Value, c.Source = e.Name, e.Value, int8(e.Source)
		c.ReadOnly, c.IsSensitive = e.ReadOnly, e.Sensitive
		out = append(out, c)
	}
	return out
}

// dynamicConfig is the broker's configuration with what was set at run time.
func dynamicConfig(d *Deps) config.Values {
	return EffectiveConfig(d.Config, d.NodeID, d.Partitions.Image())
}
