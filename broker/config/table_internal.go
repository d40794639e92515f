package config

// Keys for tests and tuning that DescribeConfigs does not show.
func internalRows() []row {
	return []row{
		{"controller.performance.always.log.threshold.ms", Long, "2000", atLeast(0), Medium, ReadOnly,
			"A controller event that takes longer than this many milliseconds is logged."},
		{"controller.performance.sample.period.ms", Long, "60000", atLeast(100), Medium, ReadOnly,
			"Milliseconds between two reports on the controller's performance."},
		{"group.consumer.regex.refresh.interval.ms", Int, "600000", atLeast(10000), Medium, ReadOnly,
			"Milliseconds after which a group's regular expressions are matched against the topics again."},
		{"group.share.initialize.retry.interval.ms", Int, "30000", atLeast(1), Low, ReadOnly,
			"Milliseconds before initializing a share group's state is tried again."},
		{"group.share.persister.class.name", String, "org.apache.kafka.server.share.persister.DefaultStatePersister", Rule{}, Medium, ReadOnly,
			"The Java class that stores share groups' state."},
		{"internal.metadata.delete.delay.millis", Long, "60000", Rule{}, Low, ReadOnly,
			"Milliseconds before a deleted metadata file leaves the file system; for tests."},
		{"internal.metadata.log.segment.bytes", Int, null, Rule{}, Low, ReadOnly,
			"Size of one file of the metadata log, in bytes; for tests."},
		{"internal.metadata.max.batch.size.in.bytes", Int, "8388608", Rule{}, Low, ReadOnly,
			"The largest batch of metadata records, in bytes; for tests."},
		{"log.initial.task.delay.ms", Long, "30000", atLeast(0), Low, ReadOnly,
			"Milliseconds after the start before the log's background tasks run; for tests."},
		{"producer.id.expiration.check.interval.ms", Int, "600000", atLeast(1), Low, ReadOnly,
			"Milliseconds between two looks for producers that have expired."},
		{"remote.log.index.file.cache.ttl.ms", Long, "900000", atLeast(-1), Low, ReadOnly,
			"Milliseconds that a cached remote index may go unused; -1 keeps it."},
		{"remote.log.manager.task.retry.backoff.max.ms", Long, "30000", atLeast(1), Low, ReadOnly,
			"The longest rest before a failed task on remote segments is tried again, in milliseconds."},
		{"remote.log.manager.task.retry.backoff.ms", Long, "500", atLeast(1), Low, ReadOnly,
			"Milliseconds before a failed task on remote segments is tried again at first."},
		{"remote.log.manager.task.retry.jitter", Double, "0.2", between(0, 0.5), Low, ReadOnly,
			"The random share of the rest between attempts at remote segments."},
		{"server.max.startup.time.ms", Long, "9223372036854775807", atLeast(0), Medium, ReadOnly,
			"How long the start may take, in milliseconds; for tests."},
		{"share.coordinator.cold.partition.snapshot.interval.ms", Int, "300000", atLeast(1), Low, ReadOnly,
			"Milliseconds between two snapshots of share partitions that do not change."},
		{"share.coordinator.state.topic.prune.interval.ms", Int, "300000", atLeast(1), Low, ReadOnly,
			"Milliseconds between two prunings of __share_group_state."},
		{"unclean.leader.election.interval.ms", Long, "300000", atLeast(1), Medium, ReadOnly,
			"Milliseconds between two looks for leaderless partitions that an unclean election could help."},
		{"unstable.api.versions.enable", Bool, "false", Rule{}, High, ReadOnly,
			"Whether API versions that are not final are advertised."},
		{"unstable.feature.versions.enable", Bool, "false", Rule{}, High, ReadOnly,
			"Whether feature levels that are not final can be used."},
	}
}

// The same for topics.
func internalTopicRows() []row {
	return []row{
		{"internal.segment.bytes", Int, null, Rule{}, Medium, ReadOnly,
			"The size of a segment in bytes, without lower bound; for tests."},
	}
}
