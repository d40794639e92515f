package api

import (
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// joinRequest is a consumer's JoinGroup, with one assignor.
func joinRequest(version int16, group, member string) *kmsg.JoinGroupRequest {
	r := kmsg.NewPtrJoinGroupRequest()
	r.Version, r.Group, r.MemberID = version, group, member
	r.SessionTimeoutMillis, r.RebalanceTimeoutMillis = 10000, 10000
	r.ProtocolType = "consumer"
	r.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("subscription")}}
	return r
}

// syncRequest is the SyncGroup of a leader who gives itself an assignment.
func syncRequest(version int16, group, member string, generation int32) *kmsg.SyncGroupRequest {
	r := kmsg.NewPtrSyncGroupRequest()
	r.Version, r.Group, r.MemberID, r.Generation = version, group, member, generation
	r.ProtocolType, r.Protocol = kmsg.StringPtr("consumer"), kmsg.StringPtr("range")
	r.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: member, MemberAssignment: []byte("assignment")}}
	return r
}

func heartbeatRequest(version int16, group, member string, generation int32) *kmsg.HeartbeatRequest {
	r := kmsg.NewPtrHeartbeatRequest()
	r.Version, r.Group, r.MemberID, r.Generation = version, group, member, generation
	return r
}

func leaveRequest(version int16, group string, members ...kmsg.LeaveGroupRequestMember) *kmsg.LeaveGroupRequest {
	r := kmsg.NewPtrLeaveGroupRequest()
	r.Version, r.Group, r.Members = version, group, members
	if len(members) > 0 {
		r.MemberID = members[0].MemberID
	}
	return r
}

// member makes a group of one that is stable, and answers who and in which
// generation.
func (f *fixture) member(group string) (id string, generation int32) {
	f.Helper()
	first := ask[*kmsg.JoinGroupResponse](f, joinRequest(9, group, ""))
	equal(f, "error of a join without member id", first.ErrorCode, 79)
	joined := ask[*kmsg.JoinGroupResponse](f, joinRequest(9, group, first.MemberID))
	equal(f, "error of a join", joined.ErrorCode, 0)
	synced := ask[*kmsg.SyncGroupResponse](f, syncRequest(5, group, joined.MemberID, joined.Generation))
	equal(f, "error of a sync", synced.ErrorCode, 0)
	return joined.MemberID, joined.Generation
}

// offset is a committed offset in a request or a response.
type offset struct {
	topic     string
	partition int32
	at        int64
}

// commitRequest is a simple consumer's OffsetCommit; topics are named by id too,
// where they exist.
func (f *fixture) commitRequest(version int16, group string, offsets ...offset) *kmsg.OffsetCommitRequest {
	r := kmsg.NewPtrOffsetCommitRequest()
	r.Version, r.Group = version, group
	for _, o := range offsets {
		if n := len(r.Topics); n == 0 || r.Topics[n-1].Topic != o.topic {
			t := kmsg.NewOffsetCommitRequestTopic()
			t.Topic, t.TopicID = o.topic, f.topicID(o.topic)
			r.Topics = append(r.Topics, t)
		}
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = o.partition, o.at, 3, kmsg.StringPtr("note")
		t := &r.Topics[len(r.Topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
	return r
}

// topicID is the id of a topic, or one that no topic has.
func (f *fixture) topicID(name string) [16]byte {
	if t, ok := f.Partitions.Image().Topic(name); ok {
		return t.ID
	}
	return [16]byte{0xff, byte(len(name))}
}

// commit commits offsets that must be accepted.
func (f *fixture) commit(group string, offsets ...offset) {
	f.Helper()
	for _, line := range f.committed(ask[*kmsg.OffsetCommitResponse](f, f.commitRequest(9, group, offsets...))) {
		if !strings.HasSuffix(line, " e0") {
			f.Fatal("commit: ", line)
		}
	}
}

// committed is a response in short, a partition a line.
func (f *fixture) committed(r *kmsg.OffsetCommitResponse) (lines []string) {
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			lines = append(lines, fmt.Sprintf("%s-%d e%d", f.nameOf(r.Version >= 10, t.Topic, t.TopicID), p.Partition, p.ErrorCode))
		}
	}
	return lines
}

// nameOf is what a response calls a topic: by name or by id.
func (f *fixture) nameOf(byID bool, name string, id [16]byte) string {
	switch t, ok := f.Partitions.Image().TopicByID(id); {
	case !byID:
		return name
	case ok:
		return t.Name
	}
	return "?"
}

// fetchRequest asks for the offsets of one group: of these partitions (their
// offsets do not matter), or of all.
func (f *fixture) fetchRequest(version int16, group string, wanted ...offset) *kmsg.OffsetFetchRequest {
	r := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	r.Version, r.Group, g.Group = version, group, group
	for _, o := range wanted {
		r.Topics = append(r.Topics, kmsg.OffsetFetchRequestTopic{Topic: o.topic, Partitions: []int32{o.partition}})
		g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{
			Topic: o.topic, TopicID: f.topicID(o.topic), Partitions: []int32{o.partition},
		})
	}
	r.Groups = append(r.Groups, g)
	return r
}

// fetched is a response in short, a partition a line; groups with an error too.
func (f *fixture) fetched(r *kmsg.OffsetFetchResponse) (lines []string) {
	line := func(topic string, partition int32, at int64, epoch int32, metadata *string, code int16) {
		lines = append(lines, fmt.Sprintf("%s-%d %d %d %q e%d", topic, partition, at, epoch, text(metadata), code))
	}
	if r.ErrorCode != 0 {
		lines = append(lines, fmt.Sprint("e", r.ErrorCode))
	}
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			line(t.Topic, p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode)
		}
	}
	for _, g := range r.Groups {
		if g.ErrorCode != 0 {
			lines = append(lines, fmt.Sprint("e", g.ErrorCode))
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				line(f.nameOf(r.Version >= 10, t.Topic, t.TopicID), p.Partition, p.Offset, p.LeaderEpoch, p.Metadata, p.ErrorCode)
			}
		}
	}
	return lines
}

// allOffsetsOf are the offsets that a group has.
func (f *fixture) allOffsetsOf(group string) []string {
	f.Helper()
	return f.fetched(ask[*kmsg.OffsetFetchResponse](f, f.fetchRequest(9, group)))
}

// describe is a group's description as the newest version tells it.
func (f *fixture) describe(group string) kmsg.DescribeGroupsResponseGroup {
	f.Helper()
	r := kmsg.NewPtrDescribeGroupsRequest()
	r.Version, r.Groups = 6, []string{group}
	return ask[*kmsg.DescribeGroupsResponse](f, r).Groups[0]
}
