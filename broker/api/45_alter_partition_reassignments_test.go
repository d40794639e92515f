package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// reassign asks for these replicas of a topic's partition 0, 1, …; a nil one
// cancels.
func reassign(version int16, topic string, replicas ...[]int32) *kmsg.AlterPartitionAssignmentsRequest {
	r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
	r.Version = version
	o := kmsg.AlterPartitionAssignmentsRequestTopic{Topic: topic}
	for n, ids := range replicas {
		o.Partitions = append(o.Partitions, kmsg.AlterPartitionAssignmentsRequestTopicPartition{Partition: int32(n), Replicas: ids})
	}
	r.Topics = append(r.Topics, o)
	return r
}

func TestAlterPartitionReassignments(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 2)
	for _, c := range []struct {
		topic    string
		replicas [][]int32
		want     []string
	}{
		{"a", [][]int32{{1}, nil, {1}}, []string{"0 e0 null", "1 e85 null", "2 e3 Unable to find partition a:2."}},
		{"a", [][]int32{{}, {1, 1}}, []string{
			"0 e39 The manual partition assignment includes an empty replica list.",
			"1 e39 The manual partition assignment includes the broker 1 more than once.",
		}},
		{"a", [][]int32{{2}, {3, 2, 1}}, []string{
			"0 e39 The manual partition assignment includes broker 2, but no such broker is registered.",
			"1 e39 The manual partition assignment includes broker 2, but no such broker is registered.",
		}},
		{"none", [][]int32{nil, {1}}, []string{"0 e3 Unable to find a topic named none.", "1 e3 Unable to find a topic named none."}},
		{"a", nil, nil},
	} {
		f.versions(kmsg.NewPtrAlterPartitionAssignmentsRequest(), func(v int16) {
			for _, factorMayChange := range []bool{true, false} {
				for _, timeout := range []int32{1000, 0} {
					r := reassign(v, c.topic, c.replicas...)
					r.AllowReplicationFactorChange, r.TimeoutMillis = factorMayChange, timeout
					got := ask[*kmsg.AlterPartitionAssignmentsResponse](f, r)
					equal(t, "replication factor", got.AllowReplicationFactorChange, factorMayChange || v == 0)
					equal(t, "message", text(got.ErrorMessage), "null")
					equal(t, "topic", got.Topics[0].Topic, c.topic)
					var lines, want []string
					for _, p := range got.Topics[0].Partitions {
						lines = append(lines, fmt.Sprintf("%d e%d %s", p.Partition, p.ErrorCode, text(p.ErrorMessage)))
					}
					want = c.want
					if timeout == 0 {
						want = nil
						for n := range c.replicas {
							want = append(want, fmt.Sprintf("%d e7 null", n))
						}
					}
					equal(t, fmt.Sprintf("%s %v", c.topic, c.replicas), lines, want)
					equal(t, "error", got.ErrorCode != 0, timeout == 0)
				}
			}
		})
	}
	f.versions(kmsg.NewPtrAlterPartitionAssignmentsRequest(), func(v int16) {
		r := kmsg.NewPtrAlterPartitionAssignmentsRequest()
		r.Version, r.TimeoutMillis = v, 0
		got := ask[*kmsg.AlterPartitionAssignmentsResponse](f, r)
		equal(t, "nothing", fmt.Sprintf("e%d %q %d", got.ErrorCode, text(got.ErrorMessage), len(got.Topics)), `e0 "" 0`)
	})
	list := kmsg.NewPtrListPartitionReassignmentsRequest()
	for _, topics := range [][]kmsg.ListPartitionReassignmentsRequestTopic{
		nil, {}, {{Topic: "a", Partitions: []int32{0, 9}}, {Topic: "none", Partitions: []int32{0}}},
	} {
		list.Topics = topics
		got := ask[*kmsg.ListPartitionReassignmentsResponse](f, list)
		equal(t, "list", fmt.Sprintf("e%d %s %d", got.ErrorCode, text(got.ErrorMessage), len(got.Topics)), "e0 null 0")
	}
}
