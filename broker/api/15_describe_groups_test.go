package api

import (
	"fmt"
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeGroupsVersions(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	f.commit("simple", offset{"a", 0, 1})
	id, _ := f.member("stable")
	f.versions(kmsg.NewPtrDescribeGroupsRequest(), func(v int16) {
		r := kmsg.NewPtrDescribeGroupsRequest()
		r.Version, r.Groups, r.IncludeAuthorizedOperations = v, []string{"stable", "none", "simple", ""}, true
		const kafkas = 3400 // what Apache Kafka answers without an authorizer
		operations, error69 := int32(kafkas), int16(0)
		if v < 3 {
			operations = math.MinInt32
		}
		unknown := operations
		if v >= 6 {
			error69, unknown = 69, math.MinInt32
		}
		got := ask[*kmsg.DescribeGroupsResponse](f, r).Groups
		brief := func(g kmsg.DescribeGroupsResponseGroup) string {
			return fmt.Sprintf("%q %s %q %q e%d %d %s", g.Group, g.State, g.ProtocolType, g.Protocol, g.ErrorCode, g.AuthorizedOperations, text(g.ErrorMessage))
		}
		not := func(name string) string {
			if v >= 6 {
				return "Group " + name + " not found."
			}
			return "null"
		}
		equal(t, "stable", brief(got[0]), fmt.Sprintf(`"stable" Stable "consumer" "range" e0 %d null`, operations))
		equal(t, "none", brief(got[1]), fmt.Sprintf(`"none" Dead "" "" e%d %d %s`, error69, unknown, not("none")))
		equal(t, "simple", brief(got[2]), fmt.Sprintf(`"simple" Empty "" "" e0 %d null`, operations))
		equal(t, "no name", brief(got[3]), fmt.Sprintf(`"" Dead "" "" e%d %d %s`, error69, unknown, not("")))
		m := got[0].Members[0]
		equal(t, "member", []string{m.MemberID, m.ClientHost, string(m.ProtocolMetadata), string(m.MemberAssignment)},
			[]string{id, "/", "subscription", "assignment"})
	})
}

// During a rebalance members still have the assignments of before it: only a rebalance that breaks another off has taken
// them away.
func TestDescribeGroupsInARebalance(t *testing.T) {
	f := newFixture(t)
	leader, _ := f.member("g")
	first := ask[*kmsg.JoinGroupResponse](f, joinRequest(9, "g", ""))
	follower := first.MemberID
	waiting := joinGroup(t.Context(), f.Deps, f.request(joinRequest(9, "g", follower)))
	brief := func() (lines []string) {
		g := f.describe("g")
		lines = append(lines, fmt.Sprintf("%s %q", g.State, g.Protocol))
		for _, m := range g.Members {
			lines = append(lines, fmt.Sprintf("%q %q", m.ProtocolMetadata, m.MemberAssignment))
		}
		return lines
	}
	equal(t, "joining", brief(), []string{`PreparingRebalance ""`, `"" "assignment"`, `"" ""`})
	ask[*kmsg.JoinGroupResponse](f, joinRequest(9, "g", leader))
	waiting.Wait(t.Context())
	equal(t, "syncing", brief(), []string{`CompletingRebalance ""`, `"" "assignment"`, `"" ""`})
	ask[*kmsg.LeaveGroupResponse](f, leaveRequest(5, "g", kmsg.LeaveGroupRequestMember{MemberID: follower}))
	equal(t, "broken off", brief(), []string{`PreparingRebalance ""`, `"" ""`})
}

func TestListGroupsVersions(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	f.commit("simple", offset{"a", 0, 1})
	f.member("stable")
	f.versions(kmsg.NewPtrListGroupsRequest(), func(v int16) {
		list := func(states, types []string) (names []string) {
			r := kmsg.NewPtrListGroupsRequest()
			r.Version, r.StatesFilter, r.TypesFilter = v, states, types
			for _, g := range ask[*kmsg.ListGroupsResponse](f, r).Groups {
				state, kind := "", ""
				if v >= 4 {
					state = map[string]string{"simple": "Empty", "stable": "Stable"}[g.Group]
				}
				if v >= 5 {
					kind = "classic"
				}
				equal(t, g.Group, []string{g.GroupState, g.GroupType}, []string{state, kind})
				names = append(names, g.Group+" "+g.ProtocolType)
			}
			return names
		}
		all := []string{"simple ", "stable consumer"}
		filtered := func(since int16, want ...string) []string {
			if v < since {
				return all
			}
			return want
		}
		equal(t, "all", list(nil, nil), all)
		equal(t, "empty", list([]string{"empty"}, nil), filtered(4, "simple "))
		equal(t, "empty or stable", list([]string{"Empty", "STABLE"}, nil), all)
		equal(t, "a state that there is not", list([]string{"Nonsense"}, nil), filtered(4))
		equal(t, "classic", list(nil, []string{"Classic"}), all)
		equal(t, "another type", list(nil, []string{"share"}), filtered(5))
		equal(t, "a type that there is not", list(nil, []string{"nonsense"}), filtered(5))
	})
}
