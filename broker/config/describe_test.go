package config

import (
	"fmt"
	"strings"
	"testing"
)

func shownEntry(e Entry) string {
	text := func(p *string) string {
		if p == nil {
			return "null"
		}
		return *p
	}
	s := fmt.Sprintf("%s source=%d", text(e.Value), e.Source)
	if e.ReadOnly {
		s += " read-only"
	}
	if e.Sensitive {
		s += " sensitive"
	}
	for _, y := range e.Synonyms {
		s += fmt.Sprintf(" {%s %s %d}", y.Name, text(y.Value), y.Source)
	}
	return s
}

// described is a configuration with something in every layer. Apache Kafka 4.3.1
// with the same layers gave the answers below.
func described(t *testing.T) Values {
	v := parse(t, Properties{
		"log.retention.hours": "100", "log.retention.minutes": "50", "log.roll.hours": "5", "log.flush.scheduler.interval.ms": "1000",
		"ssl.keystore.password": "secret", "message.max.bytes": " 02000000", "log.cleanup.policy": "compact, delete",
		"listener.name.plaintext.max.connections": "5", "share.coordinator.state.topic.prune.interval.ms": "1234",
		"listener.name.plaintext.plain.sasl.jaas.config": "foo",
	})
	return v.With(
		settings("log.retention.ms=2000;log.roll.ms=5000;compression.type=gzip;log.cleaner.min.cleanable.ratio=.25"),
		settings("log.retention.ms=1000;message.max.bytes= 3000000;leader.replication.throttled.rate=100;nosuch=1;listener.name.plaintext.max.connections=10"))
}

func TestDescribeBroker(t *testing.T) {
	entries := described(t).DescribeBroker(nil)
	want := map[string]string{
		"log.retention.ms":                                "2000 source=2 {log.retention.ms 2000 2} {log.retention.ms 1000 3} {log.retention.minutes 50 4} {log.retention.hours 100 4} {log.retention.hours 168 5}",
		"log.retention.minutes":                           "null source=4 read-only {log.retention.minutes 50 4} {log.retention.hours 100 4} {log.retention.hours 168 5}",
		"log.retention.hours":                             "168 source=4 read-only {log.retention.hours 100 4} {log.retention.hours 168 5}",
		"log.roll.ms":                                     "5000 source=2 {log.roll.ms 5000 2} {log.roll.hours 5 4} {log.roll.hours 168 5}",
		"log.flush.interval.ms":                           "null source=5",
		"message.max.bytes":                               "3000000 source=3 {message.max.bytes  3000000 3} {message.max.bytes  02000000 4} {message.max.bytes 1048588 5}",
		"log.cleanup.policy":                              "compact,delete source=4 {log.cleanup.policy compact, delete 4} {log.cleanup.policy delete 5}",
		"log.cleaner.min.cleanable.ratio":                 "0.25 source=2 {log.cleaner.min.cleanable.ratio .25 2} {log.cleaner.min.cleanable.ratio 0.5 5}",
		"ssl.keystore.password":                           "null source=4 sensitive {ssl.keystore.password null 4}",
		"delegation.token.secret.key":                     "null source=5 read-only sensitive",
		"listener.name.plaintext.max.connections":         "10 source=3 read-only {listener.name.plaintext.max.connections 10 3} {listener.name.plaintext.max.connections 5 4} {max.connections 2147483647 5}",
		"listener.name.plaintext.plain.sasl.jaas.config":  "null source=4 read-only sensitive {listener.name.plaintext.plain.sasl.jaas.config null 4}",
		"leader.replication.throttled.rate":               "100 source=3 {leader.replication.throttled.rate 100 3}",
		"nosuch":                                          "null source=3 read-only sensitive {nosuch null 3}",
		"share.coordinator.state.topic.prune.interval.ms": "1234 source=4 read-only {share.coordinator.state.topic.prune.interval.ms 1234 4} {share.coordinator.state.topic.prune.interval.ms 300000 5}",
		"node.id":                          "1 source=4 read-only {node.id 1 4}",
		"broker.id":                        "1 source=4 read-only {broker.id 1 4} {broker.id -1 5}",
		"group.initial.rebalance.delay.ms": "0 source=4 read-only {group.initial.rebalance.delay.ms 0 4} {group.initial.rebalance.delay.ms 3000 5}",
		"num.partitions":                   "1 source=5 read-only {num.partitions 1 5}",
		"broker.rack":                      "null source=5 read-only",
	}
	// The keys of the table that are shown, and five that are not in it or hidden.
	checkEntries(t, entries, 340+5, want)
}

func TestDescribeClusterDefaults(t *testing.T) {
	checkEntries(t, described(t).DescribeClusterDefaults(nil), 5, map[string]string{
		"log.retention.ms":                        "1000 source=3 {log.retention.ms 1000 3}",
		"message.max.bytes":                       " 3000000 source=3 {message.max.bytes  3000000 3}",
		"leader.replication.throttled.rate":       "100 source=3 {leader.replication.throttled.rate 100 3}",
		"nosuch":                                  "null source=3 read-only sensitive {nosuch null 3}",
		"listener.name.plaintext.max.connections": "10 source=3 read-only {listener.name.plaintext.max.connections 10 3}",
	})
}

