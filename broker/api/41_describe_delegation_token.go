package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeDelegationToken, key 41, versions 1 to 3: refused on a PLAINTEXT
// listener, as CreateDelegationToken is.

func describeDelegationToken(_ context.Context, _ *Deps, r *Request) Reply {
	out := r.Body.ResponseKind().(*kmsg.DescribeDelegationTokenResponse)
	out.ErrorCode = kerr.DelegationTokenRequestNotAllowed.Code
	return answer(out)
}
