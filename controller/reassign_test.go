package controller

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TestAlterPartitionReassignments: codes and messages are those of Apache Kafka 4.3.1, but for the last.
func TestAlterPartitionReassignments(t *testing.T) {
	c := start(t, NewMemStore(), Options{}, append(brokers(2), Broker{ID: 3, Incarnation: [16]byte{3}, Fenced: true})...)
	create(t, c, NewTopic{Name: "t", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{1})})
	create(t, c, NewTopic{Name: "u", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{1, 2})})
	for _, tt := range []struct {
		r           Reassignment
		factorStays bool
		want        string
	}{
		{Reassignment{TopicPartition{"t", 0}, []int32{1}}, true, "NONE"},
		{Reassignment{TopicPartition{"u", 0}, []int32{1, 2}}, false, "NONE"},
		{Reassignment{TopicPartition{"t", 0}, nil}, false, kerr.NoReassignmentInProgress.Error()},
		{Reassignment{TopicPartition{"none", 0}, nil}, false, "UNKNOWN_TOPIC_OR_PARTITION: Unable to find a topic named none."},
		{Reassignment{TopicPartition{"t", 2}, nil}, false, "UNKNOWN_TOPIC_OR_PARTITION: Unable to find partition t:2."},
		{Reassignment{TopicPartition{"t", -1}, []int32{}}, false, "UNKNOWN_TOPIC_OR_PARTITION: Unable to find partition t:-1."},
		{Reassignment{TopicPartition{"t", 0}, []int32{}}, true, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes an empty replica list."},
		{Reassignment{TopicPartition{"t", 0}, []int32{5, 4, 1}}, true, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker 4, but no such broker is registered."},
		{Reassignment{TopicPartition{"t", 0}, []int32{-1}}, false, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker -1, but no such broker is registered."},
		{Reassignment{TopicPartition{"t", 0}, []int32{1, 1}}, true, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes the broker 1 more than once."},
		{Reassignment{TopicPartition{"t", 0}, []int32{1, 2}}, true, "INVALID_REPLICATION_FACTOR: The replication factor is changed from 1 to 2"},
		{Reassignment{TopicPartition{"t", 0}, []int32{1, 2}}, false, "INVALID_REPLICA_ASSIGNMENT: Replicas cannot be moved between brokers yet."},
		{Reassignment{TopicPartition{"t", 0}, []int32{3}}, true, "INVALID_REPLICA_ASSIGNMENT: Replicas cannot be moved between brokers yet."},
	} {
		if got := describe(c.AlterPartitionReassignments([]Reassignment{tt.r}, !tt.factorStays)[0]); got != tt.want {
			t.Errorf("%+v: %s\nwant %s", tt.r, got, tt.want)
		}
	}
}
