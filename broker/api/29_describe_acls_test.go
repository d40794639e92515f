package api

import (
	"errors"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// aclKinds is what an ACL or a filter is about: resource type, pattern type,
// operation, permission.
type aclKinds [4]int8

func (k aclKinds) describe(version int16) kmsg.Request {
	r := kmsg.NewPtrDescribeACLsRequest()
	r.Version, r.ResourceType, r.ResourcePatternType = version, kmsg.ACLResourceType(k[0]), kmsg.ACLResourcePatternType(k[1])
	r.Operation, r.PermissionType = kmsg.ACLOperation(k[2]), kmsg.ACLPermissionType(k[3])
	return r
}

func createThese(version int16, all ...aclKinds) kmsg.Request {
	r := kmsg.NewPtrCreateACLsRequest()
	r.Version = version
	for _, k := range all {
		r.Creations = append(r.Creations, kmsg.CreateACLsRequestCreation{
			ResourceType: kmsg.ACLResourceType(k[0]), ResourcePatternType: kmsg.ACLResourcePatternType(k[1]),
			Operation: kmsg.ACLOperation(k[2]), PermissionType: kmsg.ACLPermissionType(k[3]),
			ResourceName: "t", Principal: "malformed", Host: "*",
		})
	}
	return r
}

func deleteThese(version int16, all ...aclKinds) kmsg.Request {
	r := kmsg.NewPtrDeleteACLsRequest()
	r.Version = version
	for _, k := range all {
		r.Filters = append(r.Filters, kmsg.DeleteACLsRequestFilter{
			ResourceType: kmsg.ACLResourceType(k[0]), ResourcePatternType: kmsg.ACLResourcePatternType(k[1]),
			Operation: kmsg.ACLOperation(k[2]), PermissionType: kmsg.ACLPermissionType(k[3]),
		})
	}
	return r
}

// TestACLsWithoutAuthorizer covers DescribeAcls, CreateAcls and DeleteAcls.
func TestACLsWithoutAuthorizer(t *testing.T) {
	f := newFixture(t)
	topic, anything, strange := aclKinds{2, 3, 3, 3}, aclKinds{1, 1, 1, 1}, aclKinds{99, 99, 99, 99}
	const each = "e54 No Authorizer is configured."
	f.versions(kmsg.NewPtrDescribeACLsRequest(), func(v int16) {
		for _, k := range []aclKinds{topic, anything, strange} {
			got := ask[*kmsg.DescribeACLsResponse](f, k.describe(v))
			equal(t, "described", fmt.Sprintf("e%d %s %d", got.ErrorCode, text(got.ErrorMessage), len(got.Resources)),
				"e54 No Authorizer is configured on the broker 0")
		}
	})
	f.versions(kmsg.NewPtrCreateACLsRequest(), func(v int16) {
		var got []string
		for _, r := range ask[*kmsg.CreateACLsResponse](f, createThese(v, topic, anything, strange)).Results {
			got = append(got, fmt.Sprintf("e%d %s", r.ErrorCode, text(r.ErrorMessage)))
		}
		equal(t, "created", got, []string{each, each, each})
		equal(t, "none", len(ask[*kmsg.CreateACLsResponse](f, createThese(v)).Results), 0)
	})
	f.versions(kmsg.NewPtrDeleteACLsRequest(), func(v int16) {
		var got []string
		for _, r := range ask[*kmsg.DeleteACLsResponse](f, deleteThese(v, topic, anything, strange)).Results {
			got = append(got, fmt.Sprintf("e%d %s", r.ErrorCode, text(r.ErrorMessage)))
		}
		equal(t, "deleted", got, []string{each, each, each})
	})
	for i := range topic {
		unknown := topic
		unknown[i] = 0
		for _, r := range []kmsg.Request{unknown.describe(3), createThese(3, topic, unknown), deleteThese(3, topic, unknown)} {
			reply := f.table.Lookup(r.Key()).Handle(t.Context(), f.Deps, f.request(r))
			if !errors.Is(reply.Hangup, kerr.InvalidRequest) || reply.Response != nil {
				t.Errorf("key %d, UNKNOWN in place %d: %+v", r.Key(), i, reply)
			}
		}
	}
}
