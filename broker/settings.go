package broker

import (
	"log/slog"
	"math"
	"time"

	"blumfeld/broker/config"
	"blumfeld/broker/replica"
	"blumfeld/controller"
	"blumfeld/controller/group"
	"blumfeld/logstore"
	"blumfeld/protocol/batch"
)

// This file translates properties into the options of the rooms, which know
// nothing of properties.

// topicSettings answers how a topic's effective configuration is read: its own
// overrides, then the broker's dynamic configuration, then the static one, then
// Kafka's defaults.
func topicSettings(effective func(*controller.Image) config.Values) func(*controller.Image, *controller.Topic) replica.Settings {
	return func(image *controller.Image, t *controller.Topic) replica.Settings {
		c := effective(image).Topic(t.Configs)
		return replica.Settings{Log: logConfig(c), MinInsyncReplicas: c.MinInSyncReplicas}
	}
}

func logConfig(c config.TopicConfig) logstore.Config {
	return logstore.Config{
		SegmentBytes:         c.SegmentBytes,
		SegmentMs:            c.SegmentMs,
		SegmentJitterMs:      c.SegmentJitterMs,
		SegmentIndexBytes:    c.SegmentIndexBytes,
		IndexIntervalBytes:   c.IndexIntervalBytes,
		RetentionMs:          c.RetentionMs,
		RetentionBytes:       c.RetentionBytes,
		MaxMessageBytes:      c.MaxMessageBytes,
		FlushMessages:        c.FlushMessages,
		FlushMs:              c.FlushMs,
		FileDeleteDelayMs:    c.FileDeleteDelayMs,
		MinCompactionLagMs:   c.MinCompactionLagMs,
		MaxCompactionLagMs:   c.MaxCompactionLagMs,
		DeleteRetentionMs:    c.DeleteRetentionMs,
		MinCleanableRatio:    c.MinCleanableDirtyRatio,
		Compact:              c.Compact,
		Delete:               c.Delete,
		LogAppendTime:        c.LogAppendTime,
		TimestampBeforeMaxMs: c.TimestampBeforeMaxMs,
		TimestampAfterMaxMs:  c.TimestampAfterMaxMs,
		Compression:          compression(c),
		Preallocate:          c.Preallocate,
	}
}

// compression is what compression.type asks for, nil if it leaves that to the
// producer.
func compression(c config.TopicConfig) *batch.Compression {
	codec, err := batch.ParseCodec(c.CompressionType)
	if err != nil {
		return nil // "producer", the only other value that validation lets through
	}
	level := 0
	switch codec {
	case batch.Gzip:
		level = c.GzipLevel
	case batch.LZ4:
		level = c.LZ4Level
	case batch.Zstd:
		level = c.ZstdLevel
	}
	return &batch.Compression{Codec: codec, Level: level}
}

func groupConfig(v config.Values) group.Config {
	return group.Config{
		InitialRebalanceDelayMs: int32(v.Int("group.initial.rebalance.delay.ms")),
		MinSessionTimeoutMs:     int32(v.Int("group.min.session.timeout.ms")),
		MaxSessionTimeoutMs:     int32(v.Int("group.max.session.timeout.ms")),
		MaxSize:                 v.Int("group.max.size"),
		OffsetMetadataMaxBytes:  v.Int("offset.metadata.max.bytes"),
		OffsetsRetentionMs:      (time.Duration(v.Int("offsets.retention.minutes")) * time.Minute).Milliseconds(),
		OffsetsRetentionCheckMs: v.Long("offsets.retention.check.interval.ms"),
	}
}

func serverLimits(v config.Values, now func() time.Time, logger *slog.Logger) serverOptions {
	return serverOptions{
		maxRequest:     int32(v.Int("socket.request.max.bytes")),
		queuedMaxBytes: v.Long("queued.max.request.bytes"),
		maxIdle:        milliseconds(v.Long("connections.max.idle.ms")),
		sendBuffer:     v.Int("socket.send.buffer.bytes"),
		receiveBuffer:  v.Int("socket.receive.buffer.bytes"),
		now:            now,
		logger:         logger,
	}
}

// milliseconds is a duration of a property. Kafka says "never" with the largest
// number: that is the longest duration there is, and does not wrap round.
func milliseconds(ms int64) time.Duration {
	return time.Duration(min(ms, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond
}

// cleanerSettings is how logs are compacted. Memory is given for all threads
// together; as in Kafka, one has no use for more than 2 GiB.
func cleanerSettings(v config.Values) replica.CleanerSettings {
	threads := v.Int("log.cleaner.threads")
	if !v.Bool("log.cleaner.enable") || threads == 0 {
		return replica.CleanerSettings{}
	}
	return replica.CleanerSettings{
		Threads: threads,
		Backoff: milliseconds(v.Long("log.cleaner.backoff.ms")),
		Each: logstore.CleanerConfig{
			DedupeBufferBytes: min(v.Long("log.cleaner.dedupe.buffer.size")/int64(threads), math.MaxInt32),
			LoadFactor:        v.Float("log.cleaner.io.buffer.load.factor"),
			IOBufferBytes:     v.Int("log.cleaner.io.buffer.size") / threads,
			MaxBytesPerSecond: v.Float("log.cleaner.io.max.bytes.per.second"),
		},
	}
}
