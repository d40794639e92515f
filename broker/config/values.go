package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Source is the layer that a value comes from. The numbers are those of
// DescribeConfigs (v1 on).
type Source int8

const (
	SourceTopic          Source = 1 // a topic's own override
	SourceBroker         Source = 2 // dynamic, this broker
	SourceClusterDefault Source = 3 // dynamic, all brokers
	SourceStatic         Source = 4 // properties, flags, quick start
	SourceDefault        Source = 5 // Kafka's default
	SourceBrokerLogger   Source = 6
	SourceClientMetrics  Source = 7 // a client metrics subscription's own
	SourceGroup          Source = 8 // a group's own override
)

// Values is a broker's configuration. It never changes; [Values.With] answers
// another one. The zero Values has Kafka's defaults only.
type Values struct {
	static  map[string]string // as given, the quick start's settings included
	cluster map[string]string // dynamic, for all brokers
	broker  map[string]string // dynamic, for this broker
}

// Warning is a setting that was accepted and does not do what it says.
type Warning struct{ Key, Text string }

func (w Warning) String() string { return w.Key + ": " + w.Text }

// Parse makes a configuration of properties, on top of the quick start's. The
// error joins one [Error] for each thing that is wrong; a key that is not known
// is an error that names the nearest one that is. Warnings are in the order of
// their keys.
func Parse(given Properties) (Values, []Warning, error) {
	v := Values{static: maps.Clone(map[string]string(given))}
	if v.static == nil {
		v.static = map[string]string{}
	}
	var warnings []Warning
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(given)) {
		warning, err := accept(key, given[key])
		if err != nil {
			errs = append(errs, err)
		}
		if warning != "" {
			warnings = append(warnings, Warning{key, warning})
		}
	}
	// Either name of the node's id stands for both.
	if id, ok := given["broker.id"]; ok && given["node.id"] == "" {
		v.static["node.id"] = id
	}
	for _, q := range quickStart() {
		if _, ok := v.static[q.key]; !ok {
			v.static[q.key] = q.value
		}
	}
	if _, ok := v.static["broker.id"]; !ok {
		v.static["broker.id"] = v.static["node.id"]
	}
	if len(errs) == 0 {
		errs = append(errs, v.check()...)
	}
	return v, warnings, errors.Join(errs...)
}

// withoutEffect is what is said about a setting that is known and not applied.
const withoutEffect = "accepted, has no effect here"

func accept(key, value string) (warning string, err error) {
	d, ok := BrokerDefs().Lookup(key)
	if ok {
		normal, err := d.Parse(value)
		if err != nil {
			return "", err
		}
		if d.idle(normal) && !isQuickStart(key, normal) {
			return withoutEffect, nil
		}
		return "", nil
	}
	if base, ok := listenerKey(key); ok {
		return withoutEffect, base.Validate(value)
	}
	if _, ok := dynamicOnlyDefs().Lookup(key); ok {
		return "", errorf("%s can only be set dynamically, with IncrementalAlterConfigs", key)
	}
	if pluginKey(key) {
		return withoutEffect, nil
	}
	if removed(key) {
		return "does not exist in Kafka 4, ignored", nil
	}
	if near, ok := BrokerDefs().Nearest(key); ok {
		return "", errorf("Unknown broker config name: %s (did you mean %s?)", key, near)
	}
	return "", errorf("Unknown broker config name: %s", key)
}

// idle says whether nothing here heeds the key, and the value is not the one it
// would have anyway.
func (d *Def) idle(normal string) bool { return !d.Applied && (d.Null || normal != d.Default) }

// WithoutEffect says why setting a key at run time to a value that was found valid
// changes nothing here, and answers "" if it does change something. Kafka takes
// dynamic broker keys that it does not know: of those, the nearest known one is
// named.
func (t *Defs) WithoutEffect(key, valid string) string {
	if d, ok := t.Lookup(key); ok {
		if normal, err := d.Parse(valid); err == nil && d.idle(normal) {
			return withoutEffect
		}
		return ""
	}
	if d, ok := dynamicOnlyDefs().Lookup(key); ok && d.Applied {
		return ""
	}
	if _, ok := dynamicDef(key); ok || pluginKey(key) {
		return withoutEffect
	}
	if near, ok := t.Nearest(key); ok {
		return "not a known key, has no effect (did you mean " + near + "?)"
	}
	return "not a known key, has no effect"
}

func isQuickStart(key, normal string) bool {
	for _, q := range quickStart() {
		if q.key == key {
			return q.value == normal
		}
	}
	return false
}

// pluginKey says whether the key is one that Kafka hands on to a plug-in.
func pluginKey(key string) bool {
	for _, prefix := range []string{"rlmm.config.", "rsm.config.", "config.providers.", "confluent.", "metrics.context."} {
		if strings.HasPrefix(key, prefix) {
			return true
		}
	}
	return false
}

