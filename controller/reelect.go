package controller

import "context"

// ReelectLeaders gives every partition that this broker leads a new leader epoch, with the same leader. A broker does
// that when it starts after a crash: records that it had acknowledged with acks=1 may be gone, others may take their
// offsets, and only the epoch tells a consumer that these are not those (KIP-320). It returns how many partitions it
// changed and the revision that shows them.
func (c *Controller) ReelectLeaders(ctx context.Context) (partitions int, rev int64, err error) {
	return c.settleLed(ctx, func(img *Image, t *Topic, partition int32) (PartitionState, bool) {
		return changePartition(t.Partitions[partition], partitionChange{eligible: img.active, reelect: true})
	})
}

// nextState answers the state that follows that of a partition, and whether there is one.
type nextState func(img *Image, t *Topic, partition int32) (PartitionState, bool)

// settleLed is settlePartitions for those that this broker leads.
func (c *Controller) settleLed(ctx context.Context, next nextState) (partitions int, rev int64, err error) {
	return c.settlePartitions(ctx, func(p PartitionState) bool { return p.Leader == c.opts.NodeID }, next)
}

// settlePartitions changes every partition whose state is chosen, each by itself. It returns how many it changed, the
// revision that shows them, and an error if one could not be changed; others may have been.
func (c *Controller) settlePartitions(ctx context.Context, chosen func(PartitionState) bool, next nextState) (partitions int, rev int64, err error) {
	type place struct {
		topic     [16]byte
		partition int32
		changed   bool
	}
	var places []place
	for t := range c.Image().Topics() {
		for i, p := range t.Partitions {
			if chosen(p) {
				places = append(places, place{topic: t.ID, partition: int32(i)})
			}
		}
	}
	rev = c.settle(ctx, len(places), func(img *Image, i int) *change {
		at := &places[i]
		at.changed = false // after a conflict it is decided again
		t, ok := img.TopicByID(at.topic)
		if !ok {
			return nil
		}
		p := t.Partitions[at.partition]
		if !chosen(p) {
			return nil
		}
		state, changed := next(img, t, at.partition)
		if !changed {
			return nil
		}
		at.changed = true
		key := partitionKey(t.ID, at.partition)
		return &change{conds: []Cond{IfRevision(key, p.ModRevision)}, ops: []Op{Put(key, state.encode())}}
	}, func(i int, e error) { places[i].changed, err = false, e })
	for _, at := range places {
		if at.changed {
			partitions++
		}
	}
	return partitions, rev, err
}
