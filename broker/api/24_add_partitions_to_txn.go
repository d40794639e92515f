package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
	"blumfeld/controller/txn"
)

// AddPartitionsToTxn, key 24, versions 0 to 5: KIP-98, KIP-588 (PRODUCER_FENCED,
// version 2), KIP-890 (version 4: many transactions, from a broker on behalf of
// its producers, which can also just ask; TRANSACTION_ABORTABLE, version 5).
//
// One partition that does not exist keeps all those of its transaction out. So does
// one of an internal topic, which a client may not add by itself.
//
// Deviation: while the transaction before is being ended the answer waits, as long
// as a broker waits on behalf of a producer of the new protocol. Clients that get
// CONCURRENT_TRANSACTIONS at once wait longer.

func addPartitionsToTxn(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.AddPartitionsToTxnRequest)
	out := in.ResponseKind().(*kmsg.AddPartitionsToTxnResponse)
	asked := in.Transactions
	if r.Version < 4 {
		one := kmsg.AddPartitionsToTxnRequestTransaction{
			TransactionalID: in.TransactionalID, ProducerID: in.ProducerID, ProducerEpoch: in.ProducerEpoch,
		}
		for _, t := range in.Topics {
			one.Topics = append(one.Topics, kmsg.AddPartitionsToTxnRequestTransactionTopic{Topic: t.Topic, Partitions: t.Partitions})
		}
		asked = []kmsg.AddPartitionsToTxnRequestTransaction{one}
	}
	under := make([]addingToTxn, len(asked))
	for i, t := range asked {
		under[i] = addToTxn(d, r.Version, t)
	}
	return Reply{Wait: func(ctx context.Context) Reply {
		for i := range asked {
			added := under[i].answer(ctx, d)
			if r.Version >= 4 {
				out.Transactions = append(out.Transactions, added)
				continue
			}
			for _, t := range added.Topics {
				o := kmsg.AddPartitionsToTxnResponseTopic{Topic: t.Topic}
				for _, p := range t.Partitions {
					o.Partitions = append(o.Partitions, kmsg.AddPartitionsToTxnResponseTopicPartition(p))
				}
				out.Topics = append(out.Topics, o)
			}
		}
		return answer(out)
	}}
}

// addingToTxn is one transaction of the request under way.
type addingToTxn struct {
	asked    kmsg.AddPartitionsToTxnRequestTransaction
	refused  []error // by partition, in the order of the request; nil: the coordinator was asked
	added    <-chan error
	again    func() <-chan error
	verified <-chan txn.VerifyResponse // instead of added
}

// addToTxn adds the partitions of one transaction, or asks whether they are in it.
func addToTxn(d *Deps, version int16, t kmsg.AddPartitionsToTxnRequestTransaction) addingToTxn {
	ask := txn.AddPartitionsRequest{Version: version, TransactionalID: t.TransactionalID, ProducerID: t.ProducerID, Epoch: t.ProducerEpoch}
	under := addingToTxn{asked: t}
	image := d.Partitions.Image()
	refused := false
	var errs []error
	for _, topic := range t.Topics {
		is, _ := image.Topic(topic.Topic)
		for _, p := range topic.Partitions {
			var err error
			switch {
			case version < 4 && controller.IsInternalTopic(topic.Topic):
				err = kerr.TopicAuthorizationFailed
			case is == nil || !hasPartition(is, p):
				err = kerr.UnknownTopicOrPartition
			}
			errs, refused = append(errs, err), refused || err != nil
			ask.Partitions = append(ask.Partitions, txn.TopicPartition{Topic: topic.Topic, Partition: p})
		}
	}
	switch err := coordinatesTxn(d, t.TransactionalID); {
	case refused:
		for i := range errs {
			if errs[i] == nil {
				errs[i] = kerr.OperationNotAttempted
			}
		}
		under.refused = errs
	case err != nil:
		under.added = decided(err)
	case version >= 4 && t.VerifyOnly:
		under.verified = d.Txns.VerifyPartitions(ask)
	default:
		under.again = func() <-chan error { return d.Txns.AddPartitions(ask) }
		under.added = under.again()
	}
	return under
}

// answer tells what became of each partition.
func (a *addingToTxn) answer(ctx context.Context, d *Deps) kmsg.AddPartitionsToTxnResponseTransaction {
	errs, all, arrived := a.refused, error(nil), true
	switch {
	case a.verified != nil:
		var done txn.VerifyResponse
		done, arrived = stored(ctx, a.verified)
		errs, all = done.Errs, done.Err
	case a.added != nil:
		all, arrived = onceEnded(ctx, d, a.added, a.again)
	}
	out := kmsg.AddPartitionsToTxnResponseTransaction{TransactionalID: a.asked.TransactionalID}
	for _, t := range a.asked.Topics {
		o := kmsg.AddPartitionsToTxnResponseTransactionTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			err := all
			if len(errs) > 0 {
				err, errs = errs[0], errs[1:]
			}
			o.Partitions = append(o.Partitions, kmsg.AddPartitionsToTxnResponseTransactionTopicPartition{Partition: p, ErrorCode: txnError(err, arrived)})
		}
		out.Topics = append(out.Topics, o)
	}
	return out
}
