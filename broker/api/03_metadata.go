package api

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// Metadata, key 3, versions 0 to 13. Topics are looked up by name or, from
// version 12 on, by id (KIP-516: versions 10 and 11 have the field, and Kafka
// refuses a request that uses it); auto-creation as the client (from version 4
// on) and auto.create.topics.enable allow. A topic that is asked for twice is
// answered once.
//
// Deviation: Apache Kafka answers UNKNOWN_TOPIC_OR_PARTITION to the request that
// creates a topic. Here the topic is served before the answer leaves, so the
// answer carries it.

func metadata(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.MetadataRequest)
	out := in.ResponseKind().(*kmsg.MetadataResponse)
	if r.Version < 12 && slices.ContainsFunc(in.Topics, needsIDs) {
		return answer(refuseMetadata(in, out))
	}
	image := d.Partitions.Image()

	all := in.Topics == nil || r.Version == 0 && len(in.Topics) == 0
	if all {
		for t := range image.Topics() {
			out.Topics = append(out.Topics, describeTopic(d, r, image, t))
		}
	} else {
		if names := missing(image, in.Topics); len(names) > 0 && mayAutoCreate(d, r, in) {
			autoCreate(ctx, d, names)
			image = d.Partitions.Image()
		}
		seen := make(map[topicKey]bool, len(in.Topics))
		for _, want := range in.Topics {
			if key := keyOf(&want); !seen[key] {
				seen[key] = true
				out.Topics = append(out.Topics, findTopic(d, r, image, want))
			}
		}
	}
	out.Brokers = metadataBrokers(d, r, image)
	out.ClusterID = kmsg.StringPtr(image.ClusterID())
	out.ControllerID = image.ControllerID()
	if r.Version >= 8 && r.Version <= 10 && in.IncludeClusterAuthorizedOperations {
		out.AuthorizedOperations = authorizedClusterOperations()
	}
	if in.IncludeTopicAuthorizedOperations {
		for i := range out.Topics {
			if out.Topics[i].Topic != nil {
				out.Topics[i].AuthorizedOperations = authorizedTopicOperations()
			}
		}
	}
	return answer(out)
}

// topicKey is how a request names a topic: by id if it has one.
type topicKey struct {
	id   [16]byte
	name string
	null bool
}

func keyOf(t *kmsg.MetadataRequestTopic) topicKey {
	switch {
	case t.TopicID != [16]byte{}:
		return topicKey{id: t.TopicID}
	case t.Topic == nil:
		return topicKey{null: true}
	}
	return topicKey{name: *t.Topic}
}

// needsIDs says whether t can only be meant as an id.
func needsIDs(t kmsg.MetadataRequestTopic) bool { return t.Topic == nil || t.TopicID != [16]byte{} }

// refuseMetadata answers INVALID_REQUEST for every topic.
func refuseMetadata(in *kmsg.MetadataRequest, out *kmsg.MetadataResponse) *kmsg.MetadataResponse {
	for _, t := range in.Topics {
		ot := kmsg.NewMetadataResponseTopic()
		ot.ErrorCode, ot.TopicID, ot.Topic = kerr.InvalidRequest.Code, t.TopicID, t.Topic
		if ot.Topic == nil {
			ot.Topic = kmsg.StringPtr("")
		}
		out.Topics = append(out.Topics, ot)
	}
	return out
}

func mayAutoCreate(d *Deps, r *Request, in *kmsg.MetadataRequest) bool {
	return d.Config.Bool("auto.create.topics.enable") && (r.Version < 4 || in.AllowAutoTopicCreation)
}

// missing answers the names that the image does not know, each once.
func missing(image *controller.Image, topics []kmsg.MetadataRequestTopic) (names []string) {
	for _, t := range topics {
		if needsIDs(t) {
			continue
		}
		if _, ok := image.Topic(*t.Topic); !ok {
			names = append(names, *t.Topic)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// autoCreate creates topics with the broker's defaults and waits until they are
// served. A name that cannot be created stays missing; findTopic says why.
func autoCreate(ctx context.Context, d *Deps, names []string) {
	topics := make([]controller.NewTopic, 0, len(names))
	for _, name := range names {
		if spec, ok := internalTopic(d, name); ok {
			topics = append(topics, spec)
			continue
		}
		topics = append(topics, controller.NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1})
	}
	results, revision := d.Controller.CreateTopics(ctx, topics, false)
	for i, res := range results {
		if res.Err != nil && !errors.Is(res.Err, kerr.TopicAlreadyExists) {
			d.Logger.Info("a topic was not created automatically", "topic", topics[i].Name, "err", res.Err)
		}
	}
	if err := d.Partitions.Await(ctx, revision); err != nil {
		d.Logger.Warn("topics created automatically are not served yet", "topics", names, "err", err)
	}
}

func findTopic(d *Deps, r *Request, image *controller.Image, want kmsg.MetadataRequestTopic) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	switch {
	case want.TopicID != [16]byte{}:
		t, ok := image.TopicByID(want.TopicID)
		if ok {
			return describeTopic(d, r, image, t)
		}
		out.TopicID = want.TopicID
		out.ErrorCode = kerr.UnknownTopicID.Code
		return out
	case want.Topic == nil:
		out.ErrorCode = kerr.InvalidTopicException.Code
		out.Topic = kmsg.StringPtr("")
		return out
	}
	if t, ok := image.Topic(*want.Topic); ok {
		return describeTopic(d, r, image, t)
	}
	out.Topic = want.Topic
	out.IsInternal = controller.IsInternalTopic(*want.Topic)
	out.ErrorCode = kerr.UnknownTopicOrPartition.Code
	if controller.ValidateTopicName(*want.Topic) != "" {
		out.ErrorCode = kerr.InvalidTopicException.Code
	}
	return out
}

func describeTopic(d *Deps, r *Request, image *controller.Image, t *controller.Topic) kmsg.MetadataResponseTopic {
	out := kmsg.NewMetadataResponseTopic()
	out.Topic = kmsg.StringPtr(t.Name)
	out.TopicID = t.ID
	out.IsInternal = t.Internal
	out.Partitions = make([]kmsg.MetadataResponseTopicPartition, len(t.Partitions))
	for i, p := range t.Partitions {
		part := kmsg.NewMetadataResponseTopicPartition()
		part.Partition = int32(i)
		part.LeaderEpoch, part.Replicas, part.ISR = p.LeaderEpoch, p.Replicas, p.ISR
		at := reachOf(d, r, image, t, i)
		part.Leader, part.OfflineReplicas, part.ErrorCode = at.leader, at.offline, code(at.err)
		if at.err == kerr.ListenerNotFound && r.Version < 6 {
			part.ErrorCode = kerr.LeaderNotAvailable.Code
		}
		out.Partitions[i] = part
	}
	return out
}

func metadataBrokers(d *Deps, r *Request, image *controller.Image) (out []kmsg.MetadataResponseBroker) {
	for _, b := range image.Brokers() {
		if b.Fenced {
			continue
		}
		e, ok := endpoint(d, r, b)
		if !ok {
			continue
		}
		m := kmsg.NewMetadataResponseBroker()
		m.NodeID, m.Host, m.Port = b.ID, e.Host, e.Port
		if b.Rack != "" {
			m.Rack = kmsg.StringPtr(b.Rack)
		}
		out = append(out, m)
	}
	return out
}
