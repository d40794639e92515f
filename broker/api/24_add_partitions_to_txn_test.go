package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAddPartitionsToTxn(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 3)
	f.topic("b", 1)
	f.versions(kmsg.NewPtrAddPartitionsToTxnRequest(), func(v int16) {
		p := f.producer(fmt.Sprint("t", v))
		version := fmt.Sprint("version ", v)
		equal(t, version, p.add(v, "a", 0, 2, 0), []int16{0, 0, 0})
		equal(t, version+", the same again", p.add(v, "a", 2), []int16{0})
		equal(t, version+", more", p.add(v, "b", 0), []int16{0})
		is := f.describeTxn(p.txnID)
		equal(t, version+", in the transaction", fmt.Sprint(is.State, is.Topics[0].Topic, is.Topics[0].Partitions, is.Topics[1].Topic, is.Topics[1].Partitions), "Ongoinga[0 2]b[0]")

		notThere, notTried := kerr.UnknownTopicOrPartition.Code, kerr.OperationNotAttempted.Code
		equal(t, version+", one does not exist", p.add(v, "a", 1, 3, -1), []int16{notTried, notThere, notThere})
		equal(t, version+", no such topic", p.add(v, "nope", 0), []int16{notThere})
		internal := kerr.TopicAuthorizationFailed.Code
		if v >= 4 {
			internal = 0 // from a broker, for the groups' coordinator
		}
		equal(t, version+", an internal topic", p.add(v, transactionStateTopic, 0), []int16{internal})

		fenced := kerr.ProducerFenced.Code
		if v < 2 {
			fenced = kerr.InvalidProducerEpoch.Code
		}
		other := *p
		other.epoch++
		equal(t, version+", another epoch", other.add(v, "a", 0), []int16{fenced})
		other = *p
		other.id += 1000
		equal(t, version+", another producer id", other.add(v, "a", 0), []int16{kerr.InvalidProducerIDMapping.Code})
		other.txnID = "unknown"
		equal(t, version+", an unknown transactional id", other.add(v, "a", 0), []int16{kerr.InvalidProducerIDMapping.Code})
		other.txnID = ""
		equal(t, version+", no transactional id", other.add(v, "a", 0), []int16{kerr.InvalidRequest.Code})
	})
}

func TestVerifyPartitionsInTxn(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 3)
	for v := int16(4); v <= 5; v++ {
		p := f.producer(fmt.Sprint("t", v))
		abortable := kerr.TransactionAbortable.Code
		equal(t, "nothing is in it", p.adding(v, true, "a", 0, 1), []int16{abortable, abortable})
		equal(t, "still Empty", f.describeTxn(p.txnID).State, "Empty")
		p.add(v, "a", 1)
		equal(t, "one is in it", p.adding(v, true, "a", 0, 1), []int16{abortable, 0})
		f.marked.hold()
		equal(t, "end", p.end(4, true), 0)
		equal(t, "being ended", p.adding(v, true, "a", 0), []int16{kerr.ConcurrentTransactions.Code})
		equal(t, "added while it is being ended", p.add(v, "a", 0), []int16{kerr.ConcurrentTransactions.Code})
		f.marked.release()
	}
}

// Brokers ask for many producers at once.
func TestAddPartitionsToManyTxns(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 3)
	one, two := f.producer("one"), f.producer("two")
	r := kmsg.NewPtrAddPartitionsToTxnRequest()
	r.Version = 5
	for _, p := range []*producer{two, one, {f, "nobody", 1, 0}} {
		r.Transactions = append(r.Transactions, kmsg.AddPartitionsToTxnRequestTransaction{
			TransactionalID: p.txnID, ProducerID: p.id, ProducerEpoch: p.epoch,
			Topics: []kmsg.AddPartitionsToTxnRequestTransactionTopic{{Topic: "a", Partitions: []int32{0, 1}}},
		})
	}
	var got []string
	for _, t := range ask[*kmsg.AddPartitionsToTxnResponse](f, r).Transactions {
		for _, p := range t.Topics[0].Partitions {
			got = append(got, fmt.Sprint(t.TransactionalID, p.Partition, ":", p.ErrorCode))
		}
	}
	equal(t, "answers", fmt.Sprint(got), "[two0:0 two1:0 one0:0 one1:0 nobody0:49 nobody1:49]")
}

// Without __transaction_state nobody coordinates anything.
func TestTxnBeforeItsTopic(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	p := &producer{f, "t", 1, 0}
	not := kerr.NotCoordinator.Code
	equal(t, "AddPartitionsToTxn", p.add(3, "a", 0), []int16{not})
	equal(t, "AddPartitionsToTxn from a broker", p.add(5, "a", 0), []int16{not})
	equal(t, "AddOffsetsToTxn", p.addOffsets(4, "g"), not)
	equal(t, "EndTxn", p.end(5, true), not)
	equal(t, "DescribeTransactions", f.describeTxn("t").ErrorCode, not)
}
