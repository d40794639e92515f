package broker

import (
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/controller"
)

// TestTransactionsThroughTheWire is what readers see of transactions that are committed and aborted, one after the other
// and side by side.
func TestTransactionsThroughTheWire(t *testing.T) {
	protocols(t, func(t *testing.T, isNew bool) {
		r := start(t, nil)
		c := r.dial()
		c.createTopic("t", 2)
		a, b := r.transactional("a", isNew), r.transactional("b", isNew)
		a.mustProduce("t", 0, "a1", "a2")
		b.mustProduce("t", 0, "b1")
		a.mustProduce("t", 1, "a3")
		a.mustProduce("t", 0, "a4")
		if values, stable := c.committed("t", 0); len(values) != 0 || stable != 0 {
			t.Fatalf("of open transactions %q is committed, up to offset %d", values, stable)
		}
		a.mustEnd(true)
		c.awaitReadable("t", 1, "a3")
		// b is open since before a's end: what comes after that is not stable.
		c.awaitReadable("t", 0, "a1", "a2")
		b.mustEnd(false)
		c.awaitReadable("t", 0, "a1", "a2", "a4")
		a.mustProduce("t", 0, "a5")
		b.mustProduce("t", 0, "b2")
		b.mustEnd(true)
		a.mustEnd(false)
		c.awaitReadable("t", 0, "a1", "a2", "a4", "b2")

		list := kmsg.NewPtrListOffsetsRequest()
		list.Version, list.ReplicaID = 7, -1
		list.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Timestamp: -1, CurrentLeaderEpoch: -1}}}}
		b.mustProduce("t", 0, "b3")
		for isolation, want := range []int64{11, 10} { // 6 records, 4 markers, and b3
			list.IsolationLevel = int8(isolation)
			if got := ask[*kmsg.ListOffsetsResponse](c, list).Topics[0].Partitions[0].Offset; got != want {
				t.Errorf("latest offset with isolation %d: %d, want %d", isolation, got, want)
			}
		}
	})
}

// TestOffsetsInTransactions: they are there when the transaction has committed, and not before.
func TestOffsetsInTransactions(t *testing.T) {
	protocols(t, func(t *testing.T, isNew bool) {
		r := start(t, nil)
		c := r.dial()
		c.createTopic("t", 1)
		p := r.transactional("p", isNew)
		expect := func(stable bool, want string) {
			t.Helper()
			if got := c.offsetOf("g", "t", stable); got != want {
				t.Fatalf("offset %s, want %s", got, want)
			}
		}
		p.mustProduce("t", 0, "x")
		if code := p.sendOffset("g", "t", 5); code != 0 {
			t.Fatalf("TxnOffsetCommit: error %d", code)
		}
		expect(false, "-1 e0")
		expect(true, "-1 e88")
		p.mustEnd(true)
		waitFor(t, func() bool { return c.offsetOf("g", "t", true) == "5 e0" })
		if code := p.sendOffset("g", "t", 6); code != 0 {
			t.Fatalf("TxnOffsetCommit: error %d", code)
		}
		expect(false, "5 e0")
		p.mustEnd(false)
		waitFor(t, func() bool { return c.offsetOf("g", "t", true) == "5 e0" })
	})
}

// TestOutsideOfTransactions sends what belongs to no transaction, or to one that is over.
func TestOutsideOfTransactions(t *testing.T) {
	protocols(t, func(t *testing.T, isNew bool) {
		r := start(t, nil)
		c := r.dial()
		c.createTopic("t", 1)
		p := r.transactional("p", isNew)
		fenced := kerr.InvalidProducerEpoch.Code
		if !isNew {
			for version, want := range map[int16]int16{9: kerr.InvalidTxnState.Code, 11: kerr.TransactionAbortable.Code} {
				b := p.batch(0, "never added")
				p.forget()
				if got := p.produceRaw(version, "t", 0, b); got != want {
					t.Errorf("version %d, a partition that was not added: error %d, want %d", version, got, want)
				}
			}
		}
		p.mustProduce("t", 0, "1")
		if got := p.produceRaw(p.version(), "t", 0, p.build(false, 0, "not of the transaction")); got != kerr.InvalidTxnState.Code {
			t.Errorf("a batch that is not transactional: error %d", got)
		}
		p.seq[0]--
		late := *p
		p.mustEnd(true)
		c.awaitReadable("t", 0, "1")

		// A retry of what was acknowledged is a duplicate of nothing: its transaction is over.
		b := late.batch(0, "late")
		want := fenced
		if !isNew {
			want = kerr.TransactionAbortable.Code
		}
		if got := p.produceRaw(p.version(), "t", 0, b); got != want {
			t.Errorf("a late batch: error %d, want %d", got, want)
		}
		other := r.transactional("p", isNew) // fences p
		if isNew {
			p.seq[0] = 0
		}
		if got := p.produceRaw(p.version(), "t", 0, p.batch(0, "fenced")); got != fenced {
			t.Errorf("a fenced producer: error %d, want %d", got, fenced)
		}
		if got := p.end(true); got != kerr.ProducerFenced.Code {
			t.Errorf("EndTxn of a fenced producer: error %d", got)
		}
		other.mustProduce("t", 0, "2")
		other.mustEnd(true)
		c.awaitReadable("t", 0, "1", "2")
	})
}

