package config

import (
	"maps"
	"slices"
)

// Entry is one key as DescribeConfigs answers it.
type Entry struct {
	Name      string
	Value     *string // nil: no value, or none that may be shown
	ReadOnly  bool
	Source    Source
	Sensitive bool
	Type      Type // Unknown for a key that no table has
	Doc       string
	Synonyms  []Synonym // where the value comes from, strongest first
}

// Synonym is a setting that gives a key its value, or would without the stronger
// ones.
type Synonym struct {
	Name   string
	Value  *string
	Source Source
}

// DescribeBroker answers every key of this broker, in alphabetical order; or
// those in only, if it is not empty.
func (v Values) DescribeBroker(only []string) []Entry {
	keys := shown(BrokerDefs(), nil)
	for _, l := range v.layers() {
		for key := range l.values {
			keys[key] = true
		}
	}
	return describe(keys, only, func(key string) Entry { return v.describeBrokerKey(key, true) })
}

// DescribeClusterDefaults answers the dynamic settings of all brokers.
func (v Values) DescribeClusterDefaults(only []string) []Entry {
	keys := map[string]bool{}
	for key := range v.cluster {
		keys[key] = true
	}
	return describe(keys, only, func(key string) Entry {
		e := v.describeBrokerKey(key, false)
		if !e.Sensitive {
			e.Value = pointer(v.cluster[key])
		}
		return e
	})
}

// DescribeTopic answers every key of a topic with these overrides.
func (v Values) DescribeTopic(overrides map[string]string, only []string) []Entry {
	return describe(shown(TopicDefs(), overrides), only, func(key string) Entry {
		e := newEntry(key, TopicDefs())
		if e.Type != Unknown {
			if value, ok := v.topicValue(key, overrides); ok {
				e.Value = &value
			}
		}
		if _, ok := overrides[key]; ok {
			e.Synonyms = append(e.Synonyms, Synonym{key, e.Value, SourceTopic})
		}
		if s := topicSynonyms(key); len(s) > 0 {
			e.Synonyms = append(e.Synonyms, v.brokerSynonyms(s[0].key, e.Sensitive)...)
		}
		return e.sourced()
	})
}

// DescribeGroup answers every key of a group with these overrides.
func (v Values) DescribeGroup(overrides map[string]string, only []string) []Entry {
	return describe(shown(GroupDefs(), overrides), only, func(key string) Entry {
		e := newEntry(key, GroupDefs())
		if e.Type == Unknown {
			return e
		}
		d, _ := GroupDefs().Lookup(key)
		value := d.Default
		brokerKey := "group." + key
		_, hasBrokerKey := BrokerDefs().Lookup(brokerKey)
		if hasBrokerKey {
			value = v.String(brokerKey)
		}
		if given, ok := overrides[key]; ok {
			if normal, err := d.Parse(given); err == nil {
				value = normal
			}
			e.Synonyms = append(e.Synonyms, Synonym{key, pointer(value), SourceGroup})
		}
		e.Value = &value
		if hasBrokerKey {
			e.Synonyms = append(e.Synonyms, v.brokerSynonyms(brokerKey, false)...)
		} else {
			e.Synonyms = append(e.Synonyms, Synonym{key, pointer(d.Default), SourceDefault})
		}
		return e.sourced()
	})
}

// DescribeClientMetrics answers every key of a client metrics subscription with
// these settings.
func DescribeClientMetrics(settings map[string]string, only []string) []Entry {
	return describe(shown(ClientMetricsDefs(), settings), only, func(key string) Entry {
		e := newEntry(key, ClientMetricsDefs())
		if d, ok := ClientMetricsDefs().Lookup(key); ok {
			value := d.Default
			if given, ok := settings[key]; ok {
				if normal, err := d.Parse(given); err == nil {
					value = normal
				}
				e.Synonyms = append(e.Synonyms, Synonym{key, pointer(value), SourceClientMetrics})
			}
			e.Value = &value
		}
		return e.sourced()
	})
}

// CreatedTopic answers the configuration that CreateTopics reports of a topic with
// these overrides. Unlike DescribeTopic, it knows that log.retention.hours too is
// where a retention.ms may come from.
func (v Values) CreatedTopic(overrides map[string]string) []Entry {
	return describe(shown(TopicDefs(), overrides), nil, func(key string) Entry {
		e := newEntry(key, TopicDefs())
		if given, ok := overrides[key]; ok {
			e.Value, e.Source = pointer(given), SourceTopic
			return e
		}
		for _, l := range v.layers() {
			for _, s := range topicSynonyms(key) {
				if given, ok := l.values[s.key]; ok {
					e.Value, e.Source = pointer(s.convert(given)), l.source
					return e
				}
			}
		}
		if d, _ := TopicDefs().Lookup(key); !d.Null {
			e.Value = pointer(d.Default)
		}
		return e
	})
}

