package api

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/markers"
	"blumfeld/controller/txn"
)

// markedLeaders lets markers through unless they are held.
type markedLeaders struct {
	*markers.Writer
	mu   sync.Mutex
	held bool
	kept []func()
}

func (l *markedLeaders) WriteMarkers(ctx context.Context, m txn.Markers, done func([]error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	write := func() { l.Writer.WriteMarkers(ctx, m, done) }
	if l.held {
		l.kept = append(l.kept, write)
		return
	}
	write()
}

// hold keeps markers back until release.
func (l *markedLeaders) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = true
}

func (l *markedLeaders) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = false
	for _, write := range l.kept {
		write()
	}
	l.kept = nil
}

// producer is a producer with a transactional id, as the coordinator knows it.
type producer struct {
	f     *fixture
	txnID string
	id    int64
	epoch int16
}

func initRequest(version int16, id string) *kmsg.InitProducerIDRequest {
	r := kmsg.NewPtrInitProducerIDRequest()
	r.Version, r.TransactionalID, r.TransactionTimeoutMillis = version, kmsg.StringPtr(id), 60_000
	return r
}

// coordinator makes this broker the transaction coordinator of all ids.
func (f *fixture) coordinator() {
	f.Helper()
	got := ask[*kmsg.FindCoordinatorResponse](f, findCoordinatorRequest(4, transactionCoordinator, "any"))
	equal(f, "error of FindCoordinator", got.Coordinators[0].ErrorCode, 0)
}

// producer begins one.
func (f *fixture) producer(txnID string) *producer {
	f.Helper()
	f.coordinator()
	got := ask[*kmsg.InitProducerIDResponse](f, initRequest(5, txnID))
	equal(f, "error of InitProducerId", got.ErrorCode, 0)
	return &producer{f, txnID, got.ProducerID, got.ProducerEpoch}
}

// add is AddPartitionsToTxn of one topic; it answers the errors of the partitions.
func (p *producer) add(version int16, topic string, partitions ...int32) (errs []int16) {
	p.f.Helper()
	return p.adding(version, false, topic, partitions...)
}

func (p *producer) adding(version int16, verify bool, topic string, partitions ...int32) (errs []int16) {
	p.f.Helper()
	r := kmsg.NewPtrAddPartitionsToTxnRequest()
	r.Version, r.TransactionalID, r.ProducerID, r.ProducerEpoch = version, p.txnID, p.id, p.epoch
	r.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: partitions}}
	r.Transactions = []kmsg.AddPartitionsToTxnRequestTransaction{{
		TransactionalID: p.txnID, ProducerID: p.id, ProducerEpoch: p.epoch, VerifyOnly: verify,
		Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: topic, Partitions: partitions}},
	}}
	got := ask[*kmsg.AddPartitionsToTxnResponse](p.f, r)
	for _, t := range got.Transactions {
		for _, p := range t.Topics[0].Partitions {
			errs = append(errs, p.ErrorCode)
		}
	}
	for _, t := range got.Topics {
		for _, p := range t.Partitions {
			errs = append(errs, p.ErrorCode)
		}
	}
	return errs
}

// end is EndTxn; the producer goes on as the answer says.
func (p *producer) end(version int16, commit bool) (code int16) {
	p.f.Helper()
	r := kmsg.NewPtrEndTxnRequest()
	r.Version, r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Commit = version, p.txnID, p.id, p.epoch, commit
	got := ask[*kmsg.EndTxnResponse](p.f, r)
	if version >= 5 && got.ErrorCode == 0 {
		p.id, p.epoch = got.ProducerID, got.ProducerEpoch
	}
	return got.ErrorCode
}

// addOffsets is AddOffsetsToTxn.
func (p *producer) addOffsets(version int16, group string) int16 {
	p.f.Helper()
	r := kmsg.NewPtrAddOffsetsToTxnRequest()
	r.Version, r.TransactionalID, r.ProducerID, r.ProducerEpoch, r.Group = version, p.txnID, p.id, p.epoch, group
	return ask[*kmsg.AddOffsetsToTxnResponse](p.f, r).ErrorCode
}

// describeTxn is DescribeTransactions of one transactional id.
func (f *fixture) describeTxn(id string) kmsg.DescribeTransactionsResponseTransactionState {
	f.Helper()
	r := kmsg.NewPtrDescribeTransactionsRequest()
	r.TransactionalIDs = []string{id}
	return ask[*kmsg.DescribeTransactionsResponse](f, r).TransactionStates[0]
}

// revision is the metadata store's.
func (f *fixture) revision() int64 {
	f.Helper()
	r := kmsg.NewPtrDescribeQuorumRequest()
	r.Topics = []kmsg.DescribeQuorumRequestTopic{{Topic: "__cluster_metadata", Partitions: []kmsg.DescribeQuorumRequestTopicPartition{{}}}}
	return ask[*kmsg.DescribeQuorumResponse](f, r).Topics[0].Partitions[0].HighWatermark
}
