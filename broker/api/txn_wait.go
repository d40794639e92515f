package api

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller/txn"
)

// This file is how handlers reach the transaction coordinator: who coordinates a
// transactional id, and waiting for its answer, which comes when what it tells is
// in the metadata store (group_wait.go).

// coordinatesTxn is nil if this broker coordinates the transactional id: it leads
// the id's partition of __transaction_state. Else it is NOT_COORDINATOR. The empty
// id, which is none, is left to the coordinator to refuse.
func coordinatesTxn(d *Deps, id string) error {
	if id == "" {
		return nil
	}
	t, ok := d.Partitions.Image().Topic(transactionStateTopic)
	if !ok || t.Partitions[coordinatorPartition(id, len(t.Partitions))].Leader != d.NodeID {
		return kerr.NotCoordinator
	}
	return nil
}

// txnError is what a request is told whose answer from the coordinator is err; if
// that did not arrive in time nobody knows what has become of it, and the client
// asks again.
func txnError(err error, arrived bool) int16 {
	if !arrived {
		return kerr.CoordinatorNotAvailable.Code
	}
	return code(err)
}

// decided is a channel on which the answer is there already.
func decided[R any](r R) <-chan R {
	ch := make(chan R, 1)
	ch <- r
	return ch
}

// offsetsPartition is the partition of __consumer_offsets that holds the offsets
// of a group: what a transaction names that commits them.
func offsetsPartition(d *Deps, group string) txn.TopicPartition {
	return txn.TopicPartition{Topic: groupMetadataTopic, Partition: OffsetsPartition(d.Config, d.Partitions.Image(), group)}
}

// onceEnded adds to a transaction, and does so again while the one before is being
// ended: what the producer would do, later. It begins with a shorter pause than
// Kafka: markers are mostly written within a millisecond. first is the answer to
// the first attempt, which was made in the order of the connection's requests.
func onceEnded(ctx context.Context, d *Deps, first <-chan error, add func() <-chan error) (err error, arrived bool) {
	most := time.Duration(d.Config.Int("add.partitions.to.txn.retry.backoff.ms")) * time.Millisecond
	until := time.Now().Add(time.Duration(d.Config.Int("add.partitions.to.txn.retry.backoff.max.ms")) * time.Millisecond)
	pause := min(time.Millisecond, most)
	for ch := first; ; ch = add() {
		err, arrived = stored(ctx, ch)
		if !arrived || !errors.Is(err, kerr.ConcurrentTransactions) || !time.Now().Before(until) {
			return err, arrived
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err, true
		}
		pause = min(2*pause, most)
	}
}
