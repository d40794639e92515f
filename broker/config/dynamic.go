package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// securityWithoutPrefix are the keys that can change only with the prefix of a
// listener.
func securityWithoutPrefix() []string {
	return []string{"ssl.keystore.type", "ssl.keystore.location", "ssl.keystore.password", "ssl.key.password",
		"ssl.keystore.key", "ssl.keystore.certificate.chain",
		"ssl.truststore.type", "ssl.truststore.location", "ssl.truststore.password", "ssl.truststore.certificates"}
}

// dynamicDef answers the definition that a dynamic broker key is validated by.
// Kafka takes keys it does not know; they may be a plug-in's.
func dynamicDef(key string) (*Def, bool) {
	if d, ok := BrokerDefs().Lookup(key); ok {
		return d, true
	}
	if d, ok := dynamicOnlyDefs().Lookup(key); ok {
		return d, true
	}
	return listenerKey(key)
}

// dynamicUpdate says how a key can change, and false if nobody knows it.
func dynamicUpdate(key string) (Update, bool) {
	if d, ok := listenerKey(key); ok {
		// With a listener's prefix, most keys belong to one broker.
		switch d.Name {
		case "max.connections", "max.connection.creation.rate", "num.network.threads":
			return ClusterWide, true
		}
		return PerBroker, true
	}
	if d, ok := dynamicDef(key); ok {
		return d.Update, true
	}
	return ClusterWide, false
}

// ValidateBrokerDynamic says whether these may be the dynamic settings of one
// broker (perBroker) or of all of them, in place of those that v has (Kafka's
// DynamicBrokerConfig). All of them are given, not only those that change. Any
// error, for want of something better in Kafka, is INVALID_REQUEST.
func (v Values) ValidateBrokerDynamic(perBroker bool, proposed map[string]string) error {
	keys := slices.Sorted(maps.Keys(proposed))
	only := func(is func(key string) bool) []string {
		return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !is(key) })
	}
	if fixed := only(func(key string) bool { u, known := dynamicUpdate(key); return known && u == ReadOnly }); len(fixed) > 0 {
		return errorf("Cannot update these configs dynamically: [%s]", strings.Join(fixed, ", "))
	}
	if bare := only(func(key string) bool { return slices.Contains(securityWithoutPrefix(), key) }); len(bare) > 0 {
		return errorf("These security configs can be dynamically updated only per-listener using the listener prefix: [%s]", strings.Join(bare, ", "))
	}
	for _, key := range keys {
		if d, ok := dynamicDef(key); ok {
			if err := d.Validate(proposed[key]); err != nil {
				return err
			}
		}
	}
	if !perBroker {
		if single := only(func(key string) bool { u, _ := dynamicUpdate(key); return u == PerBroker }); len(single) > 0 {
			return errorf("Cannot update these configs at default cluster level, broker id must be specified: [%s]", strings.Join(single, ", "))
		}
	}
	// Kafka can open and close listeners while it runs. To accept it here and not
	// do it would be worse than to refuse.
	for _, key := range []string{"listeners", "listener.security.protocol.map"} {
		if _, ok := proposed[key]; ok {
			return errorf("%s cannot change while this broker runs", key)
		}
	}
	next := v.With(v.broker, proposed)
	if perBroker {
		next = v.With(proposed, v.cluster)
	}
	for _, err := range next.check() {
		return apiError(err)
	}
	return v.checkReconfiguration(next)
}

// checkReconfiguration holds what the parts of Kafka's broker refuse of a change
// that is right by itself.
func (v Values) checkReconfiguration(next Values) error {
	why := v.checkThreads(next)
	for _, check := range []func(Values) string{Values.checkConnectionLimits, Values.checkLocalRetention} {
		if before, now := check(v), check(next); before != now { // what was so already is not this change's fault
			why = cmp.Or(why, now)
		}
	}
	if why == "" {
		return nil
	}
	return errorf("Invalid value org.apache.kafka.common.config.ConfigException: %s for configuration Invalid dynamic configuration", why)
}

// checkThreads holds that a pool of threads at most doubles and at most halves in
// one step. There are no such pools here, but what Kafka refuses is refused.
func (v Values) checkThreads(next Values) string {
	for _, key := range []string{"num.io.threads", "num.network.threads", "num.replica.fetchers",
		"num.recovery.threads.per.data.dir", "background.threads",
		"remote.log.reader.threads", "remote.log.manager.copier.thread.pool.size",
		"remote.log.manager.expiration.thread.pool.size", "remote.log.manager.follower.thread.pool.size"} {
		was, is := v.Int(key), next.Int(key)
		text := fmt.Sprintf("Dynamic thread count update validation failed for %s=%d, value should", key, is)
		if is < was/2 {
			return fmt.Sprintf("%s be at least half the current value %d", text, was)
		} else if is > was*2 {
			return fmt.Sprintf("%s not be greater than double the current value %d", text, was)
		}
	}
	was, is := v.Int("log.cleaner.threads"), next.Int("log.cleaner.threads")
	switch {
	case is < 1:
		return "Log cleaner threads should be at least 1"
	case is < was/2:
		return fmt.Sprintf("Log cleaner threads cannot be reduced to less than half the current value %d", was)
	case is > was*2:
		return fmt.Sprintf("Log cleaner threads cannot be increased to more than double the current value %d", was)
	}
	return ""
}

// checkConnectionLimits: a broker that is told at its start to take no connection
// does so, but it cannot be told later.
func (v Values) checkConnectionLimits() string {
	for _, key := range []string{"max.connections", "max.connection.creation.rate"} {
		if n := v.Int(key); n <= 0 {
			return fmt.Sprintf("Invalid %s %d", key, n)
		}
	}
	return ""
}

// checkLocalRetention holds that tiered storage keeps no more here than in all.
func (v Values) checkLocalRetention() string {
	for _, c := range []struct {
		key, local string
		total      int64
	}{
		{"log.retention.ms", "log.local.retention.ms", v.retentionMs()},
		{"log.retention.bytes", "log.local.retention.bytes", v.Long("log.retention.bytes")},
	} {
		local := v.Long(c.local)
		if c.total < 0 || local == -2 {
			continue
		}
		text := fmt.Sprintf("Invalid value %d for configuration %s: Value must not be", local, c.local)
		if local == -1 {
			return fmt.Sprintf("%s -1 as %s value is set as %d.", text, c.key, c.total)
		} else if local > c.total {
			return fmt.Sprintf("%s more than %s property value: %d", text, c.key, c.total)
		}
	}
	return ""
}

// ValidateBrokerDynamic says whether one key may be set dynamically, on all
// brokers or, if perBroker, on one of them.
func ValidateBrokerDynamic(perBroker bool, key, value string) error {
	return Values{}.ValidateBrokerDynamic(perBroker, map[string]string{key: value})
}

// ListDefault answers the default of a key of type LIST, whether it is of that
// type, and whether there is such a key at all. Only lists can be appended to.
func (t *Defs) ListDefault(key string) (value string, isList, known bool) {
	d, ok := t.Lookup(key)
	if !ok || d.Type != List {
		return "", false, ok
	}
	return d.Default, true, true
}
