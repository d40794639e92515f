package broker

import (
	"context"
	"fmt"

	"blumfeld/broker/api"
	"blumfeld/broker/config"
	"blumfeld/broker/markers"
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
