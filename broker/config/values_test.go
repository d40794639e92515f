package config

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, p Properties) Values {
	t.Helper()
	v, _, err := Parse(p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestParseNothingIsTheQuickStart(t *testing.T) {
	v, warnings, err := Parse(nil)
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	if v.Int("node.id") != 1 || v.Int("broker.id") != 1 || v.Int("offsets.topic.replication.factor") != 1 || v.Int("group.initial.rebalance.delay.ms") != 0 {
		t.Error("the quick start's settings are missing")
	}
	if got := v.List("process.roles"); !slices.Equal(got, []string{"broker", "controller"}) {
		t.Errorf("process.roles %q", got)
	}
	if v.String("compression.type") != "producer" || !v.Bool("auto.create.topics.enable") || v.Long("log.segment.bytes") != 1<<30 ||
		v.Float("log.cleaner.min.cleanable.ratio") != 0.5 {
		t.Error("Kafka's defaults are missing")
	}
	if s, ok := v.Lookup("broker.rack"); ok || s != "" || v.List("advertised.listeners") != nil || v.Int("log.retention.ms") != 0 {
		t.Error("a key without value has one")
	}
}

func TestGetterOfNoKeyPanics(t *testing.T) {
	defer func() {
		if r := recover(); r != "config: no broker key num.partition" {
			t.Error(r)
		}
	}()
	Values{}.Int("num.partition")
}

func TestParseDoesNotChangeWhatItIsGiven(t *testing.T) {
	p := Properties{"node.id": "7"}
	v := parse(t, p)
	if !maps.Equal(p, Properties{"node.id": "7"}) {
		t.Errorf("%v", p)
	}
	if v.Int("broker.id") != 7 {
		t.Errorf("broker.id is %d", v.Int("broker.id"))
	}
	if v := parse(t, Properties{"broker.id": "8"}); v.Int("node.id") != 8 {
		t.Errorf("node.id is %d", v.Int("node.id"))
	}
}

func TestWarnings(t *testing.T) {
	_, warnings, err := Parse(Properties{
		"num.partitions":                          "5",                  // applied
		"num.network.threads":                     "3",                  // its default
		"num.io.threads":                          "9",                  // known, no effect
		"process.roles":                           "broker, controller", // the quick start's
		"group.initial.rebalance.delay.ms":        "0",
		"zookeeper.connect":                       "localhost:2181",
		"inter.broker.protocol.version":           "3.9",
		"listener.name.plaintext.max.connections": "5",
		"rsm.config.anything":                     "x",
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range warnings {
		got = append(got, w.String())
	}
	want := []string{
		"inter.broker.protocol.version: does not exist in Kafka 4, ignored",
		"listener.name.plaintext.max.connections: accepted, has no effect here",
		"num.io.threads: accepted, has no effect here",
		"rsm.config.anything: accepted, has no effect here",
		"zookeeper.connect: does not exist in Kafka 4, ignored",
	}
	if !slices.Equal(got, want) {
		t.Errorf("warnings\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestParseErrors: rules over several keys have the text of Kafka's KafkaConfig.
func TestParseErrors(t *testing.T) {
	for _, tc := range []struct{ properties, want string }{
		{"num.partition=3", "Unknown broker config name: num.partition (did you mean num.partitions?)"},
		{"xyzzy=3", "Unknown broker config name: xyzzy"},
		{"retention.ms=3", "Unknown broker config name: retention.ms (did you mean log.retention.ms?)"},
		{"listener.name.plaintext.nosuch.thing=3", "Unknown broker config name: listener.name.plaintext.nosuch.thing"},
		{"listener.name.plaintext.max.connections=x", "Invalid value x for configuration max.connections: Not a number of type INT"},
		{"leader.replication.throttled.rate=3", "leader.replication.throttled.rate can only be set dynamically, with IncrementalAlterConfigs"},
		{"num.partitions=0", "Invalid value 0 for configuration num.partitions: Value must be at least 1"},
		{"num.partitions=0;nmu.io.threads=1", "Unknown broker config name: nmu.io.threads (did you mean num.io.threads?)\n" +
			"Invalid value 0 for configuration num.partitions: Value must be at least 1"},
		{"node.id=1;broker.id=2", "You must set `node.id` to the same value as `broker.id`."},
		{"log.retention.ms=0", "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
		{"log.retention.hours=0", "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
		{"log.retention.hours=-5", ""},
		{"log.roll.ms=0", "log.roll.ms must be greater than or equal to 1"},
		{"log.roll.jitter.ms=-1", "log.roll.jitter.ms must be greater than or equal to 0"},
		{"queued.max.request.bytes=5", "queued.max.request.bytes must be larger or equal to socket.request.max.bytes"},
		{"queued.max.request.bytes=0", ""},
		{"max.connections.per.ip=0", "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."},
		{"max.connections.per.ip=0;max.connections.per.ip.overrides=127.0.0.1:5", ""},
		{"max.connections.per.ip.overrides=a:b", `For input string: "b"`},
		{"max.connections.per.ip.overrides=a", "Error parsing configuration property 'max.connections.per.ip.overrides': begin 0, end -1, length 1"},
		{"max.connections.per.ip.overrides=a b:3", "max.connections.per.ip.overrides contains invalid addresses : a b"},
		{"connections.max.idle.ms=100", "connection.failed.authentication.delay.ms=100 should always be less than connections.max.idle.ms=100 to prevent failed authentication responses from timing out"},
		{"connections.max.idle.ms=-1", ""},
		{"replica.lag.time.max.ms=100", "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent changes in ISR"},
		{"replica.socket.timeout.ms=100", "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts"},
		{"log.cleaner.dedupe.buffer.size=100", "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread."},
		{"group.consumer.heartbeat.interval.ms=100", "group.consumer.heartbeat.interval.ms must be greater than or equal to group.consumer.min.heartbeat.interval.ms"},
		{"group.consumer.max.heartbeat.interval.ms=5000;group.consumer.heartbeat.interval.ms=6000", "group.consumer.heartbeat.interval.ms must be less than or equal to group.consumer.max.heartbeat.interval.ms"},
		{"group.share.max.heartbeat.interval.ms=50000;group.share.heartbeat.interval.ms=45000", "group.share.heartbeat.interval.ms must be less than group.share.session.timeout.ms"},
		{"group.streams.num.standby.replicas=3", "group.streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas"},
		{"group.coordinator.rebalance.protocols=consumer", "Disabling the 'classic' protocol is not supported."},
		{"offsets.topic.compression.codec=9", "Unknown compression type id: 9"},
		{"log.dirs=/a;cordoned.log.dirs=/x", "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : /x"},
		{"log.dirs=/a,/b;cordoned.log.dirs=/b", ""},
		{"cordoned.log.dirs=*", ""},
	} {
		_, _, err := Parse(settings(tc.properties))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != tc.want {
			t.Errorf("%s:\n  %s\nwant\n  %s", tc.properties, got, tc.want)
		}
	}
}

// settings reads "key=value;key=value".
func settings(s string) map[string]string {
	m := map[string]string{}
	for _, pair := range strings.Split(s, ";") {
		if key, value, ok := strings.Cut(pair, "="); ok {
			m[key] = value
		}
	}
	return m
}

func TestLayers(t *testing.T) {
	for _, tc := range []struct{ broker, cluster, static, key, want string }{
		{"", "", "", "num.io.threads", "8"},
		{"", "", "num.io.threads=9", "num.io.threads", "9"},
		{"", "num.io.threads=10", "num.io.threads=9", "num.io.threads", "10"},
		{"num.io.threads= 011", "num.io.threads=10", "num.io.threads=9", "num.io.threads", "11"},
		// A dynamic value that is not valid any more is as good as none.
		{"num.io.threads=x", "num.io.threads=10", "", "num.io.threads", "10"},
		// In another unit.
		{"", "", "log.retention.hours=5", "log.retention.hours", "5"},
		{"", "log.retention.ms=1000", "log.retention.hours=5", "log.retention.hours", "168"},
		{"log.roll.ms=1000", "", "log.roll.hours=5", "log.roll.hours", "168"},
		{"", "", "log.retention.ms=1000;log.retention.hours=5", "log.retention.hours", "5"},
	} {
		v := parse(t, settings(tc.static)).With(settings(tc.broker), settings(tc.cluster))
		if got := v.String(tc.key); got != tc.want {
			t.Errorf("broker %q, cluster %q, static %q: %s is %s, want %s", tc.broker, tc.cluster, tc.static, tc.key, got, tc.want)
		}
	}
}

func TestDirs(t *testing.T) {
	for _, tc := range []struct{ static, dirs, metadata string }{
		{"", "/tmp/kafka-logs", "/tmp/kafka-logs"},
		{"log.dir=/a", "/a", "/a"},
		{"log.dir=/a;log.dirs=/b, /c", "/b /c", "/b"},
		{"log.dirs=/b;metadata.log.dir=/m", "/b", "/m"},
	} {
		v := parse(t, settings(tc.static))
		if got := strings.Join(v.LogDirs(), " "); got != tc.dirs || v.MetadataDir() != tc.metadata {
			t.Errorf("%s: %s and %s", tc.static, got, v.MetadataDir())
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, _, err := Parse(Properties{"num.partitions": "3", "log.dirs": "/a"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTopic(b *testing.B) {
	v, _, _ := Parse(nil)
	overrides := map[string]string{"retention.ms": "1000", "cleanup.policy": "compact"}
	for b.Loop() {
		v.Topic(overrides)
	}
}
