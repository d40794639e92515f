package config

import "testing"

// TestValidateBrokerDynamic: the texts are those of Apache Kafka 4.3.1's answers.
func TestValidateBrokerDynamic(t *testing.T) {
	const one, all = true, false
	const threads = "Invalid value org.apache.kafka.common.config.ConfigException: "
	for _, tc := range []struct {
		perBroker      bool
		proposed, want string
	}{
		{one, "", ""},
		{one, "num.io.threads=9", ""},
		{all, "num.io.threads=9", ""},
		{one, "num.io.threads=100", threads + "Dynamic thread count update validation failed for num.io.threads=100, value should not be greater than double the current value 8 for configuration Invalid dynamic configuration"},
		{one, "num.io.threads=1", threads + "Dynamic thread count update validation failed for num.io.threads=1, value should be at least half the current value 8 for configuration Invalid dynamic configuration"},
		{all, "log.cleaner.threads=10", threads + "Log cleaner threads cannot be increased to more than double the current value 1 for configuration Invalid dynamic configuration"},
		{all, "log.cleaner.threads=2", ""},
		{one, "num.partitions=2", "Cannot update these configs dynamically: [num.partitions]"},
		{all, "num.partitions=2;node.id=3;log.retention.ms=x", "Cannot update these configs dynamically: [node.id, num.partitions]"},
		{one, "log.retention.hours=1", "Cannot update these configs dynamically: [log.retention.hours]"},
		{one, "nosuch.key=2", ""},
		{all, "nosuch.key=2", ""},
		{one, "log.retention.ms=abc", "Invalid value abc for configuration log.retention.ms: Not a number of type LONG"},
		{one, "log.retention.ms=0", "requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
		{all, "log.retention.ms=1000", ""},
		{all, "log.roll.ms=0", "requirement failed: log.roll.ms must be greater than or equal to 1"},
		{all, "listeners=PLAINTEXT://localhost:1", "Cannot update these configs at default cluster level, broker id must be specified: [listeners]"},
		{all, "ssl.keystore.location=/x", "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]"},
		{one, "ssl.keystore.location=/x", "These security configs can be dynamically updated only per-listener using the listener prefix: [ssl.keystore.location]"},
		{one, "listener.name.plaintext.ssl.keystore.location=/x", ""},
		{all, "listener.name.plaintext.ssl.keystore.location=/x", "Cannot update these configs at default cluster level, broker id must be specified: [listener.name.plaintext.ssl.keystore.location]"},
		{all, "listener.name.plaintext.max.connections=10", ""},
		{one, "leader.replication.throttled.rate=100", ""},
		{one, "leader.replication.throttled.rate=-1", "Invalid value -1 for configuration leader.replication.throttled.rate: Value must be at least 0"},
		{one, "log.cleanup.policy=foo", "Invalid value foo for configuration log.cleanup.policy: String must be one of: compact, delete"},
		{all, "max.connections.per.ip.overrides=a:b", `For input string: "b"`},
		{all, "max.connections.per.ip.overrides=a", "Error parsing configuration property 'max.connections.per.ip.overrides': begin 0, end -1, length 1"},
		{all, "log.cleaner.min.compaction.lag.ms=100;log.cleaner.max.compaction.lag.ms=50", ""},
		{all, "unclean.leader.election.enable=true;compression.type=gzip", ""},
		{all, "background.threads=0", "Invalid value 0 for configuration background.threads: Value must be at least 1"},
		{one, "remote.log.reader.threads=21", threads + "Dynamic thread count update validation failed for remote.log.reader.threads=21, value should not be greater than double the current value 10 for configuration Invalid dynamic configuration"},
		{all, "max.connections=0", threads + "Invalid max.connections 0 for configuration Invalid dynamic configuration"},
		{all, "max.connection.creation.rate=0", threads + "Invalid max.connection.creation.rate 0 for configuration Invalid dynamic configuration"},
		{one, "log.local.retention.ms=-1", threads + "Invalid value -1 for configuration log.local.retention.ms: Value must not be -1 as log.retention.ms value is set as 604800000. for configuration Invalid dynamic configuration"},
		{one, "log.local.retention.ms=604800001", threads + "Invalid value 604800001 for configuration log.local.retention.ms: Value must not be more than log.retention.ms property value: 604800000 for configuration Invalid dynamic configuration"},
		{one, "log.local.retention.bytes=1001;log.retention.bytes=1000", threads + "Invalid value 1001 for configuration log.local.retention.bytes: Value must not be more than log.retention.bytes property value: 1000 for configuration Invalid dynamic configuration"},
		{one, "log.local.retention.bytes=1001;log.local.retention.ms=-1;log.retention.ms=-1", ""},
		// Ours alone.
		{one, "listeners=PLAINTEXT://localhost:1", "listeners cannot change while this broker runs"},
	} {
		v := parse(t, nil)
		got := ""
		if err := v.ValidateBrokerDynamic(tc.perBroker, settings(tc.proposed)); err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%v %s:\n  %s\nwant\n  %s", tc.perBroker, tc.proposed, got, tc.want)
		}
	}
}

// A rule over two keys looks at what the other layers say.
func TestValidateBrokerDynamicSeesOtherLayers(t *testing.T) {
	v := parse(t, nil).With(settings("num.io.threads=12"), nil)
	if err := v.ValidateBrokerDynamic(true, settings("num.io.threads=24")); err != nil {
		t.Error(err)
	}
	v = parse(t, nil).With(nil, settings("max.connections.per.ip.overrides=127.0.0.1:1"))
	if err := v.ValidateBrokerDynamic(true, settings("max.connections.per.ip=0")); err != nil {
		t.Error(err)
	}
	if err := v.ValidateBrokerDynamic(false, settings("max.connections.per.ip=0")); err == nil {
		t.Error("taking the overrides away is accepted")
	}
}

// What the properties say stays, although it could not be set now.
func TestValidateBrokerDynamicBesideOldSettings(t *testing.T) {
	v := parse(t, Properties{"max.connections": "0", "log.retention.ms": "4", "log.local.retention.ms": "5"})
	if err := v.ValidateBrokerDynamic(false, settings("num.io.threads=9")); err != nil {
		t.Error(err)
	}
}

func TestListDefault(t *testing.T) {
	if d, isList, known := TopicDefs().ListDefault("cleanup.policy"); !isList || !known || d != "delete" {
		t.Error(d, isList, known)
	}
	for _, key := range []string{"retention.ms", "nosuch"} {
		if _, isList, known := TopicDefs().ListDefault(key); isList || known != (key != "nosuch") {
			t.Errorf("%s is a list: %v, known: %v", key, isList, known)
		}
	}
}
