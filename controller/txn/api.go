package txn

import (
	"context"
	"errors"
	"time"
)

// Config is what properties say. Times are in milliseconds.
type Config struct {
	MaxTimeoutMs            int32 // transaction.max.timeout.ms
	IDExpirationMs          int64 // transactional.id.expiration.ms
	AbortTimedOutIntervalMs int64 // transaction.abort.timed.out.transaction.cleanup.interval.ms
	RemoveExpiredIntervalMs int64 // transaction.remove.expired.transaction.cleanup.interval.ms
}

// DefaultConfig is Kafka's.
func DefaultConfig() Config {
	return Config{MaxTimeoutMs: 900_000, IDExpirationMs: 604_800_000, AbortTimedOutIntervalMs: 10_000, RemoveExpiredIntervalMs: 3_600_000}
}

// Requests carry the version of their API, since Kafka's answers depend on it: which protocol the client speaks, and
// whether it knows PRODUCER_FENCED; before, that reads INVALID_PRODUCER_EPOCH.

// InitProducerIDRequest is InitProducerId with a transactional id. Without one a producer needs no coordinator.
type InitProducerIDRequest struct {
	Version         int16
	TransactionalID string
	TimeoutMs       int32
	ProducerID      int64 // -1: none, before version 3 always
	Epoch           int16 // -1: none
}

// InitProducerIDResponse has -1 for both unless Err is nil.
type InitProducerIDResponse struct {
	Err        error
	ProducerID int64
	Epoch      int16
}

// AddPartitionsRequest is one transaction of AddPartitionsToTxn. From version 4 on it comes from a broker, on behalf of
// a Produce of the new protocol.
type AddPartitionsRequest struct {
	Version         int16
	TransactionalID string
	ProducerID      int64
	Epoch           int16
	Partitions      []TopicPartition
}

// AddOffsetsRequest is AddOffsetsToTxn. Partition is that of __consumer_offsets which holds the group.
type AddOffsetsRequest struct {
	Version         int16
	TransactionalID string
	ProducerID      int64
	Epoch           int16
	Partition       TopicPartition
}

// VerifyResponse has Err for all partitions, or Errs in the order of the request: nil, or TRANSACTION_ABORTABLE for one
// that is not in the transaction.
type VerifyResponse struct {
	Err  error
	Errs []error
}

// EndTxnRequest is EndTxn. Version 5 and later is the new protocol.
type EndTxnRequest struct {
	Version         int16
	TransactionalID string
	ProducerID      int64
	Epoch           int16
	Commit          bool
}

// EndTxnResponse has, from version 5 on, what the producer goes on with; -1 for both before, and with an error.
type EndTxnResponse struct {
	Err        error
	ProducerID int64
	Epoch      int16
}

// Description is what DescribeTransactions says of a transactional id. Partitions are those whose leaders have not taken
// the marker, in order. StartMs is -1 if there was no transaction since InitProducerId.
type Description struct {
	Err        error
	State      State
	ProducerID int64
	Epoch      int16
	TimeoutMs  int32
	StartMs    int64
	Partitions []TopicPartition
}

// ListRequest is ListTransactions; what is empty filters nothing.
type ListRequest struct {
	States      []string
	ProducerIDs []int64
	DurationMs  int64  // open for longer than this; negative: no filter. An id without a start counts, as in Kafka
	Pattern     string // RE2 for the whole transactional id
}

// ListResponse lists in order of the ids. UnknownStates are those of the request that are none.
type ListResponse struct {
	Err           error
	UnknownStates []string
	Transactions  []Listing
}

// Listing is one transactional id of ListTransactions.
type Listing struct {
	TransactionalID string
	ProducerID      int64
	State           State
}

// ErrDeleted is what a MarkerWriter says of a partition that does not exist any more: there is nothing left to end.
var ErrDeleted = errors.New("txn: the partition was deleted")

// Markers are the control records that end one transaction, one for each partition; what WriteTxnMarkers carries.
type Markers struct {
	ProducerID         int64
	Epoch              int16
	Commit             bool
	CoordinatorEpoch   int32 // grows with every owner, and whenever markers may be sent twice
	TransactionVersion int16
	Partitions         []TopicPartition
}

// MarkerWriter writes markers to the logs of the partitions' leaders. WriteMarkers returns at once and calls done once,
// on any goroutine, with an error for each partition in their order: nil or ErrDeleted, or what the leader said. What is
// not final is sent again, later.
//
// When done is called, the attempt is over: none of its markers may reach a log any more, unless with the error
// REQUEST_TIMED_OUT, after which this coordinator sends all that is open again under a higher CoordinatorEpoch. A leader
// refuses markers of a CoordinatorEpoch below the last it saw for that producer (TRANSACTION_COORDINATOR_FENCED): in the
// old protocol, where a producer keeps its epoch, nothing else keeps a late marker from the next transaction. ctx ends
// with the Coordinator; done may then be left out.
type MarkerWriter interface {
	WriteMarkers(ctx context.Context, m Markers, done func(errs []error))
}

func millis(t time.Time) int64 { return t.UnixMilli() }
