package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeGroups, key 15, versions 0 to 6: KIP-430 (authorized operations, version
// 3), KIP-345 (instance ids, version 4), KIP-1043 (GROUP_ID_NOT_FOUND, version 6:
// before, a group that does not exist is one in state Dead).
//
// Deviation: groups are in the order of the request, and members in that in which
// they joined; Kafka's order is that of hash tables.

func describeGroups(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeGroupsRequest)
	out := in.ResponseKind().(*kmsg.DescribeGroupsResponse)
	return inTurn(func() Reply {
		room := d.answerRoom()
		for _, name := range in.Groups {
			g := describeGroup(d, r.Version, name, in.IncludeAuthorizedOperations)
			for _, m := range g.Members {
				if !room.take(groupMemberSize + len(m.ProtocolMetadata) + len(m.MemberAssignment)) {
					return tooMuchAsked(r)
				}
			}
			out.Groups = append(out.Groups, g)
		}
		return answer(out)
	})
}

func describeGroup(d *Deps, version int16, name string, operations bool) kmsg.DescribeGroupsResponseGroup {
	is := d.Groups.Describe(name)
	g := kmsg.NewDescribeGroupsResponseGroup()
	g.Group, g.State, g.ProtocolType, g.Protocol = name, is.State, is.ProtocolType, is.Protocol
	g.ErrorCode = code(is.Err)
	if g.ErrorCode == kerr.GroupIDNotFound.Code {
		g.ErrorMessage = kmsg.StringPtr(fmt.Sprintf("Group %s not found.", name))
		if version < 6 {
			g.ErrorCode, g.ErrorMessage = 0, nil
		}
	}
	if operations && g.ErrorCode == 0 {
		g.AuthorizedOperations = authorizedGroupOperations()
	}
	for _, m := range is.Members {
		g.Members = append(g.Members, kmsg.DescribeGroupsResponseGroupMember{
			MemberID: m.ID, InstanceID: m.InstanceID, ClientID: m.ClientID, ClientHost: m.ClientHost,
			ProtocolMetadata: m.Metadata, MemberAssignment: m.Assignment,
		})
	}
	return g
}
