package controller

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// start returns a running Controller of node 1 over store, with the given brokers registered.
func start(t *testing.T, store Store, opts Options, brokers ...Broker) *Controller {
	t.Helper()
	if opts.NodeID == 0 {
		opts.NodeID = 1
	}
	if opts.Rand == nil {
		opts.Rand = rand.New(rand.NewPCG(1, 2))
	}
	c := New(store, opts)
	if err := c.Start(testContext(t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, b := range brokers {
		if _, err := c.RegisterBroker(testContext(t), b); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

var oneBroker = Broker{ID: 1, Endpoints: []Endpoint{{"PLAINTEXT", "PLAINTEXT", "localhost", 9092}}, Incarnation: [16]byte{1}}

func brokers(n int32) (bs []Broker) {
	for id := range n {
		bs = append(bs, Broker{ID: id + 1, Incarnation: [16]byte{byte(id + 1)}})
	}
	return bs
}

// create creates one topic and waits until the Image shows it.
func create(t *testing.T, c *Controller, n NewTopic) *Topic {
	t.Helper()
	results, rev := c.CreateTopics(testContext(t), []NewTopic{n}, false)
	if err := results[0].Err; err != nil {
		t.Fatal(err)
	}
	img := await(t, c, rev)
	topic, ok := img.Topic(n.Name)
	if !ok {
		t.Fatalf("topic %q is not in the Image of revision %d", n.Name, rev)
	}
	return topic
}

func await(t *testing.T, c *Controller, rev int64) *Image {
	t.Helper()
	img, err := c.WaitRevision(testContext(t), rev)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// describe gives an error as a client sees it: code and message.
func describe(err error) string {
	if err == nil {
		return "NONE"
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*kerr.Error](err); ok {
		return "bare " + e.Message
	}
	return err.Error()
}

func dump(t *testing.T, s Store, prefix string) []string {
	t.Helper()
	kvs, _, err := s.Range(testContext(t), prefix)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, kv := range kvs {
		keys = append(keys, kv.Key)
	}
	return keys
}

func TestCreateAndDelete(t *testing.T) {
	store := NewMemStore()
	c := start(t, store, Options{DefaultPartitions: 3}, oneBroker)
	topic := create(t, c, NewTopic{Name: "a.b", Partitions: -1, ReplicationFactor: -1, Configs: map[string]string{"retention.ms": "1"}})
	if len(topic.Partitions) != 3 || topic.Configs["retention.ms"] != "1" || topic.ReplicationFactor() != 1 {
		t.Errorf("%+v", topic)
	}
	for i, p := range topic.Partitions {
		if p.Leader != 1 || p.LeaderEpoch != 0 || p.PartitionEpoch != 0 || fmt.Sprint(p.ISR, p.Replicas) != "[1] [1]" {
			t.Errorf("partition %d: %+v", i, p)
		}
	}
	if byID, ok := c.Image().TopicByID(topic.ID); !ok || byID != topic {
		t.Error("not found by id")
	}
	results, rev := c.DeleteTopics(testContext(t), []TopicRef{{Name: "a.b"}})
	if results[0].Err != nil || results[0].ID != topic.ID {
		t.Fatalf("%+v", results)
	}
	img := await(t, c, rev)
	if _, ok := img.Topic("a.b"); ok || img.TopicCount() != 0 || img.PartitionCount() != 0 {
		t.Error("the topic is still there")
	}
	if got := fmt.Sprint(dump(t, store, "")); got != "[meta/brokers/1 meta/cluster-id meta/features meta/format]" {
		t.Errorf("keys that remain: %v", got)
	}
	if again := create(t, c, NewTopic{Name: "a.b", Partitions: 1, ReplicationFactor: 1}); again.ID == topic.ID || again.Configs != nil {
		t.Errorf("created again: %+v", again)
	}
}
