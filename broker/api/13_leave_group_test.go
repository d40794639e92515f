package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestLeaveGroupVersions(t *testing.T) {
	f := newFixture(t)
	id, _ := f.member("stable")
	nobody := kmsg.LeaveGroupRequestMember{MemberID: "nobody"}
	static := kmsg.LeaveGroupRequestMember{MemberID: id, InstanceID: kmsg.StringPtr("i")}
	f.versions(kmsg.NewPtrLeaveGroupRequest(), func(v int16) {
		for _, c := range []struct {
			group         string
			before3, want string
		}{
			{"none", "e25", "e0 nobody:25 ?:25"},
			{"stable", "e25", "e0 nobody:25 ?:25"},
			{"", "e24", "e24"},
		} {
			got := ask[*kmsg.LeaveGroupResponse](f, leaveRequest(v, c.group, nobody, static))
			said := fmt.Sprint("e", got.ErrorCode)
			for _, m := range got.Members {
				name := m.MemberID
				if name == id {
					name = "?"
				}
				said += fmt.Sprint(" ", name, ":", m.ErrorCode)
			}
			want := c.want
			if v < 3 {
				want = c.before3
			}
			equal(t, fmt.Sprintf("group %q, version %d", c.group, v), said, want)
		}
	})
	equal(t, "state", f.describe("stable").State, "Stable")
}
