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

// settleLed changes the partitions that this broker leads: next answers the state that follows, and whether there is
// one. It returns how many were changed and the revision that shows them.
func (c *Controller) settleLed(ctx context.Context, next func(img *Image, t *Topic, partition int32) (PartitionState, bool)) (partitions int, rev int64, err error) {
	type place struct {
		topic     [16]byte
		partition int32
	}
	var led []place
	for t := range c.Image().Topics() {
		for i, p := range t.Partitions {
			if p.Leader == c.opts.NodeID {
				led = append(led, place{t.ID, int32(i)})
			}
		}
	}
	rev = c.settle(ctx, len(led), func(img *Image, i int) *change {
		t, ok := img.TopicByID(led[i].topic)
		if !ok {
			return nil
		}
		p := t.Partitions[led[i].partition]
		if p.Leader != c.opts.NodeID {
			return nil
		}
		state, changed := next(img, t, led[i].partition)
		if !changed {
			return nil
		}
		partitions++
		key := partitionKey(t.ID, led[i].partition)
		return &change{conds: []Cond{IfRevision(key, p.ModRevision)}, ops: []Op{Put(key, state.encode())}}
	}, func(_ int, e error) { partitions--; err = e })
	return partitions, rev, err
}
