package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/txn"
)

// ListTransactions, key 66, versions 0 to 2: KIP-664, KIP-994 (how long they are
// open, version 1), KIP-1152 (pattern of the transactional id, version 2).
//
// Deviation: transactions are sorted by their id; Kafka's order is that of hash
// tables.

func listTransactions(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.ListTransactionsRequest)
	out := in.ResponseKind().(*kmsg.ListTransactionsResponse)
	ask := txn.ListRequest{States: in.StateFilters, ProducerIDs: in.ProducerIDFilters, DurationMs: -1}
	if r.Version >= 1 {
		ask.DurationMs = in.DurationFilterMillis
	}
	if r.Version >= 2 {
		ask.Pattern = valueOf(in.TransactionalIDPattern)
	}
	return onceStored(d.Txns.List(ask), func(done txn.ListResponse, arrived bool) kmsg.Response {
		out.ErrorCode = txnError(done.Err, arrived)
		out.UnknownStateFilters = done.UnknownStates
		for _, t := range done.Transactions {
			out.TransactionStates = append(out.TransactionStates, kmsg.ListTransactionsResponseTransactionState{
				TransactionalID: t.TransactionalID, ProducerID: t.ProducerID, TransactionState: t.State.String(),
			})
		}
		return out
	})
}
