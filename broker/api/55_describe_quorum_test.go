package api

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeQuorum(t *testing.T) {
	f := newFixture(t)
	now := time.UnixMilli(1_700_000_000_000)
	f.Now = func() time.Time { return now }
	type asked = kmsg.DescribeQuorumRequestTopic
	partitions := func(ns ...int32) (out []kmsg.DescribeQuorumRequestTopicPartition) {
		for _, n := range ns {
			out = append(out, kmsg.DescribeQuorumRequestTopicPartition{Partition: n})
		}
		return out
	}
	for _, c := range []struct {
		topics []asked
		want   []string // by partition
	}{
		{nil, nil},
		{[]asked{{Topic: "__cluster_metadata"}}, nil},
		{[]asked{{Topic: "__cluster_metadata", Partitions: partitions(0)}}, []string{"__cluster_metadata-0 e0"}},
		{[]asked{{Topic: "__cluster_metadata", Partitions: partitions(1)}}, []string{"__cluster_metadata-1 e3"}},
		{[]asked{{Topic: "__cluster_metadata", Partitions: partitions(0, 1)}}, []string{"__cluster_metadata-0 e3", "__cluster_metadata-1 e3"}},
		{[]asked{{Topic: "__cluster_metadata", Partitions: partitions(0)}, {Topic: "a", Partitions: partitions(0)}}, []string{"__cluster_metadata-0 e3", "a-0 e3"}},
		{[]asked{{Topic: "a", Partitions: partitions(0)}}, []string{"a-0 e3"}},
	} {
		f.versions(kmsg.NewPtrDescribeQuorumRequest(), func(v int16) {
			r := kmsg.NewPtrDescribeQuorumRequest()
			r.Version, r.Topics = v, c.topics
			before := f.Controller.Quorum()
			got := ask[*kmsg.DescribeQuorumResponse](f, r)
			none, message := "null", "null" // messages came with version 2
			if v >= 2 {
				none, message = "", "This server does not host this topic-partition."
			}
			equal(t, "error", fmt.Sprintf("%d %q", got.ErrorCode, text(got.ErrorMessage)), fmt.Sprintf("0 %q", none))
			equal(t, "topics", len(got.Topics), len(c.topics))
			var lines []string
			for _, o := range got.Topics {
				for _, p := range o.Partitions {
					lines = append(lines, fmt.Sprintf("%s-%d e%d", o.Topic, p.Partition, p.ErrorCode))
					if p.ErrorCode != 0 {
						equal(t, "message", text(p.ErrorMessage), message)
						equal(t, "voters and nodes of what is not there", len(p.CurrentVoters)+len(got.Nodes), 0)
						continue
					}
					equal(t, "message", text(p.ErrorMessage), none)
					equal(t, "leader", []int64{int64(p.LeaderID), int64(p.LeaderEpoch), p.HighWatermark}, []int64{testNode, before.LeaderEpoch, before.HighWatermark})
					voter := kmsg.NewDescribeQuorumResponseTopicPartitionReplicaState()
					voter.ReplicaID, voter.LogEndOffset = testNode, p.HighWatermark
					if v >= 1 {
						voter.LastFetchTimestamp, voter.LastCaughtUpTimestamp = now.UnixMilli(), now.UnixMilli()
					}
					equal(t, "voters", p.CurrentVoters, []kmsg.DescribeQuorumResponseTopicPartitionReplicaState{voter})
					equal(t, "observers", len(p.Observers), 0)
					if v >= 2 {
						equal(t, "nodes", got.Nodes, []kmsg.DescribeQuorumResponseNode{{NodeID: testNode}})
					}
				}
			}
			equal(t, fmt.Sprintf("version %d, %+v", v, c.topics), lines, c.want)
		})
	}
}
