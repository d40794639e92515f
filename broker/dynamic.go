package broker

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

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
		d.SetTransactionVerification(v.Bool("transaction.partition.verification.enable"))
	}
	b.cleaners.Configure(cleanerSettings(v))
	b.server.setLimits(connectionLimits{
		max: v.Int("max.connections"), perIP: v.Int("max.connections.per.ip"), overrides: b.overrides.of(v, b.Logger),
	})
}

// ipOverrides is max.connections.per.ip.overrides by address.
type ipOverrides struct {
	text      string
	byAddress map[string]int
}

// of answers the overrides that v has. Names are looked up when the setting
// changes, and count for all their addresses; one that has none counts for
// nothing, as it may be a machine that is not there yet.
func (o *ipOverrides) of(v config.Values, logger *slog.Logger) map[string]int {
	text := v.String("max.connections.per.ip.overrides")
	if text == o.text {
		return o.byAddress
	}
	overrides, err := v.ConnectionsPerIPOverrides()
	if err != nil { // it was checked when it was set
		logger.Error("max.connections.per.ip.overrides cannot be read", "err", err)
		return o.byAddress
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	byAddress := make(map[string]int, len(overrides))
	for host, n := range overrides {
		addresses, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			logger.Warn("a host of max.connections.per.ip.overrides is not found", "host", host, "err", err)
		}
		for _, text := range addresses {
			if a, err := netip.ParseAddr(text); err == nil {
				byAddress[a.Unmap().String()] = n
			}
		}
	}
	o.text, o.byAddress = text, byAddress
	return byAddress
}

// lookupTimeout is how long metadata may wait for the names of hosts.
const lookupTimeout = 2 * time.Second

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
