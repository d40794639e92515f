package controller

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// AlterPartition changes the ISR of a partition on behalf of its leader, which is this broker. from is the state that
// the leader knows; the change is made only if that is still the state, except that a leader which has recovered from an
// unclean election says so by clearing from.Recovering. It returns the new state at once, without
// waiting for the Image.
//
// Errors, as ReplicationControlManager.validateAlterPartitionData: UnknownTopicOrPartition, FencedLeaderEpoch,
// InvalidUpdateVersion (from is stale), NotController (this broker's Image is behind from), IneligibleReplica (a
// replica is fenced or gone), InvalidRequest; RequestTimedOut if ctx ended, and then the change may have been made.
func (c *Controller) AlterPartition(ctx context.Context, topic string, partition int32, from PartitionState, isr []int32) (PartitionState, error) {
	// from may come from this method, and then be newer than the Image.
	if _, err := c.WaitRevision(ctx, from.ModRevision); err != nil {
		return PartitionState{}, err
	}
	var next PartitionState
	wrote := false
	rev, err := c.transact(ctx, func(img *Image) (conds []Cond, ops []Op, err error) {
		t, ok := img.Topic(topic)
		if !ok || partition < 0 || int(partition) >= len(t.Partitions) {
			return nil, nil, refused(kerr.UnknownTopicOrPartition)
		}
		current := t.Partitions[partition]
		if err := checkAlterPartition(img, c.opts.NodeID, current, from, isr); err != nil {
			return nil, nil, err
		}
		if next, wrote = changePartition(current, partitionChange{isr: isr, eligible: img.active, recovered: !from.Recovering}); !wrote {
			return nil, nil, nil
		}
		key := partitionKey(t.ID, partition)
		return []Cond{IfRevision(key, current.ModRevision)}, []Op{Put(key, next.encode())}, nil
	})
	if err != nil {
		return PartitionState{}, err
	}
	if wrote {
		next.ModRevision = rev
	}
	return next, nil
}

func checkAlterPartition(img *Image, leader int32, current, from PartitionState, isr []int32) error {
	sorted := slices.Sorted(slices.Values(isr))
	switch {
	case from.LeaderEpoch > current.LeaderEpoch || from.PartitionEpoch > current.PartitionEpoch:
		return refused(kerr.NotController)
	case from.LeaderEpoch < current.LeaderEpoch:
		return refused(kerr.FencedLeaderEpoch)
	case current.Leader != leader:
		return refused(kerr.InvalidRequest)
	case from.PartitionEpoch < current.PartitionEpoch:
		return refused(kerr.InvalidUpdateVersion)
	case !slices.Contains(isr, leader) || len(slices.Compact(sorted)) != len(isr):
		return refused(kerr.InvalidRequest)
	case slices.ContainsFunc(isr, func(id int32) bool { return !slices.Contains(current.Replicas, id) }):
		return refused(kerr.InvalidRequest)
	case from.Recovering && (len(isr) > 1 || !current.Recovering):
		return refused(kerr.InvalidRequest)
	case slices.ContainsFunc(isr, func(id int32) bool { return !img.active(id) }):
		return refused(kerr.IneligibleReplica)
	}
	return nil
}
