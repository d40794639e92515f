package api

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/group"
	"blumfeld/controller/txn"
)

// TxnOffsetCommit, key 28, versions 0 to 5: KIP-98, KIP-320 (leader epoch, version
// 2), KIP-447 (member and generation, version 3), KIP-890 (TRANSACTION_ABORTABLE,
// version 4; the group becomes part of the transaction by the commit, version 5).
//
// Offsets of topics and partitions that do not exist are refused one by one; the
// others are pending until the transaction ends.

func txnOffsetCommit(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.TxnOffsetCommitRequest)
	out := in.ResponseKind().(*kmsg.TxnOffsetCommitResponse)
	commit := group.TxnCommitRequest{
		CommitRequest: group.CommitRequest{Group: in.Group, MemberID: in.MemberID, InstanceID: in.InstanceID, Generation: in.Generation},
		ProducerID:    in.ProducerID, Epoch: in.ProducerEpoch,
	}
	if r.Version < 3 {
		commit.MemberID, commit.InstanceID, commit.Generation = "", nil, -1
	}
	image := d.Partitions.Image()
	for _, t := range in.Topics {
		topic, ok := image.Topic(t.Topic)
		for _, p := range t.Partitions {
			if !ok || !hasPartition(topic, p.Partition) {
				addTxnCommitted(out, t.Topic, p.Partition, kerr.UnknownTopicOrPartition.Code)
				continue
			}
			commit.Offsets = append(commit.Offsets, group.OffsetToCommit{
				Topic: t.Topic, Partition: p.Partition, Offset: p.Offset, LeaderEpoch: p.LeaderEpoch, Metadata: valueOf(p.Metadata),
			})
		}
	}
	if len(commit.Offsets) == 0 {
		return answer(out)
	}
	all := func(err error) Reply {
		for _, o := range commit.Offsets {
			addTxnCommitted(out, o.Topic, o.Partition, txnCommitError(r.Version, err))
		}
		return answer(out)
	}
	guard, err := joinForOffsets(ctx, d, r.Version, in)
	if err != nil {
		return all(err)
	}
	commit.Guard = guard
	return onceStored(d.Groups.CommitTxn(commit), func(done group.CommitResponse, arrived bool) kmsg.Response {
		for i, o := range commit.Offsets {
			var err error = kerr.RequestTimedOut
			if arrived {
				err = done.Errs[i]
			}
			addTxnCommitted(out, o.Topic, o.Partition, txnCommitError(r.Version, err))
		}
		return out
	})
}

// joinForOffsets is joinForProduce for the group's partition of __consumer_offsets.
func joinForOffsets(ctx context.Context, d *Deps, version int16, in *kmsg.TxnOffsetCommitRequest) (group.TxnGuard, error) {
	support := knowsInvalidState
	switch {
	case version >= 5:
		support = addsByWriting
	case version >= 4:
		support = knowsAbortable
	}
	begun, arrived := stored(ctx, d.Groups.BeginTxnCommit(in.Group, in.ProducerID, in.ProducerEpoch))
	if !arrived {
		return group.TxnGuard{}, kerr.CoordinatorNotAvailable
	}
	if begun.Err != nil || !begun.Needed || support < addsByWriting && !verifiesTxns(d) {
		return begun.Guard, begun.Err
	}
	errs, err := joinTxn(ctx, d, support, txn.AddPartitionsRequest{
		TransactionalID: in.TransactionalID, ProducerID: in.ProducerID, Epoch: in.ProducerEpoch,
		Partitions: []txn.TopicPartition{offsetsPartition(d, in.Group)},
	})
	if err == nil && len(errs) > 0 {
		err = errs[0]
	}
	return begun.Guard, err
}

// txnCommitError: producers before version 2 can crash on a coordinator that is
// loading (KAFKA-7296).
func txnCommitError(version int16, err error) int16 {
	if version < 2 && errors.Is(err, kerr.CoordinatorLoadInProgress) {
		return kerr.CoordinatorNotAvailable.Code
	}
	return code(err)
}

// addTxnCommitted is addCommitted for this response.
func addTxnCommitted(out *kmsg.TxnOffsetCommitResponse, topic string, partition int32, code int16) {
	at := len(out.Topics) - 1
	for at >= 0 && out.Topics[at].Topic != topic {
		at--
	}
	if at < 0 {
		o := kmsg.NewTxnOffsetCommitResponseTopic()
		o.Topic = topic
		out.Topics = append(out.Topics, o)
		at = len(out.Topics) - 1
	}
	p := kmsg.NewTxnOffsetCommitResponseTopicPartition()
	p.Partition, p.ErrorCode = partition, code
	out.Topics[at].Partitions = append(out.Topics[at].Partitions, p)
}
