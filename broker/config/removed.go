package config

import "strings"

// removed says whether a key existed in Kafka 3 and is gone in Kafka 4. Kafka 4
// ignores it like any unknown key; so do we, with a warning, to let an old
// server.properties start.
func removed(key string) bool {
	if strings.HasPrefix(key, "zookeeper.") || strings.HasPrefix(key, "password.encoder.") {
		return true
	}
	switch key {
	case "auto.include.jmx.reporter", "broker.id.generation.enable", "control.plane.listener.name",
		"controlled.shutdown.max.retries", "controlled.shutdown.retry.backoff.ms",
		"delegation.token.master.key", "eligible.leader.replicas.enable", "group.coordinator.new.enable",
		"inter.broker.protocol.version", "leader.imbalance.per.broker.percentage",
		"log.message.downconversion.enable", "log.message.format.version",
		"log.message.timestamp.difference.max.ms", "offsets.commit.required.acks",
		"replication.quota.inter.broker.enable", "reserved.broker.max.id":
		return true
	}
	return false
}
