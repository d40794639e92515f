package config

import (
	"maps"
	"slices"
	"strconv"
)

// synonym is a broker key that gives a topic key its default, and how many of the
// topic key's units one of its units is.
type synonym struct {
	key  string
	unit int64
}

const (
	minuteMs = 60 * 1000
	hourMs   = 60 * minuteMs
)

// topicSynonyms answers the broker keys that give a topic key its default, the one
// that counts most first (Kafka's ServerTopicConfigSynonyms). Some topic keys have
// none.
func topicSynonyms(topicKey string) []synonym {
	switch topicKey {
	case "cleanup.policy", "index.interval.bytes", "local.retention.bytes", "local.retention.ms",
		"message.timestamp.after.max.ms", "message.timestamp.before.max.ms", "message.timestamp.type",
		"preallocate", "retention.bytes", "segment.bytes":
		return []synonym{{"log." + topicKey, 1}}
	case "delete.retention.ms", "max.compaction.lag.ms", "min.compaction.lag.ms":
		return []synonym{{"log.cleaner." + topicKey, 1}}
	case "compression.gzip.level", "compression.lz4.level", "compression.type", "compression.zstd.level",
		"min.insync.replicas", "unclean.leader.election.enable":
		return []synonym{{topicKey, 1}}
	case "file.delete.delay.ms":
		return []synonym{{"log.segment.delete.delay.ms", 1}}
	case "flush.messages":
		return []synonym{{"log.flush.interval.messages", 1}}
	case "flush.ms":
		return []synonym{{"log.flush.interval.ms", 1}, {"log.flush.scheduler.interval.ms", 1}}
	case "max.message.bytes":
		return []synonym{{"message.max.bytes", 1}}
	case "min.cleanable.dirty.ratio":
		return []synonym{{"log.cleaner.min.cleanable.ratio", 1}}
	case "retention.ms":
		return []synonym{{"log.retention.ms", 1}, {"log.retention.minutes", minuteMs}, {"log.retention.hours", hourMs}}
	case "segment.index.bytes":
		return []synonym{{"log.index.size.max.bytes", 1}}
	case "segment.jitter.ms":
		return []synonym{{"log.roll.jitter.ms", 1}, {"log.roll.jitter.hours", hourMs}}
	case "segment.ms":
		return []synonym{{"log.roll.ms", 1}, {"log.roll.hours", hourMs}}
	}
	return nil
}

// convert gives a synonym's value in the topic key's unit.
func (s synonym) convert(value string) string {
	if n, err := strconv.ParseInt(value, 10, 64); err == nil && s.unit != 1 {
		return strconv.FormatInt(n*s.unit, 10)
	}
	return value
}

// topicDefault is the value of a topic key that the topic does not override. It
// panics if there is no such key.
func (v Values) topicDefault(topicKey string) (string, bool) {
	for _, s := range topicSynonyms(topicKey) {
		value, ok := v.Lookup(s.key)
		if !ok {
			continue
		}
		value = s.convert(value)
		if n, err := strconv.ParseInt(value, 10, 64); topicKey == "retention.ms" && err == nil && n < 0 {
			return "-1", true // any negative time means for ever
		}
		return value, true
	}
	d, ok := TopicDefs().Lookup(topicKey)
	if !ok {
		panic("config: no topic key " + topicKey)
	}
	return d.Default, !d.Null
}

func (v Values) topicDefaultLong(topicKey string) int64 {
	s, _ := v.topicDefault(topicKey)
	n, err := strconv.ParseInt(s, 10, 64)
	must(topicKey, err)
	return n
}

func (v Values) retentionMs() int64  { return v.topicDefaultLong("retention.ms") }
func (v Values) rollMs() int64       { return v.topicDefaultLong("segment.ms") }
func (v Values) rollJitterMs() int64 { return v.topicDefaultLong("segment.jitter.ms") }

// topicValue is the effective value of a topic key, and false if it has none. An
// override that is not valid is passed over.
func (v Values) topicValue(topicKey string, overrides map[string]string) (string, bool) {
	if given, ok := overrides[topicKey]; ok {
		if d, ok := TopicDefs().Lookup(topicKey); ok {
			if normal, err := d.Parse(given); err == nil {
				return normal, true
			}
		}
	}
	return v.topicDefault(topicKey)
}

// TopicConfig is a topic's effective configuration. Sizes are in bytes, times in
// milliseconds.
type TopicConfig struct {
	Compact, Delete bool // cleanup.policy; neither is possible

	SegmentBytes                          int
	SegmentMs, SegmentJitterMs            int64
	SegmentIndexBytes                     int
	IndexIntervalBytes                    int
	RetentionMs, RetentionBytes           int64 // -1 without bound
	FlushMessages, FlushMs                int64 // MaxInt64: left to the operating system
	FileDeleteDelayMs                     int64
	Preallocate                           bool
	MaxMessageBytes                       int
	LogAppendTime                         bool // message.timestamp.type
	TimestampBeforeMaxMs                  int64
	TimestampAfterMaxMs                   int64
	CompressionType                       string // producer, uncompressed, gzip, snappy, lz4, zstd
	GzipLevel, LZ4Level, ZstdLevel        int    // gzip -1: the codec's own
	MinInSyncReplicas                     int
	UncleanLeaderElection                 bool
	MinCleanableDirtyRatio                float64
	DeleteRetentionMs                     int64
	MinCompactionLagMs                    int64
	MaxCompactionLagMs                    int64
	RemoteStorage                         bool
	LocalRetentionMs, LocalRetentionBytes int64 // -2: as RetentionMs, RetentionBytes
}

