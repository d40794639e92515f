package clients

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// franzTransactor speaks KIP-890's protocol where transaction.version is 2.
type franzTransactor struct{ cl *kgo.Client }

func (f franz) transact(t *testing.T, id string, how transacting) transactor {
	t.Helper()
	cl := f.dial(t, kgo.TransactionalID(id), kgo.TransactionTimeout(how.timeoutOr(time.Minute)),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(franzCodec(how.codec)), kgo.ProducerBatchMaxBytes(4000))
	// The client would wait for its first record.
	_, _, err := cl.ProducerID(within(t))
	must(t, err)
	return franzTransactor{cl}
}

func (p franzTransactor) begin(t *testing.T) {
	t.Helper()
	must(t, p.cl.BeginTransaction())
}

func (p franzTransactor) send(t *testing.T, topic string, records ...record) error {
	t.Helper()
	var out []*kgo.Record
	for _, r := range records {
		out = append(out, &kgo.Record{Topic: topic, Partition: r.partition, Key: r.key, Value: r.value})
	}
	return p.cl.ProduceSync(within(t), out...).FirstErr()
}

func (p franzTransactor) end(t *testing.T, commit bool) error {
	return p.cl.EndTransaction(within(t), kgo.TransactionEndTry(commit))
}

func (f franz) readAs(t *testing.T, isolation isolation, topic string, partition int32) reader {
	t.Helper()
	if isolation == readUncommitted {
		return f.readWith(t, topic, partition, 0)
	}
	return f.readWith(t, topic, partition, 0, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
}

// franzTransactSession is read, process, write: each record has one result, although
// every third transaction is in vain.
func franzTransactSession(t *testing.T, c franz) {
	in, out, group := written(t, c, writing{}, numbered(60)...), fresh(t), fresh(t)
	c.createTopic(t, out, 1)
	s, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(address(t)), kgo.TransactionalID(fresh(t)), kgo.ConsumerGroup(group), kgo.ConsumeTopics(in),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(500*time.Millisecond))
	must(t, err)
	t.Cleanup(s.Close)
	for done, round := 0, 1; done < 60; round++ {
		records := s.PollRecords(within(t), 10).Records()
		must(t, s.Begin())
		for _, r := range records {
			s.Produce(within(t), &kgo.Record{Topic: out, Value: r.Value}, func(_ *kgo.Record, err error) {
				if err != nil && !errors.Is(err, kgo.ErrAborting) {
					t.Error(err)
				}
			})
		}
		committed, err := s.End(within(t), kgo.TransactionEndTry(round%3 != 0))
		must(t, err)
		if committed {
			done += len(records)
		}
	}
	var want []string
	for i := range 60 {
		want = append(want, strconv.Itoa(i))
	}
	reads(t, c, c.readAs(t, readCommitted, out, 0), out, 0, want...)
	adm := c.admin(t)
	until(t, "the offset", func() bool { return offsetOf(t, adm, group, in) == 60 })
}

func kadmTransactions(t *testing.T, c franz, adm *kadm.Client) {
	topic, id := fresh(t), fresh(t)
	c.createTopic(t, topic, 1)
	p := c.transact(t, id, transacting{timeout: 34567 * time.Millisecond})
	listed := func(states ...string) []string {
		t.Helper()
		all, err := adm.ListTransactionsByTxPattern(within(t), nil, states, id+".*")
		must(t, err)
		return all.TransactionalIDs()
	}
	if have := listed("Empty"); !slices.Equal(have, []string{id}) {
		t.Errorf("empty: %v", have)
	}
	transaction(t, p, true, topic, texts(0, "done")...)
	p.begin(t)
	must(t, p.send(t, topic, texts(0, "open")...))
	if have := listed("Ongoing"); !slices.Equal(have, []string{id}) {
		t.Errorf("ongoing: %v", have)
	}
	if have := listed("Empty"); len(have) != 0 {
		t.Errorf("no more empty: %v", have)
	}
	described, err := adm.DescribeTransactions(within(t), id, id+"-unknown")
	must(t, err)
	is(t, "describe no transaction", described[id+"-unknown"].Err, kerr.TransactionalIDNotFound)
	d := described[id]
	if d.Err != nil || d.State != "Ongoing" || d.TimeoutMillis != 34567 || !d.Topics.Lookup(topic, 0) {
		t.Errorf("described %+v", d)
	}
	if age := time.Since(time.UnixMilli(d.StartTimestamp)); age < 0 || age > caseLimit {
		t.Errorf("began %v ago", age)
	}
	byID, err := adm.ListTransactions(within(t), []int64{d.ProducerID}, nil)
	must(t, err)
	equal(t, "producer "+strconv.FormatInt(d.ProducerID, 10), byID[id].TxnID, id)

	var partition kadm.TopicsSet
	partition.Add(topic, 0)
	producers, err := adm.DescribeProducers(within(t), partition)
	must(t, err)
	one := producers[topic].Partitions[0].ActiveProducers[d.ProducerID]
	if one.ProducerEpoch != d.ProducerEpoch || one.CurrentTxnStartOffset != 2 {
		t.Errorf("producer %+v", one)
	}
	// An administrator ends it in the partition; the coordinator is not asked.
	must(t, c.produce(t, topic, writing{}, texts(0, "behind")...))
	mark := func(epoch int16) error {
		t.Helper()
		marked, err := adm.WriteTxnMarkers(within(t), kadm.TxnMarkers{
			ProducerID: d.ProducerID, ProducerEpoch: epoch, CoordinatorEpoch: one.CoordinatorEpoch, Topics: partition,
		})
		must(t, err)
		return marked[d.ProducerID].Topics[topic].Partitions[0].Err
	}
	is(t, "the marker of an epoch of before", mark(d.ProducerEpoch-1), kerr.InvalidProducerEpoch)
	must(t, mark(d.ProducerEpoch))
	stable(t, topic, 0, 5)
	reads(t, c, c.readAs(t, readCommitted, topic, 0), topic, 0, "done", "behind")
	if have := listed("Ongoing"); !slices.Equal(have, []string{id}) {
		t.Errorf("still ongoing: %v", have)
	}
}
