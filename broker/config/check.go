package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// requirement is a rule over several keys that Kafka states with Scala's require.
// Its text goes without the prefix that require puts in front of it, but for
// answers of the API, which have it.
type requirement string

func (r requirement) Error() string { return string(r) }

func require(ok bool, text string) error {
	if ok {
		return nil
	}
	return requirement(text)
}

// check holds the rules over several keys, those of Kafka's KafkaConfig. Every
// single value has been found valid.
func (v Values) check() []error {
	errs := slices.DeleteFunc(slices.Concat(v.checkNode(), v.checkLogs(), v.checkConnections(), v.checkGroups()),
		func(err error) bool { return err == nil })
	if _, err := v.Listeners(); err != nil {
		errs = append(errs, err)
	}
	return errs
}

func (v Values) checkNode() []error {
	var errs []error
	if v.Int("node.id") != v.Int("broker.id") {
		errs = append(errs, errorf("You must set `node.id` to the same value as `broker.id`."))
	}
	return append(errs,
		require(v.Int("replica.fetch.wait.max.ms") <= v.Int("replica.socket.timeout.ms"),
			"replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket timeouts"),
		require(v.Long("replica.fetch.wait.max.ms") <= v.Long("replica.lag.time.max.ms"),
			"replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent changes in ISR"))
}

func (v Values) checkLogs() []error {
	retention := v.retentionMs()
	errs := []error{
		require(v.rollMs() >= 1, "log.roll.ms must be greater than or equal to 1"),
		require(v.rollJitterMs() >= 0, "log.roll.jitter.ms must be greater than or equal to 0"),
		require(retention >= 1 || retention == -1, "log.retention.ms must be unlimited (-1) or, greater than or equal to 1"),
		require(v.Long("log.cleaner.dedupe.buffer.size")/max(1, v.Long("log.cleaner.threads")) > 1<<20,
			"log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread."),
	}
	if cordoned := v.List("cordoned.log.dirs"); !slices.Equal(cordoned, []string{"*"}) {
		missing := slices.DeleteFunc(cordoned, func(dir string) bool { return slices.Contains(v.LogDirs(), dir) })
		errs = append(errs, require(len(missing) == 0,
			"All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : "+strings.Join(missing, ", ")))
	}
	return errs
}

func (v Values) checkConnections() []error {
	queued := v.Long("queued.max.request.bytes")
	errs := []error{
		require(queued <= 0 || queued >= v.Long("socket.request.max.bytes"),
			"queued.max.request.bytes must be larger or equal to socket.request.max.bytes"),
	}
	overrides, err := v.ConnectionsPerIPOverrides()
	if err != nil {
		errs = append(errs, err)
	} else {
		errs = append(errs, require(v.Int("max.connections.per.ip") > 0 || len(overrides) > 0,
			"max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."))
	}
	delay, idle := v.Long("connection.failed.authentication.delay.ms"), v.Long("connections.max.idle.ms")
	return append(errs, require(idle < 0 || delay < idle, fmt.Sprintf(
		"connection.failed.authentication.delay.ms=%d should always be less than connections.max.idle.ms=%d to prevent failed authentication responses from timing out",
		delay, idle)))
}

// ConnectionsPerIPOverrides is max.connections.per.ip.overrides, by address or
// host name.
func (v Values) ConnectionsPerIPOverrides() (map[string]int, error) {
	overrides := map[string]int{}
	for _, pair := range v.pairs("max.connections.per.ip.overrides") {
		i := strings.LastIndexByte(pair, ':')
		if i < 0 {
			// Java's exception, as Kafka lets it through.
			return nil, errorf("Error parsing configuration property 'max.connections.per.ip.overrides': begin 0, end -1, length %d", len(pair))
		}
		host, number := strings.TrimSpace(pair[:i]), strings.TrimSpace(pair[i+1:])
		n, err := strconv.ParseInt(number, 10, 32)
		if err != nil {
			return nil, errorf("For input string: %q", number)
		}
		if !validHost(host) {
			return nil, errorf("max.connections.per.ip.overrides contains invalid addresses : %s", host)
		}
		overrides[host] = int(n)
	}
	return overrides, nil
}

