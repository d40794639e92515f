package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/group"
)

// LeaveGroup, key 13, versions 0 to 5: KIP-345 (many members, by instance id too,
// version 3), KIP-800 (reason, version 5).

func leaveGroup(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.LeaveGroupRequest)
	out := in.ResponseKind().(*kmsg.LeaveGroupResponse)
	leave := group.LeaveRequest{Group: in.Group}
	for _, m := range in.Members {
		leave.Members = append(leave.Members, group.LeavingMember{
			MemberID: m.MemberID, InstanceID: m.InstanceID, Reason: valueOf(m.Reason),
		})
	}
	if r.Version < 3 {
		leave.Members = []group.LeavingMember{{MemberID: in.MemberID}}
	}
	return onceStored(d.Groups.Leave(leave), func(left group.LeaveResponse, arrived bool) kmsg.Response {
		if !arrived {
			left.Err = kerr.NotCoordinator
		}
		out.ErrorCode = code(left.Err)
		for _, m := range left.Members {
			if r.Version < 3 && left.Err == nil {
				out.ErrorCode = code(m.Err) // of the only one
				continue
			}
			out.Members = append(out.Members, kmsg.LeaveGroupResponseMember{
				MemberID: m.MemberID, InstanceID: m.InstanceID, ErrorCode: code(m.Err),
			})
		}
		return out
	})
}
