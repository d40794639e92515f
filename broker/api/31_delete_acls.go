package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DeleteAcls, key 31, versions 1 to 3. Without an authorizer each filter is
// refused.

func deleteACLs(_ context.Context, _ *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DeleteACLsRequest)
	out := in.ResponseKind().(*kmsg.DeleteACLsResponse)
	for _, f := range in.Filters {
		if err := checkACLKinds(f.ResourceType, f.ResourcePatternType, f.Operation, f.PermissionType); err != nil {
			return Reply{Hangup: err}
		}
		o := kmsg.NewDeleteACLsResponseResult()
		o.ErrorCode, o.ErrorMessage = kerr.SecurityDisabled.Code, kmsg.StringPtr(noAuthorizer)
		out.Results = append(out.Results, o)
	}
	return answer(out)
}
