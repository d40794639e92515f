package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/replica"
	"blumfeld/controller"
	"blumfeld/protocol/batch"
)

// Produce, key 0, advertised from 0, served from 3 to 13: the new leader from 10
// on (KIP-951), TRANSACTION_ABORTABLE from 11 on and partitions that become part
// of a transaction by being written to from 12 on (KIP-890), topic ids in 13
// (KIP-516).
//
// Versions 0 to 2 carry message formats that Kafka 4 no longer writes, and are
// refused; they are advertised all the same, because librdkafka takes an absent
// version 0 for a broker without compression (KAFKA-18659).
//
// Each partition of a request carries exactly one record batch v2. It is
// appended where it lies in the read buffer, in the order of the request.

// adminClientID is the client id that may write to internal topics (Kafka's
// AdminUtils.ADMIN_CLIENT_ID).
const adminClientID = "__admin_client"

// pending is a partition whose records are appended and not yet on disk, or not
// yet committed.
type pending struct {
	partition *replica.Partition
	appended  replica.Appended
	out       *kmsg.ProduceResponseTopicPartition
	err       error // of the flush
}

// flush waits until what has to be on disk is, for all partitions side by side.
func flush(waits []pending) {
	if len(waits) == 1 {
		waits[0].err = waits[0].partition.WaitFlushed(waits[0].appended)
		return
	}
	var running sync.WaitGroup
	for i := range waits {
		if w := &waits[i]; w.appended.FlushDue {
			running.Go(func() { w.err = w.partition.WaitFlushed(w.appended) })
		}
	}
	running.Wait()
}

func produce(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.ProduceRequest)
	out := in.ResponseKind().(*kmsg.ProduceResponse)
	// A topic without partitions is not answered. As many as there may be are
	// allocated at once: waits points into them.
	out.Topics = make([]kmsg.ProduceResponseTopic, 0, len(in.Topics))
	leaders := &newLeaders{d: d, r: r}
	var waits []pending
	var failed error
	requestErr := checkTransactional(in)
	var joined joiningAll
	if requestErr == nil {
		joined, requestErr = joinForProduce(ctx, d, r, in)
	}
	for i := range in.Topics {
		t := &in.Topics[i]
		if len(t.Partitions) == 0 {
			continue
		}
		out.Topics = append(out.Topics, kmsg.NewProduceResponseTopic())
		ot := &out.Topics[len(out.Topics)-1]
		ot.Topic, ot.TopicID = t.Topic, t.TopicID
		name, topicErr := producedTopic(d, r, t)
		ot.Partitions = make([]kmsg.ProduceResponseTopicPartition, len(t.Partitions))
		for j := range t.Partitions {
			p, op := &t.Partitions[j], &ot.Partitions[j]
			op.Default()
			op.Partition, op.BaseOffset, op.LogAppendTime, op.LogStartOffset = p.Partition, -1, -1, -1
			err := requestErr
			if err == nil {
				err = topicErr
			}
			if err == nil {
				err = checkAcks(in.Acks)
			}
			join := joined.of(i, j)
			if err == nil {
				err = join.err
			}
			if _, told := errors.AsType[*controller.Error](err); told {
				op.ErrorMessage = message(err)
			}
			if err == nil {
				var w pending
				w, err = produceOne(d, r.Version, in.Acks, name, t.TopicID, p, join.v, op)
				if err == nil && (w.appended.FlushDue || in.Acks == -1 && !w.partition.Committed(w.appended)) {
					waits = append(waits, w)
				}
			}
			if err != nil {
				refuse(leaders, op, name, err)
				failed = err
			}
		}
	}
	if in.Acks == 0 {
		if failed != nil {
			// The client asked for no answer, so the connection is the only way to
			// tell it that its metadata may be stale.
			return Reply{Hangup: fmt.Errorf("produce with acks=0 failed: %w", failed)}
		}
		if len(waits) == 0 {
			return Reply{}
		}
		return Reply{Wait: func(context.Context) Reply {
			flush(waits)
			for _, w := range waits {
				if w.err != nil {
					return Reply{Hangup: fmt.Errorf("produce with acks=0 failed: %w", w.err)}
				}
			}
			return Reply{}
		}}
	}
	out.Brokers = leaders.brokers
	if len(waits) == 0 {
		return answer(out)
	}
	deadline := r.Received.Add(time.Duration(in.TimeoutMillis) * time.Millisecond)
	return Reply{Wait: func(ctx context.Context) Reply {
		ctx, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		flush(waits)
		for _, w := range waits {
			err := w.err
			if err == nil && in.Acks == -1 {
				err = w.partition.WaitCommitted(ctx, w.appended)
			}
			if err != nil {
				refuse(leaders, w.out, w.partition.Topic(), err)
				w.out.BaseOffset, w.out.LogAppendTime = -1, -1
			}
		}
		out.Brokers = leaders.brokers
		return answer(out)
	}}
}

