package logstore

import (
	"errors"
	"fmt"
	"math"

	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Config is the part of a topic's configuration that its logs heed. Sizes are bytes, times ms, unless the name says
// otherwise. Negative RetentionMs and RetentionBytes mean no limit.
type Config struct {
	SegmentBytes         int     // segment.bytes
	SegmentMs            int64   // segment.ms
	SegmentJitterMs      int64   // segment.jitter.ms
	SegmentIndexBytes    int     // segment.index.bytes: largest .index; a .timeindex has as many bytes
	IndexIntervalBytes   int     // index.interval.bytes
	RetentionMs          int64   // retention.ms
	RetentionBytes       int64   // retention.bytes
	MaxMessageBytes      int     // max.message.bytes
	FlushMessages        int64   // flush.messages
	FlushMs              int64   // flush.ms
	FileDeleteDelayMs    int64   // file.delete.delay.ms
	MinCompactionLagMs   int64   // min.compaction.lag.ms
	MaxCompactionLagMs   int64   // max.compaction.lag.ms
	DeleteRetentionMs    int64   // delete.retention.ms: how long tombstones stay in a compacted log
	MinCleanableRatio    float64 // min.cleanable.dirty.ratio: how dirty a log gets before it is cleaned
	Compact              bool    // cleanup.policy contains compact
	Delete               bool    // cleanup.policy contains delete
	LogAppendTime        bool    // message.timestamp.type is LogAppendTime
	TimestampBeforeMaxMs int64   // message.timestamp.before.max.ms
	TimestampAfterMaxMs  int64   // message.timestamp.after.max.ms
	Preallocate          bool    // preallocate: reserve a whole segment at once instead of in steps

	// Compression is what compression.type and its level ask for; nil is "producer": as it comes.
	Compression *batch.Compression
}

// DefaultConfig is Apache Kafka 4.3's configuration of a topic for which nothing was set.
func DefaultConfig() Config {
	return Config{
		SegmentBytes:         1 << 30,
		SegmentMs:            7 * 24 * 3600 * 1000,
		SegmentIndexBytes:    10 << 20,
		IndexIntervalBytes:   4096,
		RetentionMs:          7 * 24 * 3600 * 1000,
		RetentionBytes:       -1,
		MaxMessageBytes:      1<<20 + 12,
		FlushMessages:        math.MaxInt64,
		FlushMs:              math.MaxInt64,
		FileDeleteDelayMs:    60_000,
		MaxCompactionLagMs:   math.MaxInt64,
		DeleteRetentionMs:    24 * 3600 * 1000,
		MinCleanableRatio:    0.5,
		Delete:               true,
		TimestampBeforeMaxMs: math.MaxInt64,
		TimestampAfterMaxMs:  3600 * 1000,
	}
}

// maxSegmentMs is how old a segment may get: a compacted one must become inactive, and so cleanable, within
// max.compaction.lag.ms (Kafka's LogConfig.maxSegmentMs).
func (c *Config) maxSegmentMs() int64 {
	if c.Compact && c.MaxCompactionLagMs > 0 {
		return min(c.MaxCompactionLagMs, c.SegmentMs)
	}
	return c.SegmentMs
}

// Offsets are where a log stands. LogStart <= LastStable <= HighWatermark <= LogEnd.
type Offsets struct {
	LogStart      int64 // the first offset that may be read
	LastStable    int64 // the end for readers of committed transactions only
	HighWatermark int64 // the end for consumers: what every in-sync replica has
	LogEnd        int64 // the next offset to be assigned
}

// AppendInfo says what an append did.
type AppendInfo struct {
	BaseOffset    int64 // of the batch
	LastOffset    int64
	LogAppendTime int64 // ms; -1 if the producer's timestamps stayed
	LogStart      int64
	MaxTimestamp  int64 // ms; -1 if the batch has none
	FlushDue      bool  // flush.messages asks that FlushTo(LastOffset+1) is waited for before the producer is told
	Duplicate     bool  // nothing was written: an idempotent producer sent again what lies at these offsets
}

// AbortedTxn is a range that a reader of committed data has to skip: the records of the producer from FirstOffset
// on, up to its abort marker.
type AbortedTxn struct {
	ProducerID  int64
	FirstOffset int64
}

// TimestampOffset is a record's time and place. LeaderEpoch is -1 if unknown.
type TimestampOffset struct {
	Offset      int64
	Timestamp   int64 // ms
	LeaderEpoch int32
}

// ErrClosed is wrapped, together with kerr.KafkaStorageError, by the errors of a log or Dir that was closed or
// deleted.
var ErrClosed = errors.New("log is closed")

// ErrNoRoom is wrapped, together with kerr.KafkaStorageError, by the errors of appends that the reserved free space
// or a full disk forbids. Reads go on, and so do appends once there is room.
var ErrNoRoom = errors.New("no room on the file system")

// ErrNotOurs is wrapped by the errors about a meta.properties of another node or cluster, or that cannot be read as one.
var ErrNotOurs = errors.New("log directory is not this broker's")

// ErrOffline is wrapped, together with kerr.KafkaStorageError, by the errors of a directory that met an I/O error.
var ErrOffline = errors.New("log directory is offline")

func errClosed(what string) error {
	return fmt.Errorf("%s: %w: %w", what, ErrClosed, kerr.KafkaStorageError)
}
