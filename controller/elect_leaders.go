package controller

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// ElectLeaders elects a leader for each of the partitions anew: ElectPreferred makes the first replica the leader,
// ElectUnclean gives a leader to a partition that has none, at the price of records. There is one error for each
// partition, nil if it has another leader now, and the revision that shows them.
//
// Errors, as ReplicationControlManager.electLeader: ElectionNotNeeded, PreferredLeaderNotAvailable,
// EligibleLeadersNotAvailable, UnknownTopicOrPartition; RequestTimedOut if ctx ended.
func (c *Controller) ElectLeaders(ctx context.Context, partitions []TopicPartition, election Election) (errs []error, rev int64) {
	errs = make([]error, len(partitions))
	rev = c.settle(ctx, len(partitions), func(img *Image, i int) (ch *change) {
		ch, errs[i] = planElection(img, partitions[i], election)
		return ch
	}, func(i int, err error) { errs[i] = err })
	return errs, rev
}

func planElection(img *Image, tp TopicPartition, election Election) (*change, error) {
	t, ok := img.Topic(tp.Topic)
	if !ok {
		return nil, refuse(kerr.UnknownTopicOrPartition, "No such topic as %s", tp.Topic)
	}
	if tp.Partition < 0 || int(tp.Partition) >= len(t.Partitions) {
		return nil, refuse(kerr.UnknownTopicOrPartition, "No such partition as %s-%d", tp.Topic, tp.Partition)
	}
	p := t.Partitions[tp.Partition]
	if election == ElectPreferred && len(p.Replicas) > 0 && p.Leader == p.Replicas[0] || election == ElectUnclean && p.Leader != NoLeader {
		return nil, refuse(kerr.ElectionNotNeeded, "Leader election not needed for topic partition.")
	}
	next, changed := changePartition(p, partitionChange{election: election, eligible: img.active})
	switch {
	case changed:
		key := partitionKey(t.ID, tp.Partition)
		return &change{conds: []Cond{IfRevision(key, p.ModRevision)}, ops: []Op{Put(key, next.encode())}}, nil
	case election == ElectPreferred:
		return nil, refuse(kerr.PreferredLeaderNotAvailable, "The preferred leader was not available.")
	default:
		return nil, refuse(kerr.EligibleLeadersNotAvailable, "Eligible topic partition leaders are not available.")
	}
}
