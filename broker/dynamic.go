package broker

import (
	"blumfeld/broker/api"
	"blumfeld/broker/config"
	"blumfeld/controller"
)

// This file hands the dynamic broker configuration to those who hold a part of
// it. Topics get theirs another way: replica.Set asks for a topic's settings
// when the image changes (settings.go). What no dynamic key can change is read
// where it is used first.

// effective is the broker's configuration as of an image.
func (b *broker) effective(image *controller.Image) config.Values {
	return api.EffectiveConfig(b.Values, b.nodeID, image)
}

// reconfigure makes the settings of an image those that are worked by. It is
// called before the image is served: who waits for that finds them in force.
func (b *broker) reconfigure(image *controller.Image) {
	v := b.effective(image)
	for _, d := range b.dirs {
		d.SetProducerIDExpiration(v.Long("producer.id.expiration.ms"))
	}
	overrides, err := v.ConnectionsPerIPOverrides()
	if err != nil { // it was checked when it was set
		b.Logger.Error("connection limits cannot change", "err", err)
		return
	}
	b.server.setLimits(connectionLimits{
		max: v.Int("max.connections"), perIP: v.Int("max.connections.per.ip"), overrides: overrides,
	})
}

// tellOfMinInsync: after the first start the cluster says how many replicas must
// be in sync, and the property no more (KIP-966). Kafka is silent about it.
func (b *broker) tellOfMinInsync() {
	const key = "min.insync.replicas"
	d, _ := config.BrokerDefs().Lookup(key)
	property, cluster := b.Values.String(key), b.effective(b.controller.Image()).String(key)
	if property != d.Default && property != cluster {
		b.Logger.Warn("the property has no effect: the cluster has its own default", "key", key, "property", property, "cluster", cluster)
	}
}