// TestWithoutVerification: what transaction.partition.verification.enable=false lets a producer of the old protocol do, also
// while the broker runs. Such a transaction hangs until the next start: the coordinator does not know of it.
func TestWithoutVerification(t *testing.T) {
	l := born(t, nil)
	c := l.dial()
	c.createTopic("t", 1)
	p := l.transactional("p", false)
	if got := p.produceRaw(11, "t", 0, p.batch(0, "never added")); got != kerr.TransactionAbortable.Code {
		t.Fatalf("a partition that was not added: error %d", got)
	}
	p.forget()
	c.setBrokerConfig("transaction.partition.verification.enable", "false")
	if got := p.produceRaw(11, "t", 0, p.batch(0, "never added")); got != 0 {
		t.Fatalf("without verification: error %d", got)
	}
	if _, stable := c.committed("t", 0); stable != 0 {
		t.Fatalf("the last stable offset is %d", stable)
	}
	if err := l.end(); err != nil {
		t.Fatal(err)
	}
	l.begin(nil)
	c = l.dial()
	if values, stable := c.committed("t", 0); stable != 2 || len(values) != 0 {
		t.Fatalf("after a restart: %q up to %d", values, stable)
	}
}

// setBrokerConfig changes a configuration of all brokers, and waits until it is in force.
func (c *client) setBrokerConfig(key, value string) {
	c.t.Helper()
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	r := kmsg.NewIncrementalAlterConfigsRequestResource()
	r.ResourceType = kmsg.ConfigResourceTypeBroker
	r.Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: key, Value: &value}}
	req.Resources = append(req.Resources, r)
	if got := ask[*kmsg.IncrementalAlterConfigsResponse](c, req).Resources[0]; got.ErrorCode != 0 {
		c.t.Fatalf("setting %s: error %d", key, got.ErrorCode)
	}
}

// TestThousandsOfTransactionalIDs: that many producers begin, many of them never come back. They cost little memory, stop
// nobody, and the transactions they left are ended by the timeout.
func TestThousandsOfTransactionalIDs(t *testing.T) {
	const ids, connections = 4000, 8
	r := run(t, config.Properties{"transaction.abort.timed.out.transaction.cleanup.interval.ms": "50"}, "", controller.NewMemStore())
	c := r.dial()
	c.createTopic("t", 1)
	var working sync.WaitGroup
	for n := range connections {
		template := r.transactional(fmt.Sprint("first-", n), true)
		working.Go(func() {
			for i := range ids / connections {
				p := &transactional{client: template.client, id: fmt.Sprint("id-", n, "-", i), isNew: true}
				init := kmsg.NewPtrInitProducerIDRequest()
				init.Version, init.TransactionalID, init.TransactionTimeoutMillis = 4, kmsg.StringPtr(p.id), 100
				got := ask[*kmsg.InitProducerIDResponse](p.client, init)
				if got.ErrorCode != 0 {
					t.Errorf("InitProducerId: error %d", got.ErrorCode)
					return
				}
				p.pid, p.epoch = got.ProducerID, got.ProducerEpoch
				p.forget()
				if i%2 != 0 {
					continue
				}
				if code := p.produce("t", 0, p.id); code != 0 {
					t.Errorf("Produce: error %d", code)
					return
				}
			}
		})
	}
	working.Wait()
	waitFor(t, func() bool {
		list := kmsg.NewPtrListTransactionsRequest()
		list.StateFilters = []string{"Ongoing", "PrepareAbort"}
		return len(ask[*kmsg.ListTransactionsResponse](c, list).TransactionStates) == 0
	})
	all := ask[*kmsg.ListTransactionsResponse](c, kmsg.NewPtrListTransactionsRequest())
	if n := len(all.TransactionStates); n != ids+connections {
		t.Errorf("%d transactional ids", n)
	}
	if values, stable := c.committed("t", 0); len(values) != 0 || stable != ids {
		t.Errorf("%d values up to %d, want none up to %d: a record and a marker of each second id", len(values), stable, ids)
	}
	p := r.transactional("one more", true)
	p.mustProduce("t", 0, "x")
	p.mustEnd(true)
	c.awaitReadable("t", 0, "x")
}
