package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ExpireDelegationToken, key 40, versions 1 and 2: refused on a PLAINTEXT
// listener, as CreateDelegationToken is.

func expireDelegationToken(_ context.Context, _ *Deps, r *Request) Reply {
	out := r.Body.ResponseKind().(*kmsg.ExpireDelegationTokenResponse)
	out.ErrorCode = kerr.DelegationTokenRequestNotAllowed.Code
	out.ExpiryTimestamp = -1
	return answer(out)
}
