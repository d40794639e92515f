package broker

import (
	"context"
	"sync"

	"blumfeld/broker/replica"
	"blumfeld/controller"
	"blumfeld/controller/group"
)

// imageFollower hands each new metadata image to those who hold dynamic
// configuration and to the partitions, and then tells the group coordinator which
// topics are gone. Images that come while one is
// being applied are skipped for the newest.
type imageFollower struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func followImages(c *controller.Controller, set *replica.Set, groups *group.Coordinator, reconfigure func(*controller.Image)) *imageFollower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &imageFollower{cancel: cancel}
	f.running.Go(func() {
		last := c.Image()
		if gone := orphans(groups, last); len(gone) > 0 {
			groups.TopicsDeleted(gone)
		}
		for {
			changed := c.Changed()
			image := c.Image()
			reconfigure(image)
			set.Apply(image)
			if gone := deletedTopics(last, image); len(gone) > 0 {
				groups.TopicsDeleted(gone)
			}
			last = image
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	})
	return f
}

// deletedTopics are the names of the topics that are in one image and no more in
// a later one. A topic with the same name and another id is another topic.
func deletedTopics(before, after *controller.Image) (names []string) {
	if before == after {
		return nil
	}
	for t := range before.Topics() {
		if _, ok := after.TopicByID(t.ID); !ok {
			names = append(names, t.Name)
		}
	}
	return names
}

// orphans are the topics that groups have offsets of and that do not exist: they
// were deleted right before the broker stopped.
func orphans(groups *group.Coordinator, image *controller.Image) (names []string) {
	for _, topic := range groups.Topics() {
		if _, ok := image.Topic(topic); !ok {
			names = append(names, topic)
		}
	}
	return names
}

func (f *imageFollower) stop() {
	f.cancel()
	f.running.Wait()
}
