package controller

import (
	"fmt"
	"testing"
)

// putPartition writes the state of a partition past all rules, and waits until c shows it.
func putPartition(t *testing.T, c *Controller, topic string, n int32, p PartitionState) {
	t.Helper()
	named, _ := c.Image().Topic(topic)
	rev, _, err := c.store.Txn(testContext(t), nil, []Op{Put(partitionKey(named.ID, n), p.encode())})
	if err != nil {
		t.Fatal(err)
	}
	await(t, c, rev)
}

// TestElectLeaders: codes and messages are those of Apache Kafka 4.3.1.
func TestElectLeaders(t *testing.T) {
	for _, tt := range []struct {
		name      string
		state     PartitionState
		fenced    int32 // 0: none
		preferred string
		unclean   string
		after     string // leader, epoch, ISR when the election that did something is over
	}{
		{"preferred leads", PartitionState{Leader: 1, Replicas: []int32{1, 2}, ISR: []int32{1, 2}}, 0,
			"ELECTION_NOT_NEEDED: Leader election not needed for topic partition.",
			"ELECTION_NOT_NEEDED: Leader election not needed for topic partition.", "1 5 [1 2]"},
		{"another leads", PartitionState{Leader: 2, Replicas: []int32{1, 2}, ISR: []int32{1, 2}}, 0,
			"NONE", "ELECTION_NOT_NEEDED: Leader election not needed for topic partition.", "1 6 [1 2]"},
		{"preferred is not in sync", PartitionState{Leader: 2, Replicas: []int32{1, 2}, ISR: []int32{2}}, 0,
			"PREFERRED_LEADER_NOT_AVAILABLE: The preferred leader was not available.",
			"ELECTION_NOT_NEEDED: Leader election not needed for topic partition.", "2 5 [2]"},
		{"preferred is fenced", PartitionState{Leader: 1, Replicas: []int32{2, 1}, ISR: []int32{1, 2}}, 2,
			"PREFERRED_LEADER_NOT_AVAILABLE: The preferred leader was not available.",
			"ELECTION_NOT_NEEDED: Leader election not needed for topic partition.", "1 5 [1 2]"},
		{"none leads, the last in sync is gone", PartitionState{Leader: NoLeader, Replicas: []int32{2, 1}, ISR: []int32{2}}, 2,
			"PREFERRED_LEADER_NOT_AVAILABLE: The preferred leader was not available.", "NONE", "1 6 [1]"},
		{"none leads, all are gone", PartitionState{Leader: NoLeader, Replicas: []int32{2}, ISR: []int32{2}}, 2,
			"PREFERRED_LEADER_NOT_AVAILABLE: The preferred leader was not available.",
			"ELIGIBLE_LEADERS_NOT_AVAILABLE: Eligible topic partition leaders are not available.", "-1 5 [2]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := start(t, NewMemStore(), Options{}, brokers(2)...)
			create(t, c, NewTopic{Name: "t", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{1, 2})})
			if tt.fenced != 0 {
				if _, err := c.RegisterBroker(testContext(t), Broker{ID: tt.fenced, Incarnation: [16]byte{9}, Fenced: true}); err != nil {
					t.Fatal(err)
				}
			}
			tt.state.LeaderEpoch = 5
			after := ""
			elect := func(e Election, want string) {
				putPartition(t, c, "t", 0, tt.state)
				errs, rev := c.ElectLeaders(testContext(t), []TopicPartition{{"t", 0}}, e)
				if got := describe(errs[0]); got != want {
					t.Errorf("election %d: %s\nwant %s", e, got, want)
				}
				topic, _ := await(t, c, rev).Topic("t")
				p := topic.Partitions[0]
				if state := fmt.Sprint(p.Leader, p.LeaderEpoch, p.ISR); after == "" || errs[0] == nil {
					after = state
				}
			}
			elect(ElectPreferred, tt.preferred)
			elect(ElectUnclean, tt.unclean)
			if after != tt.after {
				t.Errorf("leader, epoch and ISR %s, want %s", after, tt.after)
			}
		})
	}
	c := start(t, NewMemStore(), Options{}, oneBroker)
	create(t, c, NewTopic{Name: "t", Partitions: 1, ReplicationFactor: 1})
	errs, _ := c.ElectLeaders(testContext(t), []TopicPartition{{"t", 1}, {"t", -1}, {"none", 0}}, ElectPreferred)
	for i, want := range []string{"No such partition as t-1", "No such partition as t--1", "No such topic as none"} {
		if got := describe(errs[i]); got != "UNKNOWN_TOPIC_OR_PARTITION: "+want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
