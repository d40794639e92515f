package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/txn"
)

// InitProducerId, key 22, versions 0 to 5: KIP-98, KIP-360 (a producer names its
// id and epoch, version 3), KIP-588 (PRODUCER_FENCED, version 4), KIP-890
// (TRANSACTION_ABORTABLE, version 5).
//
// Without a transactional id every request gets a new producer id at epoch 0,
// also one that names an id and an epoch: as in Kafka, which leaves the epochs of
// idempotent producers to the producers.
//
// Deviation: where Kafka answers COORDINATOR_LOAD_IN_PROGRESS until it has a
// block of ids, we wait for the block.

func initProducerID(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.InitProducerIDRequest)
	out := in.ResponseKind().(*kmsg.InitProducerIDResponse)
	out.ProducerID, out.ProducerEpoch = -1, -1
	if err := checkInitProducerID(d, r.Version, in); err != nil {
		out.ErrorCode = code(err)
		return answer(out)
	}
	if in.TransactionalID != nil {
		ask := txn.InitProducerIDRequest{
			Version: r.Version, TransactionalID: *in.TransactionalID, TimeoutMs: in.TransactionTimeoutMillis,
			ProducerID: -1, Epoch: -1,
		}
		if r.Version >= 3 {
			ask.ProducerID, ask.Epoch = in.ProducerID, in.ProducerEpoch
		}
		return onceStored(d.Txns.InitProducerID(ask), func(done txn.InitProducerIDResponse, arrived bool) kmsg.Response {
			out.ErrorCode = txnError(done.Err, arrived)
			if out.ErrorCode == 0 {
				out.ProducerID, out.ProducerEpoch = done.ProducerID, done.Epoch
			}
			return out
		})
	}
	id, err := d.Producers.Next(ctx)
	if err != nil {
		d.Logger.Warn("no producer id can be given out", "err", err)
		// Kafka's answer while it has no block. Older producers take anything else
		// they do not know for final.
		out.ErrorCode = kerr.CoordinatorLoadInProgress.Code
		return answer(out)
	}
	out.ProducerID, out.ProducerEpoch = id, 0
	return answer(out)
}

// checkInitProducerID refuses what Kafka refuses before it looks for the
// coordinator.
func checkInitProducerID(d *Deps, version int16, in *kmsg.InitProducerIDRequest) error {
	if version >= 3 && (in.ProducerID == -1) != (in.ProducerEpoch == -1) {
		return kerr.InvalidRequest
	}
	switch {
	case in.TransactionalID == nil:
		return nil
	case *in.TransactionalID == "":
		return kerr.InvalidRequest
	case in.TransactionTimeoutMillis <= 0 || int64(in.TransactionTimeoutMillis) > int64(d.Config.Int("transaction.max.timeout.ms")):
		return kerr.InvalidTransactionTimeout
	}
	return coordinatesTxn(d, *in.TransactionalID)
}
