package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// IncrementalAlterConfigs, key 44, versions 0 and 1: KIP-339, KIP-412 (broker
// loggers), KIP-714 (client metrics), KIP-1000 (groups).
//
// Deviations: an operation that does not exist is INVALID_REQUEST, where Kafka
// fails with UNKNOWN_SERVER_ERROR. Listeners cannot change while the broker runs.

func incrementalAlterConfigs(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.IncrementalAlterConfigsRequest)
	out := in.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	changes := make([]alteration, len(in.Resources))
	for i, res := range in.Resources {
		changes[i] = alterationOf(res.ResourceType, res.ResourceName)
		changes[i].loggers = true
		for _, c := range res.Configs {
			changes[i].Ops = append(changes[i].Ops, configOp(controller.ConfigOpKind(c.Op), c.Name, c.Value))
		}
	}
	out.Resources = alter(ctx, d, changes, in.ValidateOnly)
	return answer(out)
}
