package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// spread registers broker 2, on the listener of the tests, and broker 3, on
// another one, and creates a topic with these replicas, partition by partition.
func (f *fixture) spread(name string, replicas ...[]int32) *controller.Topic {
	f.Helper()
	for id, listener := range map[int32]string{2: testListener, 3: "OTHER"} {
		_, err := f.Controller.RegisterBroker(f.Context(), controller.Broker{ID: id, Rack: fmt.Sprint("rack-", id), Endpoints: []controller.Endpoint{
			{Listener: listener, Protocol: "PLAINTEXT", Host: "there", Port: 9092},
		}})
		if err != nil {
			f.Fatal(err)
		}
	}
	topic := controller.NewTopic{Name: name, Partitions: -1, ReplicationFactor: -1}
	for n, ids := range replicas {
		topic.Assignments = append(topic.Assignments, controller.ReplicaAssignment{Partition: int32(n), Replicas: ids})
	}
	results, revision := f.Controller.CreateTopics(f.Context(), []controller.NewTopic{topic}, false)
	if err := results[0].Err; err != nil {
		f.Fatal(err)
	}
	if err := f.Partitions.Await(f.Context(), revision); err != nil {
		f.Fatal(err)
	}
	return results[0].Topic
}

// TestReach: Metadata and DescribeTopicPartitions agree on which leaders and
// replicas a client can reach on its listener.
func TestReach(t *testing.T) {
	f := newFixture(t)
	f.spread("t", []int32{2, 3}, []int32{3, 2}, []int32{1, 3})
	want := []string{"leader 2, offline [3]", "leader -1, offline [3]", "leader 1, offline [3]"}

	for version, unreachable := range map[int16]int16{5: 5, 6: 72} { // LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND
		req := kmsg.NewPtrMetadataRequest()
		req.Version = version
		name := kmsg.NewMetadataRequestTopic()
		name.Topic = kmsg.StringPtr("t")
		req.Topics = append(req.Topics, name)
		codes := []int16{0, unreachable, 0}
		for n, p := range ask[*kmsg.MetadataResponse](f, req).Topics[0].Partitions {
			equal(t, fmt.Sprintf("Metadata %d of partition %d", version, n), fmt.Sprintf("leader %d, offline %v", p.Leader, p.OfflineReplicas), want[n])
			equal(t, fmt.Sprintf("Metadata %d, error of partition %d", version, n), p.ErrorCode, codes[n])
		}
	}
	req := kmsg.NewPtrDescribeTopicPartitionsRequest()
	req.ResponsePartitionLimit = 100
	for n, p := range ask[*kmsg.DescribeTopicPartitionsResponse](f, req).Topics[0].Partitions {
		equal(t, fmt.Sprintf("DescribeTopicPartitions of partition %d", n), fmt.Sprintf("leader %d, offline %v", p.LeaderID, p.OfflineReplicas), want[n])
	}
}
