package controller

// Quorum is who keeps the metadata, as DescribeQuorum tells it: the members of the store in the words of Kafka's own
// metadata log.
type Quorum struct {
	Leader        int32 // node id
	LeaderEpoch   int64 // the store's term
	HighWatermark int64 // what all voters together have committed, in entries of the store's log
	Voters        []QuorumVoter
}

// QuorumVoter is one member of the store.
type QuorumVoter struct {
	ID     int32
	LogEnd int64 // how far it is known to have come
}

// Quorum returns the state of the quorum. This node is alone in it, and what it has committed is all that it has.
func (c *Controller) Quorum() Quorum {
	term, committed := c.store.Progress()
	return Quorum{
		Leader: c.opts.NodeID, LeaderEpoch: term, HighWatermark: committed,
		Voters: []QuorumVoter{{c.opts.NodeID, committed}},
	}
}
