package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeAcls, key 29, versions 1 to 3. There is no authorizer: what Kafka
// answers without one. MirrorMaker 2 takes SECURITY_DISABLED for "nothing to
// copy" and any other error for a failure.

func describeACLs(_ context.Context, _ *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeACLsRequest)
	if err := checkACLKinds(in.ResourceType, in.ResourcePatternType, in.Operation, in.PermissionType); err != nil {
		return Reply{Hangup: err}
	}
	out := in.ResponseKind().(*kmsg.DescribeACLsResponse)
	out.ErrorCode = kerr.SecurityDisabled.Code
	out.ErrorMessage = kmsg.StringPtr("No Authorizer is configured on the broker")
	return answer(out)
}

// noAuthorizer is the message of CreateAcls and DeleteAcls, which differs from
// that of DescribeAcls.
const noAuthorizer = "No Authorizer is configured."

// checkACLKinds refuses UNKNOWN, which is 0, in one of the fields that say what
// an ACL is about. Kafka fails to read such a request and closes the connection;
// codes that it does not know it lets pass.
func checkACLKinds(resource kmsg.ACLResourceType, pattern kmsg.ACLResourcePatternType, operation kmsg.ACLOperation, permission kmsg.ACLPermissionType) error {
	if resource == kmsg.ACLResourceTypeUnknown || pattern == kmsg.ACLResourcePatternTypeUnknown ||
		operation == kmsg.ACLOperationUnknown || permission == kmsg.ACLPermissionTypeUnknown {
		return fmt.Errorf("an ACL of resource type %d, pattern type %d, operation %d, permission type %d: %w",
			resource, pattern, operation, permission, kerr.InvalidRequest)
	}
	return nil
}
