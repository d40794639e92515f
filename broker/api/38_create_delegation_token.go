package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateDelegationToken, key 38, versions 1 to 3: KIP-48, KIP-373 (owners,
// version 3). Delegation tokens can be asked for only by who has authenticated,
// which on a PLAINTEXT listener nobody has: 39, 40 and 41 are refused likewise.
//
// Deviation: to an owner whose type is null Kafka answers UNKNOWN_SERVER_ERROR
// (a null pointer); here the type is taken for empty.

// anonymous is who a client is that has not authenticated.
const (
	anonymousType = "User"
	anonymousName = "ANONYMOUS"
)

func createDelegationToken(_ context.Context, _ *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.CreateDelegationTokenRequest)
	out := in.ResponseKind().(*kmsg.CreateDelegationTokenResponse)
	out.ErrorCode = kerr.DelegationTokenRequestNotAllowed.Code
	out.TokenRequesterPrincipalType, out.TokenRequesterPrincipalName = anonymousType, anonymousName
	out.PrincipalType, out.PrincipalName = anonymousType, anonymousName
	if in.OwnerPrincipalName != nil && *in.OwnerPrincipalName != "" {
		out.PrincipalType, out.PrincipalName = "", *in.OwnerPrincipalName
		if in.OwnerPrincipalType != nil {
			out.PrincipalType = *in.OwnerPrincipalType
		}
	}
	out.IssueTimestamp, out.ExpiryTimestamp, out.MaxTimestamp = -1, -1, -1
	return answer(out)
}
