package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// AlterConfigs, key 33, versions 0 to 2: KIP-133. What the request does not name
// goes back to its default; KIP-339's IncrementalAlterConfigs was made for that
// reason.
//
// Deviation: a resource that comes twice is refused at once, for both; Kafka's
// broker never answers then.

func alterConfigs(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.AlterConfigsRequest)
	out := in.ResponseKind().(*kmsg.AlterConfigsResponse)
	changes := make([]alteration, len(in.Resources))
	for i, res := range in.Resources {
		changes[i] = alterationOf(res.ResourceType, res.ResourceName)
		changes[i].Replace = true
		for _, c := range res.Configs {
			changes[i].Ops = append(changes[i].Ops, configOp(controller.ConfigSet, c.Name, c.Value))
		}
	}
	for _, res := range alter(ctx, d, changes, in.ValidateOnly) {
		out.Resources = append(out.Resources, kmsg.AlterConfigsResponseResource(res))
	}
	return answer(out)
}
