package controller

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TopicRef names a topic by name or by id; the other is zero.
type TopicRef struct {
	Name string
	ID   [16]byte
}

// DeleteResult is the outcome for one topic. Name and ID are those that the answer to the client gives.
type DeleteResult struct {
	TopicRef
	Err error
}

// DeleteTopics deletes topics with everything that is keyed by their ids. The results follow Kafka's ControllerApis:
// one for each distinct reference, those that were refused on sight first.
//
// Errors: InvalidRequest, UnknownTopicOrPartition (by name), UnknownTopicID; RequestTimedOut if ctx ended.
func (c *Controller) DeleteTopics(ctx context.Context, refs []TopicRef) (results []DeleteResult, rev int64) {
	refuseRef := func(ref TopicRef, reason string) {
		results = append(results, DeleteResult{ref, refuse(kerr.InvalidRequest, "%s", reason)})
	}
	var valid []TopicRef
	for _, ref := range refs {
		switch zero := ref.ID == [16]byte{}; {
		case ref.Name == "" && zero:
			refuseRef(ref, "Neither topic name nor id were specified.")
		case ref.Name != "" && !zero:
			refuseRef(ref, "You may not specify both topic name and topic id.")
		default:
			valid = append(valid, ref)
		}
	}
	valid, repeated := once(valid, func(r TopicRef) TopicRef { return r })
	for _, ref := range repeated {
		if ref.Name != "" {
			refuseRef(ref, "Duplicate topic name.")
		} else {
			refuseRef(ref, "Duplicate topic id.")
		}
	}

	// A topic that is given by name and by id is refused once, under both, and not deleted.
	img := c.Image()
	byID := make(map[[16]byte]bool)
	for _, ref := range valid {
		if ref.Name == "" {
			byID[ref.ID] = true
		}
	}
	twice := make(map[[16]byte]bool)
	for _, ref := range valid {
		if t, ok := img.Topic(ref.Name); ok && byID[t.ID] {
			twice[t.ID] = true
			refuseRef(TopicRef{ref.Name, t.ID}, "The provided topic name maps to an ID that was already supplied.")
		}
	}
	var todo []TopicRef
	for _, ref := range valid {
		t, ok := img.Topic(ref.Name)
		if !twice[ref.ID] && !(ok && twice[t.ID]) {
			todo = append(todo, ref)
		}
	}

	outcome := make([]DeleteResult, len(todo))
	rev = c.settle(ctx, len(todo), func(img *Image, i int) *change {
		ref := todo[i]
		t, ok := img.Topic(ref.Name)
		unknown := kerr.UnknownTopicOrPartition
		if ref.Name == "" {
			t, ok = img.TopicByID(ref.ID)
			unknown = kerr.UnknownTopicID
		}
		if !ok {
			outcome[i] = DeleteResult{ref, refuse(unknown, "%s", unknown.Description)}
			return nil
		}
		outcome[i] = DeleteResult{TopicRef: TopicRef{t.Name, t.ID}}
		return planDeleteTopic(t)
	}, func(i int, err error) { outcome[i].Err = err })
	return append(results, outcome...), rev
}

func planDeleteTopic(t *Topic) *change {
	ops := []Op{Delete(topicKey(t.Name)), DeletePrefix(topicPartitionsPrefix(t.ID)), Delete(topicConfigKey(t.ID))}
	if hasCollisionChars(t.Name) {
		ops = append(ops, Delete(nameGuardKey(t.Name)))
	}
	return &change{conds: []Cond{IfRevision(topicKey(t.Name), t.ModRevision)}, ops: ops}
}
