package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeUserScramCredentials, key 50, version 0: KIP-554. There are no
// credentials (see AlterUserScramCredentials). Null or no users ask for all. A
// user who is named twice is answered once, with an error.

func describeUserSCRAMCredentials(_ context.Context, _ *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeUserSCRAMCredentialsRequest)
	out := in.ResponseKind().(*kmsg.DescribeUserSCRAMCredentialsResponse)
	out.ErrorMessage = kmsg.StringPtr("")
	at := make(map[string]int, len(in.Users))
	for _, u := range in.Users {
		if i, repeated := at[u.Name]; repeated {
			out.Results[i].ErrorCode = kerr.DuplicateResource.Code
			out.Results[i].ErrorMessage = kmsg.StringPtr("Cannot describe SCRAM credentials for the same user twice in a single request: " + u.Name)
			continue
		}
		at[u.Name] = len(out.Results)
		o := kmsg.NewDescribeUserSCRAMCredentialsResponseResult()
		o.User = u.Name
		o.ErrorCode = kerr.ResourceNotFound.Code
		o.ErrorMessage = kmsg.StringPtr("Attempt to describe a user credential that does not exist: " + u.Name)
		out.Results = append(out.Results, o)
	}
	return answer(out)
}
