package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/group"
)

// OffsetDelete, key 47, version 0: KIP-496. An error of the group comes alone;
// otherwise each partition has its own.

func offsetDelete(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.OffsetDeleteRequest)
	out := in.ResponseKind().(*kmsg.OffsetDeleteResponse)
	forget := group.DeleteOffsetsRequest{Group: in.Group}
	image := d.Partitions.Image()
	for _, t := range in.Topics {
		topic, ok := image.Topic(t.Topic)
		for _, p := range t.Partitions {
			if !ok || !hasPartition(topic, p.Partition) {
				addDeleted(out, t.Topic, p.Partition, kerr.UnknownTopicOrPartition)
				continue
			}
			forget.Partitions = append(forget.Partitions, group.TopicPartition{Topic: t.Topic, Partition: p.Partition})
		}
	}
	return onceStored(d.Groups.DeleteOffsets(forget), func(done group.DeleteOffsetsResponse, arrived bool) kmsg.Response {
		if !arrived {
			done.Err = kerr.NotCoordinator
		}
		if done.Err != nil {
			out.ErrorCode, out.Topics = code(done.Err), nil
			return out
		}
		for i, p := range forget.Partitions {
			addDeleted(out, p.Topic, p.Partition, done.Errs[i])
		}
		return out
	})
}

// addDeleted is addCommitted for this response.
func addDeleted(out *kmsg.OffsetDeleteResponse, topic string, partition int32, err error) {
	at := len(out.Topics) - 1
	for at >= 0 && out.Topics[at].Topic != topic {
		at--
	}
	if at < 0 {
		o := kmsg.NewOffsetDeleteResponseTopic()
		o.Topic = topic
		out.Topics = append(out.Topics, o)
		at = len(out.Topics) - 1
	}
	p := kmsg.NewOffsetDeleteResponseTopicPartition()
	p.Partition, p.ErrorCode = partition, code(err)
	out.Topics[at].Partitions = append(out.Topics[at].Partitions, p)
}
