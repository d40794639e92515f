package api

import (
	"fmt"

	"blumfeld/controller"
)

// The topics that belong to the cluster itself, as Kafka names them.
const (
	groupMetadataTopic    = "__consumer_offsets"
	transactionStateTopic = "__transaction_state"
)

// internalTopic answers how an internal topic is to be created, for the names
// that are internal.
func internalTopic(d *Deps, name string) (controller.NewTopic, bool) {
	c := d.Config
	switch name {
	case groupMetadataTopic:
		return controller.NewTopic{
			Name: name, Internal: true,
			Partitions:        int32(c.Int("offsets.topic.num.partitions")),
			ReplicationFactor: int16(c.Int("offsets.topic.replication.factor")),
			Configs: map[string]string{
				"cleanup.policy":   "compact",
				"compression.type": "producer",
				"segment.bytes":    fmt.Sprint(c.Int("offsets.topic.segment.bytes")),
			},
		}, true
	case transactionStateTopic:
		return controller.NewTopic{
			Name: name, Internal: true,
			Partitions:        int32(c.Int("transaction.state.log.num.partitions")),
			ReplicationFactor: int16(c.Int("transaction.state.log.replication.factor")),
			Configs: map[string]string{
				"cleanup.policy":                 "compact",
				"compression.type":               "uncompressed",
				"segment.bytes":                  fmt.Sprint(c.Int("transaction.state.log.segment.bytes")),
				"min.insync.replicas":            fmt.Sprint(c.Int("transaction.state.log.min.isr")),
				"unclean.leader.election.enable": "false",
			},
		}, true
	}
	return controller.NewTopic{}, false
}
