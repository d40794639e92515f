package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeClientQuotas(t *testing.T) {
	f := newFixture(t)
	name := kmsg.StringPtr("x")
	type filter = kmsg.DescribeClientQuotasRequestComponent
	const combined = "e42 Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component."
	for _, c := range []struct {
		filters []filter
		want    string
	}{
		{nil, "none"},
		{[]filter{{EntityType: "user", Match: name}, {EntityType: "client-id", MatchType: 1}}, "none"},
		{[]filter{{EntityType: "ip", MatchType: 2}}, "none"},
		{[]filter{{EntityType: "user"}}, "e42 Request specified MATCH_TYPE_EXACT, but set match string to null."},
		{[]filter{{EntityType: "user", MatchType: 1, Match: name}}, "e42 Request specified MATCH_TYPE_DEFAULT, but also specified a match string."},
		{[]filter{{EntityType: "user", MatchType: 2, Match: name}}, "e42 Request specified MATCH_TYPE_SPECIFIED, but also specified a match string."},
		{[]filter{{EntityType: "user", MatchType: 3}}, "e42 Unknown match type 3"},
		{[]filter{{EntityType: "user", MatchType: -1}}, "e42 Unknown match type -1"},
		{[]filter{{EntityType: "user", MatchType: 2}, {EntityType: "user", MatchType: 9}}, "e42 Entity type user cannot appear more than once in the filter."},
		{[]filter{{EntityType: "foo", MatchType: 9}}, "e35 Unsupported entity type foo"},
		{[]filter{{MatchType: 9}}, "e42 Invalid empty entity type."},
		{[]filter{{EntityType: "ip", MatchType: 2}, {EntityType: "user", MatchType: 2}}, combined},
		{[]filter{{EntityType: "client-id", MatchType: 2}, {EntityType: "ip", MatchType: 2}}, combined},
	} {
		f.versions(kmsg.NewPtrDescribeClientQuotasRequest(), func(v int16) {
			for _, strict := range []bool{false, true} {
				r := kmsg.NewPtrDescribeClientQuotasRequest()
				r.Version, r.Components, r.Strict = v, c.filters, strict
				got := ask[*kmsg.DescribeClientQuotasResponse](f, r)
				said := fmt.Sprintf("e%d %s", got.ErrorCode, text(got.ErrorMessage))
				if said == "e0 " && got.Entries != nil && len(got.Entries) == 0 {
					said = "none"
				}
				equal(t, fmt.Sprintf("%+v", c.filters), said, c.want)
				equal(t, "entries are null", got.Entries == nil, c.want != "none")
			}
		})
	}
}
