package api

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteGroups, key 42, versions 0 to 2: KIP-229. A group that is named twice is
// answered once.
//
// Deviation: the answers are in the order of the request. Kafka's are in that of a
// Java hash table over the partitions that coordinate the groups.

func deleteGroups(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DeleteGroupsRequest)
	out := in.ResponseKind().(*kmsg.DeleteGroupsResponse)
	names := make([]string, 0, len(in.Groups))
	seen := make(map[string]bool, len(in.Groups))
	for _, name := range in.Groups {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return onceStored(d.Groups.Delete(slices.Clone(names)), func(errs map[string]error, arrived bool) kmsg.Response {
		for _, name := range names {
			g := kmsg.NewDeleteGroupsResponseGroup()
			g.Group, g.ErrorCode = name, code(errs[name])
			if !arrived {
				g.ErrorCode = kerr.NotCoordinator.Code
			}
			out.Groups = append(out.Groups, g)
		}
		return out
	})
}
