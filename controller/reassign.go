package controller

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Reassignment asks that a partition have other replicas, or, with nil, that the change under way be undone.
type Reassignment struct {
	TopicPartition
	Replicas []int32
}

// AlterPartitionReassignments judges reassignments, and returns one error for each, nil if the partition has these
// replicas already. Replicas are not moved: while there is one broker, there is nowhere to move them to, and a broker
// that is registered and gone is no place either.
//
// Errors, as ReplicationControlManager.alterPartitionReassignments: UnknownTopicOrPartition, NoReassignmentInProgress,
// InvalidReplicaAssignment, InvalidReplicationFactor unless factorMayChange.
func (c *Controller) AlterPartitionReassignments(reassignments []Reassignment, factorMayChange bool) []error {
	img := c.Image()
	errs := make([]error, len(reassignments))
	for i, r := range reassignments {
		errs[i] = checkReassignment(img, r, factorMayChange)
	}
	return errs
}

func checkReassignment(img *Image, r Reassignment, factorMayChange bool) error {
	t, ok := img.Topic(r.Topic)
	if !ok {
		return refuse(kerr.UnknownTopicOrPartition, "Unable to find a topic named %s.", r.Topic)
	}
	if r.Partition < 0 || int(r.Partition) >= len(t.Partitions) {
		return refuse(kerr.UnknownTopicOrPartition, "Unable to find partition %s:%d.", r.Topic, r.Partition)
	}
	if r.Replicas == nil {
		return refused(kerr.NoReassignmentInProgress)
	}
	if err := checkReplicas(img, r.Replicas); err != nil {
		return err
	}
	current := t.Partitions[r.Partition].Replicas
	if !factorMayChange && len(r.Replicas) != len(current) {
		return refuse(kerr.InvalidReplicationFactor, "The replication factor is changed from %d to %d", len(current), len(r.Replicas))
	}
	if !slices.Equal(r.Replicas, current) {
		return refuse(kerr.InvalidReplicaAssignment, "Replicas cannot be moved between brokers yet.")
	}
	return nil
}
