package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
	"blumfeld/controller/group"
)

// OffsetCommit, key 8, versions 2 to 10: KIP-211 (no retention time, version 5),
// KIP-320 (leader epoch, version 6), KIP-345 (instance id, version 7), KIP-848
// (topic ids, version 10).
//
// Offsets of topics and partitions that do not exist are refused one by one; the
// others are committed. As in Kafka the retention time of versions 2 to 4 is not
// heeded: it would end a commit earlier than offsets.retention.minutes, which
// begins when the group has no members.

func offsetCommit(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.OffsetCommitRequest)
	out := in.ResponseKind().(*kmsg.OffsetCommitResponse)
	commit := group.CommitRequest{
		Group: in.Group, MemberID: in.MemberID, InstanceID: in.InstanceID, Generation: in.Generation,
	}
	n := 0
	for _, t := range in.Topics {
		n += len(t.Partitions)
	}
	commit.Offsets = make([]group.OffsetToCommit, 0, n)
	asked := make([]int, 0, n) // the topic in the request of each offset
	image := d.Partitions.Image()
	for i, t := range in.Topics {
		topic, err := committable(image, r.Version, t)
		for _, p := range t.Partitions {
			switch {
			case err != nil:
				addCommitted(out, t, p.Partition, err)
			case !hasPartition(topic, p.Partition):
				addCommitted(out, t, p.Partition, kerr.UnknownTopicOrPartition)
			default:
				commit.Offsets = append(commit.Offsets, group.OffsetToCommit{
					Topic: topic.Name, Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch,
					Metadata: valueOf(p.Metadata),
				})
				asked = append(asked, i)
			}
		}
	}
	if len(commit.Offsets) == 0 {
		return answer(out) // not even the group is looked at, as in Kafka
	}
	return onceStored(d.Groups.Commit(commit), func(done group.CommitResponse, arrived bool) kmsg.Response {
		for i, o := range commit.Offsets {
			var err error = kerr.RequestTimedOut
			if arrived {
				err = done.Errs[i]
			}
			if r.Version < 9 && code(err) == kerr.GroupIDNotFound.Code {
				err = kerr.IllegalGeneration
			}
			addCommitted(out, in.Topics[asked[i]], o.Partition, err)
		}
		return out
	})
}

// committable is the topic that t names, by id from version 10 on.
func committable(image *controller.Image, version int16, t kmsg.OffsetCommitRequestTopic) (*controller.Topic, error) {
	if version >= 10 {
		return topicByID(image, t.TopicID)
	}
	if topic, ok := image.Topic(t.Topic); ok {
		return topic, nil
	}
	return nil, kerr.UnknownTopicOrPartition
}

func topicByID(image *controller.Image, id [16]byte) (*controller.Topic, error) {
	if topic, ok := image.TopicByID(id); ok {
		return topic, nil
	}
	return nil, kerr.UnknownTopicID
}

func hasPartition(t *controller.Topic, partition int32) bool {
	return partition >= 0 && int(partition) < len(t.Partitions)
}

// addCommitted tells a partition's error: in one entry for each topic, the
// partitions that were refused before the coordinator was asked first, as Kafka
// orders them.
func addCommitted(out *kmsg.OffsetCommitResponse, t kmsg.OffsetCommitRequestTopic, partition int32, err error) {
	at := len(out.Topics) - 1
	for at >= 0 && (out.Topics[at].Topic != t.Topic || out.Topics[at].TopicID != t.TopicID) {
		at--
	}
	if at < 0 {
		o := kmsg.NewOffsetCommitResponseTopic()
		o.Topic, o.TopicID = t.Topic, t.TopicID
		o.Partitions = make([]kmsg.OffsetCommitResponseTopicPartition, 0, len(t.Partitions))
		out.Topics = append(out.Topics, o)
		at = len(out.Topics) - 1
	}
	p := kmsg.NewOffsetCommitResponseTopicPartition()
	p.Partition, p.ErrorCode = partition, code(err)
	out.Topics[at].Partitions = append(out.Topics[at].Partitions, p)
}

// valueOf is *s, or "" for null.
func valueOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
