package api

import (
	"fmt"
	"slices"
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
		{"2:t cleanup.policy + ", "2:t e40 Configuration 'cleanup.policy' values must not be empty."},
		{"2:t cleanup.policy + ,compact", "2:t e40 Configuration 'cleanup.policy' values must not be empty."},
		{"2:t cleanup.policy + compact,", "2:t e0 null"},
		{"2:t cleanup.policy + ,", "2:t e0 null"},
		{"2:t cleanup.policy - ", "2:t e0 null"},
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
		{"4:1 nosuch.key + 9", "4:1 e40 Unknown config name: nosuch.key"},
		{"4: leader.replication.throttled.rate - 9", "4: e40 Unknown config name: leader.replication.throttled.rate"},
		{"4: min.insync.replicas = 2", "4: e0 null"},
		{"4: min.insync.replicas = 0", "4: e42 Invalid value 0 for configuration min.insync.replicas: Value must be at least 1"},
		{"4: min.insync.replicas x ", "4: e40 Cluster-level min.insync.replicas cannot be removed while ELR is enabled."},
		{"4:1 min.insync.replicas = 1", "4:1 e40 Broker-level min.insync.replicas cannot be altered while ELR is enabled."},
		{"4:1 min.insync.replicas x ", "4:1 e40 Broker-level min.insync.replicas cannot be altered while ELR is enabled."},

		{"8:1 root = DEBUG", "8:1 e0 null"},
		{"8:1", "8:1 e0 null"},
		{"8:1 root = FOO", "8:1 e40 Cannot set the log level of root to FOO as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"},
		{"8:1 no.such.Logger = DEBUG", "8:1 e40 Logger no.such.Logger does not exist!"},
		{"8:1 root x ", "8:1 e42 Removing the log level of the root logger is not allowed"},
		{"8:1 root + DEBUG", "8:1 e42 APPEND operation is not allowed for the BROKER_LOGGER resource"},
		{"8:2 root = DEBUG", "8:2 e42 Unexpected node id. Expected 1, but received 2"},
		{"8: root = DEBUG", "8: e42 Node id must be an integer, but it is: "},
		{`8:1 root = \0`, "8:1 e42 Null value not supported for : root"},
		{"8:1 root = WARN;root = INFO", "8:1 e42 Error due to duplicate config keys"},
		{"8:1 nosuch = FOO", "8:1 e40 Logger nosuch does not exist!"},
		{"8:1 root = debug", "8:1 e40 Cannot set the log level of root to debug as it is not a supported log level. Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"},

		{"32:g consumer.session.timeout.ms = 50000", "32:g e0 null"},
		{"32:g consumer.session.timeout.ms = 5", "32:g e40 consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms"},
		{"32:g consumer.session.timeout.ms = abc", "32:g e40 Invalid value abc for configuration consumer.session.timeout.ms: Not a number of type INT"},
		{"32:g nosuch = 1", "32:g e40 Unknown group config name: nosuch"},
		{"32:g nosuch x ", "32:g e0 null"},
		{"32: consumer.session.timeout.ms = 50000", "32: e42 Default group resources are not allowed."},
		{"32: consumer.session.timeout.ms + 5", "32: e40 Can't APPEND to key consumer.session.timeout.ms because its type is not LIST."},
		{"32:a/b share.isolation.level = read_committed", "32:a/b e0 null"},
		{"32:gone share.isolation.level = read_committed", "32:gone e0 null"},
		{"32:gone share.isolation.level x ", "32:gone e0 null"},

		{"16:m metrics = a,b", "16:m e0 null"},
		{"16:m metrics + c", "16:m e40 Can't APPEND to key metrics because its type is not LIST."},
		{"16:m interval.ms = 50", "16:m e42 Invalid value 50 for interval.ms, interval must be between 100 and 3600000 (1 hour)"},
		{"16:m interval.ms = abc", "16:m e40 Invalid value abc for configuration interval.ms: Not a number of type INT"},
		{"16:m match = client_id", "16:m e40 Illegal client matching pattern: client_id"},
		{"16:m match = client_id=a.*", "16:m e0 null"},
		{"16:m nosuch = 1", "16:m e42 Unknown client metrics configuration: nosuch"},
		{"16: interval.ms = 1000", "16: e42 Subscription name can't be empty"},
	} {
		equal(t, c.change, f.incrementally(1, false, c.change), []string{c.want})
	}
	equal(t, "the topic", f.described(4, "2:t?retention.ms,cleanup.policy"), []string{
		"cleanup.policy= source=1 type=7 {cleanup.policy  1} {log.cleanup.policy delete,compact 2} {log.cleanup.policy delete 5}",
		"retention.ms=5 source=1 type=5 {retention.ms 5 1} {log.retention.ms 1000 3} {log.retention.hours 168 5}"})
	equal(t, "the group", f.described(4, "32:g?consumer.session.timeout.ms"), []string{
		"consumer.session.timeout.ms=50000 source=8 type=3 {consumer.session.timeout.ms 50000 8} {group.consumer.session.timeout.ms 45000 5}"})
	equal(t, "the subscription", f.described(4, "16:m"), []string{
		"interval.ms=300000 source=5 type=3",
		"match=client_id=a.* source=7 type=7 {match client_id=a.* 7}",
		"metrics=a,b source=7 type=7 {metrics a,b 7}"})
	equal(t, "resources", f.configResources(1, 16, 32), "e0 16:m 32:a/b 32:g")
	equal(t, "subscriptions", f.configResources(0), "e0 16:m")
}

