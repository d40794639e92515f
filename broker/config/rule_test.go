package config

import (
	"strings"
	"testing"
)

// TestParse compares with Apache Kafka 4.3.1's ConfigDef. want is the normal form,
// or an error's text after "!"; "…" in it stands for "Invalid value <value> for
// configuration <key>: ".
func TestParse(t *testing.T) {
	for _, tc := range []struct{ key, value, want string }{
		{"num.partitions", "3", "3"},
		{"num.partitions", " 007\t", "7"},
		{"num.partitions", "+5", "5"},
		{"num.partitions", "2147483647", "2147483647"},
		{"num.partitions", "2147483648", "!…Not a number of type INT"},
		{"num.partitions", "0", "!…Value must be at least 1"},
		{"num.partitions", "", "!…Not a number of type INT"},
		{"num.partitions", " false ", "!…Not a number of type INT"},
		{"num.partitions", "1_000", "!…Not a number of type INT"},
		{"num.partitions", "0x10", "!…Not a number of type INT"},
		{"num.partitions", "1.0", "!…Not a number of type INT"},
		{"offsets.topic.replication.factor", "32768", "!…Not a number of type SHORT"},
		{"log.retention.ms", "-9223372036854775808", "-9223372036854775808"},
		{"log.retention.ms", "9223372036854775808", "!…Not a number of type LONG"},
		{"compression.lz4.level", "18", "!…Value must be no more than 17"},
		{"compression.zstd.level", "-131073", "!…Value must be at least -131072"},
		{"compression.gzip.level", "-1", "-1"},
		{"compression.gzip.level", "0", "!…Value must be between 1 and 9 or equal to -1"},

		{"delete.topic.enable", "TRUE", "true"},
		{"delete.topic.enable", " false ", "false"},
		{"delete.topic.enable", "yes", "!…Expected value to be either true or false"},

		{"log.cleaner.min.cleanable.ratio", ".5", "0.5"},
		{"log.cleaner.min.cleanable.ratio", "1f", "1.0"},
		{"log.cleaner.min.cleanable.ratio", "-0", "-0.0"},
		{"log.cleaner.min.cleanable.ratio", "NaN", "NaN"},
		{"log.cleaner.min.cleanable.ratio", "2", "!Invalid value 2.0 for configuration log.cleaner.min.cleanable.ratio: Value must be no more than 1"},
		{"log.cleaner.min.cleanable.ratio", "inf", "!…Not a number of type DOUBLE"},
		{"log.cleaner.io.max.bytes.per.second", "1e7", "1.0E7"},
		{"log.cleaner.io.max.bytes.per.second", "12345678.9", "1.23456789E7"},
		{"log.cleaner.io.max.bytes.per.second", "1e-5", "1.0E-5"},
		{"log.cleaner.io.max.bytes.per.second", "0.001", "0.001"},
		{"log.cleaner.io.max.bytes.per.second", "1e999", "Infinity"},
		{"log.cleaner.io.max.bytes.per.second", "-Infinity", "-Infinity"},
		{"log.cleaner.io.max.bytes.per.second", "0x1p4", "!…Not a number of type DOUBLE"},
		{"log.cleaner.io.max.bytes.per.second", "f", "!…Not a number of type DOUBLE"},

		{"log.message.timestamp.type", " CreateTime", "CreateTime"},
		{"log.message.timestamp.type", "createtime", "!…String must be one of: CreateTime, LogAppendTime"},
		{"group.consumer.migration.policy", "Upgrade", "Upgrade"},
		{"group.consumer.migration.policy", "up", "!…String must be one of (case insensitive): DISABLED, DOWNGRADE, UPGRADE, BIDIRECTIONAL"},
		{"remote.log.metadata.manager.class.name", " ", "!Invalid value  for configuration remote.log.metadata.manager.class.name: String must be non-empty"},

		{"log.cleanup.policy", "compact , delete", "compact,delete"},
		{"log.cleanup.policy", "", ""},
		{"log.cleanup.policy", "compact,foo", "!Invalid value foo for configuration log.cleanup.policy: String must be one of: compact, delete"},
		{"log.cleanup.policy", "delete, compact,delete", "delete,compact"},
		{"log.dirs", "a,,b", "!Configuration 'log.dirs' values must not be empty."},
		{"log.dirs", " ", "!Configuration 'log.dirs' must not be empty. Valid values include: any non-empty value"},
		{"process.roles", "", "!Configuration 'process.roles' must not be empty. Valid values include: [broker, controller]"},
		{"controller.quorum.voters", "1@localhost:9093,2@[::1]:9093", "1@localhost:9093,2@[::1]:9093"},
		{"controller.quorum.voters", "localhost:9093", "!Invalid configuration value for controller.quorum.voters. Each entry should be in the form `{id}@{host}:{port}`."},
		{"controller.quorum.voters", "1@localhost", "!Failed to parse host name from entry 1@localhost for the configuration controller.quorum.voters. Each entry should be in the form `{id}@{host}:{port}`."},
		{"controller.quorum.bootstrap.servers", "localhost", "!Failed to parse host name from localhost for the configuration controller.quorum.bootstrap.servers. Each entry should be in the form \"{host}:{port}\""},
		{"ssl.keystore.password", " secret ", "secret"},
	} {
		d, ok := BrokerDefs().Lookup(tc.key)
		if !ok {
			t.Errorf("no key %s", tc.key)
			continue
		}
		checkParse(t, d, tc.value, tc.want)
	}
}

