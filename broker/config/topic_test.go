package config

import (
	"errors"
	"math"
	"testing"
)

func TestTopicDefaults(t *testing.T) {
	got := parse(t, nil).Topic(nil)
	want := TopicConfig{
		Delete: true, SegmentBytes: 1 << 30, SegmentMs: 7 * 24 * hourMs, SegmentIndexBytes: 10 << 20, IndexIntervalBytes: 4096,
		RetentionMs: 7 * 24 * hourMs, RetentionBytes: -1, FlushMessages: math.MaxInt64, FlushMs: math.MaxInt64, FileDeleteDelayMs: 60000,
		MaxMessageBytes: 1<<20 + 12, TimestampBeforeMaxMs: math.MaxInt64, TimestampAfterMaxMs: hourMs, CompressionType: "producer",
		GzipLevel: -1, LZ4Level: 9, ZstdLevel: 3, MinInSyncReplicas: 1, MinCleanableDirtyRatio: 0.5, DeleteRetentionMs: 24 * hourMs,
		MaxCompactionLagMs: math.MaxInt64, LocalRetentionMs: -2, LocalRetentionBytes: -2,
	}
	if got != want {
		t.Errorf("%+v\nwant\n%+v", got, want)
	}
	if zero := (Values{}).Topic(nil); zero != want {
		t.Errorf("of no Values at all %+v", zero)
	}
}

func TestTopicLayers(t *testing.T) {
	retention := func(c TopicConfig) int64 { return c.RetentionMs }
	for _, tc := range []struct {
		static, cluster, broker, topic string
		field                          func(TopicConfig) int64
		want                           int64
	}{
		{"log.retention.hours=1", "", "", "", retention, hourMs},
		{"log.retention.hours=1;log.retention.minutes=2", "", "", "", retention, 2 * minuteMs},
		{"log.retention.hours=1;log.retention.minutes=2;log.retention.ms=3", "", "", "", retention, 3},
		{"log.retention.minutes=2", "log.retention.ms=4", "", "", retention, 4},
		{"log.retention.minutes=2", "log.retention.ms=4", "log.retention.ms=5", "", retention, 5},
		{"log.retention.minutes=2", "log.retention.ms=4", "log.retention.ms=5", "retention.ms= 06", retention, 6},
		{"", "", "log.retention.ms=5", "retention.ms=x", retention, 5},
		{"log.retention.hours=-7", "", "", "", retention, -1},
		{"", "", "", "retention.ms=-1", retention, -1},
		{"log.roll.hours=2", "", "", "", func(c TopicConfig) int64 { return c.SegmentMs }, 2 * hourMs},
		{"log.roll.hours=2147483647", "", "", "", func(c TopicConfig) int64 { return c.SegmentMs }, math.MaxInt32 * hourMs},
		{"log.roll.jitter.hours=2", "", "log.roll.jitter.ms=3", "", func(c TopicConfig) int64 { return c.SegmentJitterMs }, 3},
		{"log.flush.scheduler.interval.ms=9", "", "", "", func(c TopicConfig) int64 { return c.FlushMs }, 9},
		{"message.max.bytes=9", "", "", "", func(c TopicConfig) int64 { return int64(c.MaxMessageBytes) }, 9},
		{"", "", "", "internal.segment.bytes=9", func(c TopicConfig) int64 { return int64(c.SegmentBytes) }, 9},
	} {
		v := parse(t, settings(tc.static)).With(settings(tc.broker), settings(tc.cluster))
		if got := tc.field(v.Topic(settings(tc.topic))); got != tc.want {
			t.Errorf("%+v: %d", tc, got)
		}
	}
	c := Values{}.Topic(settings("cleanup.policy=compact,delete;message.timestamp.type=LogAppendTime;preallocate=TRUE;compression.type=zstd"))
	if !c.Compact || !c.Delete || !c.LogAppendTime || !c.Preallocate || c.CompressionType != "zstd" {
		t.Errorf("%+v", c)
	}
	if c := (Values{}).Topic(settings("cleanup.policy=")); c.Compact || c.Delete {
		t.Errorf("an empty policy is %+v", c)
	}
}

func TestValidateTopic(t *testing.T) {
	for _, tc := range []struct{ static, topic, want string }{
		{"", "", ""},
		{"", "retention.ms=5;cleanup.policy=compact", ""},
		{"", "nosuch=5", "Unknown topic config name: nosuch"},
		{"", "retention.ms=abc;zzz=5", "Unknown topic config name: zzz"},
		{"", "log.retention.ms=5", "Unknown topic config name: log.retention.ms"},
		{"", "retention.ms=-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
		{"", "cleanup.policy=x;retention.ms=abc;segment.bytes=abc", "Invalid value abc for configuration segment.bytes: Not a number of type INT"},
		{"", "segment.bytes=5", "Invalid value 5 for configuration segment.bytes: Value must be at least 1048576"},
		{"", "min.compaction.lag.ms=10;max.compaction.lag.ms=5", "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"},
		{"log.cleaner.max.compaction.lag.ms=5", "min.compaction.lag.ms=10", "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"},
		{"", "remote.storage.enable=true", "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."},
	} {
		got := ""
		if err := parse(t, settings(tc.static)).ValidateTopic(settings(tc.topic)); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: %s\nwant %s", tc.topic, got, tc.want)
		}
	}
	if err := ValidateTopic("retention.ms", "5"); err != nil {
		t.Error(err)
	}
}

