package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	txnRecords     = 10 // of recordBytes in each transaction, all in one partition
	txnPeriod      = 3 * time.Second
	latencySamples = 200
	// busyPause is what a client waits that is told CONCURRENT_TRANSACTIONS: the markers of its last transaction are on
	// their way. Java's waits 20 ms, and would measure that.
	busyPause = time.Millisecond
)

// txnProtocol is how a client speaks of transactions.
type txnProtocol struct {
	name                                     string
	produce, endTxn, addPartitions, initProd int16 // versions
}

var (
	kip890 = txnProtocol{"KIP-890", 12, 5, -1, 5} // the first produce adds the partition; each end bumps the epoch
	older  = txnProtocol{"the protocol before KIP-890", 11, 4, 3, 5}
)

func transactionRows() (list []row) {
	const set = "transactions"
	for _, p := range []txnProtocol{kip890, older} {
		for _, n := range []int{1, 100} {
			list = append(list, row{set: set, run: transactions(p, n), detail: p == older,
				name: fmt.Sprintf("transactions of %d records in one partition, %s, %s", txnRecords, p.name, count(n, "producer"))})
		}
		list = append(list, row{set: set, run: commitToSeen(p), detail: p == older, name: "from commit to a read-committed consumer, " + p.name})
	}
	return list
}

// txnProducer is a transactional producer of one partition on a connection of its own.
type txnProducer struct {
	*wire
	protocol  txnProtocol
	id        string
	topic     string
	partition int32
	producer  int64
	epoch     int16
	sequence  int32
	batch     []byte // of each transaction; next makes it the next one's
}

// newTxnProducer waits until the broker coordinates transactions: Kafka creates a topic first.
func newTxnProducer(ctx context.Context, addr string, protocol txnProtocol, topic string, partition int32, number int) (*txnProducer, error) {
	w, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	p := &txnProducer{wire: w, protocol: protocol, id: groupName(number), topic: topic, partition: partition,
		batch: encodeBatch(noise.values(txnRecords, recordBytes), false)}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorType, find.CoordinatorKeys = 4, 1, []string{p.id}
	begin := kmsg.NewPtrInitProducerIDRequest()
	begin.Version, begin.TransactionalID, begin.TransactionTimeoutMillis = protocol.initProd, &p.id, 60_000
	for {
		found, began := kmsg.NewPtrFindCoordinatorResponse(), kmsg.NewPtrInitProducerIDResponse()
		if err := w.ask(find, found); err != nil {
			return nil, errors.Join(err, w.Close())
		}
		if found.Coordinators[0].ErrorCode == 0 {
			if err := w.ask(begin, began); err != nil {
				return nil, errors.Join(err, w.Close())
			}
			if began.ErrorCode == 0 {
				p.producer, p.epoch = began.ProducerID, began.ProducerEpoch
				return p, nil
			}
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), w.Close())
		case <-time.After(beatPause):
		}
	}
}

// untilFree asks again while the last transaction is not quite over.
func untilFree(what string, ask func() (code int16, err error)) error {
	for {
		code, err := ask()
		if err == nil {
			err = kerr.ErrorForCode(code)
		}
		if !errors.Is(err, kerr.ConcurrentTransactions) {
			if err != nil {
				err = fmt.Errorf("%s: %w", what, err)
			}
			return err
		}
		time.Sleep(busyPause)
	}
}

// begin writes a transaction and has its records acknowledged.
func (p *txnProducer) begin() error {
	if p.protocol.addPartitions >= 0 {
		add := kmsg.NewPtrAddPartitionsToTxnRequest()
		add.Version, add.TransactionalID, add.ProducerID, add.ProducerEpoch = p.protocol.addPartitions, p.id, p.producer, p.epoch
		add.Topics = []kmsg.AddPartitionsToTxnRequestTopic{{Topic: p.topic, Partitions: []int32{p.partition}}}
		err := untilFree("add partitions", func() (int16, error) {
			resp := kmsg.NewPtrAddPartitionsToTxnResponse()
			if err := p.ask(add, resp); err != nil {
				return 0, err
			}
			return resp.Topics[0].Partitions[0].ErrorCode, nil
		})
		if err != nil {
			return err
		}
	}
	produce := kmsg.NewPtrProduceRequest()
	produce.Version, produce.TransactionID, produce.Acks, produce.TimeoutMillis = p.protocol.produce, &p.id, -1, 30_000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = p.topic
	t.Partitions = []kmsg.ProduceRequestTopicPartition{{Partition: p.partition, Records: p.next()}}
	produce.Topics = append(produce.Topics, t)
	return untilFree("produce", func() (int16, error) {
		resp := kmsg.NewPtrProduceResponse()
		if err := p.ask(produce, resp); err != nil {
			return 0, err
		}
		return resp.Topics[0].Partitions[0].ErrorCode, nil
	})
}

// commit ends the transaction.
func (p *txnProducer) commit() error {
	end := kmsg.NewPtrEndTxnRequest()
	end.Version, end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = p.protocol.endTxn, p.id, p.producer, p.epoch, true
	return untilFree("end", func() (int16, error) {
		resp := kmsg.NewPtrEndTxnResponse()
		if err := p.ask(end, resp); err != nil {
			return 0, err
		}
		p.sequence += txnRecords
		if end.Version >= 5 && resp.ErrorCode == 0 {
			p.producer, p.epoch, p.sequence = resp.ProducerID, resp.ProducerEpoch, 0
		}
		return resp.ErrorCode, nil
	})
}

