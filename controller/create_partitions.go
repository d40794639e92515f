package controller

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// NewPartitions raises the number of partitions of a topic.
type NewPartitions struct {
	Topic string
	Count int32 // partitions that the topic is to have in all
	// Assignments are the replicas of the new partitions, in order; nil: they are placed.
	Assignments [][]int32
}

// CreatePartitions adds partitions to topics, each by itself. There is one result for each name, in the order of the
// request, names that came more than once last; Topic is the topic as it will be.
//
// Errors: UnknownTopicOrPartition, InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor,
// InvalidRequest, PolicyViolation; RequestTimedOut if ctx ended.
func (c *Controller) CreatePartitions(ctx context.Context, topics []NewPartitions, validateOnly bool) (results []TopicResult, rev int64) {
	topics, repeated := once(topics, func(t NewPartitions) string { return t.Topic })
	results = make([]TopicResult, len(topics), len(topics)+len(repeated))
	decide := func(img *Image, i int) *change {
		t, ch, err := c.planPartitions(img, topics[i])
		results[i] = TopicResult{Name: topics[i].Topic, Topic: t, Err: err}
		return ch
	}
	if validateOnly {
		img := c.Image()
		for i := range topics {
			decide(img, i)
		}
		rev = img.revision
	} else {
		rev = c.settle(ctx, len(topics), decide, func(i int, err error) { results[i].Topic, results[i].Err = nil, err })
	}
	for _, name := range repeated {
		results = append(results, TopicResult{Name: name, Err: refuse(kerr.InvalidRequest, "Duplicate topic name.")})
	}
	return results, rev
}

// planPartitions follows ReplicationControlManager.createPartitions.
func (c *Controller) planPartitions(img *Image, n NewPartitions) (*Topic, *change, error) {
	old, ok := img.Topic(n.Topic)
	if !ok {
		return nil, nil, refused(kerr.UnknownTopicOrPartition)
	}
	have := len(old.Partitions)
	additional := int(n.Count) - have
	switch {
	case additional == 0:
		return nil, nil, refuse(kerr.InvalidPartitions, "Topic already has %d partition(s).", have)
	case additional < 0:
		return nil, nil, refuse(kerr.InvalidPartitions, "The topic %s currently has %d partition(s); %d would not be an increase.",
			n.Topic, have, n.Count)
	case n.Assignments != nil && len(n.Assignments) != additional:
		return nil, nil, refuse(kerr.InvalidReplicaAssignment, "Attempted to add %d additional partition(s), but only %d "+
			"assignment(s) were specified.", additional, len(n.Assignments))
	case additional > maxPartitionsPerRequest || int(n.Count) > maxPartitionsPerTopic:
		return nil, nil, refuse(kerr.PolicyViolation, "Unable to perform excessively large batch operation.")
	}
	factor := len(old.Partitions[0].Replicas)
	assignments := n.Assignments
	if assignments != nil {
		for i, replicas := range assignments {
			if err := checkManualAssignment(img, int32(have+i), replicas, factor); err != nil {
				return nil, nil, err
			}
		}
	} else {
		var err error
		if assignments, err = placeReplicas(img.brokers, additional, int16(factor), c.draw); err != nil {
			return nil, nil, err
		}
	}
	t := *old
	t.Partitions = slices.Clone(old.Partitions)
	var ops []Op
	for i, replicas := range assignments {
		p := newPartition(img, slices.Clone(replicas))
		t.Partitions = append(t.Partitions, p)
		ops = append(ops, Put(partitionKey(t.ID, int32(have+i)), p.encode()))
	}
	return &t, planMorePartitions(&t, ops), nil
}

// planMorePartitions: the new partitions' keys are invisible until the topic's record counts them. Their writes too are
// bound to the record's revision: a late one must not touch a partition that another broker has made visible. Nothing
// is undone, for the same reason: what remains is overwritten by the next attempt, or swept.
func planMorePartitions(t *Topic, parts []Op) *change {
	rec := topicRecord{id: t.ID, partitions: int32(len(t.Partitions)), internal: t.Internal}
	record := Put(topicKey(t.Name), rec.encode())
	conds := []Cond{IfRevision(topicKey(t.Name), t.ModRevision)}
	whole := &change{conds: conds, ops: append(slices.Clip(parts), record)}
	if whole.fits(0, 0, 0) {
		return whole
	}
	return &change{conds: conds, prepare: parts, ops: []Op{record}}
}