func TestValidateGroup(t *testing.T) {
	for _, tc := range []struct{ static, group, want string }{
		{"", "consumer.session.timeout.ms= 50000 ;share.auto.offset.reset=earliest", ""},
		{"", "consumer.session.timeout.ms=5", "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"},
		{"", "consumer.session.timeout.ms=500000", "consumer.session.timeout.ms must be less than or equal to group.consumer.max.session.timeout.ms"},
		{"", "consumer.session.timeout.ms=abc", "Invalid value abc for configuration consumer.session.timeout.ms: Not a number of type INT"},
		{"", "consumer.heartbeat.interval.ms=50000", "consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms"},
		{"", "share.record.lock.duration.ms=1000", "share.record.lock.duration.ms must be greater than or equal to group.share.min.record.lock.duration.ms"},
		{"", "streams.num.standby.replicas=3", "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas"},
		{"", "nosuch=1", "Unknown group config name: nosuch"},
		{"group.share.max.heartbeat.interval.ms=50000", "share.heartbeat.interval.ms=45000", "share.session.timeout.ms must be greater than share.heartbeat.interval.ms"},
	} {
		got := ""
		if err := parse(t, settings(tc.static)).ValidateGroup(settings(tc.group)); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s: %s\nwant %s", tc.group, got, tc.want)
		}
	}
}

func TestValidateClientMetrics(t *testing.T) {
	for _, tc := range []struct {
		name, settings, want string
		request              bool // INVALID_REQUEST
	}{
		{"m", "interval.ms=1000;metrics=a,b", "", false},
		{"", "interval.ms=1000", "Subscription name can't be empty", true},
		{"m", "interval.ms=50", "Invalid value 50 for interval.ms, interval must be between 100 and 3600000 (1 hour)", true},
		{"m", "interval.ms=abc", "Invalid value abc for configuration interval.ms: Not a number of type INT", false},
		{"m", "nosuch=1", "Unknown client metrics configuration: nosuch", true},
	} {
		checkMetrics(t, tc.name, settings(tc.settings), tc.want, tc.request)
	}
	for pattern, want := range map[string]string{
		"client_id=foo":                          "",
		"client_id=foo, client_source_port=90.*": "",
		"":                                       "",
		"foo=bar":                                "Illegal client matching pattern: foo=bar",
		"client_id":                              "Illegal client matching pattern: client_id",
		"client_id=[":                            "Illegal client matching pattern: client_id=[",
	} {
		checkMetrics(t, "m", map[string]string{"match": pattern}, want, false)
	}
}

func checkMetrics(t *testing.T, name string, settings map[string]string, want string, request bool) {
	t.Helper()
	err := ValidateClientMetrics(name, settings)
	got := ""
	if err != nil {
		got = err.Error()
	}
	if _, is := errors.AsType[RequestError](err); got != want || is != request {
		t.Errorf("%s %v: %s, a RequestError %v\nwant %s, %v", name, settings, got, is, want, request)
	}
}

// What a topic key does is what the broker key does that it has its default from.
func TestWithoutEffect(t *testing.T) {
	const idle = "accepted, has no effect here"
	for _, tc := range []struct {
		defs             *Defs
		key, value, want string
	}{
		{TopicDefs(), "retention.ms", "5", ""},
		{TopicDefs(), "internal.segment.bytes", "5", ""},
		{TopicDefs(), "compression.type", "gzip", ""},
		{TopicDefs(), "remote.log.copy.disable", "true", idle},
		{TopicDefs(), "remote.log.copy.disable", " FALSE", ""}, // the default
		{TopicDefs(), "leader.replication.throttled.replicas", "*", idle},
		{BrokerDefs(), "num.io.threads", "9", idle},
		{BrokerDefs(), "num.io.threads", "8", ""},
		{BrokerDefs(), "log.retention.ms", "9", ""},
		{BrokerDefs(), "leader.replication.throttled.rate", "9", idle},
		{BrokerDefs(), "replica.alter.log.dirs.io.max.bytes.per.second", "9", ""},
		{BrokerDefs(), "log.retention.mss", "9", "not a known key, has no effect (did you mean log.retention.ms?)"},
		{BrokerDefs(), "my.own.plugin.key", "9", "not a known key, has no effect"},
		{BrokerDefs(), "rsm.config.x", "9", idle},
		{BrokerDefs(), "listener.name.internal.max.connections", "9", idle},
		{BrokerDefs(), "leader.replication.throttled.rate", "9", idle},
		{GroupDefs(), "share.isolation.level", "read_committed", idle},
		{ClientMetricsDefs(), "metrics", "*", idle},
	} {
		if got := tc.defs.WithoutEffect(tc.key, tc.value); got != tc.want {
			t.Errorf("%s=%s: %q, want %q", tc.key, tc.value, got, tc.want)
		}
	}
}
