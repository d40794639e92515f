package markers

import (
	"context"
	"errors"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/broker/replica"
	"blumfeld/controller/group"
	"blumfeld/controller/txn"
)

// OffsetsTopic is the topic whose partitions stand for the groups' committed offsets.
const OffsetsTopic = "__consumer_offsets"

// maxAttempts is how many attempts are under way at a time. What they mostly wait for is the metadata store, which takes
// the offsets of many transactions at once.
const maxAttempts = 256

// Groups ends transactions in the groups' offsets (group.Coordinator does). The answer comes when it is stored.
type Groups interface {
	EndTxn(group.EndTxnRequest) <-chan error
}

// Writer is a [txn.MarkerWriter] over the partitions and groups of this broker.
type Writer struct {
	partitions *replica.Set
	groups     Groups

	mu      sync.Mutex
	waiting []attempt
	running int
	closed  bool
	ended   sync.WaitGroup
}

type attempt struct {
	ctx     context.Context
	markers txn.Markers
	done    func([]error)
}

// New returns a Writer; Close ends it.
func New(partitions *replica.Set, groups Groups) *Writer {
	return &Writer{partitions: partitions, groups: groups}
}

// WriteMarkers is [txn.MarkerWriter]'s.
func (w *Writer) WriteMarkers(ctx context.Context, m txn.Markers, done func([]error)) {
	a := attempt{ctx, m, done}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.closed:
	case w.running == maxAttempts:
		w.waiting = append(w.waiting, a)
	default:
		w.running++
		w.ended.Go(func() { w.work(a) })
	}
}

func (w *Writer) work(a attempt) {
	for more := true; more; a, more = w.next() {
		if a.ctx.Err() == nil {
			a.done(w.Write(a.ctx, a.markers))
		}
	}
}

// next is what waits longest; without, the goroutine ends.
func (w *Writer) next() (a attempt, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.waiting) == 0 || w.closed {
		w.running--
		w.waiting = nil
		return attempt{}, false
	}
	a = w.waiting[0]
	w.waiting = w.waiting[1:]
	return a, true
}

// Close forgets attempts that have not begun, and waits for the others, whose contexts have to end before.
func (w *Writer) Close() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	w.ended.Wait()
}

// Write writes markers and waits until they are as durable as the partitions ask, or ctx ends. It answers an error for
// each partition in their order: nil; [txn.ErrDeleted]; REQUEST_TIMED_OUT if ctx ended, so that the marker may be written
// or not; or the Kafka error of the partition or the group coordinator.
func (w *Writer) Write(ctx context.Context, m txn.Markers) []error {
	errs := make([]error, len(m.Partitions))
	logs := make([]written, 0, len(m.Partitions))
	var offsets []int // which of the partitions are groups'
	for i, tp := range m.Partitions {
		if tp.Topic == OffsetsTopic {
			offsets = append(offsets, i)
			continue
		}
		p, at, err := w.append(tp, m)
		if errs[i] = err; err == nil {
			logs = append(logs, written{p, at, &errs[i]})
		}
	}
	// A marker ends the producer's transaction in all groups, wherever they belong.
	var ended <-chan error
	if len(offsets) > 0 {
		ended = w.groups.EndTxn(group.EndTxnRequest{
			ProducerID: m.ProducerID, Epoch: m.Epoch, Commit: m.Commit,
			CoordinatorEpoch: m.CoordinatorEpoch, TransactionVersion: m.TransactionVersion,
		})
	}
	await(ctx, logs)
	if ended == nil {
		return errs
	}
	var err error
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = kerr.RequestTimedOut
	}
	for _, i := range offsets {
		errs[i] = err
	}
	return errs
}

func (w *Writer) append(tp txn.TopicPartition, m txn.Markers) (*replica.Partition, replica.Appended, error) {
	p, err := w.partitions.Get(tp.Topic, tp.Partition)
	if err != nil {
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			err = txn.ErrDeleted
		}
		return nil, replica.Appended{}, err
	}
	at, err := p.AppendMarker(replica.Marker{
		ProducerID: m.ProducerID, Epoch: m.Epoch, Commit: m.Commit,
		CoordinatorEpoch: m.CoordinatorEpoch, TransactionVersion: m.TransactionVersion,
	})
	return p, at, err
}

// written is a marker in a log that may have to be waited for.
type written struct {
	partition *replica.Partition
	at        replica.Appended
	err       *error // its place in the answer
}

// await waits until all markers are on disk where they have to be, side by side, and then for the replicas in sync.
func await(ctx context.Context, logs []written) {
	var flushing sync.WaitGroup
	for _, l := range logs {
		if l.at.FlushDue {
			flushing.Go(func() { *l.err = l.partition.WaitFlushed(l.at) })
		}
	}
	flushing.Wait()
	for _, l := range logs {
		if *l.err == nil {
			*l.err = l.partition.WaitCommitted(ctx, l.at)
		}
	}
}
