package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol/batch"
)

// batchOf is a transactional batch of the producer.
func (p *producer) batchOf(sequence int32) batch.Batch {
	b := threeRecords()
	b.ProducerID, b.ProducerEpoch, b.BaseSequence, b.Transactional = p.id, p.epoch, sequence, true
	return b.Build()
}

// produceTxn produces to partitions of a topic, and tells of each the error and its text.
func (p *producer) produceTxn(version int16, topic string, batches map[int32][]byte, partitions ...int32) (answers []string) {
	p.f.Helper()
	t, _ := p.f.Partitions.Image().Topic(topic)
	r := produceTo(topic, t.ID, version, -1, nil)
	r.TransactionID, r.Topics[0].Partitions = kmsg.StringPtr(p.txnID), nil
	for _, n := range partitions {
		r.Topics[0].Partitions = append(r.Topics[0].Partitions, kmsg.ProduceRequestTopicPartition{Partition: n, Records: batches[n]})
	}
	for _, o := range ask[*kmsg.ProduceResponse](p.f, r).Topics[0].Partitions {
		answers = append(answers, fmt.Sprintf("%d %s", o.ErrorCode, text(o.ErrorMessage)))
		if (o.ErrorCode == 0) != (o.BaseOffset >= 0) {
			p.f.Errorf("%+v", o)
		}
	}
	return answers
}

// one produces a batch to partition 0.
func (p *producer) one(version int16, topic string) string {
	p.f.Helper()
	return p.produceTxn(version, topic, map[int32][]byte{0: p.batchOf(0)}, 0)[0]
}

// TestProduceInTransaction: what is answered to a transactional batch that is not in the producer's transaction, in every
// version. Texts came with version 8.
func TestProduceInTransaction(t *testing.T) {
	f := newFixture(t)
	f.topic("other", 1)
	f.topic("ended", 1)
	passes := func(v int16, code *kerr.Error) string {
		text := "null"
		if v >= 8 {
			text = "Unable to verify the partition has been added to the transaction. Underlying error: " + code.Message
		}
		return fmt.Sprint(kerr.NotEnoughReplicas.Code, " ", text)
	}
	f.versions(kmsg.NewPtrProduceRequest(), func(v int16) {
		name := fmt.Sprint("t", v)
		f.topic(name, 3)
		early := &producer{f, "early", 5, 0}
		if v == 3 {
			equal(t, "before there is a coordinator", early.one(v, "other"), passes(v, kerr.CoordinatorNotAvailable))
		}
		p := f.producer(name)
		says := func(what, got, want string) {
			t.Helper()
			equal(t, fmt.Sprintf("version %d, %s", v, what), got, want)
		}
		switch {
		case v < 8:
			says("not added", p.one(v, name), "48 null")
		case v < 11:
			says("not added", p.one(v, name), "48 Partition was not added to the transaction")
		case v < 12:
			says("not added", p.one(v, name), "120 null")
		default:
			says("not added", p.one(v, name), "0 null")
		}
		if v < 12 {
			p.add(3, name, 0)
			says("added", p.one(v, name), "0 null")
		}
		unknown := producer{f, "unknown", p.id + 1000, 0}
		says("an unknown transactional id", unknown.one(v, name), "49 null")
		fenced := *p
		fenced.epoch = 7
		says("another epoch", fenced.one(v, "other"), "47 null")

		two := map[int32][]byte{0: p.batchOf(3), 1: unknown.batchOf(0)}
		got := p.produceTxn(v, name, two, 0, 1)
		for i, answer := range got {
			says(fmt.Sprint("two producers, partition ", i), answer[:2], "49")
		}
		// One that cannot be does not keep the others out.
		some := map[int32][]byte{0: p.batchOf(3), 9: p.batchOf(0)}
		says("one does not exist", fmt.Sprint(p.produceTxn(v, name, some, 0, 9)), "[0 null 3 null]")

		f.marked.hold()
		p.end(3, true)
		if v < 12 {
			says("being ended", p.one(v, "ended"), passes(v, kerr.ConcurrentTransactions))
		} else {
			says("being ended", p.one(v, "ended"), "51 null")
		}
		f.marked.release()
		awaitState(f, name, "CompleteCommit")
	})
	if at := f.partition("ended", 0).Log().Offsets(); at.LogEnd != 0 {
		t.Errorf("something was appended to what was ended: %+v", at)
	}
}

// TestOpenTransactionAsksNobody: once it is open in a partition, the coordinator is not needed.
func TestOpenTransactionAsksNobody(t *testing.T) {
	f := newFixture(t)
	f.topic("t", 1)
	p := f.producer("p")
	equal(t, "first", p.one(12, "t"), "0 null")
	f.Txns.Close()
	second := p.produceTxn(12, "t", map[int32][]byte{0: p.batchOf(3)}, 0)
	equal(t, "second, without a coordinator", second[0], "0 null")
}

// TestProducePartitionsOfOneRequestTogether: one question for all of them.
func TestProducePartitionsOfOneRequestTogether(t *testing.T) {
	f := newFixture(t)
	f.topic("t", 3)
	p := f.producer("p")
	all := map[int32][]byte{0: p.batchOf(0), 1: p.batchOf(0), 2: p.batchOf(0)}
	before := f.revision()
	equal(t, "answers", fmt.Sprint(p.produceTxn(12, "t", all, 0, 1, 2)), "[0 null 0 null 0 null]")
	after := f.revision()
	equal(t, "writes", after-before, 1)
	equal(t, "in the transaction", fmt.Sprint(f.describeTxn("p").Topics[0].Partitions), "[0 1 2]")
}

// TestProduceWaitsForTheEnd: a producer of the new protocol that goes on at once does not notice that markers are written.
func TestProduceWaitsForTheEnd(t *testing.T) {
	f := newFixture(t, "add.partitions.to.txn.retry.backoff.max.ms", "60000")
	f.topic("t", 1)
	p := f.producer("p")
	for range 3 {
		f.marked.hold()
		equal(t, "produce", p.one(12, "t"), "0 null")
		equal(t, "end", p.end(5, true), 0)
		released := make(chan struct{})
		go func() {
			defer close(released)
			f.marked.release()
		}()
		equal(t, "produce at once", p.one(12, "t"), "0 null")
		<-released
		equal(t, "end", p.end(5, true), 0)
	}
}
