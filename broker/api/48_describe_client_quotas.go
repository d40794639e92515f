package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DescribeClientQuotas, key 48, versions 0 and 1: KIP-546. No quota can be set
// (see AlterClientQuotas), so that every filter that is well formed finds none.

// Types of quota entities, in the order in which Kafka prints them.
const (
	quotaClientID = "client-id"
	quotaUser     = "user"
	quotaIP       = "ip"
)

func describeClientQuotas(_ context.Context, _ *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeClientQuotasRequest)
	out := in.ResponseKind().(*kmsg.DescribeClientQuotasResponse)
	if err := checkQuotaFilter(in.Components); err != nil {
		out.ErrorCode, out.ErrorMessage = code(err), message(err)
		return answer(out)
	}
	out.ErrorMessage = kmsg.StringPtr("") // not null: Kafka leaves the default
	out.Entries = []kmsg.DescribeClientQuotasResponseEntry{}
	return answer(out)
}

// checkQuotaFilter follows ClientQuotasImage.describe.
func checkQuotaFilter(components []kmsg.DescribeClientQuotasRequestComponent) error {
	seen := make(map[string]bool, 3)
	for _, c := range components {
		switch {
		case c.EntityType == "":
			return refusal(kerr.InvalidRequest, "Invalid empty entity type.")
		case seen[c.EntityType]:
			return refusal(kerr.InvalidRequest, "Entity type %s cannot appear more than once in the filter.", c.EntityType)
		}
		switch c.EntityType {
		case quotaClientID, quotaUser, quotaIP:
		default:
			return refusal(kerr.UnsupportedVersion, "Unsupported entity type %s", c.EntityType)
		}
		switch {
		case c.MatchType == kmsg.QuotasMatchTypeExact && c.Match == nil:
			return refusal(kerr.InvalidRequest, "Request specified MATCH_TYPE_EXACT, but set match string to null.")
		case c.MatchType == kmsg.QuotasMatchTypeDefault && c.Match != nil:
			return refusal(kerr.InvalidRequest, "Request specified MATCH_TYPE_DEFAULT, but also specified a match string.")
		case c.MatchType == kmsg.QuotasMatchTypeAny && c.Match != nil:
			return refusal(kerr.InvalidRequest, "Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.")
		case c.MatchType < kmsg.QuotasMatchTypeExact || c.MatchType > kmsg.QuotasMatchTypeAny:
			return refusal(kerr.InvalidRequest, "Unknown match type %d", int8(c.MatchType))
		}
		seen[c.EntityType] = true
	}
	if seen[quotaIP] && (seen[quotaUser] || seen[quotaClientID]) {
		return refusal(kerr.InvalidRequest, "Invalid entity filter component combination. "+
			"IP filter component should not be used with user or clientId filter component.")
	}
	return nil
}
