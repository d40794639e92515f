package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// CreatePartitions, key 37, versions 0 to 3: KIP-195, KIP-599
// (THROTTLING_QUOTA_EXCEEDED, version 3; never answered: there are no quotas).
//
// Deviations: the new partitions are served when the answer leaves. Too many of
// them at once are a POLICY_VIOLATION with a message, where Kafka answers
// UNKNOWN_SERVER_ERROR for every topic of the request.

func createPartitions(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.CreatePartitionsRequest)
	out := in.ResponseKind().(*kmsg.CreatePartitionsResponse)
	topics := make([]controller.NewPartitions, len(in.Topics))
	for i, t := range in.Topics {
		topics[i] = controller.NewPartitions{Topic: t.Topic, Count: t.Count}
		if t.Assignment != nil { // an empty list is not the same as none
			topics[i].Assignments = make([][]int32, len(t.Assignment))
			for j, a := range t.Assignment {
				topics[i].Assignments[j] = a.Replicas
			}
		}
	}
	var results []controller.TopicResult
	err := withinTimeout(ctx, in.TimeoutMillis, func(ctx context.Context) {
		var revision int64
		results, revision = d.Controller.CreatePartitions(ctx, topics, in.ValidateOnly)
		awaitServed(ctx, d, revision)
	})
	if err != nil {
		for _, t := range in.Topics {
			results = append(results, controller.TopicResult{Name: t.Topic, Err: err})
		}
	}
	for _, res := range results {
		o := kmsg.NewCreatePartitionsResponseTopic()
		o.Topic = res.Name
		o.ErrorCode, o.ErrorMessage = code(res.Err), message(res.Err)
		out.Topics = append(out.Topics, o)
	}
	return answer(out)
}
