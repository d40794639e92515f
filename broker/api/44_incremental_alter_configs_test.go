package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// incrementally sends resources given as "type:name key op value;…", op one of =
// + - x or a number; a value of \0 is null.
func (f *fixture) incrementally(version int16, validateOnly bool, resources ...string) (out []string) {
	f.Helper()
	r := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r.Version, r.ValidateOnly = version, validateOnly
	for _, s := range resources {
		res := kmsg.NewIncrementalAlterConfigsRequestResource()
		name, configs, _ := strings.Cut(s, " ")
		res.ResourceType, res.ResourceName = resource(f.T, name)
		for _, op := range strings.Split(configs, ";") {
			part := strings.SplitN(op, " ", 3)
			if len(part) < 3 {
				continue
			}
			c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
			c.Name, c.Value = part[0], nullable(part[2])
			switch part[1] {
			case "=":
				c.Op = kmsg.IncrementalAlterConfigOpSet
			case "x":
				c.Op = kmsg.IncrementalAlterConfigOpDelete
			case "+":
				c.Op = kmsg.IncrementalAlterConfigOpAppend
			case "-":
				c.Op = kmsg.IncrementalAlterConfigOpSubtract
			default:
				c.Op = 7
			}
			res.Configs = append(res.Configs, c)
		}
		r.Resources = append(r.Resources, res)
	}
	for _, res := range ask[*kmsg.IncrementalAlterConfigsResponse](f, r).Resources {
		out = append(out, fmt.Sprintf("%d:%s e%d %s", res.ResourceType, res.ResourceName, res.ErrorCode, text(res.ErrorMessage)))
	}
	return out
}

func nullable(s string) *string {
	if s == `\0` {
		return nil
	}
	return &s
}

