package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/group"
)

// Heartbeat, key 12, versions 0 to 4: KIP-345 (instance id, version 3).

func heartbeat(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.HeartbeatRequest)
	out := in.ResponseKind().(*kmsg.HeartbeatResponse)
	beat := group.HeartbeatRequest{
		Group: in.Group, MemberID: in.MemberID, InstanceID: in.InstanceID, Generation: in.Generation,
	}
	return onceStored(d.Groups.Heartbeat(beat), func(err error, arrived bool) kmsg.Response {
		if !arrived {
			err = kerr.NotCoordinator
		}
		out.ErrorCode = code(err)
		return out
	})
}
