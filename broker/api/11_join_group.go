package api

import (
	"bytes"
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/group"
)

// JoinGroup, key 11, versions 0 to 9: KIP-62 (rebalance timeout, version 1),
// KIP-394 (member id first, version 4), KIP-345 (instance id, version 5), KIP-559
// (protocol type, version 7), KIP-800 (reason, version 8), KIP-814 (skip
// assignment, version 9).
//
// It is answered when every member has joined, or the rebalance timeout is over.
// A client that goes away meanwhile stays a member until its session ends.

func joinGroup(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.JoinGroupRequest)
	out := in.ResponseKind().(*kmsg.JoinGroupResponse)
	join := group.JoinRequest{
		Group: in.Group, MemberID: in.MemberID, InstanceID: in.InstanceID,
		ClientID: r.ClientID, ClientHost: "/" + r.ClientHost, // as Java writes an address, and tools show it
		SessionTimeoutMs: in.SessionTimeoutMillis, RebalanceTimeoutMs: in.RebalanceTimeoutMillis,
		ProtocolType: in.ProtocolType, Reason: valueOf(in.Reason),
		RequireKnownMemberID: r.Version >= 4, SupportsSkipAssignment: r.Version >= 9,
	}
	if r.Version == 0 {
		join.RebalanceTimeoutMs = in.SessionTimeoutMillis
	}
	for _, p := range in.Protocols {
		join.Protocols = append(join.Protocols, group.Protocol{Name: p.Name, Metadata: bytes.Clone(p.Metadata)})
	}
	return onceOthersAct(d.Groups.Join(join), func(joined group.JoinResponse, arrived bool) kmsg.Response {
		if !arrived {
			joined = group.JoinResponse{Err: kerr.NotCoordinator, Generation: -1, MemberID: in.MemberID}
		}
		out.ErrorCode = code(joined.Err)
		out.Generation, out.MemberID, out.LeaderID = joined.Generation, joined.MemberID, joined.Leader
		out.ProtocolType, out.Protocol = joined.ProtocolType, joined.Protocol
		out.SkipAssignment = joined.SkipAssignment
		for _, m := range joined.Members {
			out.Members = append(out.Members, kmsg.JoinGroupResponseMember{
				MemberID: m.ID, InstanceID: m.InstanceID, ProtocolMetadata: m.Metadata,
			})
		}
		return out
	})
}
