package broker

import (
	"context"
	"sync"

	"blumfeld/broker/replica"
	"blumfeld/controller"
)

// imageFollower hands each new metadata image to the partitions. Images that
// come while one is being applied are skipped for the newest.
type imageFollower struct {
	cancel  context.CancelFunc
	running sync.WaitGroup
}

func followImages(c *controller.Controller, set *replica.Set) *imageFollower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &imageFollower{cancel: cancel}
	f.running.Go(func() {
		for {
			changed := c.Changed()
			set.Apply(c.Image())
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	})
	return f
}

func (f *imageFollower) stop() {
	f.cancel()
	f.running.Wait()
}
