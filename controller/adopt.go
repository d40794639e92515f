package controller

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
)

// AdoptedTopic is a topic whose logs were there before the metadata: they came from another cluster, or outlived the
// metadata of this one.
type AdoptedTopic struct {
	Name    string
	ID      [16]byte // zero: it is given a new one
	Configs map[string]string
	// LeaderEpochs are the epochs in which this broker begins to lead the partitions, one for each. They are to be
	// above all that the logs know.
	LeaderEpochs []int32
}

// AdoptTopics creates topics under the ids that they have, each with this broker as its only replica. There is one
// result for each, in order; rev is the revision that shows all that was created.
//
// Errors: those of CreateTopics; InconsistentTopicID if the id is another topic's.
func (c *Controller) AdoptTopics(ctx context.Context, topics []AdoptedTopic) (results []TopicResult, rev int64) {
	results = make([]TopicResult, len(topics))
	rev = c.settle(ctx, len(topics), func(img *Image, i int) (ch *change) {
		results[i] = TopicResult{Name: topics[i].Name}
		results[i].Topic, ch, results[i].Err = c.planAdoption(img, topics[i])
		return ch
	}, func(i int, err error) { results[i].Topic, results[i].Err = nil, err })
	return results, rev
}

func (c *Controller) planAdoption(img *Image, a AdoptedTopic) (*Topic, *change, error) {
	if len(a.LeaderEpochs) == 0 || len(a.LeaderEpochs) > maxPartitionsPerTopic {
		return nil, nil, refuse(kerr.InvalidPartitions, "Topic '%s' has %d partitions.", a.Name, len(a.LeaderEpochs))
	}
	if err := c.checkNewTopic(img, NewTopic{Name: a.Name, Configs: a.Configs}); err != nil {
		return nil, nil, err
	}
	if a.ID == ([16]byte{}) {
		a.ID = c.newID(img)
	} else if other, taken := img.TopicByID(a.ID); taken {
		return nil, nil, refuse(kerr.InconsistentTopicID, "The id of topic '%s' is that of '%s'.", a.Name, other.Name)
	}
	t := &Topic{Name: a.Name, ID: a.ID, Configs: a.Configs, Internal: IsInternalTopic(a.Name)}
	own := []int32{c.opts.NodeID}
	for _, epoch := range a.LeaderEpochs {
		t.Partitions = append(t.Partitions, PartitionState{Leader: c.opts.NodeID, LeaderEpoch: epoch, Replicas: own, ISR: own})
	}
	ch, err := planNewTopic(t)
	return t, ch, err
}

// RaiseLeaderEpochs gives each partition that this broker leads at least the leader epoch that first answers for it:
// metadata from a backup may be older than the logs. rev is the revision that shows it.
func (c *Controller) RaiseLeaderEpochs(ctx context.Context, first func(topic *Topic, partition int32) int32) (rev int64, err error) {
	_, rev, err = c.settleLed(ctx, func(_ *Image, t *Topic, partition int32) (PartitionState, bool) {
		p := t.Partitions[partition]
		epoch := first(t, partition)
		if p.LeaderEpoch >= epoch {
			return p, false
		}
		p.LeaderEpoch, p.PartitionEpoch = epoch, p.PartitionEpoch+1
		return p, true
	})
	return rev, err
}

// ReserveProducerIDs takes care that no producer id below next is handed out.
func (c *Controller) ReserveProducerIDs(ctx context.Context, next int64) error {
	rev, err := c.transact(ctx, func(img *Image) ([]Cond, []Op, error) {
		p := img.producerIDs
		if p.next >= next {
			return nil, nil, nil
		}
		p.next = next
		return []Cond{IfRevision(producerIDsKey, img.producerRev)}, []Op{Put(producerIDsKey, p.encode())}, nil
	})
	if err == nil {
		_, err = c.WaitRevision(ctx, rev)
	}
	return err
}
