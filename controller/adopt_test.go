package controller

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestAdoptTopics(t *testing.T) {
	c := start(t, NewMemStore(), Options{}, oneBroker)
	id := [16]byte{1, 2, 3}
	results, rev := c.AdoptTopics(t.Context(), []AdoptedTopic{
		{Name: "t", ID: id, Configs: map[string]string{"a": "1"}, LeaderEpochs: []int32{7, 0}},
		{Name: "t", ID: [16]byte{9}, LeaderEpochs: []int32{1}}, // the name is taken
		{Name: "u", ID: id, LeaderEpochs: []int32{1}},          // the id is
		{Name: "v", LeaderEpochs: []int32{3}},
		{Name: "w"},
		{Name: "no/topic", LeaderEpochs: []int32{1}},
	})
	for i, want := range []error{nil, kerr.TopicAlreadyExists, kerr.InconsistentTopicID, nil, kerr.InvalidPartitions, kerr.InvalidTopicException} {
		if !errors.Is(results[i].Err, want) {
			t.Errorf("%d: %v, want %v", i, results[i].Err, want)
		}
	}
	img, err := c.WaitRevision(t.Context(), rev)
	if err != nil {
		t.Fatal(err)
	}
	topic, ok := img.Topic("t")
	if !ok || topic.ID != id || topic.Configs["a"] != "1" || len(topic.Partitions) != 2 || topic.Partitions[0].LeaderEpoch != 7 || topic.Partitions[0].Leader != 1 {
		t.Errorf("%+v", topic)
	}
	if v, ok := img.Topic("v"); !ok || !usableID(v.ID) {
		t.Errorf("%+v", v)
	}
}

func TestRaiseLeaderEpochs(t *testing.T) {
	c := start(t, NewMemStore(), Options{}, oneBroker)
	create(t, c, NewTopic{Name: "t", Partitions: 3, ReplicationFactor: 1})
	before, _ := c.Image().Topic("t")
	rev, err := c.RaiseLeaderEpochs(t.Context(), func(_ *Topic, partition int32) int32 { return partition * 4 })
	if err != nil {
		t.Fatal(err)
	}
	img, err := c.WaitRevision(t.Context(), rev)
	if err != nil {
		t.Fatal(err)
	}
	after, _ := img.Topic("t")
	for n, p := range after.Partitions {
		was := before.Partitions[n]
		raised := was.LeaderEpoch < int32(n)*4
		if p.LeaderEpoch != max(was.LeaderEpoch, int32(n)*4) || (p.PartitionEpoch > was.PartitionEpoch) != raised {
			t.Errorf("partition %d: %+v, was %+v", n, p, was)
		}
	}
}

func TestReserveProducerIDs(t *testing.T) {
	c := start(t, NewMemStore(), Options{}, oneBroker)
	for _, next := range []int64{5001, 17} {
		if err := c.ReserveProducerIDs(t.Context(), next); err != nil {
			t.Fatal(err)
		}
	}
	if first, _, err := c.AllocateProducerIDs(t.Context()); err != nil || first != 5001 {
		t.Fatalf("first id %d, %v", first, err)
	}
}