func checkAcks(acks int16) error {
	if acks < -1 || acks > 1 {
		return kerr.InvalidRequiredAcks
	}
	return nil
}

// checkTransactional refuses a request with a transactional batch and without a
// transactional id, whole: there is no id to be authorized for.
func checkTransactional(in *kmsg.ProduceRequest) error {
	if in.TransactionID != nil {
		return nil
	}
	for i := range in.Topics {
		for j := range in.Topics[i].Partitions {
			if b, _, err := batch.Next(in.Topics[i].Partitions[j].Records); err == nil && b.IsTransactional() {
				return kerr.TransactionalIDAuthorizationFailed
			}
		}
	}
	return nil
}

// producedTopic answers the name of the topic that t speaks of.
func producedTopic(d *Deps, r *Request, t *kmsg.ProduceRequestTopic) (string, error) {
	name := t.Topic
	if r.Version >= 13 {
		topic, ok := d.Partitions.Image().TopicByID(t.TopicID)
		if !ok {
			return "", kerr.UnknownTopicID
		}
		name = topic.Name
	}
	if controller.IsInternalTopic(name) && r.ClientID != adminClientID {
		return name, kerr.InvalidTopicException
	}
	return name, nil
}

// produceOne appends the one batch that p carries and fills op.
func produceOne(d *Deps, version, acks int16, topic string, id replica.TopicID, p *kmsg.ProduceRequestTopicPartition, v replica.Verification, op *kmsg.ProduceResponseTopicPartition) (pending, error) {
	partition, err := hostedPartition(d, topic, id, version >= 13, p.Partition)
	if err != nil {
		return pending{}, err
	}
	b, err := batch.FromProduce(p.Records, version)
	if err != nil {
		if errors.Is(err, kerr.CorruptMessage) {
			op.ErrorMessage = message(err)
		}
		return pending{}, err
	}
	at, err := partition.Append(b, acks, v)
	if err != nil {
		if refusedByLog(err) {
			op.LogStartOffset = partition.Log().Offsets().LogStart
		}
		return pending{}, err
	}
	op.BaseOffset, op.LogAppendTime, op.LogStartOffset = at.BaseOffset, at.LogAppendTime, at.LogStart
	return pending{partition: partition, appended: at, out: op}, nil
}

// refusedByLog says whether the answer to err tells where the log begins. Kafka
// (ReplicaManager.appendToLocalLog) leaves that out of answers to requests that
// did not come to the right place or not whole.
func refusedByLog(err error) bool {
	for _, other := range []error{
		kerr.NotLeaderForPartition, kerr.FencedLeaderEpoch, kerr.UnknownTopicOrPartition,
		kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.CorruptMessage, kerr.KafkaStorageError,
	} {
		if errors.Is(err, other) {
			return false
		}
	}
	return true
}

// hostedPartition finds a partition for a client that speaks of topics by id or
// by name. The id matters although the name is known: the name may have gone to
// a topic that the client never heard of.
func hostedPartition(d *Deps, topic string, id replica.TopicID, byID bool, partition int32) (*replica.Partition, error) {
	if byID {
		return d.Partitions.GetByID(id, topic, partition)
	}
	return d.Partitions.Get(topic, partition)
}

// refuse fills op with what the client needs to know of err.
func refuse(leaders *newLeaders, op *kmsg.ProduceResponseTopicPartition, topic string, err error) {
	op.ErrorCode = code(err)
	if records, ok := errors.AsType[*batch.RecordErrors](err); ok {
		op.ErrorMessage = message(err)
		for _, e := range records.Records {
			rec := kmsg.NewProduceResponseTopicPartitionErrorRecord()
			rec.RelativeOffset, rec.ErrorMessage = e.Index, kmsg.StringPtr(e.Message)
			op.ErrorRecords = append(op.ErrorRecords, rec)
		}
	}
	if leaders.r.Version >= 10 && op.ErrorCode == kerr.NotLeaderForPartition.Code {
		op.CurrentLeader.LeaderID, op.CurrentLeader.LeaderEpoch = leaders.of(topic, op.Partition)
	}
}
