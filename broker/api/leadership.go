package api

import (
	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/broker/replica"
)

// asLeader runs read if this broker leads p and the caller's view of the leader
// epoch (-1: none) is right, and fails with NOT_LEADER_OR_FOLLOWER if leadership
// was lost before read returned: what read found may then come from a log that
// somebody else already truncates. Nothing is locked meanwhile; epochs only grow,
// so leading the same one before and after means leading it throughout.
//
// Otherwise it fails as replica.Partition.CheckLeader does.
func asLeader(p *replica.Partition, callersEpoch int32, read func(leaderEpoch int32) error) error {
	epoch := p.State().LeaderEpoch
	if err := p.CheckLeader(callersEpoch); err != nil {
		return err
	}
	err := read(epoch)
	if p.CheckLeader(epoch) != nil {
		return kerr.NotLeaderForPartition
	}
	return err
}

// asReplica is asLeader for who is content with a follower's log: only the
// caller's view of the epoch has to be right.
func asReplica(p *replica.Partition, callersEpoch int32, read func(leaderEpoch int32) error) error {
	epoch := p.State().LeaderEpoch
	switch {
	case callersEpoch != -1 && callersEpoch < epoch:
		return kerr.FencedLeaderEpoch
	case callersEpoch > epoch:
		return kerr.UnknownLeaderEpoch
	}
	return read(epoch)
}
