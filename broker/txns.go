package broker

import (
	"context"
	"fmt"

	"blumfeld/broker/api"
	"blumfeld/broker/config"
	"blumfeld/controller"
	"blumfeld/controller/txn"
)

// newTxns makes the transaction coordinator, which refuses all requests before startTxns.
func (b *broker) newTxns() {
	b.producers = api.NewProducerIDs(b.controller)
	b.txns = txn.New(txn.Options{
		Store:              b.store,
		Config:             txnConfig(b.Values),
		Markers:            noneOpen{},
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
	return nil
}

func txnConfig(v config.Values) txn.Config {
	return txn.Config{
		MaxTimeoutMs:            int32(v.Int("transaction.max.timeout.ms")),
		IDExpirationMs:          v.Long("transactional.id.expiration.ms"),
		AbortTimedOutIntervalMs: v.Long("transaction.abort.timed.out.transaction.cleanup.interval.ms"),
		RemoveExpiredIntervalMs: v.Long("transaction.remove.expired.transaction.cleanup.interval.ms"),
	}
}

// noneOpen writes markers where no log takes transactional batches: there is nothing to end.
type noneOpen struct{}

func (noneOpen) WriteMarkers(_ context.Context, m txn.Markers, done func([]error)) {
	done(make([]error, len(m.Partitions)))
}
