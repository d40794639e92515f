package api

import (
	"bytes"
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/group"
)

// SyncGroup, key 14, versions 0 to 5: KIP-345 (instance id, version 3), KIP-559
// (protocol type and name, required from version 5 on).
//
// It is answered when the leader has sent the assignments.

func syncGroup(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.SyncGroupRequest)
	out := in.ResponseKind().(*kmsg.SyncGroupResponse)
	if r.Version >= 5 && (in.ProtocolType == nil || in.Protocol == nil) {
		out.ErrorCode = kerr.InconsistentGroupProtocol.Code
		return answer(out)
	}
	sync := group.SyncRequest{
		Group: in.Group, MemberID: in.MemberID, InstanceID: in.InstanceID, Generation: in.Generation,
		ProtocolType: in.ProtocolType, Protocol: in.Protocol,
		Assignments: make(map[string][]byte, len(in.GroupAssignment)),
	}
	for _, a := range in.GroupAssignment {
		sync.Assignments[a.MemberID] = bytes.Clone(a.MemberAssignment)
	}
	return onceOthersAct(d.Groups.Sync(sync), func(synced group.SyncResponse, arrived bool) kmsg.Response {
		if !arrived {
			synced = group.SyncResponse{Err: kerr.NotCoordinator}
		}
		out.ErrorCode = code(synced.Err)
		out.ProtocolType, out.Protocol = synced.ProtocolType, synced.Protocol
		out.MemberAssignment = synced.Assignment
		return out
	})
}
