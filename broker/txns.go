package broker

import (
	"context"
	"fmt"

	"blumfeld/broker/api"
	"blumfeld/broker/config"
	"blumfeld/broker/markers"
	"blumfeld/broker/replica"
	"blumfeld/controller"
	"blumfeld/controller/txn"
)

// newTxns makes the transaction coordinator, which refuses all requests before startTxns.
func (b *broker) newTxns() {
	b.markers = markers.New(b.set, b.groups)
	b.producers = api.NewProducerIDs(b.controller)
	b.txns = txn.New(txn.Options{
		Store:              b.store,
		Config:             txnConfig(b.Values),
		Markers:            b.markers,
		NextProducerID:     b.producers.Next,
		TransactionVersion: func() int16 { return b.controller.Image().FeatureLevel(controller.TransactionVersion) },
		Now:                b.Now,
		Logger:             b.Logger,
	})
}

// startTxns loads the transactional ids and carries out what was decided before. The partitions and groups that it
// writes markers to have to be served already.
func (b *broker) startTxns(ctx context.Context) error {
	if err := b.txns.Start(ctx); err != nil {
		return fmt.Errorf("transactions: %w", err)
	}
	return b.endHanging(ctx)
}

// endHanging ends the transactions that are open in logs and that the coordinator would never end: the machine lost its
// power with a marker that was not on disk yet, or the metadata was lost. Without it readers of committed data would stand
// before them for ever. It runs before requests are served, so that nothing is in a log that the coordinator is about to
// hear of.
func (b *broker) endHanging(ctx context.Context) error {
	open, epochs := openTransactions(b.set)
	if len(open) == 0 {
		return nil
	}
	var answer txn.OutcomesResponse
	select {
	case answer = <-b.txns.Outcomes(open):
	case <-ctx.Done():
		return ctx.Err()
	}
	if answer.Err != nil {
		return fmt.Errorf("transactions that are open in logs: %w", answer.Err)
	}
	for i, o := range open {
		outcome := answer.Outcomes[i]
		if outcome == txn.Pending {
			continue
		}
		err := b.markers.Write(ctx, txn.Markers{
			ProducerID: o.ProducerID, Epoch: o.Epoch, Commit: outcome == txn.Committed,
			CoordinatorEpoch: epochs[i], Partitions: []txn.TopicPartition{o.Partition},
		})[0]
		b.Logger.Warn("a transaction was open in a log and nowhere else; it is ended", "topic", o.Partition.Topic, "partition", o.Partition.Partition,
			"producer", o.ProducerID, "epoch", o.Epoch, "committed", outcome == txn.Committed, "err", err)
	}
	return nil
}

// openTransactions are those of all logs that this broker leads, and the epoch of the coordinator that each log heard last
// of the producer.
func openTransactions(set *replica.Set) (open []txn.OpenTransaction, epochs []int32) {
	for p := range set.All() {
		if at := p.Log().Offsets(); at.LastStable == at.HighWatermark || p.CheckLeader(-1) != nil {
			continue
		}
		for _, is := range p.Log().Producers() {
			if is.CurrentTxnStartOffset < 0 {
				continue
			}
			open = append(open, txn.OpenTransaction{
				ProducerID: is.ProducerID, Epoch: is.Epoch, Partition: txn.TopicPartition{Topic: p.Topic(), Partition: p.ID()},
			})
			epochs = append(epochs, max(is.CoordinatorEpoch, 0))
		}
	}
	return open, epochs
}

func txnConfig(v config.Values) txn.Config {
	return txn.Config{
		MaxTimeoutMs:            int32(v.Int("transaction.max.timeout.ms")),
		IDExpirationMs:          v.Long("transactional.id.expiration.ms"),
		AbortTimedOutIntervalMs: v.Long("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
		RemoveExpiredIntervalMs: v.Long("transaction.remove.expired.transaction.cleanup.interval.ms"),
	}
}