// pairs splits a string that holds a list of pairs; Kafka has no type for it.
func (v Values) pairs(key string) []string {
	return slices.DeleteFunc(splitList(v.String(key)), func(s string) bool { return s == "" })
}

// bounded are the settings of groups: what a group gets, and what it may ask for
// by a key of its own. Some have no lower bound.
func bounded() []struct{ value, lower, upper, group string } {
	return []struct{ value, lower, upper, group string }{
		{"group.consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms", "consumer.heartbeat.interval.ms"},
		{"group.consumer.session.timeout.ms", "group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms", "consumer.session.timeout.ms"},
		{"group.consumer.assignment.interval.ms", "group.consumer.min.assignment.interval.ms", "group.consumer.max.assignment.interval.ms", "consumer.assignment.interval.ms"},
		{"group.share.heartbeat.interval.ms", "group.share.min.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms", "share.heartbeat.interval.ms"},
		{"group.share.session.timeout.ms", "group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms", "share.session.timeout.ms"},
		{"group.share.record.lock.duration.ms", "group.share.min.record.lock.duration.ms", "group.share.max.record.lock.duration.ms", "share.record.lock.duration.ms"},
		{"group.share.delivery.count.limit", "group.share.min.delivery.count.limit", "group.share.max.delivery.count.limit", "share.delivery.count.limit"},
		{"group.share.partition.max.record.locks", "group.share.min.partition.max.record.locks", "group.share.max.partition.max.record.locks", "share.partition.max.record.locks"},
		{"group.share.assignment.interval.ms", "group.share.min.assignment.interval.ms", "group.share.max.assignment.interval.ms", "share.assignment.interval.ms"},
		{"group.streams.heartbeat.interval.ms", "group.streams.min.heartbeat.interval.ms", "group.streams.max.heartbeat.interval.ms", "streams.heartbeat.interval.ms"},
		{"group.streams.session.timeout.ms", "group.streams.min.session.timeout.ms", "group.streams.max.session.timeout.ms", "streams.session.timeout.ms"},
		{"group.streams.num.standby.replicas", "", "group.streams.max.standby.replicas", "streams.num.standby.replicas"},
		{"group.streams.assignment.interval.ms", "group.streams.min.assignment.interval.ms", "group.streams.max.assignment.interval.ms", "streams.assignment.interval.ms"},
	}
}

func (v Values) checkGroups() []error {
	var errs []error
	atLeast := func(a, b string) {
		if v.Int(a) < v.Int(b) {
			errs = append(errs, errorf("%s must be greater than or equal to %s", a, b))
		}
	}
	for _, b := range bounded() {
		if b.lower != "" {
			atLeast(b.upper, b.lower)
			atLeast(b.value, b.lower)
		}
		if v.Int(b.value) > v.Int(b.upper) {
			errs = append(errs, errorf("%s must be less than or equal to %s", b.value, b.upper))
		}
	}
	for _, kind := range []string{"consumer", "share", "streams"} {
		heartbeat, session := "group."+kind+".heartbeat.interval.ms", "group."+kind+".session.timeout.ms"
		if v.Int(heartbeat) >= v.Int(session) {
			errs = append(errs, errorf("%s must be less than %s", heartbeat, session))
		}
	}
	if !slices.Contains(v.List("group.coordinator.rebalance.protocols"), "classic") {
		errs = append(errs, errorf("Disabling the 'classic' protocol is not supported."))
	}
	for _, key := range []string{"offsets.topic.compression.codec", "share.coordinator.state.topic.compression.codec"} {
		if id := v.Int(key); id < 0 || id > 4 {
			errs = append(errs, errorf("Unknown compression type id: %d", id))
		}
	}
	if n := len(v.List("group.share.assignors")); n != 1 {
		errs = append(errs, errorf("group.share.assignors must contain exactly one assignor, but found %d", n))
	}
	return errs
}

// apiError gives a violated requirement the text that it has in answers.
func apiError(err error) error {
	if r, ok := errors.AsType[requirement](err); ok {
		return errorf("requirement failed: %s", string(r))
	}
	return err
}
