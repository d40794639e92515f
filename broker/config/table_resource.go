package config

// Groups as a resource of their own: what one group overrides. In Kafka's
// order, as topics.
func groupResourceRows() []row {
	return []row{
		{"consumer.session.timeout.ms", Int, "45000", atLeast(1), Medium, ReadOnly,
			"A member of this consumer group that sends no heartbeat for this many milliseconds is removed."},
		{"consumer.heartbeat.interval.ms", Int, "5000", atLeast(1), Medium, ReadOnly,
			"Milliseconds between heartbeats that this consumer group's members are told to keep."},
		{"consumer.assignment.interval.ms", Int, "1000", atLeast(0), Medium, ReadOnly,
			"Milliseconds between two computations of this consumer group's assignment."},
		{"share.session.timeout.ms", Int, "45000", atLeast(1), Medium, ReadOnly,
			"A member of this share group that sends no heartbeat for this many milliseconds is removed."},
		{"share.heartbeat.interval.ms", Int, "5000", atLeast(1), Medium, ReadOnly,
			"Milliseconds between heartbeats that this share group's members are told to keep."},
		{"share.record.lock.duration.ms", Int, "30000", atLeast(1000), Medium, ReadOnly,
			"Milliseconds that a record delivered to a member of this share group stays locked for it."},
		{"share.delivery.count.limit", Int, "5", atLeast(2), Medium, ReadOnly,
			"Times that a record is delivered to this share group before it is given up."},
		{"share.partition.max.record.locks", Int, "2000", atLeast(100), Medium, ReadOnly,
			"Records of a partition that may be locked in this share group at once."},
		{"share.auto.offset.reset", String, "latest", Rule{kind: offsetReset}, Medium, ReadOnly,
			"Where this share group begins on a partition it has not read: earliest, latest, or by_duration: and an ISO 8601 duration."},
		{"share.isolation.level", String, "read_uncommitted", oneOf("read_committed", "read_uncommitted"), Medium, ReadOnly,
			"Which transactional records this share group gets: read_committed or read_uncommitted."},
		{"share.renew.acknowledge.enable", Bool, "true", Rule{}, Medium, ReadOnly,
			"Whether members of this share group may prolong a record's lock."},
		{"share.assignment.interval.ms", Int, "1000", atLeast(0), Medium, ReadOnly,
			"Milliseconds between two computations of this share group's assignment."},
		{"streams.session.timeout.ms", Int, "45000", atLeast(1), Medium, ReadOnly,
			"A member of this streams group that sends no heartbeat for this many milliseconds is removed."},
		{"streams.heartbeat.interval.ms", Int, "5000", atLeast(1), Medium, ReadOnly,
			"Milliseconds between heartbeats that this streams group's members are told to keep."},
		{"streams.num.standby.replicas", Int, "0", atLeast(0), Medium, ReadOnly,
			"Standby copies that each stateful task of this streams group has."},
		{"streams.initial.rebalance.delay.ms", Int, "3000", atLeast(0), Medium, ReadOnly,
			"Milliseconds that this streams group waits for more members before its first assignment."},
		{"streams.assignment.interval.ms", Int, "1000", atLeast(0), Medium, ReadOnly,
			"Milliseconds between two computations of this streams group's assignment."},
	}
}

// Client metrics subscriptions (KIP-714).
func clientMetricsRows() []row {
	return []row{
		{"interval.ms", Int, "300000", Rule{}, Medium, ReadOnly,
			"Milliseconds between two batches of metrics that a client sends."},
		{"match", List, "", list(), Medium, ReadOnly,
			"Which clients a subscription concerns, as name=regular expression pairs; empty, all."},
		{"metrics", List, "", list(), Medium, ReadOnly,
			"Prefixes of the metrics that clients send; empty, none, and * all."},
	}
}
