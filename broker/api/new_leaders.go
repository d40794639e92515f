package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// newLeaders tells clients who came to the wrong broker, or with an old leader
// epoch, which is the right one and where it is (KIP-951): they go on without
// asking for metadata.
type newLeaders struct {
	d       *Deps
	r       *Request
	brokers []kmsg.ProduceResponseBroker // those that were answered, each once
}

// of answers who leads a partition and the leader's epoch, as far as this broker
// knows: -1 where it does not.
func (l *newLeaders) of(topic string, partition int32) (leader, epoch int32) {
	image := l.d.Partitions.Image()
	t, ok := image.Topic(topic)
	if !ok || partition < 0 || int(partition) >= len(t.Partitions) {
		return -1, -1
	}
	state := t.Partitions[partition]
	l.introduce(state.Leader)
	return state.Leader, state.LeaderEpoch
}

// introduce adds a broker's address, if the client can reach it.
func (l *newLeaders) introduce(id int32) {
	known := func(b kmsg.ProduceResponseBroker) bool { return b.NodeID == id }
	b, ok := l.d.Partitions.Image().Broker(id)
	if !ok || b.Fenced || slices.ContainsFunc(l.brokers, known) {
		return
	}
	e, ok := endpoint(l.d, l.r, b)
	if !ok {
		return
	}
	out := kmsg.NewProduceResponseBroker()
	out.NodeID, out.Host, out.Port = id, e.Host, e.Port
	if b.Rack != "" {
		out.Rack = &b.Rack
	}
	l.brokers = append(l.brokers, out)
}
