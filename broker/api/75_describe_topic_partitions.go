package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// DescribeTopicPartitions, key 75, version 0: KIP-966. The answer goes through
// the topics in the order of their names, from a cursor on, up to a number of
// partitions, and says where to go on.
//
// There are no eligible leader replicas (ELR) besides the ISR.
//
// Deviation: Kafka answers UNKNOWN_SERVER_ERROR for all topics if one name is
// empty; here that one is an INVALID_TOPIC_EXCEPTION.

func describeTopicPartitions(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeTopicPartitionsRequest)
	out := in.ResponseKind().(*kmsg.DescribeTopicPartitionsResponse)
	if !validCursor(in) {
		for _, t := range in.Topics {
			o := kmsg.NewDescribeTopicPartitionsResponseTopic()
			o.Topic = kmsg.StringPtr(t.Topic)
			o.ErrorCode = kerr.InvalidRequest.Code
			out.Topics = append(out.Topics, o)
		}
		return answer(out)
	}
	from, first := "", int32(0)
	if in.Cursor != nil {
		from, first = in.Cursor.Topic, in.Cursor.Partition
	}
	image := d.Partitions.Image()
	left := max(min(d.Config.Int("max.request.partition.size.limit"), int(in.ResponsePartitionLimit)), 1)
	describe := func(name string) (more bool) {
		if left == 0 {
			out.NextCursor = nextCursor(name, 0)
			return false
		}
		start := 0
		if name == from {
			start = int(first)
		}
		o, next := describePartitions(d, r, image, name, start, left)
		out.Topics = append(out.Topics, o)
		left -= len(o.Partitions)
		if next >= 0 {
			out.NextCursor = nextCursor(name, next)
			return false
		}
		return true
	}
	if len(in.Topics) == 0 {
		for t := range image.TopicsFrom(from) {
			if !describe(t.Name) {
				break
			}
		}
		return answer(out)
	}
	for _, name := range namesFrom(in.Topics, from) {
		if !describe(name) {
			break
		}
	}
	return answer(out)
}

// validCursor says whether the cursor, if there is one, can be gone on from: its
// topic is among those that are asked for.
func validCursor(in *kmsg.DescribeTopicPartitionsRequest) bool {
	return in.Cursor == nil || in.Cursor.Partition >= 0 && (len(in.Topics) == 0 ||
		slices.ContainsFunc(in.Topics, func(t kmsg.DescribeTopicPartitionsRequestTopic) bool { return t.Topic == in.Cursor.Topic }))
}

func nextCursor(topic string, partition int) *kmsg.DescribeTopicPartitionsResponseNextCursor {
	c := kmsg.NewDescribeTopicPartitionsResponseNextCursor()
	c.Topic, c.Partition = topic, int32(partition)
	return &c
}

// namesFrom are the names that are not before from, in order, each once.
func namesFrom(topics []kmsg.DescribeTopicPartitionsRequestTopic, from string) (names []string) {
	for _, t := range topics {
		if t.Topic >= from {
			names = append(names, t.Topic)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// describePartitions describes at most limit partitions of a topic from start on.
// next is the first that is left, -1 if none is.
func describePartitions(d *Deps, r *Request, image *controller.Image, name string, start, limit int) (o kmsg.DescribeTopicPartitionsResponseTopic, next int) {
	o = kmsg.NewDescribeTopicPartitionsResponseTopic()
	o.Topic = kmsg.StringPtr(name)
	o.AuthorizedOperations = authorizedTopicOperations()
	t, ok := image.Topic(name)
	if !ok {
		o.IsInternal = controller.IsInternalTopic(name)
		o.ErrorCode = kerr.UnknownTopicOrPartition.Code
		if controller.ValidateTopicName(name) != "" {
			o.ErrorCode = kerr.InvalidTopicException.Code
		}
		return o, -1
	}
	o.TopicID, o.IsInternal = t.ID, t.Internal
	next = -1
	end := len(t.Partitions)
	if start+limit < end {
		end = start + limit
		next = end
	}
	for n := start; n < end; n++ {
		state := t.Partitions[n]
		p := kmsg.NewDescribeTopicPartitionsResponseTopicPartition()
		p.Partition = int32(n)
		p.LeaderEpoch, p.Replicas, p.ISR = state.LeaderEpoch, state.Replicas, state.ISR
		at := reachOf(d, r, image, t, n)
		p.LeaderID, p.OfflineReplicas = at.leader, at.offline
		p.EligibleLeaderReplicas, p.LastKnownELR = []int32{}, []int32{}
		o.Partitions = append(o.Partitions, p)
	}
	return o, next
}
