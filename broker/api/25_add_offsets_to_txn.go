package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/txn"
)

// AddOffsetsToTxn, key 25, versions 0 to 4: KIP-98, KIP-588 (PRODUCER_FENCED,
// version 2), KIP-890 (TRANSACTION_ABORTABLE, version 4). Producers of KIP-890
// leave it out: TxnOffsetCommit adds what it needs.

func addOffsetsToTxn(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.AddOffsetsToTxnRequest)
	out := in.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	if err := coordinatesTxn(d, in.TransactionalID); err != nil {
		out.ErrorCode = code(err)
		return answer(out)
	}
	return onceStored(d.Txns.AddOffsets(txn.AddOffsetsRequest{
		Version: r.Version, TransactionalID: in.TransactionalID, ProducerID: in.ProducerID, Epoch: in.ProducerEpoch,
		Partition: offsetsPartition(d, in.Group),
	}), func(err error, arrived bool) kmsg.Response {
		out.ErrorCode = txnError(err, arrived)
		return out
	})
}
