package controller

import (
	"context"
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func TestUnregisterBroker(t *testing.T) {
	alive := int32(3)
	c := start(t, NewMemStore(), Options{SessionAlive: func(b Broker) bool { return b.ID == alive }}, brokers(3)...)
	create(t, c, NewTopic{Name: "t", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{2, 1}, []int32{1, 2}, []int32{1, 3})})
	create(t, c, NewTopic{Name: "alone", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{2})})
	unregister := func(id int32) (string, *Image) {
		rev, err := c.UnregisterBroker(testContext(t), id)
		return describe(err), await(t, c, rev)
	}
	for id, want := range map[int32]string{
		1:  "INVALID_REQUEST: Broker 1 is running: stop it before it is unregistered.",
		3:  "INVALID_REQUEST: Broker 3 is running: stop it before it is unregistered.",
		9:  "BROKER_ID_NOT_REGISTERED: Broker ID 9 is not currently registered",
		-1: "BROKER_ID_NOT_REGISTERED: Broker ID -1 is not currently registered",
	} {
		if got, _ := unregister(id); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	got, img := unregister(2)
	if _, ok := img.Broker(2); got != "NONE" || ok || len(img.Brokers()) != 2 {
		t.Errorf("%s, %v", got, img.Brokers())
	}
	for _, tt := range []struct {
		topic     string
		partition int
		want      string
	}{{"t", 0, "1 1 [1]"}, {"t", 1, "1 0 [1]"}, {"t", 2, "1 0 [1 3]"}, {"alone", 0, "-1 1 [2]"}} {
		topic, _ := img.Topic(tt.topic)
		p := topic.Partitions[tt.partition]
		if got := fmt.Sprint(p.Leader, p.LeaderEpoch, p.ISR); got != tt.want {
			t.Errorf("%s-%d: leader, epoch and ISR %s, want %s", tt.topic, tt.partition, got, tt.want)
		}
	}
	if got, _ := unregister(2); got != "BROKER_ID_NOT_REGISTERED: Broker ID 2 is not currently registered" {
		t.Error(got)
	}
}

// TestUnregisterBrokerThatReturns: who has registered again while its partitions were being changed stays.
func TestUnregisterBrokerThatReturns(t *testing.T) {
	alive := false
	var c *Controller
	back := func(_ context.Context, _ []Cond, ops []Op) error {
		if len(ops) == 1 && ops[0].Kind == OpDelete && !alive {
			alive = true
			_, err := c.RegisterBroker(t.Context(), Broker{ID: 2, Incarnation: [16]byte{7}})
			return err
		}
		return nil
	}
	opts := Options{SessionAlive: func(b Broker) bool { return b.Incarnation == [16]byte{7} }}
	c = start(t, NewFaultyMemStore(Faults{BeforeTxn: back}), opts, brokers(2)...)
	if _, err := c.UnregisterBroker(testContext(t), 2); err == nil || describe(err) != kerr.InvalidRequest.Message+": Broker 2 is running: stop it before it is unregistered." {
		t.Error(describe(err))
	}
	if _, ok := c.Image().Broker(2); !ok {
		t.Error("a broker that lives was unregistered")
	}
}
