package config

// Quotas.
func quotaRows() []row {
	return []row{
		{"quota.window.num", Int, "11", atLeast(1), Low, ReadOnly,
			"Windows that a client's quota is measured over."},
		{"quota.window.size.seconds", Int, "1", atLeast(1), Low, ReadOnly,
			"Seconds that one window of a client's quota lasts."},
		{"replication.quota.window.num", Int, "11", atLeast(1), Low, ReadOnly,
			"Windows that the replication quota is measured over."},
		{"replication.quota.window.size.seconds", Int, "1", atLeast(1), Low, ReadOnly,
			"Seconds that one window of the replication quota lasts."},
		{"alter.log.dirs.replication.quota.window.num", Int, "11", atLeast(1), Low, ReadOnly,
			"Windows that the quota for moves between log directories is measured over."},
		{"alter.log.dirs.replication.quota.window.size.seconds", Int, "1", atLeast(1), Low, ReadOnly,
			"Seconds that one window of the quota for moves between log directories lasts."},
		{"controller.quota.window.num", Int, "11", atLeast(1), Low, ReadOnly,
			"Windows that the quota on metadata changes is measured over."},
		{"controller.quota.window.size.seconds", Int, "1", atLeast(1), Low, ReadOnly,
			"Seconds that one window of the quota on metadata changes lasts."},
		{"client.quota.callback.class", Class, null, Rule{}, Low, ReadOnly,
			"A Java class that decides about client quotas."},
	}
}

// Broker keys that can be set dynamically only: not part of the static table, and
// DescribeConfigs shows them only when they are set.
func dynamicOnlyRows() []row {
	return []row{
		{"leader.replication.throttled.rate", Long, "9223372036854775807", atLeast(0), Medium, ClusterWide,
			"Bytes per second that this broker sends as leader of throttled replicas."},
		{"follower.replication.throttled.rate", Long, "9223372036854775807", atLeast(0), Medium, ClusterWide,
			"Bytes per second that this broker fetches as follower of throttled replicas."},
		{"replica.alter.log.dirs.io.max.bytes.per.second", Long, "9223372036854775807", atLeast(0), Medium, ClusterWide,
			"Bytes per second that moves between log directories may take."},
	}
}
