package api

import (
	"context"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeQuorum, key 55, versions 0 to 2: KIP-595, KIP-836 (times, version 1),
// KIP-853 (nodes and messages, version 2). The metadata store answers in the
// place of Kafka's metadata log: terms are leader epochs, entries of its log are
// offsets. The quorum is static, as with kraft.version 0: voters have no
// directory id.
//
// Deviation: one voter opens no port for others, so that its node has no
// listeners.

// metadataTopic is Kafka's metadata log, partition 0 of which can be asked for.
const metadataTopic = "__cluster_metadata"

func describeQuorum(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeQuorumRequest)
	out := in.ResponseKind().(*kmsg.DescribeQuorumResponse)
	out.ErrorMessage = kmsg.StringPtr("") // here and below not null: Kafka leaves the default
	if len(in.Topics) == 1 && in.Topics[0].Topic == metadataTopic && len(in.Topics[0].Partitions) == 1 && in.Topics[0].Partitions[0].Partition == 0 {
		t := kmsg.NewDescribeQuorumResponseTopic()
		t.Topic = metadataTopic
		p, nodes := quorum(d)
		t.Partitions = append(t.Partitions, p)
		out.Topics = append(out.Topics, t)
		out.Nodes = nodes
		return answer(out)
	}
	// Whoever asks for more than that gets nothing, not even that.
	for _, t := range in.Topics {
		o := kmsg.NewDescribeQuorumResponseTopic()
		o.Topic = t.Topic
		for _, p := range t.Partitions {
			op := kmsg.NewDescribeQuorumResponseTopicPartition()
			op.Partition = p.Partition
			op.ErrorCode, op.ErrorMessage = kerr.UnknownTopicOrPartition.Code, &kerr.UnknownTopicOrPartition.Description
			o.Partitions = append(o.Partitions, op)
		}
		out.Topics = append(out.Topics, o)
	}
	return answer(out)
}

func quorum(d *Deps) (p kmsg.DescribeQuorumResponseTopicPartition, nodes []kmsg.DescribeQuorumResponseNode) {
	q := d.Controller.Quorum()
	now := d.Now().UnixMilli()
	p = kmsg.NewDescribeQuorumResponseTopicPartition()
	p.ErrorMessage = kmsg.StringPtr("")
	p.LeaderID, p.HighWatermark = q.Leader, q.HighWatermark
	p.LeaderEpoch = int32(min(q.LeaderEpoch, math.MaxInt32))
	for _, v := range q.Voters {
		o := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
		o.ReplicaID, o.LogEndOffset = v.ID, v.LogEnd
		if v.ID == q.Leader {
			o.LastFetchTimestamp, o.LastCaughtUpTimestamp = now, now
		}
		p.CurrentVoters = append(p.CurrentVoters, o)
		node := kmsg.NewDescribeQuorumResponseNode()
		node.NodeID = v.ID
		nodes = append(nodes, node)
	}
	return p, nodes
}