func TestParseTopicAndGroup(t *testing.T) {
	const throttled = "leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."
	for _, tc := range []struct{ key, value, want string }{
		{"leader.replication.throttled.replicas", "*", "*"},
		{"leader.replication.throttled.replicas", "0:1, 1:2", "0:1,1:2"},
		{"leader.replication.throttled.replicas", ",", ","},
		{"leader.replication.throttled.replicas", "*,0:1", "!Invalid value [*, 0:1] for configuration leader.replication.throttled.replicas: " + throttled},
		{"leader.replication.throttled.replicas", "0:1:2", "!Invalid value [0:1:2] for configuration leader.replication.throttled.replicas: " + throttled},
		{"segment.bytes", "1048575", "!…Value must be at least 1048576"},
		{"internal.segment.bytes", "1", "1"},
	} {
		d, _ := TopicDefs().Lookup(tc.key)
		checkParse(t, d, tc.value, tc.want)
	}
	d, _ := GroupDefs().Lookup("share.auto.offset.reset")
	for _, good := range []string{"earliest", "latest", "by_duration:PT1H", "by_duration:p1dt2h3m4.5s", "by_duration:P2D", "by_duration:PT0S"} {
		checkParse(t, d, good, good)
	}
	for _, bad := range []string{"", "Earliest", "by_duration:", "by_duration:PT", "by_duration:P", "by_duration:1H", "by_duration:-PT1H",
		"by_duration:PT-1H", "by_duration:PT1H2H", "by_duration:PT1M1H", "by_duration:P1DT", "by_duration:PT1.5H", "by_duration:PT1.0123456789S"} {
		checkParse(t, d, bad, "!…Invalid value `"+bad+"` for configuration share.auto.offset.reset. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.")
	}
}

func checkParse(t *testing.T, d *Def, value, want string) {
	t.Helper()
	got, err := d.Parse(value)
	if text, refused := strings.CutPrefix(want, "!"); refused {
		text = strings.Replace(text, "…", "Invalid value "+value+" for configuration "+d.Name+": ", 1)
		if err == nil || err.Error() != text {
			t.Errorf("%s=%q:\n  %v, want\n  %s", d.Name, value, err, text)
		}
		return
	}
	if err != nil || got != want {
		t.Errorf("%s=%q: %q, %v, want %q", d.Name, value, got, err, want)
	}
}

func FuzzParseValue(f *testing.F) {
	f.Add("log.cleaner.io.max.bytes.per.second", "1e7d")
	f.Add("controller.quorum.voters", "1@[::]:1")
	f.Add("log.dirs", " a ,b,\x01")
	f.Add("num.partitions", "-0")
	f.Fuzz(func(t *testing.T, key, value string) {
		for _, table := range tables() {
			d, ok := table.Lookup(key)
			if !ok {
				continue
			}
			normal, err := d.Parse(value)
			if err != nil || d.Type == List {
				continue
			}
			if again, err := d.Parse(normal); err != nil || again != normal {
				t.Errorf("%s=%q parses to %q, and that to %q, %v", key, value, normal, again, err)
			}
		}
	})
}
