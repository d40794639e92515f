package batch

import (
	"fmt"
	"math"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// RecordRules are what a partition asks of a batch that is appended to it. They
// are the rules of Kafka's LogValidator, under its names.
type RecordRules struct {
	// Topic and Partition are where it is appended, for messages.
	Topic     string
	Partition int32
	// MaxBytes is max.message.bytes: the largest batch, header included, as
	// it is sent. 0 is no limit.
	MaxBytes int
	// Internal is set for what the broker itself appends, for a coordinator
	// (AppendOrigin.COORDINATOR): it may write control records.
	Internal bool
	// Compacted says that records must have keys (cleanup.policy=compact).
	Compacted bool
	// LogAppendTime is message.timestamp.type=LogAppendTime: the broker will
	// stamp the time, and the producer's timestamps do not matter.
	LogAppendTime bool
	// Now is the current time in ms; TimestampBeforeMaxMs and
	// TimestampAfterMaxMs are message.timestamp.before.max.ms and
	// .after.max.ms: how far before and behind Now a timestamp may be.
	// math.MaxInt64 is no limit; the zero value is none to spare.
	Now                  int64
	TimestampBeforeMaxMs int64
	TimestampAfterMaxMs  int64
}

// RecordSummary is what the walk over the records found out.
type RecordSummary struct {
	// MaxTimestamp is the largest timestamp in ms of the records, or
	// NoTimestamp. It is what the header should say (StampCreateTime).
	MaxTimestamp int64
	// MaxTimestampDelta is the offset of the first record that has it,
	// relative to the batch's base offset.
	MaxTimestampDelta int32
	// ExpandedBytes is the size of the records without compression.
	ExpandedBytes int64
}

// RecordError is why one record of a batch was refused: Index is its position
// in the batch (KIP-467).
type RecordError struct {
	Index   int32
	Message string
}

// RecordErrors is the error of a batch that was refused for some of its
// records. It unwraps to kerr.InvalidTimestamp if one of them is refused for
// that, as Kafka has it, and else to kerr.InvalidRecord.
type RecordErrors struct {
	// Records are the first of them, up to a bound: a batch can hold a
	// record in 7 bytes, and an answer to each would be many times its size.
	Records []RecordError
	// Total is how many there were.
	Total int

	err *kerr.Error
}

const maxRecordErrors = 100

func (e *RecordErrors) Error() string {
	if e.err == kerr.InvalidTimestamp {
		return "One or more records have been rejected due to invalid timestamp"
	}
	var shown []string
	for _, r := range e.Records[:min(len(e.Records), 3)] {
		shown = append(shown, fmt.Sprintf("RecordError(batchIndex=%d, message='%s')", r.Index, r.Message))
	}
	return fmt.Sprintf("One or more records have been rejected due to %d record errors in total, and only showing the first three errors at most: [%s]", e.Total, strings.Join(shown, ", "))
}

// Unwrap returns the Kafka error of the whole.
func (e *RecordErrors) Unwrap() error { return e.err }

func (e *RecordErrors) add(i int32, kind *kerr.Error, format string, args ...any) *RecordErrors {
	if e == nil {
		e = &RecordErrors{err: kerr.InvalidRecord}
	}
	e.Total++
	if kind == kerr.InvalidTimestamp {
		e.err = kind
	}
	if len(e.Records) < maxRecordErrors {
		e.Records = append(e.Records, RecordError{i, fmt.Sprintf(format, args...)})
	}
	return e
}

// ValidateRecords holds a batch that is about to be appended by a leader, after
// Validate, to the rules: that the header is one that a producer may send, and
// that the payload is as many records as it says, at offsets 0, 1, 2 and so on,
// each well-formed to its last byte and as the rules want it. Compressed
// records are expanded in passing, through a small window. It allocates nothing
// for records that are not compressed.
//
// Errors: kerr.MessageTooLarge; kerr.InvalidRecord; *RecordErrors.
//
// Three things differ from Kafka 4.3.1, to the end that what is let in can be
// read: records whose offsets are not consecutive (stored as they are by Kafka
// if not compressed, else UNKNOWN_SERVER_ERROR), records that do not decompress
// (UNKNOWN_SERVER_ERROR) and a producer without an epoch (let in) are all
// refused as InvalidRecord, which no client retries.
func (b Batch) ValidateRecords(rules RecordRules) (RecordSummary, error) {
	if rules.MaxBytes > 0 && len(b) > rules.MaxBytes {
		return RecordSummary{}, fmt.Errorf("record batch of %d bytes, at most %d are allowed: %w", len(b), rules.MaxBytes, kerr.MessageTooLarge)
	}
	if err := b.validateOrigin(rules.Internal); err != nil {
		return RecordSummary{}, err
	}
	s := newScanner(b)
	defer s.close()

	sum := RecordSummary{MaxTimestamp: NoTimestamp}
	baseTime, logAppend, appendTime := b.BaseTimestamp(), b.LogAppendTime(), b.MaxTimestamp()
	earliest, latest := rules.timestamps()
	var refused *RecordErrors
	var f fields
	count := b.Count()
	for i := range count {
		if err := s.check(&f); err != nil {
			return RecordSummary{}, b.recordError(i, err)
		}
		if f.offsetDelta != i {
			return RecordSummary{}, fmt.Errorf("record %d of %d has offset delta %d: %w", i, count, f.offsetDelta, kerr.InvalidRecord)
		}
		timestamp := baseTime + f.timestampDelta
		if logAppend {
			timestamp = appendTime
		}
		switch {
		case rules.Compacted && !f.hasKey:
			refused = refused.add(i, kerr.InvalidRecord, "Compacted topic cannot accept message without key in topic partition %s-%d", rules.Topic, rules.Partition)
			continue
		case !rules.LogAppendTime && timestamp != NoTimestamp:
			if timestamp < earliest || timestamp > latest {
				refused = refused.add(i, kerr.InvalidTimestamp, "Timestamp %d of message with offset %d is out of range. The timestamp should be within [%d, %d]", timestamp, i, earliest, latest)
				continue
			}
		case logAppend:
			refused = refused.add(i, kerr.InvalidTimestamp, "Producer should not set timestamp type to LogAppendTime")
			continue
		}
		if timestamp > sum.MaxTimestamp {
			sum.MaxTimestamp, sum.MaxTimestampDelta = timestamp, i
		}
	}
	if count > 0 {
		if err := s.end(); err != nil {
			return RecordSummary{}, b.recordError(count, err)
		}
	}
	if refused != nil {
		return RecordSummary{}, refused
	}
	sum.ExpandedBytes = s.total
	return sum, nil
}

// validateOrigin checks what only producers are held to, in the header.
func (b Batch) validateOrigin(internal bool) error {
	if b.BaseOffset() != 0 {
		return fmt.Errorf("record batch to append has base offset %d, not 0: %w", b.BaseOffset(), kerr.InvalidRecord)
	}
	if internal {
		return nil
	}
	switch {
	case b.Count() <= 0:
		return fmt.Errorf("record batch of %d records: %w", b.Count(), kerr.InvalidRecord)
	case int64(b.LastOffsetDelta())+1 != int64(b.Count()):
		return fmt.Errorf("record batch of %d records in %d offsets: %w", b.Count(), int64(b.LastOffsetDelta())+1, kerr.InvalidRecord)
	case b.IsControl():
		return fmt.Errorf("clients are not allowed to write control records: %w", kerr.InvalidRecord)
	case b.HasProducerID() && b.BaseSequence() < 0:
		return fmt.Errorf("record batch of producer %d has base sequence %d: %w", b.ProducerID(), b.BaseSequence(), kerr.InvalidRecord)
	case b.HasProducerID() && b.ProducerEpoch() < 0:
		return fmt.Errorf("record batch of producer %d has epoch %d: %w", b.ProducerID(), b.ProducerEpoch(), kerr.InvalidRecord)
	}
	return nil
}

// timestamps is the range that is allowed, ends included.
func (r *RecordRules) timestamps() (earliest, latest int64) {
	earliest, latest = math.MinInt64, math.MaxInt64
	if e := r.Now - r.TimestampBeforeMaxMs; e <= r.Now {
		earliest = e
	}
	if l := r.Now + r.TimestampAfterMaxMs; l >= r.Now {
		latest = l
	}
	return earliest, latest
}