func describe(keys map[string]bool, only []string, entry func(key string) Entry) []Entry {
	entries := make([]Entry, 0, len(keys))
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if len(only) == 0 || slices.Contains(only, key) {
			entries = append(entries, entry(key))
		}
	}
	return entries
}

// shown are the keys that a resource's description has: those of the table, and
// what is set beyond it.
func shown(t *Defs, set map[string]string) map[string]bool {
	keys := map[string]bool{}
	for d := range t.All() {
		if !d.Internal {
			keys[d.Name] = true
		}
	}
	for key := range set {
		keys[key] = true
	}
	return keys
}

func newEntry(key string, t *Defs) Entry {
	e := Entry{Name: key, Source: SourceDefault, Sensitive: true}
	if d, ok := t.Lookup(key); ok {
		e.Type, e.Sensitive, e.Doc = d.Type, d.Sensitive(), d.Doc
	}
	return e
}

// sourced sets the source from the synonyms.
func (e Entry) sourced() Entry {
	if len(e.Synonyms) > 0 {
		e.Source = e.Synonyms[0].Source
	}
	return e
}

// describeBrokerKey describes one key, as of this broker or as of all of them.
// What nobody knows may be a secret and is shown without its value.
func (v Values) describeBrokerKey(key string, thisBroker bool) Entry {
	e := newEntry(key, BrokerDefs())
	_, tabled := BrokerDefs().Lookup(key)
	d, known := dynamicDef(key)
	if known {
		e.Type, e.Sensitive = d.Type, d.Sensitive()
		if _, ok := dynamicOnlyDefs().Lookup(key); ok {
			e.Doc = d.Doc
		}
	}
	// A listener's key counts as read-only, though Kafka lets it change.
	_, prefixed := listenerKey(key)
	e.ReadOnly = !known || prefixed || d.Update == ReadOnly
	switch {
	case e.Sensitive:
	case tabled:
		if value, ok := v.Lookup(key); ok {
			e.Value = &value
		}
	default:
		for _, l := range v.layers() {
			if given, ok := l.values[key]; ok {
				e.Value = pointer(given)
				break
			}
		}
	}
	e.Synonyms = v.brokerSynonyms(key, e.Sensitive)
	if !thisBroker {
		e.Synonyms = slices.DeleteFunc(e.Synonyms, func(s Synonym) bool { return s.Source != SourceClusterDefault })
	}
	return e.sourced()
}

// brokerSynonyms answers the settings that a broker key's value may come from,
// beginning with the first that is called like the key itself: Kafka drops those
// in front of it, and so log.retention.hours alone is no synonym of
// log.retention.ms.
func (v Values) brokerSynonyms(key string, sensitive bool) []Synonym {
	var synonyms []Synonym
	add := func(name, value string, source Source) {
		s := Synonym{Name: name, Source: source}
		if !sensitive {
			s.Value = &value
		}
		if len(synonyms) > 0 || name == key {
			synonyms = append(synonyms, s)
		}
	}
	names := equivalents(key)
	for _, l := range v.layers() {
		for _, name := range names {
			if given, ok := l.values[name]; ok {
				add(name, given, l.source)
			}
		}
	}
	for _, name := range names {
		if d, ok := BrokerDefs().Lookup(name); ok && !d.Null {
			add(name, d.Default, SourceDefault)
		}
	}
	return synonyms
}

// equivalents are the broker keys that configure the same as this one, the one
// that counts most first.
func equivalents(key string) []string {
	switch key {
	case "log.roll.ms", "log.roll.hours":
		return []string{"log.roll.ms", "log.roll.hours"}
	case "log.roll.jitter.ms", "log.roll.jitter.hours":
		return []string{"log.roll.jitter.ms", "log.roll.jitter.hours"}
	case "log.flush.interval.ms":
		return []string{"log.flush.interval.ms", "log.flush.scheduler.interval.ms"}
	case "log.retention.ms", "log.retention.minutes", "log.retention.hours":
		return []string{"log.retention.ms", "log.retention.minutes", "log.retention.hours"}
	}
	if d, ok := listenerKey(key); ok {
		return []string{key, d.Name}
	}
	return []string{key}
}

func pointer(s string) *string { return &s }
