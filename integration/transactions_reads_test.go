package integration

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/integration/txncheck"
)

// This file reads what TestTransactions leaves behind, and what it has readers see as it goes.

// follow has a reader of committed records read all partitions of a round, until ctx ends.
func (l *life) follow(ctx context.Context, name string) {
	cl, err := kgo.NewClient(l.options(
		kgo.ConsumePartitions(l.round.fromTheBeginning()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		l.round.t.Error(err)
		return
	}
	defer cl.Close()
	for ctx.Err() == nil {
		for _, r := range cl.PollFetches(ctx).Records() {
			if err := l.round.history.see(name, r); err != nil {
				l.round.t.Error(err)
			}
		}
	}
}

func (r *txnRound) fromTheBeginning() map[string]map[int32]kgo.Offset {
	all := make(map[string]map[int32]kgo.Offset)
	for _, tp := range r.partitions() {
		if all[tp.Topic] == nil {
			all[tp.Topic] = make(map[int32]kgo.Offset)
		}
		all[tp.Topic][tp.Partition] = kgo.NewOffset().AtStart()
	}
	return all
}

// ends asks how far readers of each partition get, and how far it goes.
func (r *txnRound) ends(ctx context.Context) (map[txncheck.TP]txncheck.End, error) {
	ends := make(map[txncheck.TP]txncheck.End)
	for _, isolation := range []int8{0, 1} {
		req := kmsg.NewPtrListOffsetsRequest()
		req.ReplicaID, req.IsolationLevel = -1, isolation
		topics := make(map[string]int)
		for _, tp := range r.partitions() {
			i, ok := topics[tp.Topic]
			if !ok {
				i = len(req.Topics)
				topics[tp.Topic] = i
				t := kmsg.NewListOffsetsRequestTopic()
				t.Topic = tp.Topic
				req.Topics = append(req.Topics, t)
			}
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Partition, p.Timestamp = tp.Partition, -1
			req.Topics[i].Partitions = append(req.Topics[i].Partitions, p)
		}
		for _, shard := range r.cl.RequestSharded(ctx, req) {
			if shard.Err != nil {
				return nil, shard.Err
			}
			for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
				for _, p := range t.Partitions {
					if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
						return nil, fmt.Errorf("%s-%d: %w", t.Topic, p.Partition, err)
					}
					tp := txncheck.TP{Topic: t.Topic, Partition: p.Partition}
					end := ends[tp]
					if isolation == 0 {
						end.HighWatermark = p.Offset
					} else {
						end.LastStable = p.Offset
					}
					ends[tp] = end
				}
			}
		}
	}
	return ends, nil
}

// readAll reads all partitions from their beginnings, control records included, and gives each to take.
func (r *txnRound) readAll(ctx context.Context, level kgo.IsolationLevel, until func(txncheck.End) int64, take func(txncheck.TP, *kgo.Record)) error {
	ends, err := r.ends(ctx)
	if err != nil {
		return err
	}
	left := make(map[txncheck.TP]bool)
	for tp, end := range ends {
		left[tp] = until(end) > 0
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.addr), kgo.ConsumePartitions(r.fromTheBeginning()), kgo.FetchIsolationLevel(level), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		for tp := range left {
			if !left[tp] {
				delete(left, tp)
			}
		}
		if len(left) == 0 {
			return nil
		}
		poll, cancel := context.WithTimeout(ctx, 5*time.Second)
		fetches := cl.PollFetches(poll)
		cancel()
		if err := fetches.Err(); err != nil && ctx.Err() == nil && poll.Err() != nil && hung(left, ends) {
			return nil // the last record below an open transaction may be an aborted one
		} else if err != nil {
			return fmt.Errorf("the ends of %v are not to be read: %w", left, err)
		}
		for _, record := range fetches.Records() {
			tp := txncheck.TP{Topic: record.Topic, Partition: record.Partition}
			take(tp, record)
			if record.Offset >= until(ends[tp])-1 {
				left[tp] = false
			}
		}
	}
}

// hung says whether each of these partitions has an open transaction.
func hung(list map[txncheck.TP]bool, ends map[txncheck.TP]txncheck.End) bool {
	for tp := range list {
		if ends[tp].LastStable == ends[tp].HighWatermark {
			return false
		}
	}
	return true
}

// visible is what readers of committed records find. The last record of each partition is one that they find, or a marker:
// so they come to the end, unless a transaction is open.
func (r *txnRound) visible(ctx context.Context) (map[txncheck.TP][]txncheck.Record, error) {
	all := make(map[txncheck.TP][]txncheck.Record)
	var wrong error
	err := r.readAll(ctx, kgo.ReadCommitted(), func(e txncheck.End) int64 { return e.LastStable }, func(tp txncheck.TP, record *kgo.Record) {
		if record.Attrs.IsControl() {
			return
		}
		what, err := identify(record)
		if err != nil {
			wrong = err
		}
		all[tp] = append(all[tp], what)
	})
	if err == nil {
		err = wrong
	}
	return all, err
}

// log is what lies in the partitions.
func (r *txnRound) log(ctx context.Context) (map[txncheck.TP][]txncheck.Entry, error) {
	all := make(map[txncheck.TP][]txncheck.Entry)
	for _, tp := range r.partitions() {
		all[tp] = nil
	}
	var wrong error
	err := r.readAll(ctx, kgo.ReadUncommitted(), func(e txncheck.End) int64 { return e.HighWatermark }, func(tp txncheck.TP, record *kgo.Record) {
		e := txncheck.Entry{Record: txncheck.Record{Offset: record.Offset}, ProducerID: record.ProducerID, Transactional: record.Attrs.IsTransactional()}
		var err error
		if record.Attrs.IsControl() {
			e.Control, err = markerOf(record)
		} else {
			e.Record, err = identify(record)
		}
		if err != nil {
			wrong = err
		}
		all[tp] = append(all[tp], e)
	})
	if err == nil {
		err = wrong
	}
	return all, err
}

func markerOf(record *kgo.Record) (txncheck.Control, error) {
	var key kmsg.ControlRecordKey
	if err := key.ReadFrom(record.Key); err != nil {
		return 0, fmt.Errorf("%s-%d, offset %d: the key of a control record: %w", record.Topic, record.Partition, record.Offset, err)
	}
	switch key.Type {
	case kmsg.ControlRecordKeyTypeAbort:
		return txncheck.AbortMarker, nil
	case kmsg.ControlRecordKeyTypeCommit:
		return txncheck.CommitMarker, nil
	}
	return 0, fmt.Errorf("%s-%d, offset %d: a control record of type %v", record.Topic, record.Partition, record.Offset, key.Type)
}

// committed are the offsets of a group.
func (r *txnRound) committed(ctx context.Context, group string) (map[txncheck.TP]int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	req.Groups = append(req.Groups, g)
	resp, err := req.RequestWith(ctx, r.cl)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
		return nil, err
	}
	offsets := make(map[txncheck.TP]int64)
	for p := range int32(txnPartitions) {
		offsets[txncheck.TP{Topic: r.source, Partition: p}] = 0
	}
	for _, t := range resp.Groups[0].Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("the offset of group %s in %s-%d: %w", group, t.Topic, p.Partition, err)
			}
			offsets[txncheck.TP{Topic: t.Topic, Partition: p.Partition}] = p.Offset
		}
	}
	return offsets, nil
}
