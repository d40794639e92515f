package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/group"
)

// ListGroups, key 16, versions 0 to 5: KIP-518 (states, version 4), KIP-848 (types,
// version 5). A state or type that there is not matches no group.
//
// Deviation: groups are sorted by name; Kafka's order is that of hash tables.

func listGroups(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.ListGroupsRequest)
	out := in.ResponseKind().(*kmsg.ListGroupsResponse)
	return inTurn(func() Reply {
		for _, g := range d.Groups.List(group.ListFilter{States: in.StatesFilter, Types: in.TypesFilter}) {
			out.Groups = append(out.Groups, kmsg.ListGroupsResponseGroup{
				Group: g.Group, ProtocolType: g.ProtocolType, GroupState: g.State, GroupType: g.Type,
			})
		}
		return answer(out)
	})
}
