package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// RemoveRaftVoter, key 81, version 0: KIP-853. The quorum is static, as for
// AddRaftVoter.

func removeRaftVoter(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.RemoveRaftVoterRequest)
	out := in.ResponseKind().(*kmsg.RemoveRaftVoterResponse)
	err := refuseVoter(d, "Remove", "removing", in.ClusterID, in.VoterID, in.VoterDirectoryID)
	out.ErrorCode, out.ErrorMessage = code(err), message(err)
	return answer(out)
}
