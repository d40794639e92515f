package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/txn"
)

// EndTxn, key 26, versions 0 to 5: KIP-98, KIP-588 (PRODUCER_FENCED, version 2),
// KIP-890 (TRANSACTION_ABORTABLE, version 4; from version 5 on every end bumps
// the epoch and tells it).
//
// The answer leaves when the decision is stored; markers follow.

func endTxn(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.EndTxnRequest)
	out := in.ResponseKind().(*kmsg.EndTxnResponse)
	if err := coordinatesTxn(d, in.TransactionalID); err != nil {
		out.ErrorCode = code(err)
		return answer(out)
	}
	return onceStored(d.Txns.EndTxn(txn.EndTxnRequest{
		Version: r.Version, TransactionalID: in.TransactionalID, ProducerID: in.ProducerID, Epoch: in.ProducerEpoch, Commit: in.Commit,
	}), func(done txn.EndTxnResponse, arrived bool) kmsg.Response {
		out.ErrorCode = txnError(done.Err, arrived)
		if out.ErrorCode == 0 {
			out.ProducerID, out.ProducerEpoch = done.ProducerID, done.Epoch
		}
		return out
	})
}
