package controller

import "slices"

// Election is how a leader is chosen; Kafka's PartitionChangeBuilder.Election.
type Election uint8

const (
	// ElectOnline keeps a leader that may go on, else takes the first replica in the ISR that may lead.
	ElectOnline Election = iota
	// ElectPreferred takes the first replica of all if it is in the ISR and may lead; else as ElectOnline.
	ElectPreferred
	// ElectUnclean takes, when nobody in the ISR may lead, any replica that may. Records can be lost.
	ElectUnclean
)

// partitionChange is what is to become of a partition.
type partitionChange struct {
	election  Election
	isr       []int32             // the ISR that is wanted; empty: as it is
	eligible  func(id int32) bool // which brokers may lead: active, and not about to be fenced
	recovered bool                // the leader has recovered from an unclean election
	reelect   bool                // a new leader epoch even if the leader stays
}

// changePartition is the one place where a partition's state changes. It returns the next state, and whether that is
// another one. The rules are Kafka's PartitionChangeBuilder's, without eligible leader replicas (KIP-966):
//
//   - A leader stays while it is in the ISR and eligible.
//   - The ISR is never empty: the last replica stays in it though it is gone, because it alone has all records. The
//     partition then has no leader until that one returns, or until an unclean election.
//   - An unclean election makes the ISR the new leader alone, and marks the partition as recovering.
//   - The leader epoch grows when the leader changes, also to none; an ISR that shrinks or grows leaves it as it is.
//   - The partition epoch grows with every change.
func changePartition(p PartitionState, c partitionChange) (PartitionState, bool) {
	isr := p.ISR
	if len(c.isr) > 0 {
		isr = c.isr
	}
	next := p
	leader, unclean := elect(p, isr, c)
	switch {
	case unclean:
		next.ISR, next.Recovering = []int32{leader}, true
	case !slices.Equal(isr, p.ISR):
		next.ISR = slices.Clone(isr)
	}
	if c.recovered && leader == p.Leader {
		next.Recovering = false
	}
	if leader != p.Leader || c.reelect && leader != NoLeader {
		next.Leader = leader
		next.LeaderEpoch++
	}
	if next.Equal(p) {
		return p, false
	}
	next.PartitionEpoch++
	next.ModRevision = 0
	return next, true
}

// elect returns who is to lead, NoLeader if nobody can.
func elect(p PartitionState, isr []int32, c partitionChange) (leader int32, unclean bool) {
	clean := func(id int32) bool { return slices.Contains(isr, id) && c.eligible(id) }
	candidates := make([]int32, 0, len(p.Replicas)+1)
	if c.election != ElectPreferred {
		candidates = append(append(candidates, p.Leader), p.Replicas...)
	} else {
		candidates = append(append(append(candidates, p.Replicas[:min(1, len(p.Replicas))]...), p.Leader), p.Replicas...)
	}
	if i := slices.IndexFunc(candidates, clean); i >= 0 {
		return candidates[i], false
	}
	if c.election == ElectUnclean {
		if i := slices.IndexFunc(p.Replicas, c.eligible); i >= 0 {
			return p.Replicas[i], true
		}
	}
	return NoLeader, false
}

// leaveISR returns the ISR that remains when a broker is gone: without it, unless it is the last.
func leaveISR(p PartitionState, id int32) []int32 {
	if len(p.ISR) == 1 {
		return p.ISR
	}
	return slices.DeleteFunc(slices.Clone(p.ISR), func(r int32) bool { return r == id })
}