// listenerKey answers the definition that a key with a listener's prefix refines:
// listener.name.<listener>.[<mechanism>.]<key>.
func listenerKey(key string) (*Def, bool) {
	rest, ok := strings.CutPrefix(key, "listener.name.")
	if !ok {
		return nil, false
	}
	_, base, ok := strings.Cut(rest, ".")
	if !ok {
		return nil, false
	}
	return BrokerDefs().Lookup(listenerBase(base))
}

// listenerBase takes a SASL mechanism off a listener's key, for the keys that are
// set for each mechanism.
func listenerBase(base string) string {
	for _, perMechanism := range []string{"sasl.jaas.config", "sasl.login.callback.handler.class", "sasl.login.class",
		"sasl.server.callback.handler.class", "connections.max.reauth.ms"} {
		if strings.HasSuffix(base, perMechanism) {
			return perMechanism
		}
	}
	return base
}

// With answers v under these dynamic settings: of this broker, and of all brokers.
// Either may be nil. The maps are not copied and must not change any more.
func (v Values) With(broker, cluster map[string]string) Values {
	v.broker, v.cluster = broker, cluster
	return v
}

// layers are the layers above the default, strongest first.
func (v Values) layers() [3]layer {
	return [...]layer{{v.broker, SourceBroker}, {v.cluster, SourceClusterDefault}, {v.static, SourceStatic}}
}

type layer struct {
	values map[string]string
	source Source
}

// Lookup answers the effective value of a broker key in its normal form, and
// false if it has none (its default is null). A dynamic value that is not valid
// is passed over: it was checked when it was set, by a version that knew better.
//
// It panics if there is no such key: the callers' keys are constants.
func (v Values) Lookup(key string) (string, bool) {
	d, ok := BrokerDefs().Lookup(key)
	if !ok {
		d, ok = dynamicOnlyDefs().Lookup(key)
	}
	if !ok {
		panic("config: no broker key " + key)
	}
	for _, l := range v.layers() {
		if given, ok := l.values[key]; ok {
			if normal, err := d.Parse(given); err == nil {
				return normal, true
			}
		}
		// A dynamic setting does away with what weaker layers say about the same
		// thing in another unit.
		if ms := finer(key); ms != "" && l.values[ms] != "" {
			break
		}
	}
	return d.Default, !d.Null
}

// finer answers the key that, set in a stronger layer, does away with this one.
func finer(key string) string {
	switch key {
	case "log.roll.hours":
		return "log.roll.ms"
	case "log.roll.jitter.hours":
		return "log.roll.jitter.ms"
	case "log.retention.minutes", "log.retention.hours":
		return "log.retention.ms"
	case "log.flush.scheduler.interval.ms":
		return "log.flush.interval.ms"
	}
	return ""
}

// String answers a key's value, empty if it has none. Like all of these, it
// panics if there is no such key, and if the type is another.
func (v Values) String(key string) string {
	s, _ := v.Lookup(key)
	return s
}

// Int answers the value of a key of type int or short, 0 if it has none.
func (v Values) Int(key string) int { return int(v.Long(key)) }

// Long answers the value of a key of type int, short or long, 0 if it has none.
func (v Values) Long(key string) int64 {
	s, ok := v.Lookup(key)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	must(key, err)
	return n
}

// Float answers the value of a key of type double, 0 if it has none.
func (v Values) Float(key string) float64 {
	s, ok := v.Lookup(key)
	if !ok {
		return 0
	}
	f, ok := parseJavaDouble(s)
	if !ok {
		must(key, errors.New("not a double"))
	}
	return f
}

// Bool answers the value of a key of type boolean.
func (v Values) Bool(key string) bool {
	s, _ := v.Lookup(key)
	b, err := strconv.ParseBool(s)
	must(key, err)
	return b
}

// List answers the value of a key of type list, nil if it has none or is empty.
func (v Values) List(key string) []string {
	return splitList(v.String(key))
}

func must(key string, err error) {
	if err != nil {
		panic(fmt.Sprintf("config: %s: %v", key, err))
	}
}

// LogDirs are the directories for partitions: log.dirs, or else log.dir.
func (v Values) LogDirs() []string {
	if dirs := v.List("log.dirs"); len(dirs) > 0 {
		return dirs
	}
	return v.List("log.dir")
}

// MetadataDir is the log directory for metadata: metadata.log.dir, or else the
// first of LogDirs.
func (v Values) MetadataDir() string {
	if dir, ok := v.Lookup("metadata.log.dir"); ok {
		return dir
	}
	return v.LogDirs()[0]
}