// Topic answers the effective configuration of a topic with these overrides.
// Overrides that are not valid count as not set.
func (v Values) Topic(overrides map[string]string) TopicConfig {
	text := func(key string) string {
		s, _ := v.topicValue(key, overrides)
		return s
	}
	long := func(key string) int64 {
		n, err := strconv.ParseInt(text(key), 10, 64)
		must(key, err)
		return n
	}
	boolean := func(key string) bool { return text(key) == "true" }
	ratio, _ := parseJavaDouble(text("min.cleanable.dirty.ratio"))
	policy := splitList(text("cleanup.policy"))
	c := TopicConfig{
		Compact:                slices.Contains(policy, "compact"),
		Delete:                 slices.Contains(policy, "delete"),
		SegmentBytes:           int(long("segment.bytes")),
		SegmentMs:              long("segment.ms"),
		SegmentJitterMs:        long("segment.jitter.ms"),
		SegmentIndexBytes:      int(long("segment.index.bytes")),
		IndexIntervalBytes:     int(long("index.interval.bytes")),
		RetentionMs:            long("retention.ms"),
		RetentionBytes:         long("retention.bytes"),
		FlushMessages:          long("flush.messages"),
		FlushMs:                long("flush.ms"),
		FileDeleteDelayMs:      long("file.delete.delay.ms"),
		Preallocate:            boolean("preallocate"),
		MaxMessageBytes:        int(long("max.message.bytes")),
		LogAppendTime:          text("message.timestamp.type") == "LogAppendTime",
		TimestampBeforeMaxMs:   long("message.timestamp.before.max.ms"),
		TimestampAfterMaxMs:    long("message.timestamp.after.max.ms"),
		CompressionType:        text("compression.type"),
		GzipLevel:              int(long("compression.gzip.level")),
		LZ4Level:               int(long("compression.lz4.level")),
		ZstdLevel:              int(long("compression.zstd.level")),
		MinInSyncReplicas:      int(long("min.insync.replicas")),
		UncleanLeaderElection:  boolean("unclean.leader.election.enable"),
		MinCleanableDirtyRatio: ratio,
		DeleteRetentionMs:      long("delete.retention.ms"),
		MinCompactionLagMs:     long("min.compaction.lag.ms"),
		MaxCompactionLagMs:     long("max.compaction.lag.ms"),
		RemoteStorage:          boolean("remote.storage.enable"),
		LocalRetentionMs:       long("local.retention.ms"),
		LocalRetentionBytes:    long("local.retention.bytes"),
	}
	if small, ok := v.topicValue("internal.segment.bytes", overrides); ok {
		n, err := strconv.Atoi(small)
		must("internal.segment.bytes", err)
		c.SegmentBytes = n
	}
	return c
}

// ValidateTopic says whether a topic key takes this value.
func ValidateTopic(key, value string) error { return TopicDefs().Validate(key, value) }

// Validate says whether there is such a key and whether it takes the value.
func (t *Defs) Validate(key, value string) error {
	d, ok := t.Lookup(key)
	if !ok {
		return Error(t.unknown + key)
	}
	return d.Validate(value)
}

// validateAll is Validate for many; an unknown key comes before a bad value, and
// of bad values the one whose key is defined first.
func (t *Defs) validateAll(values map[string]string) error {
	keys := slices.Sorted(maps.Keys(values))
	for _, key := range keys {
		if _, ok := t.Lookup(key); !ok {
			return Error(t.unknown + key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return t.byName[a].rank - t.byName[b].rank })
	for _, key := range keys {
		if err := t.Validate(key, values[key]); err != nil {
			return err
		}
	}
	return nil
}

// ValidateTopic says whether a topic may have these overrides, all of them taken
// together and with the broker's defaults (Kafka's LogConfig.validate). The
// error, an [Error], is INVALID_CONFIG.
func (v Values) ValidateTopic(overrides map[string]string) error {
	if err := TopicDefs().validateAll(overrides); err != nil {
		return err
	}
	c := v.Topic(overrides)
	if c.MinCompactionLagMs > c.MaxCompactionLagMs {
		return errorf("conflict topic config setting min.compaction.lag.ms (%d) > max.compaction.lag.ms (%d)",
			c.MinCompactionLagMs, c.MaxCompactionLagMs)
	}
	// There is no tiered storage here, whatever remote.log.storage.system.enable
	// says: a topic must not believe that its records are elsewhere.
	if c.RemoteStorage {
		return errorf("Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.")
	}
	return nil
}