// TestIncrementalAlterConfigs: one request after the other. Apache Kafka 4.3.1
// gave the same answers, but for those marked.
func TestIncrementalAlterConfigs(t *testing.T) {
	f := newFixture(t)
	f.topic("t", 1)
	const notApplied = "4:1 e42 Cannot update these configs dynamically: "
	for _, c := range []struct{ change, want string }{
		{"2:t", "2:t e0 null"},
		{"2:t retention.ms = 5", "2:t e0 null"},
		{"2:t nosuch = 5", "2:t e40 Unknown topic config name: nosuch"},
		{"2:t nosuch x ", "2:t e0 null"},
		{"2:t retention.ms = abc", "2:t e40 Invalid value abc for configuration retention.ms: Not a number of type LONG"},
		{"2:t retention.ms = -2", "2:t e40 Invalid value -2 for configuration retention.ms: Value must be at least -1"},
		{`2:t retention.ms = \0`, "2:t e42 Null value not supported for : retention.ms"},
		{"2:t retention.ms = 5;retention.ms = 6", "2:t e42 Error due to duplicate config keys"},
		{"2:t cleanup.policy + compact", "2:t e0 null"},
		{"2:t cleanup.policy - delete", "2:t e0 null"},
		{"2:t cleanup.policy - compact", "2:t e0 null"},
		{"2:t cleanup.policy + foo", "2:t e40 Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete"},
		{"2:t retention.ms + 5", "2:t e40 Can't APPEND to key retention.ms because its type is not LIST."},
		{"2:t nosuch - 5", "2:t e40 Can't SUBTRACT to key nosuch because its type is not LIST."},
		{"2:t min.compaction.lag.ms = 10;max.compaction.lag.ms = 5", "2:t e40 conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)"},
		{"2:t remote.storage.enable = true", "2:t e40 Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage."},
		{"2: retention.ms = 5", "2: e42 Default topic resources are not allowed."},
		{"2:missing retention.ms = 5", "2:missing e3 The topic 'missing' does not exist."},
		{"2:missing retention.ms = x", "2:missing e40 Invalid value x for configuration retention.ms: Not a number of type LONG"},
		{"2:bad/name retention.ms = 5", "2:bad/name e17 Topic name is invalid: 'bad/name' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{"2:t retention.ms 7 5", "2:t e42 Unknown operations type 7"}, // Kafka: UNKNOWN_SERVER_ERROR
		{"3:t retention.ms = 5", "3:t e42 Unknown resource type 3"},
		{"0:t retention.ms = 5", "0:t e42 Unknown resource type 0"},
		{"99:t retention.ms = 5", "99:t e42 Unknown resource type 99"},

		{"4:1 num.io.threads = 9", "4:1 e0 null"},
		{"4:1 num.io.threads = 18", "4:1 e0 null"},
		{"4:1 num.partitions = 2;node.id = 3", notApplied + "[node.id, num.partitions]"},
		{"4:1 nosuch.key = 2", "4:1 e0 null"},
		{"4:1 log.retention.ms = abc", "4:1 e42 Invalid value abc for configuration log.retention.ms: Not a number of type LONG"},
		{"4:1 log.retention.ms = 0", "4:1 e42 requirement failed: log.retention.ms must be unlimited (-1) or, greater than or equal to 1"},
		{"4: log.retention.ms = 1000", "4: e0 null"},
		{"4: listener.name.plaintext.ssl.keystore.location = /x", "4: e42 Cannot update these configs at default cluster level, broker id must be specified: [listener.name.plaintext.ssl.keystore.location]"},
		{"4:2 num.io.threads = 9", "4:2 e42 Unexpected broker id, expected 1, but received 2"},
		{"4:x num.io.threads = 9", "4:x e42 Node id must be an integer, but it is: x"},
		{"4:1 num.io.threads + 9", "4:1 e40 Config value append is not allowed for config key: num.io.threads"},
		{"4:1 log.cleanup.policy + compact", "4:1 e0 null"},
		{"4:1 min.insync.replicas = 1", "4:1 e0 null"}, // Kafka refuses it while ELR is enabled

		{"8:1 root = DEBUG", "8:1 e42 The log level cannot change while this broker runs."}, // ours alone
		{"8:1 root = FOO", "8:1 e40 Cannot set the log level of root to FOO as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"},
		{"8:1 no.such.Logger = DEBUG", "8:1 e40 Logger no.such.Logger does not exist!"},
		{"8:1 root x ", "8:1 e42 Removing the log level of the root logger is not allowed"},
		{"8:1 root + DEBUG", "8:1 e42 APPEND operation is not allowed for the BROKER_LOGGER resource"},
		{"8:2 root = DEBUG", "8:2 e42 Unexpected node id. Expected 1, but received 2"},
		{"8: root = DEBUG", "8: e42 Node id must be an integer, but it is: "},

		{"32:g consumer.session.timeout.ms = 50000", "32:g e42 Configurations of single groups are not supported yet."},
		{"16:m interval.ms = 1000", "16:m e42 Client metrics subscriptions are not supported yet."},
	} {
		equal(t, c.change, f.incrementally(1, false, c.change), []string{c.want})
	}
	equal(t, "the topic", f.described(4, "2:t?retention.ms,cleanup.policy"), []string{
		"cleanup.policy= source=1 type=7 {cleanup.policy  1} {log.cleanup.policy delete,compact 2} {log.cleanup.policy delete 5}",
		"retention.ms=5 source=1 type=5 {retention.ms 5 1} {log.retention.ms 1000 3} {log.retention.hours 168 5}"})
}

func TestIncrementalAlterConfigsOfSeveral(t *testing.T) {
	f := newFixture(t)
	f.topic("t", 1)
	equal(t, "each by itself", f.incrementally(1, false, "2:t retention.ms = 5", "2:missing retention.ms = 6", "4:1 num.io.threads = 9"),
		[]string{"2:t e0 null", "2:missing e3 The topic 'missing' does not exist.", "4:1 e0 null"})
	equal(t, "twice", f.incrementally(1, false, "2:t retention.ms = 6", "2:t segment.ms = 6", "2:missing retention.ms = 6"),
		[]string{"2:t e42 Each resource must appear at most once.", "2:t e42 Each resource must appear at most once.", "2:missing e3 The topic 'missing' does not exist."})
	equal(t, "only validated", f.incrementally(1, true, "2:t retention.ms = 7", "4:1 num.io.threads = x"),
		[]string{"2:t e0 null", "4:1 e42 Invalid value x for configuration num.io.threads: Not a number of type INT"})
	equal(t, "what is left", f.described(4, "2:t?retention.ms,segment.ms"),
		[]string{"retention.ms=5 source=1 type=5 {retention.ms 5 1}", "segment.ms=604800000 source=5 type=5"})
	equal(t, "deleted", f.incrementally(0, false, "2:t retention.ms x "), []string{"2:t e0 null"})
	equal(t, "what is left", f.described(4, "2:t?retention.ms"), []string{"retention.ms=604800000 source=5 type=5"})
}

// altered sends resources given as "type:name key value;…".
func (f *fixture) altered(version int16, validateOnly bool, resources ...string) (out []string) {
	f.Helper()
	r := kmsg.NewPtrAlterConfigsRequest()
	r.Version, r.ValidateOnly = version, validateOnly
	for _, s := range resources {
		res := kmsg.NewAlterConfigsRequestResource()
		name, configs, _ := strings.Cut(s, " ")
		res.ResourceType, res.ResourceName = resource(f.T, name)
		for _, pair := range strings.Split(configs, ";") {
			if key, value, ok := strings.Cut(pair, " "); ok {
				c := kmsg.NewAlterConfigsRequestResourceConfig()
				c.Name, c.Value = key, nullable(value)
				res.Configs = append(res.Configs, c)
			}
		}
		r.Resources = append(r.Resources, res)
	}
	for _, res := range ask[*kmsg.AlterConfigsResponse](f, r).Resources {
		out = append(out, fmt.Sprintf("%d:%s e%d %s", res.ResourceType, res.ResourceName, res.ErrorCode, text(res.ErrorMessage)))
	}
	return out
}

func TestAlterConfigs(t *testing.T) {
	f := newFixture(t)
	f.topic("t", 1)
	for _, c := range []struct{ change, want, left string }{
		{"2:t retention.ms 9;segment.ms 8", "2:t e0 null", "9 8"},
		{"2:t segment.ms 7", "2:t e0 null", "604800000 7"}, // retention.ms is back at its default
		{"2:t segment.bytes 5", "2:t e40 Invalid value 5 for configuration segment.bytes: Value must be at least 1048576", "604800000 7"},
		{`2:t retention.ms \0`, "2:t e42 Null value not supported for : retention.ms", "604800000 7"},
		{"2:t nosuch 1", "2:t e40 Unknown topic config name: nosuch", "604800000 7"},
		{"2:t retention.ms 1;retention.ms 2", "2:t e42 Error due to duplicate config keys", "604800000 7"},
		{"2:t", "2:t e0 null", "604800000 604800000"},
		{"2:missing retention.ms 1", "2:missing e3 The topic 'missing' does not exist.", ""},
		{"4:1 num.io.threads 10", "4:1 e0 null", ""},
		{"4:1 num.partitions 10", "4:1 e42 Cannot update these configs dynamically: [num.partitions]", ""},
		{"4: log.retention.ms 5000", "4: e0 null", "5000 604800000"},
		{"4:", "4: e0 null", "604800000 604800000"},
		{"4:2 num.io.threads 10", "4:2 e42 Unexpected broker id, expected 1, but received 2", ""},
		{"8:1 root DEBUG", "8:1 e42 Unknown resource type 8", ""},
		{"3:x a b", "3:x e42 Unknown resource type 3", ""},
	} {
		equal(t, c.change, f.altered(2, false, c.change), []string{c.want})
		if c.left == "" {
			continue
		}
		var left []string
		for _, line := range f.described(4, "2:t?retention.ms,segment.ms") {
			value, _, _ := strings.Cut(line, " ")
			_, value, _ = strings.Cut(value, "=")
			left = append(left, value)
		}
		equal(t, "after "+c.change, strings.Join(left, " "), c.left)
	}
	equal(t, "only validated", f.altered(1, true, "2:t retention.ms 1234"), []string{"2:t e0 null"})
	equal(t, "what is left", f.described(4, "2:t?retention.ms"), []string{"retention.ms=604800000 source=5 type=5"})
	equal(t, "twice", f.altered(0, false, "2:t retention.ms 1", "2:t retention.ms 2"),
		[]string{"2:t e42 Each resource must appear at most once.", "2:t e42 Each resource must appear at most once."})
}