// The log level changes at once, for what is logged and for what is described.
func TestAlterLogLevel(t *testing.T) {
	f := newFixture(t)
	for _, c := range []struct {
		name  string
		debug bool
		err   bool
	}{{"FATAL", false, false}, {"ERROR", false, true}, {"WARN", false, true}, {"INFO", false, true}, {"DEBUG", true, true}, {"TRACE", true, true}} {
		equal(t, c.name, f.incrementally(1, false, "8:1 root = "+c.name), []string{"8:1 e0 null"})
		equal(t, c.name, f.described(4, "8:1"), []string{"root=" + c.name + " source=6 type=0"})
		equal(t, "only validated", f.incrementally(1, true, "8:1 root = INFO"), []string{"8:1 e0 null"})
		f.log.take("")
		f.Logger.Debug("a detail")
		f.Logger.Error("a failure")
		equal(t, c.name+" lets through", f.log.take("a "), slices.Concat(
			map[bool][]string{true: {`"a detail"`}}[c.debug], map[bool][]string{true: {`"a failure"`}}[c.err]))
	}
}

// What is accepted and does nothing here is told in the log, once it is set.
func TestAlterConfigsWithoutEffect(t *testing.T) {
	f := newFixture(t)
	f.topic("t", 1)
	const (
		none    = `"accepted, has no effect here" `
		unknown = `"not a known key, has no effect`
	)
	for _, c := range []struct {
		change string
		want   []string
	}{
		{"2:t retention.ms = 5;remote.log.copy.disable = true", []string{none + "key=remote.log.copy.disable resource=topic name=t"}},
		{"2:t remote.log.copy.disable = false", nil}, // Kafka's default
		{"2:t remote.log.copy.disable x ", nil},
		{"2:t remote.log.copy.disable = x", nil}, // refused
		{"4:1 num.io.threads = 9", []string{none + "key=num.io.threads resource=broker name=1"}},
		{"4: log.retention.ms = 5000", nil},
		{"4: log.retention.mss = 5000", []string{unknown + ` (did you mean log.retention.ms?)" key=log.retention.mss resource=broker name=""`}},
		{"4: a.plugin.of.our.own = 5000", []string{unknown + `" key=a.plugin.of.our.own resource=broker name=""`}},
		{"4:1 listener.name.plaintext.ssl.keystore.location = /x", []string{none + "key=listener.name.plaintext.ssl.keystore.location resource=broker name=1"}},
		{"4: leader.replication.throttled.rate = 5", []string{none + `key=leader.replication.throttled.rate resource=broker name=""`}},
		{"32:g share.isolation.level = read_committed", []string{none + "key=share.isolation.level resource=group name=g"}},
		{"16:m interval.ms = 1000", []string{none + "key=interval.ms resource=client-metrics name=m"}},
	} {
		f.incrementally(1, true, c.change)
		equal(t, c.change+", only validated", f.log.take("has no effect"), nil)
		f.incrementally(1, false, c.change)
		equal(t, c.change, f.log.take("has no effect"), c.want)
	}
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
		{"4: log.retention.ms 5000", "4: e40 Cluster-level min.insync.replicas cannot be removed while ELR is enabled.", "604800000 604800000"},
		{"4: log.retention.ms 5000;min.insync.replicas 1", "4: e0 null", "5000 604800000"},
		{"4:", "4: e40 Cluster-level min.insync.replicas cannot be removed while ELR is enabled.", "5000 604800000"},
		{"4: min.insync.replicas 1", "4: e0 null", "604800000 604800000"},
		{"4:2 num.io.threads 10", "4:2 e42 Unexpected broker id, expected 1, but received 2", ""},
		{"8:1 root DEBUG", "8:1 e42 Unknown resource type 8", ""},
		{"3:x a b", "3:x e42 Unknown resource type 3", ""},
		{"32:g consumer.session.timeout.ms 50000", "32:g e0 null", ""},
		{"32:g", "32:g e0 null", ""},
		{"16:m interval.ms 1000", "16:m e0 null", ""},
		{"16:m", "16:m e0 null", ""},
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
