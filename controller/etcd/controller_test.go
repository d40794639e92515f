package etcd

import (
	"context"
	"fmt"
	"testing"
	"time"

	"blumfeld/controller"
)

// startController returns a controller over s with broker 1 registered.
func startController(tb testing.TB, s *Store) *controller.Controller {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	c := controller.New(s, controller.Options{NodeID: 1})
	if err := c.Start(ctx); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	if _, err := c.RegisterBroker(ctx, controller.Broker{ID: 1, Incarnation: [16]byte{1}}); err != nil {
		tb.Fatal(err)
	}
	return c
}

func createTopic(tb testing.TB, c *controller.Controller, name string, partitions int32) *controller.Image {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	results, rev := c.CreateTopics(ctx, []controller.NewTopic{{Name: name, Partitions: partitions, ReplicationFactor: 1}}, false)
	if results[0].Err != nil {
		tb.Fatal(results[0].Err)
	}
	img, err := c.WaitRevision(ctx, rev)
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// TestController: the largest creation that Kafka allows, a restart, a deletion, and history that is compacted away
// under the watch.
func TestController(t *testing.T) {
	opts := testOptions(t)
	s := open(t, opts)
	c := startController(t, s)
	before := createTopic(t, c, "large", 10_000)
	first, _, err := c.AllocateProducerIDs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, opts)
	c = startController(t, s)
	img := c.Image()
	large, ok := img.Topic("large")
	if old, _ := before.Topic("large"); !ok || large.ID != old.ID || len(large.Partitions) != 10_000 || img.ClusterID() != before.ClusterID() {
		t.Fatalf("after a restart: %v, cluster %s, was %s", ok, img.ClusterID(), before.ClusterID())
	}
	if next, _, err := c.AllocateProducerIDs(t.Context()); err != nil || next != first+1000 {
		t.Errorf("block %d after %d, %v", next, first, err)
	}
	if err := s.Compact(t.Context(), img.Revision()); err != nil {
		t.Fatal(err)
	}
	results, rev := c.DeleteTopics(t.Context(), []controller.TopicRef{{ID: large.ID}})
	if results[0].Err != nil {
		t.Fatal(results[0].Err)
	}
	if img, err = c.WaitRevision(t.Context(), rev); err != nil || img.TopicCount() != 0 {
		t.Errorf("%v, %d topics", err, img.TopicCount())
	}
	if got := values(t, s, "meta/partitions/"); got != "" {
		t.Error("partition keys remain")
	}
}

// BenchmarkStart is Open and Controller.Start of a cluster with many partitions, closed in order.
func BenchmarkStart(b *testing.B) {
	for _, n := range []int32{100, 10_000} {
		b.Run(fmt.Sprintf("%d partitions", n), func(b *testing.B) {
			opts := Options{Dir: b.TempDir(), NodeID: 1}
			s := open(b, opts)
			c := startController(b, s)
			for i := range n / 10 {
				createTopic(b, c, fmt.Sprintf("topic-%d", i), 10)
			}
			c.Close()
			s.Close()
			for b.Loop() {
				s := open(b, opts)
				c := startController(b, s)
				b.StopTimer()
				if got := c.Image().PartitionCount(); got != int(n) {
					b.Fatalf("%d partitions", got)
				}
				c.Close()
				s.Close()
				b.StartTimer()
			}
		})
	}
}

// BenchmarkCreateTopic is one creation, until the Image shows it.
func BenchmarkCreateTopic(b *testing.B) {
	c := startController(b, open(b, Options{Dir: b.TempDir(), NodeID: 1}))
	for i := 0; b.Loop(); i++ {
		createTopic(b, c, fmt.Sprintf("topic-%d", i), 3)
	}
}
