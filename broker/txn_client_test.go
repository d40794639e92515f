package broker

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol/batch"
)

// transactional is a transactional producer on a connection of its own. It speaks the new protocol (KIP-890,
// transaction.version 2) or the one before.
type transactional struct {
	*client
	id    string
	isNew bool
	pid   int64
	epoch int16
	seq   map[int32]int32 // next sequence number by partition; of one topic
	added map[int32]bool
}

// protocols runs a test with each.
func protocols(t *testing.T, test func(t *testing.T, isNew bool)) {
	t.Run("old", func(t *testing.T) { test(t, false) })
	t.Run("new", func(t *testing.T) { test(t, true) })
}

const txnTimeout = time.Minute

func (r *running) transactional(id string, isNew bool) *transactional {
	r.t.Helper()
	return r.transactionalFor(id, isNew, txnTimeout)
}

func (r *running) transactionalFor(id string, isNew bool, timeout time.Duration) *transactional {
	r.t.Helper()
	p := &transactional{client: r.dial(), id: id, isNew: isNew}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorType, find.CoordinatorKeys = 4, 1, []string{id}
	if got := ask[*kmsg.FindCoordinatorResponse](p.client, find).Coordinators[0]; got.ErrorCode != 0 {
		r.t.Fatalf("FindCoordinator: error %d", got.ErrorCode)
	}
	init := kmsg.NewPtrInitProducerIDRequest()
	init.Version, init.TransactionalID, init.TransactionTimeoutMillis = 4, kmsg.StringPtr(id), int32(timeout.Milliseconds())
	for {
		got := ask[*kmsg.InitProducerIDResponse](p.client, init)
		if got.ErrorCode == kerr.ConcurrentTransactions.Code {
			continue // what is open is being aborted
		}
		if got.ErrorCode != 0 {
			r.t.Fatalf("InitProducerId: error %d", got.ErrorCode)
		}
		p.pid, p.epoch = got.ProducerID, got.ProducerEpoch
		p.forget()
		return p
	}
}

func (p *transactional) forget() { p.seq, p.added = make(map[int32]int32), make(map[int32]bool) }

// batch is the next one for a partition: a record for each value.
func (p *transactional) batch(partition int32, values ...string) batch.Batch {
	return p.build(true, partition, values...)
}

func (p *transactional) build(transactional bool, partition int32, values ...string) batch.Batch {
	b := batch.NewBuilder()
	b.ProducerID, b.ProducerEpoch, b.BaseSequence, b.Transactional = p.pid, p.epoch, p.seq[partition], transactional
	for _, v := range values {
		b.Add(batch.Record{Timestamp: time.Now().UnixMilli(), Key: []byte(v), Value: []byte(v)})
	}
	p.seq[partition] += int32(len(values))
	return b.Build()
}

// version is the newest of Produce in this protocol.
func (p *transactional) version() int16 {
	if p.isNew {
		return 12
	}
	return 11
}

func (p *transactional) produce(topic string, partition int32, values ...string) int16 {
	p.t.Helper()
	if !p.isNew && !p.added[partition] {
		p.mustAdd(topic, partition)
	}
	return p.produceRaw(p.version(), topic, partition, p.batch(partition, values...))
}

func (p *transactional) mustProduce(topic string, partition int32, values ...string) {
	p.t.Helper()
	if code := p.produce(topic, partition, values...); code != 0 {
		p.t.Fatalf("Produce to %s-%d: error %d", topic, partition, code)
	}
}

func (p *transactional) produceRaw(version int16, topic string, partition int32, b batch.Batch) int16 {
	p.t.Helper()
	req := produceRequest(topic, partition, -1, b)
	req.Version, req.TransactionID = version, kmsg.StringPtr(p.id)
	return produceCode(ask[*kmsg.ProduceResponse](p.client, req))
}

func (p *transactional) mustAdd(topic string, partition int32) {
	p.t.Helper()
	for {
		code := p.add(topic, partition)
		if code == kerr.ConcurrentTransactions.Code {
			continue
		}
		if code != 0 {
			p.t.Fatalf("AddPartitionsToTxn: error %d", code)
		}
		p.added[partition] = true
		return
	}
}

func (p *transactional) add(topic string, partition int32) int16 {
	p.t.Helper()
	add := kmsg.NewPtrAddPartitionsToTxnRequest()
	add.Version, add.TransactionalID, add.ProducerID, add.ProducerEpoch = 3, p.id, p.pid, p.epoch
	add.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: topic, Partitions: []int32{partition}}}
	return ask[*kmsg.AddPartitionsToTxnResponse](p.client, add).Topics[0].Partitions[0].ErrorCode
}