// next is the next transaction's batch.
func (p *txnProducer) next() []byte {
	const attributesAt, producerAt, epochAt, sequenceAt, transactional = 21, 43, 51, 53, 1 << 4
	binary.BigEndian.PutUint16(p.batch[attributesAt:], transactional)
	binary.BigEndian.PutUint64(p.batch[producerAt:], uint64(p.producer))
	binary.BigEndian.PutUint16(p.batch[epochAt:], uint16(p.epoch))
	binary.BigEndian.PutUint32(p.batch[sequenceAt:], uint32(p.sequence))
	stamp(p.batch)
	return p.batch
}

// transactions has producers commit one after the other, all at once, each in a partition of its own.
func transactions(protocol txnProtocol, producers int) func(context.Context, load, *broker) ([]measured, error) {
	return func(ctx context.Context, _ load, b *broker) (got []measured, err error) {
		topic, err := newTopic(ctx, b.addr, int32(producers))
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, deleteTopic(ctx, b.addr, topic)) }()
		list := make([]*txnProducer, producers)
		defer func() {
			for _, p := range list {
				if p != nil {
					p.Close()
				}
			}
		}()
		for i := range list {
			if list[i], err = newTxnProducer(ctx, b.addr, protocol, topic, int32(i), i); err != nil {
				return nil, err
			}
		}
		took, errs := make([][]time.Duration, producers), make([]error, producers)
		c, err := b.costOf(func() error {
			began := time.Now()
			var writing sync.WaitGroup
			for i, p := range list {
				writing.Go(func() {
					for time.Since(began) < txnPeriod {
						start := time.Now()
						if errs[i] = p.begin(); errs[i] == nil {
							errs[i] = p.commit()
						}
						if errs[i] != nil {
							return
						}
						took[i] = append(took[i], time.Since(start))
					}
				})
			}
			writing.Wait()
			return errors.Join(errs...)
		})
		if err != nil {
			return nil, err
		}
		all := slices.Concat(took...)
		n := float64(len(all))
		return append([]measured{
			{figure{"transactions/s", higherIsBetter}, c.perSecond(n)},
			{figure{costPrefix + " s/million transactions", lowerIsBetter}, c.perMillion(n)},
		}, latencies(all)...), nil
	}
}

// commitToSeen measures from sending EndTxn until a consumer that waits at the last stable offset has the records.
func commitToSeen(protocol txnProtocol) func(context.Context, load, *broker) ([]measured, error) {
	return func(ctx context.Context, _ load, b *broker) (got []measured, err error) {
		topic, err := newTopic(ctx, b.addr, 1)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, deleteTopic(ctx, b.addr, topic)) }()
		p, err := newTxnProducer(ctx, b.addr, protocol, topic, 0, 0)
		if err != nil {
			return nil, err
		}
		defer p.Close()
		reader, err := dial(ctx, b.addr)
		if err != nil {
			return nil, err
		}
		defer reader.Close()
		var took []time.Duration
		for offset := int64(0); len(took) < latencySamples; {
			if err := p.begin(); err != nil {
				return nil, err
			}
			seen := make(chan error, 1)
			var at time.Time
			go func() {
				next, err := awaitRecords(reader, topic, offset)
				at, offset = time.Now(), next
				seen <- err
			}()
			began := time.Now()
			if err := p.commit(); err != nil {
				return nil, err
			}
			if err := <-seen; err != nil {
				return nil, err
			}
			took = append(took, at.Sub(began))
		}
		return latencies(took), nil
	}
}

// awaitRecords fetches from offset until there are records, markers aside, and returns the offset behind them.
func awaitRecords(w *wire, topic string, offset int64) (next int64, err error) {
	for records := false; !records; {
		fetch := kmsg.NewPtrFetchRequest()
		fetch.Version, fetch.ReplicaID, fetch.MaxWaitMillis, fetch.MinBytes, fetch.MaxBytes, fetch.IsolationLevel, fetch.SessionEpoch = 12, -1, 10_000, 1, 1<<20, 1, -1
		t := kmsg.NewFetchRequestTopic()
		t.Topic = topic
		partition := kmsg.NewFetchRequestTopicPartition()
		partition.FetchOffset, partition.PartitionMaxBytes = offset, 1<<20
		t.Partitions = append(t.Partitions, partition)
		fetch.Topics = append(fetch.Topics, t)
		resp := kmsg.NewPtrFetchResponse()
		if err := w.ask(fetch, resp); err != nil {
			return 0, err
		}
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			return 0, fmt.Errorf("fetch: %w", err)
		}
		got := resp.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(got.ErrorCode); err != nil {
			return 0, fmt.Errorf("fetch: %w", err)
		}
		const attributesAt, lastAt, control = 21, 23, 1 << 5
		for raw := got.RecordBatches; len(raw) >= batchHead; {
			size := 12 + int(binary.BigEndian.Uint32(raw[8:]))
			if size < batchHead || size > len(raw) {
				break
			}
			offset = int64(binary.BigEndian.Uint64(raw)) + int64(binary.BigEndian.Uint32(raw[lastAt:])) + 1
			records = records || binary.BigEndian.Uint16(raw[attributesAt:])&control == 0
			raw = raw[size:]
		}
	}
	return offset, nil
}
