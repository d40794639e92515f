package api

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A member's life, in every version of JoinGroup.
func TestJoinGroupVersions(t *testing.T) {
	f := newFixture(t)
	f.versions(kmsg.NewPtrJoinGroupRequest(), func(v int16) {
		group := fmt.Sprint("group-", v)
		joined := ask[*kmsg.JoinGroupResponse](f, joinRequest(v, group, ""))
		if v >= 4 {
			equal(t, group, []any{joined.ErrorCode, joined.Generation}, []any{int16(79), int32(-1)})
			joined = ask[*kmsg.JoinGroupResponse](f, joinRequest(v, group, joined.MemberID))
		}
		id := joined.MemberID
		equal(t, group, []any{joined.ErrorCode, joined.Generation, joined.LeaderID, text(joined.Protocol), len(joined.Members)},
			[]any{int16(0), int32(1), id, "range", 1})
		equal(t, group, joined.Members[0].MemberID+" "+string(joined.Members[0].ProtocolMetadata), id+" subscription")
		kind := "null"
		if v >= 7 {
			kind = "consumer"
		}
		equal(t, group, text(joined.ProtocolType), kind)
		synced := ask[*kmsg.SyncGroupResponse](f, syncRequest(min(v, 5), group, id, 1))
		equal(t, group, fmt.Sprint(synced.ErrorCode, " ", string(synced.MemberAssignment)), "0 assignment")
		equal(t, group, ask[*kmsg.HeartbeatResponse](f, heartbeatRequest(min(v, 4), group, id, 1)).ErrorCode, 0)
		left := ask[*kmsg.LeaveGroupResponse](f, leaveRequest(min(v, 5), group, kmsg.LeaveGroupRequestMember{MemberID: id}))
		equal(t, group, left.ErrorCode, 0)
		equal(t, group, f.describe(group).ErrorCode, 0)
		equal(t, group, f.describe(group).State, "Empty")
	})
}

func TestJoinGroupErrors(t *testing.T) {
	f := newFixture(t)
	f.member("stable")
	for what, c := range map[string]struct {
		group, member string
		change        func(r *kmsg.JoinGroupRequest)
		want          int16
	}{
		"a short session":           {"g", "", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 5999 }, 26},
		"a long session":            {"g", "m", func(r *kmsg.JoinGroupRequest) { r.SessionTimeoutMillis = 1800001 }, 26},
		"no protocols":              {"g", "", func(r *kmsg.JoinGroupRequest) { r.Protocols = nil }, 23},
		"no protocol type":          {"g", "", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "" }, 23},
		"no group":                  {"", "", func(*kmsg.JoinGroupRequest) {}, 24},
		"an unknown member":         {"g", "m", func(*kmsg.JoinGroupRequest) {}, 25},
		"an unknown member, static": {"g", "m", func(r *kmsg.JoinGroupRequest) { r.InstanceID = kmsg.StringPtr("i") }, 25},
		"another protocol type":     {"stable", "", func(r *kmsg.JoinGroupRequest) { r.ProtocolType = "connect" }, 23},
		"no protocol in common":     {"stable", "", func(r *kmsg.JoinGroupRequest) { r.Protocols[0].Name = "sticky" }, 23},
	} {
		t.Run(what, func(t *testing.T) {
			f.versions(kmsg.NewPtrJoinGroupRequest(), func(v int16) {
				r := joinRequest(v, c.group, c.member)
				c.change(r)
				got := ask[*kmsg.JoinGroupResponse](f, r)
				equal(t, "answer", []any{got.ErrorCode, got.Generation, got.MemberID}, []any{c.want, int32(-1), c.member})
			})
		})
	}
}

// A static member that comes back has a new id; who uses the old one is fenced. A
// leader that knows KIP-814 is told not to assign.
func TestJoinGroupStatic(t *testing.T) {
	f := newFixture(t)
	instance := kmsg.StringPtr("instance")
	join := joinRequest(9, "g", "")
	join.InstanceID = instance
	first := ask[*kmsg.JoinGroupResponse](f, join)
	equal(t, "first", []any{first.ErrorCode, first.SkipAssignment, first.Generation}, []any{int16(0), false, int32(1)})
	sync := syncRequest(5, "g", first.MemberID, 1)
	sync.InstanceID = instance
	ask[*kmsg.SyncGroupResponse](f, sync)
	again := ask[*kmsg.JoinGroupResponse](f, join)
	equal(t, "again", []any{again.ErrorCode, again.SkipAssignment, again.Generation}, []any{int16(0), true, int32(1)})
	if again.MemberID == first.MemberID {
		t.Error("the member id stayed the same")
	}
	beat := heartbeatRequest(4, "g", first.MemberID, 1)
	beat.InstanceID = instance
	equal(t, "heartbeat with the old id", ask[*kmsg.HeartbeatResponse](f, beat).ErrorCode, 82)
	equal(t, "sync with the old id", ask[*kmsg.SyncGroupResponse](f, sync).ErrorCode, 82)
	got := ask[*kmsg.LeaveGroupResponse](f, leaveRequest(5, "g",
		kmsg.LeaveGroupRequestMember{MemberID: first.MemberID, InstanceID: instance},
		kmsg.LeaveGroupRequestMember{InstanceID: instance},
		kmsg.LeaveGroupRequestMember{InstanceID: kmsg.StringPtr("other")}))
	var codes []int16
	for _, m := range got.Members {
		codes = append(codes, m.ErrorCode)
	}
	equal(t, "leave", codes, []int16{82, 0, 25})
}

// A join waits for the others; it ends when the client is gone, and the request's
// buffer may be used again meanwhile.
func TestJoinGroupWaits(t *testing.T) {
	f := newFixture(t)
	leader, generation := f.member("g")
	first := ask[*kmsg.JoinGroupResponse](f, joinRequest(9, "g", ""))
	body := joinRequest(9, "g", first.MemberID)
	frame := body.AppendTo(nil)
	got := kmsg.NewPtrJoinGroupRequest()
	got.Version = 9
	if err := got.ReadFrom(frame); err != nil {
		t.Fatal(err)
	}
	r := f.request(body)
	r.Body = got
	reply := joinGroup(t.Context(), f.Deps, r)
	if reply.Wait == nil {
		t.Fatal("answered while the leader has not joined again")
	}
	clear(frame)
	equal(t, "heartbeat of the leader", ask[*kmsg.HeartbeatResponse](f, heartbeatRequest(4, "g", leader, generation)).ErrorCode, 27)

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	equal(t, "error for who is gone", reply.Wait(gone).Response.(*kmsg.JoinGroupResponse).ErrorCode, 16)

	joined := ask[*kmsg.JoinGroupResponse](f, joinRequest(9, "g", leader))
	equal(t, "leader", []any{joined.ErrorCode, joined.Generation, len(joined.Members)}, []any{int16(0), generation + 1, 2})
	for _, m := range joined.Members {
		equal(t, m.MemberID, string(m.ProtocolMetadata), "subscription")
	}
}
