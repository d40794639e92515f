package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/txn"
)

// AddOffsetsToTxn, key 25, versions 0 to 4: KIP-98, KIP-588 (PRODUCER_FENCED,
// version 2), KIP-890 (TRANSACTION_ABORTABLE, version 4). Producers of KIP-890
// leave it out: TxnOffsetCommit adds what it needs.
//
// Deviation: as in 24_add_partitions_to_txn.go, the answer waits while the
// transaction before is being ended.

func addOffsetsToTxn(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.AddOffsetsToTxnRequest)
	out := in.ResponseKind().(*kmsg.AddOffsetsToTxnResponse)
	if err := coordinatesTxn(d, in.TransactionalID); err != nil {
		out.ErrorCode = code(err)
		return answer(out)
	}
	ask := txn.AddOffsetsRequest{
		Version: r.Version, TransactionalID: in.TransactionalID, ProducerID: in.ProducerID, Epoch: in.ProducerEpoch,
		Partition: offsetsPartition(d, in.Group),
	}
	add := func() <-chan error { return d.Txns.AddOffsets(ask) }
	first := add()
	return Reply{Wait: func(ctx context.Context) Reply {
		out.ErrorCode = txnError(onceEnded(ctx, d, first, add))
		return answer(out)
	}}
}
