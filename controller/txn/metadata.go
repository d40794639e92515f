package txn

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

const (
	noProducerID = -1
	noEpoch      = -1
	maxEpoch     = math.MaxInt16
)

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

func comparePartitions(a, b TopicPartition) int {
	if c := strings.Compare(a.Topic, b.Topic); c != 0 {
		return c
	}
	return cmp.Compare(a.Partition, b.Partition)
}

// metadata is what the store holds of one transactional id. Times are milliseconds since 1970.
type metadata struct {
	producerID     int64
	prevProducerID int64 // the producer id before the last change; -1: there was none
	nextProducerID int64 // -1, but in PrepareCommit and PrepareAbort of a producer whose epochs are used up
	epoch          int16 // -1 until the first InitProducerId is stored
	lastEpoch      int16 // the epoch before the last bump, if its owner may still retry; else -1
	timeoutMs      int32
	state          State
	version        int16            // transaction.version that made the last change: 0 or 2
	partitions     []TopicPartition // in order, each once; shared between copies, so never changed in place
	start          int64            // of the transaction; -1: none since the last InitProducerId
	updated        int64
}

// exhausted: the last epoch is kept back so that this producer can always be fenced.
func exhausted(epoch int16) bool { return epoch >= maxEpoch-1 }

// change begins a change: the producer id becomes the previous one, whether or not it stays.
func (d *metadata) change(state State, now int64) *metadata {
	next := *d
	next.state, next.updated = state, now
	next.prevProducerID = d.producerID
	return &next
}

// bumped is the next epoch; the last one is not left.
func (d *metadata) bumped() int16 {
	if d.epoch == maxEpoch {
		return maxEpoch
	}
	return d.epoch + 1
}

// prepare decides the transaction. nextProducerID is -1 unless the epochs are used up.
func (d *metadata) prepare(state State, version int16, nextProducerID, now int64) *metadata {
	next := d.change(state, now)
	next.version, next.nextProducerID = version, nextProducerID
	if version >= 2 {
		next.epoch, next.lastEpoch = d.bumped(), d.epoch
	}
	if d.state != Ongoing {
		next.start = now // nothing was added, but an end without a beginning is none
	}
	return next
}

// complete follows a prepare: all markers are written.
func (d *metadata) complete(now int64) *metadata {
	state := CompleteAbort
	if d.state == PrepareCommit {
		state = CompleteCommit
	}
	next := d.change(state, now)
	if d.nextProducerID != noProducerID {
		next.producerID, next.epoch = d.nextProducerID, 0
	}
	next.nextProducerID, next.partitions = noProducerID, nil
	return next
}

func (d *metadata) contains(tp TopicPartition) bool {
	_, found := slices.BinarySearchFunc(d.partitions, tp, comparePartitions)
	return found
}

// union returns the partitions of a and b in order, each once. b may be in any order.
func union(a, b []TopicPartition) []TopicPartition {
	all := slices.Concat(a, b)
	slices.SortFunc(all, comparePartitions)
	return slices.Compact(all)
}
