package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/replica"
	"blumfeld/controller/txn"
	"blumfeld/protocol/batch"
)

// This file is the check that a transactional write has to pass before it is
// appended (KIP-890, Kafka's AddPartitionsToTxnManager): the log notes that
// somebody asks, the transaction coordinator is asked, and the log takes the batch
// if the note is still there. A partition in which the transaction is open already
// needs none of it, so that one question is asked for each partition and
// transaction, and one for all partitions of a request.
//
// The handler blocks meanwhile, so that the appends of a connection stay in order.

// txnSupport is what a version of Produce or TxnOffsetCommit says of its sender
// (Kafka's TransactionSupportedOperation).
type txnSupport int8

const (
	knowsInvalidState txnSupport = iota // as all do
	knowsAbortable                      // TRANSACTION_ABORTABLE
	addsByWriting                       // what is written to becomes part of the transaction (transaction.version 2)
)

func produceSupport(version int16) txnSupport {
	switch {
	case version >= 12:
		return addsByWriting
	case version >= 11:
		return knowsAbortable
	}
	return knowsInvalidState
}

// joinTxn asks whether partitions are part of a producer's open transaction; with
// addsByWriting it makes them so, which is waited for while the transaction before
// is being ended. It answers an error for each partition as its producer is to be
// told, or one for all.
func joinTxn(ctx context.Context, d *Deps, support txnSupport, ask txn.AddPartitionsRequest) (errs []error, err error) {
	ask.Version = 5 // as one broker asks another on behalf of a producer
	if coordinatesTxn(d, ask.TransactionalID) != nil {
		return nil, kerr.CoordinatorNotAvailable // there is no other broker to ask
	}
	if support == addsByWriting {
		add := func() <-chan error { return d.Txns.AddPartitions(ask) }
		err, arrived := onceEnded(ctx, d, add(), add)
		if !arrived {
			err = kerr.CoordinatorNotAvailable
		}
		return nil, joinError(support, err)
	}
	done, arrived := stored(ctx, d.Txns.VerifyPartitions(ask))
	if !arrived {
		done.Err = kerr.CoordinatorNotAvailable
	}
	for i := range done.Errs {
		done.Errs[i] = joinError(support, done.Errs[i])
	}
	return done.Errs, joinError(support, done.Err)
}

// joinError is err as the producer knows it.
func joinError(support txnSupport, err error) error {
	switch {
	case errors.Is(err, kerr.ProducerFenced):
		return kerr.InvalidProducerEpoch
	case errors.Is(err, kerr.TransactionAbortable) && support == knowsInvalidState:
		return kerr.InvalidTxnState
	}
	return err
}

// joining is what became of the check for one partition of a Produce request.
type joining struct {
	v   replica.Verification // for the append
	err error
}

// joiningAll is joining by topic and partition of the request. nil: nothing was
// checked.
type joiningAll [][]joining

func (a joiningAll) of(topic, partition int) joining {
	if a == nil || a[topic] == nil {
		return joining{}
	}
	return a[topic][partition]
}

// joinForProduce checks the transactional batches of a request, all at once. What
// else is wrong with them is found when they are appended.
func joinForProduce(ctx context.Context, d *Deps, r *Request, in *kmsg.ProduceRequest) (joiningAll, error) {
	if in.TransactionID == nil {
		return nil, nil // there is none: see checkTransactional
	}
	support := produceSupport(r.Version)
	if support < addsByWriting && !verifiesTxns(d) {
		return nil, nil
	}
	ask := txn.AddPartitionsRequest{TransactionalID: *in.TransactionID, ProducerID: -1}
	var all joiningAll
	var asked []*joining
	for i := range in.Topics {
		t := &in.Topics[i]
		for j := range t.Partitions {
			b, _, err := batch.Next(t.Partitions[j].Records)
			if err != nil || !b.IsTransactional() || b.ProducerID() < 0 {
				continue
			}
			name, err := producedTopic(d, r, t)
			if err != nil {
				continue
			}
			p, err := hostedPartition(d, name, t.TopicID, r.Version >= 13, t.Partitions[j].Partition)
			if err != nil {
				continue
			}
			if ask.ProducerID >= 0 && (ask.ProducerID != b.ProducerID() || ask.Epoch != b.ProducerEpoch()) {
				return nil, refusal(kerr.InvalidProducerIDMapping, "Transactional records contained more than one producer ID")
			}
			ask.ProducerID, ask.Epoch = b.ProducerID(), b.ProducerEpoch()
			v, needed, err := p.BeginVerification(b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), support == addsByWriting)
			if err == nil && !needed {
				continue // it is open here already
			}
			if all == nil {
				all = make(joiningAll, len(in.Topics))
			}
			if all[i] == nil {
				all[i] = make([]joining, len(t.Partitions))
			}
			is := &all[i][j]
			if is.v, is.err = v, err; needed {
				ask.Partitions = append(ask.Partitions, txn.TopicPartition{Topic: name, Partition: p.ID()})
				asked = append(asked, is)
			}
		}
	}
	if len(asked) == 0 {
		return all, nil
	}
	errs, err := joinTxn(ctx, d, support, ask)
	for n, is := range asked {
		if is.err = err; err == nil && n < len(errs) {
			is.err = errs[n]
		}
		is.err = producerError(support, is.err)
	}
	return all, nil
}

// producerError is how a producer is told of the check's err
// (ReplicaManager.handleProduceAppend). What passes by itself reads
// NOT_ENOUGH_REPLICAS, which older producers try again without asking for
// metadata.
func producerError(support txnSupport, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.InvalidTxnState):
		return refusal(kerr.InvalidTxnState, "Partition was not added to the transaction")
	case errors.Is(err, kerr.ConcurrentTransactions) && support == addsByWriting:
		return err
	}
	for _, passing := range []*kerr.Error{kerr.ConcurrentTransactions, kerr.NetworkException,
		kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator} {
		if errors.Is(err, passing) {
			return refusal(kerr.NotEnoughReplicas, "Unable to verify the partition has been added to the transaction. Underlying error: %s", passing.Message)
		}
	}
	return err
}

// verifiesTxns says whether the partitions of producers that add them by request
// are checked.
func verifiesTxns(d *Deps) bool {
	return EffectiveConfig(d.Config, d.NodeID, d.Partitions.Image()).Bool("transaction.partition.verification.enable")
}
