package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// CreateAcls, key 30, versions 1 to 3. Without an authorizer each creation is
// refused, whatever it says; a malformed principal is not looked at.

func createACLs(_ context.Context, _ *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.CreateACLsRequest)
	out := in.ResponseKind().(*kmsg.CreateACLsResponse)
	for _, c := range in.Creations {
		if err := checkACLKinds(c.ResourceType, c.ResourcePatternType, c.Operation, c.PermissionType); err != nil {
			return Reply{Hangup: err}
		}
		o := kmsg.NewCreateACLsResponseResult()
		o.ErrorCode, o.ErrorMessage = kerr.SecurityDisabled.Code, kmsg.StringPtr(noAuthorizer)
		out.Results = append(out.Results, o)
	}
	return answer(out)
}
