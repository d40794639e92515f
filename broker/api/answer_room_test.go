package api

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol/batch"
)

// TestAnswerRoom: requests that name one thing often are answered as often, up to
// a bound in memory.
func TestAnswerRoom(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	b := batch.NewBuilder()
	b.ProducerID, b.ProducerEpoch, b.BaseSequence = 7, 0, 0
	b.Add(batch.Record{Value: []byte("v")})
	f.appendBatch("a", 0, b)
	f.commit("g", offset{"a", 0, 1})
	f.member("members")
	room := 50 << 10
	for _, c := range []struct {
		name    string
		request func(n int) kmsg.Request
	}{
		{"DescribeConfigs", func(n int) kmsg.Request {
			r := kmsg.NewPtrDescribeConfigsRequest()
			r.Resources = slices.Repeat([]kmsg.DescribeConfigsRequestResource{
				{ResourceType: kmsg.ConfigResourceTypeTopic, ResourceName: "a"}}, n)
			return r
		}},
		{"CreateTopics", func(n int) kmsg.Request {
			r := kmsg.NewPtrCreateTopicsRequest()
			r.Version, r.ValidateOnly, r.TimeoutMillis = 7, true, 1000
			for i := range n {
				topic := kmsg.NewCreateTopicsRequestTopic()
				topic.Topic, topic.NumPartitions, topic.ReplicationFactor = fmt.Sprint("t", i), -1, -1
				r.Topics = append(r.Topics, topic)
			}
			return r
		}},
		{"DescribeGroups", func(n int) kmsg.Request {
			r := kmsg.NewPtrDescribeGroupsRequest()
			r.Groups = slices.Repeat([]string{"members"}, n)
			return r
		}},
		{"OffsetFetch of many groups", func(n int) kmsg.Request {
			r := kmsg.NewPtrOffsetFetchRequest()
			r.Version = 9
			r.Groups = slices.Repeat([]kmsg.OffsetFetchRequestGroup{{Group: "g", MemberEpoch: -1}}, n)
			return r
		}},
		{"OffsetFetch of one", func(n int) kmsg.Request {
			r := kmsg.NewPtrOffsetFetchRequest()
			r.Version, r.Group = 7, "g"
			r.Topics = []kmsg.OffsetFetchRequestTopic{{Topic: "a", Partitions: make([]int32, n)}}
			return r
		}},
		{"ElectLeaders", func(n int) kmsg.Request {
			r := kmsg.NewPtrElectLeadersRequest()
			r.Version, r.TimeoutMillis = 2, 1000
			r.Topics = []kmsg.ElectLeadersRequestTopic{{Topic: "a", Partitions: make([]int32, n)}}
			return r
		}},
		{"AlterPartitionReassignments", func(n int) kmsg.Request {
			r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
			r.TimeoutMillis = 1000
			r.Topics = []kmsg.AlterPartitionAssignmentsRequestTopic{{Topic: "a", Partitions: make([]kmsg.AlterPartitionAssignmentsRequestTopicPartition, n)}}
			return r
		}},
		{"DescribeProducers", func(n int) kmsg.Request { return describeProducersRequest("a", make([]int32, n)...) }},
	} {
		f.AnswerMaxBytes = room
		f.send(c.request(1))
		reply := f.table.Lookup(c.request(1).Key()).Handle(t.Context(), f.Deps, f.request(c.request(600)))
		if reply.Wait != nil {
			reply = reply.Wait(t.Context())
		}
		if !errors.Is(reply.Hangup, errAnswerTooLarge) {
			t.Errorf("%s of 600: %v", c.name, reply.Hangup)
		}
		f.AnswerMaxBytes = DefaultAnswerMaxBytes
		f.send(c.request(600))
	}
}
