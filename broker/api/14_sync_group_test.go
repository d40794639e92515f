package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestSyncGroupErrors(t *testing.T) {
	f := newFixture(t)
	id, generation := f.member("g")
	for what, c := range map[string]struct {
		change        func(r *kmsg.SyncGroupRequest)
		want, before5 int16
	}{
		"right":                     {func(*kmsg.SyncGroupRequest) {}, 0, 0},
		"no protocol":               {func(r *kmsg.SyncGroupRequest) { r.Protocol = nil }, 23, 0},
		"no protocol type":          {func(r *kmsg.SyncGroupRequest) { r.ProtocolType = nil }, 23, 0},
		"another protocol":          {func(r *kmsg.SyncGroupRequest) { r.Protocol = kmsg.StringPtr("sticky") }, 23, 0},
		"another type":              {func(r *kmsg.SyncGroupRequest) { r.ProtocolType = kmsg.StringPtr("connect") }, 23, 0},
		"another generation":        {func(r *kmsg.SyncGroupRequest) { r.Generation++ }, 22, 22},
		"another member":            {func(r *kmsg.SyncGroupRequest) { r.MemberID = "nobody" }, 25, 25},
		"an unknown group":          {func(r *kmsg.SyncGroupRequest) { r.Group = "none" }, 25, 25},
		"no group":                  {func(r *kmsg.SyncGroupRequest) { r.Group = "" }, 24, 24},
		"neither one nor the other": {func(r *kmsg.SyncGroupRequest) { r.Group, r.Protocol = "", nil }, 23, 24},
	} {
		t.Run(what, func(t *testing.T) {
			f.versions(kmsg.NewPtrSyncGroupRequest(), func(v int16) {
				r := syncRequest(v, "g", id, generation)
				c.change(r)
				want := c.want
				if v < 5 {
					want = c.before5
				}
				got := ask[*kmsg.SyncGroupResponse](f, r)
				equal(t, "error", got.ErrorCode, want)
				if want == 0 {
					equal(t, "assignment", string(got.MemberAssignment), "assignment")
				}
				if want == 0 && v >= 5 {
					equal(t, "protocol", text(got.ProtocolType)+" "+text(got.Protocol), "consumer range")
				}
			})
		})
	}
}

func TestHeartbeatErrors(t *testing.T) {
	f := newFixture(t)
	id, generation := f.member("g")
	for what, c := range map[string]struct {
		group, member string
		generation    int32
		want          int16
	}{
		"right":              {"g", id, generation, 0},
		"another generation": {"g", id, generation + 1, 22},
		"another member":     {"g", "nobody", generation, 25},
		"no member":          {"g", "", generation, 25},
		"an unknown group":   {"none", id, generation, 25},
		"no group":           {"", id, generation, 24},
	} {
		t.Run(what, func(t *testing.T) {
			f.versions(kmsg.NewPtrHeartbeatRequest(), func(v int16) {
				equal(t, "error", ask[*kmsg.HeartbeatResponse](f, heartbeatRequest(v, c.group, c.member, c.generation)).ErrorCode, c.want)
			})
		})
	}
}