func TestDescribeTopic(t *testing.T) {
	overrides := settings("retention.bytes=007;cleanup.policy=compact,delete;min.cleanable.dirty.ratio=.1")
	checkEntries(t, described(t).DescribeTopic(overrides, nil), 33, map[string]string{
		"retention.bytes":           "7 source=1 {retention.bytes 7 1} {log.retention.bytes -1 5}",
		"cleanup.policy":            "compact,delete source=1 {cleanup.policy compact,delete 1} {log.cleanup.policy compact, delete 4} {log.cleanup.policy delete 5}",
		"min.cleanable.dirty.ratio": "0.1 source=1 {min.cleanable.dirty.ratio 0.1 1} {log.cleaner.min.cleanable.ratio .25 2} {log.cleaner.min.cleanable.ratio 0.5 5}",
		"retention.ms":              "2000 source=2 {log.retention.ms 2000 2} {log.retention.ms 1000 3} {log.retention.minutes 50 4} {log.retention.hours 100 4} {log.retention.hours 168 5}",
		"segment.ms":                "5000 source=2 {log.roll.ms 5000 2} {log.roll.hours 5 4} {log.roll.hours 168 5}",
		"segment.jitter.ms":         "0 source=5",
		// The synonym counts, and is not listed: Kafka's way.
		"flush.ms":              "1000 source=5",
		"max.message.bytes":     "3000000 source=3 {message.max.bytes  3000000 3} {message.max.bytes  02000000 4} {message.max.bytes 1048588 5}",
		"compression.type":      "gzip source=2 {compression.type gzip 2} {compression.type producer 5}",
		"remote.storage.enable": "false source=5",
	})
	// Internal keys show only when set.
	set := described(t).DescribeTopic(settings("internal.segment.bytes=100"), []string{"internal.segment.bytes", "nosuch", "preallocate"})
	checkEntries(t, set, 2, map[string]string{
		"internal.segment.bytes": "100 source=1 {internal.segment.bytes 100 1}",
		"preallocate":            "false source=5 {log.preallocate false 5}",
	})
}

func TestDescribeGroup(t *testing.T) {
	overrides := settings("share.auto.offset.reset=earliest;consumer.session.timeout.ms=50000")
	checkEntries(t, described(t).DescribeGroup(overrides, nil), 17, map[string]string{
		"share.auto.offset.reset":        "earliest source=8 {share.auto.offset.reset earliest 8} {share.auto.offset.reset latest 5}",
		"consumer.session.timeout.ms":    "50000 source=8 {consumer.session.timeout.ms 50000 8} {group.consumer.session.timeout.ms 45000 5}",
		"streams.num.standby.replicas":   "0 source=5 {group.streams.num.standby.replicas 0 5}",
		"share.renew.acknowledge.enable": "true source=5 {share.renew.acknowledge.enable true 5}",
	})
}

func TestDescribeClientMetrics(t *testing.T) {
	checkEntries(t, DescribeClientMetrics(settings("interval.ms= 1000"), nil), 3, map[string]string{
		"interval.ms": "1000 source=7 {interval.ms 1000 7}",
		"match":       " source=5",
	})
}

func TestCreatedTopic(t *testing.T) {
	v := parse(t, settings("log.retention.hours=100;log.segment.bytes=1048576")).With(nil, settings("compression.type=gzip"))
	entries := v.CreatedTopic(settings("retention.bytes=007"))
	checkEntries(t, entries, 33, map[string]string{
		"retention.bytes":  "007 source=1",
		"retention.ms":     "360000000 source=4",
		"segment.bytes":    "1048576 source=4",
		"compression.type": "gzip source=3",
		"segment.ms":       "604800000 source=5",
	})
}

func checkEntries(t *testing.T, entries []Entry, n int, want map[string]string) {
	t.Helper()
	if len(entries) != n {
		t.Errorf("%d entries, want %d", len(entries), n)
	}
	found := 0
	for i, e := range entries {
		if i > 0 && entries[i-1].Name >= e.Name {
			t.Errorf("%s stands before %s", entries[i-1].Name, e.Name)
		}
		w, ok := want[e.Name]
		if !ok {
			continue
		}
		found++
		if got := shownEntry(e); got != w {
			t.Errorf("%s:\n  %s\nwant\n  %s", e.Name, got, w)
		}
		if e.Doc == "" && e.Type != Unknown && !strings.HasPrefix(e.Name, "listener.name.") {
			t.Errorf("%s is not documented", e.Name)
		}
	}
	if found != len(want) {
		t.Errorf("%d of %d keys are there", found, len(want))
	}
}

func BenchmarkDescribeBroker(b *testing.B) {
	v, _, _ := Parse(nil)
	for b.Loop() {
		v.DescribeBroker(nil)
	}
}
