package broker

import (
	"context"
	"testing"

	"blumfeld/controller"
	"blumfeld/controller/group"
)

// A topic that was deleted, and created again before anybody looked, is one that
// was deleted.
func TestDeletedTopics(t *testing.T) {
	c := controller.New(controller.NewMemStore(), controller.Options{NodeID: 1})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.RegisterBroker(t.Context(), controller.Broker{ID: 1}); err != nil {
		t.Fatal(err)
	}
	create := func(names ...string) *controller.Image {
		var topics []controller.NewTopic
		for _, name := range names {
			topics = append(topics, controller.NewTopic{Name: name, Partitions: 1, ReplicationFactor: 1})
		}
		results, revision := c.CreateTopics(t.Context(), topics, false)
		for _, r := range results {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		return await(t, c, revision)
	}
	before := create("again", "gone", "stays")
	_, revision := c.DeleteTopics(t.Context(), []controller.TopicRef{{Name: "again"}, {Name: "gone"}})
	await(t, c, revision)
	after := create("again", "new")
	if got := deletedTopics(before, after); len(got) != 2 || got[0] != "again" || got[1] != "gone" {
		t.Errorf("deleted: %v", got)
	}
	if got := deletedTopics(after, after); got != nil {
		t.Errorf("deleted from the same image: %v", got)
	}

	groups := group.New(group.Options{Store: controller.NewMemStore(), Config: group.DefaultConfig()})
	if err := groups.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer groups.Close()
	for _, name := range []string{"g", "h"} {
		<-groups.Commit(group.CommitRequest{Group: name, Generation: -1, Offsets: []group.OffsetToCommit{
			{Topic: "gone", Offset: 1}, {Topic: "stays", Offset: 1},
		}})
	}
	if got := orphans(groups, after); len(got) != 1 || got[0] != "gone" {
		t.Errorf("orphans: %v", got)
	}
}

func await(t *testing.T, c *controller.Controller, revision int64) *controller.Image {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	image, err := c.WaitRevision(ctx, revision)
	if err != nil {
		t.Fatal(err)
	}
	return image
}