// sendOffset commits the offset of partition 0 of a topic for a group, with the transaction.
func (p *transactional) sendOffset(group, topic string, offset int64) int16 {
	p.t.Helper()
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.Version, commit.TransactionalID, commit.Group, commit.ProducerID, commit.ProducerEpoch = 5, p.id, group, p.pid, p.epoch
	commit.Generation = -1
	commit.Topics = []kmsg.TxnOffsetCommitRequestTopic{{Topic: topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{{Offset: offset, LeaderEpoch: -1}}}}
	if !p.isNew {
		commit.Version = 4
		add := kmsg.NewPtrAddOffsetsToTxnRequest()
		add.Version, add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = 4, p.id, p.pid, p.epoch, group
		for {
			code := ask[*kmsg.AddOffsetsToTxnResponse](p.client, add).ErrorCode
			if code == 0 {
				break
			}
			if code != kerr.ConcurrentTransactions.Code {
				p.t.Fatalf("AddOffsetsToTxn: error %d", code)
			}
		}
	}
	return ask[*kmsg.TxnOffsetCommitResponse](p.client, commit).Topics[0].Partitions[0].ErrorCode
}

func (p *transactional) endRequest(commit bool) *kmsg.EndTxnRequest {
	end := kmsg.NewPtrEndTxnRequest()
	end.Version, end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = 4, p.id, p.pid, p.epoch, commit
	if p.isNew {
		end.Version = 5
	}
	return end
}

func (p *transactional) end(commit bool) int16 {
	p.t.Helper()
	got := ask[*kmsg.EndTxnResponse](p.client, p.endRequest(commit))
	if got.ErrorCode == 0 {
		p.ended(got)
	}
	return got.ErrorCode
}

// ended goes on as the answer says.
func (p *transactional) ended(got *kmsg.EndTxnResponse) {
	if p.isNew {
		p.pid, p.epoch = got.ProducerID, got.ProducerEpoch
		p.seq = make(map[int32]int32)
	}
	p.added = make(map[int32]bool)
}

func (p *transactional) mustEnd(commit bool) {
	p.t.Helper()
	if code := p.end(commit); code != 0 {
		p.t.Fatalf("EndTxn: error %d", code)
	}
}

// committed are the values that a reader of committed data gets from a partition, and its last stable offset.
func (c *client) committed(topic string, partition int32) (values []string, stable int64) {
	c.t.Helper()
	for from := int64(0); ; {
		req := fetchRequest(topic, partition, from, 0, 0)
		req.IsolationLevel = 1
		got := ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions[0]
		if got.ErrorCode != 0 {
			c.t.Fatalf("Fetch of %s-%d: error %d", topic, partition, got.ErrorCode)
		}
		if len(got.RecordBatches) == 0 {
			return values, got.LastStableOffset
		}
		aborted, begun := make(map[int64]bool), got.AbortedTransactions
		slices.SortFunc(begun, func(a, b kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
			return cmp.Compare(a.FirstOffset, b.FirstOffset)
		})
		for rest := got.RecordBatches; len(rest) > 0; {
			b, r, err := batch.Next(rest)
			if err != nil {
				c.t.Fatal(err)
			}
			rest, from = r, b.LastOffset()+1
			for len(begun) > 0 && begun[0].FirstOffset <= b.LastOffset() {
				aborted[begun[0].ProducerID], begun = true, begun[1:]
			}
			if b.IsControl() {
				delete(aborted, b.ProducerID())
				continue
			}
			if b.IsTransactional() && aborted[b.ProducerID()] {
				continue
			}
			for r := range b.Records() {
				values = append(values, string(r.Value))
			}
		}
	}
}

// readable fails the test unless a reader of committed data gets these values.
func (c *client) readable(topic string, partition int32, want ...string) {
	c.t.Helper()
	if got, _ := c.committed(topic, partition); !slices.Equal(got, want) {
		c.t.Fatalf("committed in %s-%d: %q, want %q", topic, partition, got, want)
	}
}

// awaitReadable is readable, once what is being ended has its markers.
func (c *client) awaitReadable(topic string, partition int32, want ...string) {
	c.t.Helper()
	var got []string
	waitFor(c.t, func() bool {
		got, _ = c.committed(topic, partition)
		return slices.Equal(got, want)
	})
}

// offsetOf is a group's committed offset of partition 0 of a topic; -1: none.
func (c *client) offsetOf(group, topic string, stable bool) string {
	c.t.Helper()
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Version, req.RequireStable = 8, stable
	req.Groups = []kmsg.OffsetFetchRequestGroup{{Group: group, Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: topic, Partitions: []int32{0}}}}}
	p := ask[*kmsg.OffsetFetchResponse](c, req).Groups[0].Topics[0].Partitions[0]
	return fmt.Sprintf("%d e%d", p.Offset, p.ErrorCode)
}

// txnState is what DescribeTransactions says.
func (c *client) txnState(id string) string {
	c.t.Helper()
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{id}
	s := ask[*kmsg.DescribeTransactionsResponse](c, req).TransactionStates[0]
	if s.ErrorCode != 0 {
		return fmt.Sprint("e", s.ErrorCode)
	}
	return s.State
}

func (c *client) deleteTopic(name string) {
	c.t.Helper()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis, req.TopicNames = 5, 10_000, []string{name}
	if got := ask[*kmsg.DeleteTopicsResponse](c, req).Topics[0].ErrorCode; got != 0 {
		c.t.Fatalf("deleting %s: error %d", name, got)
	}
}
