package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// OffsetForLeaderEpoch, key 23, versions 2 to 4: KIP-101, KIP-279, KIP-320. The
// answer is the largest epoch up to the one that is asked for, and where it ends;
// -1 and -1 for an epoch that the leader has not seen.
//
// The replica id (version 3) makes no difference here: in Kafka it only decides
// which authorization is needed.

func offsetForLeaderEpoch(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.OffsetForLeaderEpochRequest)
	out := in.ResponseKind().(*kmsg.OffsetForLeaderEpochResponse)
	for _, t := range in.Topics {
		topic := kmsg.NewOffsetForLeaderEpochResponseTopic()
		topic.Topic = t.Topic
		for _, ask := range t.Partitions {
			o := kmsg.NewOffsetForLeaderEpochResponseTopicPartition()
			o.Partition = ask.Partition
			epoch, end, err := endOfEpoch(d, t.Topic, ask)
			o.LeaderEpoch, o.EndOffset, o.ErrorCode = epoch, end, code(err)
			topic.Partitions = append(topic.Partitions, o)
		}
		out.Topics = append(out.Topics, topic)
	}
	return answer(out)
}

func endOfEpoch(d *Deps, topic string, ask kmsg.OffsetForLeaderEpochRequestTopicPartition) (epoch int32, end int64, err error) {
	p, err := d.Partitions.Get(topic, ask.Partition)
	if err != nil {
		return -1, -1, err
	}
	err = asLeader(p, ask.CurrentLeaderEpoch, func(int32) error {
		epoch, end = p.Log().EndOffsetForEpoch(ask.LeaderEpoch)
		return nil
	})
	if err != nil {
		return -1, -1, err
	}
	return epoch, end, nil
}
