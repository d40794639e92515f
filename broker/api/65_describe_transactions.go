package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/txn"
)

// DescribeTransactions, key 65, version 0: KIP-664.
//
// Deviation: partitions come sorted; Kafka's order is that of hash tables.

func describeTransactions(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeTransactionsRequest)
	out := in.ResponseKind().(*kmsg.DescribeTransactionsResponse)
	return Reply{Wait: func(ctx context.Context) Reply {
		room := d.answerRoom()
		for _, id := range in.TransactionalIDs {
			is, err := describeTransaction(ctx, d, id)
			o := kmsg.NewDescribeTransactionsResponseTransactionState()
			o.TransactionalID, o.ErrorCode = id, code(err)
			if !room.take(txnStateSize + len(is.Partitions)*txnPartitionSize) {
				return tooMuchAsked(r)
			}
			if err == nil {
				o.State, o.TimeoutMillis, o.StartTimestamp = is.State.String(), is.TimeoutMs, is.StartMs
				o.ProducerID, o.ProducerEpoch = is.ProducerID, is.Epoch
				o.Topics = describedPartitions(is.Partitions)
			}
			out.TransactionStates = append(out.TransactionStates, o)
		}
		return answer(out)
	}}
}

func describeTransaction(ctx context.Context, d *Deps, id string) (txn.Description, error) {
	if err := coordinatesTxn(d, id); err != nil {
		return txn.Description{}, err
	}
	select {
	case is := <-d.Txns.Describe(id):
		return is, is.Err
	case <-ctx.Done():
		return txn.Description{}, kerr.CoordinatorNotAvailable
	}
}

// describedPartitions groups partitions by topic; they come sorted.
func describedPartitions(partitions []txn.TopicPartition) (out []kmsg.DescribeTransactionsResponseTransactionStateTopic) {
	for i, p := range partitions {
		if i == 0 || p.Topic != partitions[i-1].Topic {
			out = append(out, kmsg.DescribeTransactionsResponseTransactionStateTopic{Topic: p.Topic})
		}
		t := &out[len(out)-1]
		t.Partitions = append(t.Partitions, p.Partition)
	}
	return out
}
