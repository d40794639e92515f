package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// TestReach: Metadata and DescribeTopicPartitions agree on which leaders and
// replicas a client can reach on its listener.
func TestReach(t *testing.T) {
	f := newFixture(t)
	for id, listener := range map[int32]string{2: testListener, 3: "OTHER"} {
		_, err := f.Controller.RegisterBroker(t.Context(), controller.Broker{ID: id, Endpoints: []controller.Endpoint{
			{Listener: listener, Protocol: "PLAINTEXT", Host: "there", Port: 9092},
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	topic := controller.NewTopic{Name: "t", Partitions: -1, ReplicationFactor: -1}
	for n, replicas := range [][]int32{{2, 3}, {3, 2}, {1, 3}} {
		topic.Assignments = append(topic.Assignments, controller.ReplicaAssignment{Partition: int32(n), Replicas: replicas})
	}
	results, revision := f.Controller.CreateTopics(t.Context(), []controller.NewTopic{topic}, false)
	if err := results[0].Err; err != nil {
		t.Fatal(err)
	}
	if err := f.Partitions.Await(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
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
