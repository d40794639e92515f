package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
	"blumfeld/controller/group"
)

// OffsetFetch, key 9, versions 1 to 10: all partitions by a null list (version 2),
// KIP-320 (leader epoch, version 5), KIP-447 (require stable, version 7), KIP-709
// (many groups, version 8), KIP-848 (member id and epoch, version 9; topic ids,
// version 10).
//
// A group that does not exist, and a partition without a committed offset, answer
// offset -1 and no error. Who requires a stable offset is answered
// UNSTABLE_OFFSET_COMMIT where a transaction has one pending.
//
// Deviation: all offsets of a group come sorted; Kafka's order is that of hash
// tables.

func offsetFetch(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.OffsetFetchRequest)
	out := in.ResponseKind().(*kmsg.OffsetFetchResponse)
	return inTurn(func() Reply {
		image, room := d.Partitions.Image(), d.answerRoom()
		if r.Version >= 8 {
			for _, asked := range in.Groups {
				g := fetchGroupOffsets(d, image, r.Version, asked, in.RequireStable)
				if !room.takeOffsets(&g) {
					return tooMuchAsked(r)
				}
				out.Groups = append(out.Groups, g)
			}
			return answer(out)
		}
		g := kmsg.NewOffsetFetchRequestGroup()
		g.Group = in.Group
		if in.Topics != nil {
			g.Topics = []kmsg.OffsetFetchRequestGroupTopic{}
		}
		for _, t := range in.Topics {
			g.Topics = append(g.Topics, kmsg.OffsetFetchRequestGroupTopic{Topic: t.Topic, Partitions: t.Partitions})
		}
		found := fetchGroupOffsets(d, image, r.Version, g, in.RequireStable)
		if !room.takeOffsets(&found) {
			return tooMuchAsked(r)
		}
		single(out, g, found)
		return answer(out)
	})
}

// takeOffsets is take for the answer about a group.
func (r *answerRoom) takeOffsets(g *kmsg.OffsetFetchResponseGroup) bool {
	size := 0
	for _, t := range g.Topics {
		for _, p := range t.Partitions {
			size += groupOffsetSize + len(valueOf(p.Metadata))
		}
	}
	return r.take(size)
}

// single fills in a response before version 8, which knows one group. Version 1
// has no error code for it: every partition tells it.
func single(out *kmsg.OffsetFetchResponse, asked kmsg.OffsetFetchRequestGroup, g kmsg.OffsetFetchResponseGroup) {
	out.ErrorCode = g.ErrorCode
	if out.Version < 2 && g.ErrorCode != 0 {
		for _, t := range asked.Topics {
			o := kmsg.OffsetFetchResponseGroupTopic{Topic: t.Topic}
			for _, p := range t.Partitions {
				o.Partitions = append(o.Partitions, noOffset(p, kerr.ErrorForCode(g.ErrorCode)))
			}
			g.Topics = append(g.Topics, o)
		}
	}
	for _, t := range g.Topics {
		o := kmsg.NewOffsetFetchResponseTopic()
		o.Topic = t.Topic
		for _, p := range t.Partitions {
			o.Partitions = append(o.Partitions, kmsg.OffsetFetchResponseTopicPartition{
				Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: p.Metadata, ErrorCode: p.ErrorCode,
			})
		}
		out.Topics = append(out.Topics, o)
	}
}

// fetchGroupOffsets answers for one group.
func fetchGroupOffsets(d *Deps, image *controller.Image, version int16, g kmsg.OffsetFetchRequestGroup, stable bool) kmsg.OffsetFetchResponseGroup {
	out := kmsg.NewOffsetFetchResponseGroup()
	out.Group = g.Group
	ask := group.FetchRequest{Group: g.Group, MemberID: valueOf(g.MemberID), MemberEpoch: g.MemberEpoch, RequireStable: stable}
	names := make([]string, len(g.Topics)) // "": no such topic id
	if g.Topics != nil {
		ask.Topics = make(map[string][]int32, len(g.Topics))
	}
	for i, t := range g.Topics {
		names[i] = t.Topic
		if version >= 10 {
			names[i] = ""
			if topic, err := topicByID(image, t.TopicID); err == nil {
				names[i] = topic.Name
			}
		}
		if names[i] != "" || version < 10 {
			ask.Topics[names[i]] = append(ask.Topics[names[i]], t.Partitions...)
		}
	}
	got := d.Groups.FetchOffsets(ask)
	if got.Err != nil {
		out.ErrorCode = code(got.Err)
		return out
	}
	if g.Topics == nil {
		out.Topics = allOffsets(image, version, got.Offsets)
		return out
	}
	type key struct {
		topic     string
		partition int32
	}
	committed := make(map[key]kmsg.OffsetFetchResponseGroupTopicPartition, len(got.Offsets))
	for _, o := range got.Offsets {
		committed[key{o.Topic, o.Partition}] = committedOffset(o)
	}
	var unknown []kmsg.OffsetFetchResponseGroupTopic // at the end, as in Kafka
	for i, t := range g.Topics {
		o := kmsg.NewOffsetFetchResponseGroupTopic()
		o.Topic, o.TopicID = t.Topic, t.TopicID
		if version >= 10 && names[i] == "" {
			for _, p := range t.Partitions {
				o.Partitions = append(o.Partitions, noOffset(p, kerr.UnknownTopicID))
			}
			unknown = append(unknown, o)
			continue
		}
		for _, p := range t.Partitions {
			offset, ok := committed[key{names[i], p}]
			if !ok {
				offset = noOffset(p, nil)
			}
			o.Partitions = append(o.Partitions, offset)
		}
		out.Topics = append(out.Topics, o)
	}
	out.Topics = append(out.Topics, unknown...)
	return out
}

// allOffsets groups offsets by topic; they come sorted. From version 10 on topics
// that were deleted meanwhile have no id and are left out, as in Kafka.
func allOffsets(image *controller.Image, version int16, offsets []group.CommittedOffset) []kmsg.OffsetFetchResponseGroupTopic {
	var out []kmsg.OffsetFetchResponseGroupTopic
	for i, o := range offsets {
		if i == 0 || o.Topic != offsets[i-1].Topic {
			t := kmsg.NewOffsetFetchResponseGroupTopic()
			t.Topic = o.Topic
			if topic, ok := image.Topic(o.Topic); ok {
				t.TopicID = topic.ID
			}
			out = append(out, t)
		}
		t := &out[len(out)-1]
		t.Partitions = append(t.Partitions, committedOffset(o))
	}
	if version < 10 {
		return out
	}
	known := out[:0]
	for _, t := range out {
		if t.TopicID != [16]byte{} {
			known = append(known, t)
		}
	}
	return known
}

func committedOffset(o group.CommittedOffset) kmsg.OffsetFetchResponseGroupTopicPartition {
	return kmsg.OffsetFetchResponseGroupTopicPartition{
		Partition: o.Partition, Offset: o.Offset, LeaderEpoch: o.LeaderEpoch,
		Metadata: kmsg.StringPtr(o.Metadata), ErrorCode: code(o.Err),
	}
}

func noOffset(partition int32, err error) kmsg.OffsetFetchResponseGroupTopicPartition {
	return committedOffset(group.CommittedOffset{Partition: partition, Offset: -1, LeaderEpoch: -1, Err: err})
}
