package config

import "slices"

// appliedToTopics are the topic keys that change what this broker does: those
// whose default comes from a broker key that does. Setting another one is accepted
// with a line in the log. Of the keys of groups and of client metrics, none does
// anything yet.
func appliedToTopics() []string {
	keys := []string{"internal.segment.bytes"} // has no broker key
	for _, r := range topicRows() {
		if slices.ContainsFunc(topicSynonyms(r.name), func(s synonym) bool { return slices.Contains(applied(), s.key) }) {
			keys = append(keys, r.name)
		}
	}
	return keys
}

// applied are the broker keys that change what this broker does. Setting another
// known key to something else than its default is accepted with a warning, and
// DescribeConfigs reports it.
//
// Add a key here in the change that makes it work; a topic key that has its default
// from it follows.
func applied() []string {
	return []string{
		// The node and where it keeps its data.
		"node.id", "broker.id", "broker.rack",
		"log.dirs", "log.dir", "metadata.log.dir",

		// Listeners and connections. Only the PLAINTEXT protocol is spoken.
		"listeners", "advertised.listeners", "listener.security.protocol.map", "inter.broker.listener.name",
		"socket.send.buffer.bytes", "socket.receive.buffer.bytes", "socket.request.max.bytes",
		"queued.max.request.bytes",
		"connections.max.idle.ms",
		"max.connections", "max.connections.per.ip", "max.connections.per.ip.overrides",

		// Topics and what is written to them.
		"num.partitions", "default.replication.factor", "auto.create.topics.enable", "delete.topic.enable",
		"min.insync.replicas", "message.max.bytes",
		"fetch.max.bytes", "max.incremental.fetch.session.cache.slots", "max.request.partition.size.limit",
		"producer.id.expiration.ms", "producer.id.expiration.check.interval.ms", "request.timeout.ms",

		// Defaults of topic keys.
		"log.segment.bytes", "log.roll.ms", "log.roll.hours", "log.roll.jitter.ms", "log.roll.jitter.hours",
		"log.retention.ms", "log.retention.minutes", "log.retention.hours", "log.retention.bytes",
		"log.index.size.max.bytes", "log.index.interval.bytes",
		"log.flush.interval.messages", "log.flush.interval.ms", "log.flush.scheduler.interval.ms",
		"log.segment.delete.delay.ms", "log.preallocate", "log.cleanup.policy",
		"log.message.timestamp.type", "log.message.timestamp.before.max.ms", "log.message.timestamp.after.max.ms",
		"compression.type", "compression.gzip.level", "compression.lz4.level", "compression.zstd.level",

		// Compaction.
		"log.cleaner.enable", "log.cleaner.threads", "log.cleaner.backoff.ms",
		"log.cleaner.dedupe.buffer.size", "log.cleaner.io.buffer.size", "log.cleaner.io.buffer.load.factor",
		"log.cleaner.io.max.bytes.per.second",
		"log.cleaner.min.cleanable.ratio", "log.cleaner.delete.retention.ms",
		"log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms",

		// Housekeeping of logs.
		"log.retention.check.interval.ms",
		"log.flush.offset.checkpoint.interval.ms",
		"num.recovery.threads.per.data.dir",

		// Groups and committed offsets.
		"group.min.session.timeout.ms", "group.max.session.timeout.ms",
		"group.initial.rebalance.delay.ms", "group.max.size",
		"offset.metadata.max.bytes",
		"offsets.retention.minutes", "offsets.retention.check.interval.ms",

		// Transactions.
		"transaction.max.timeout.ms", "transactional.id.expiration.ms",
		"transaction.abort.timed.out.transaction.cleanup.interval.ms",
		"transaction.remove.expired.transaction.cleanup.interval.ms",
		"transaction.partition.verification.enable",
		"add.partitions.to.txn.retry.backoff.ms", "add.partitions.to.txn.retry.backoff.max.ms",

		// Internal topics.
		"offsets.topic.replication.factor", "offsets.topic.num.partitions", "offsets.topic.segment.bytes",
		"transaction.state.log.replication.factor", "transaction.state.log.num.partitions",
		"transaction.state.log.min.isr", "transaction.state.log.segment.bytes",
	}
}

// appliedDynamically are those of the keys that can only be set dynamically.
func appliedDynamically() []string {
	return []string{"replica.alter.log.dirs.io.max.bytes.per.second"}
}
