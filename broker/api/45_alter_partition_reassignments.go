package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// AlterPartitionReassignments, key 45, versions 0 and 1: KIP-455, KIP-860
// (allow_replication_factor_change, version 1).
//
// With one broker a partition's replicas are that broker, and asking for them
// succeeds; there are no other brokers to ask for.

func alterPartitionReassignments(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.AlterPartitionAssignmentsRequest)
	out := in.ResponseKind().(*kmsg.AlterPartitionAssignmentsResponse)
	factorMayChange := r.Version == 0 || in.AllowReplicationFactorChange
	out.AllowReplicationFactorChange = factorMayChange
	if len(in.Topics) == 0 {
		out.ErrorMessage = kmsg.StringPtr("") // not null: Kafka leaves the default
		return answer(out)
	}
	var asked []controller.Reassignment
	room := d.answerRoom()
	for _, t := range in.Topics {
		if !room.take(len(t.Partitions) * refusalSize) {
			return tooMuchAsked(r)
		}
		for _, p := range t.Partitions {
			asked = append(asked, controller.Reassignment{
				TopicPartition: controller.TopicPartition{Topic: t.Topic, Partition: p.Partition}, Replicas: p.Replicas,
			})
		}
	}
	errs := make([]error, len(asked))
	err := withinTimeout(ctx, in.TimeoutMillis, func(context.Context) {
		errs = d.Controller.AlterPartitionReassignments(asked, factorMayChange)
	})
	out.ErrorCode = code(err)
	for _, t := range in.Topics {
		o := kmsg.NewAlterPartitionAssignmentsResponseTopic()
		o.Topic = t.Topic
		for _, p := range t.Partitions {
			refused := errs[0]
			errs = errs[1:]
			if err != nil {
				refused = err
			}
			op := kmsg.NewAlterPartitionAssignmentsResponseTopicPartition()
			op.Partition, op.ErrorCode, op.ErrorMessage = p.Partition, code(refused), message(refused)
			o.Partitions = append(o.Partitions, op)
		}
		out.Topics = append(out.Topics, o)
	}
	return answer(out)
}
