package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sendOffsets is TxnOffsetCommit; it answers a partition a line.
func (p *producer) sendOffsets(version int16, group string, change func(*kmsg.TxnOffsetCommitRequest), offsets ...offset) (lines []string) {
	p.f.Helper()
	r := kmsg.NewPtrTxnOffsetCommitRequest()
	r.Version, r.TransactionalID, r.Group, r.ProducerID, r.ProducerEpoch, r.Generation = version, p.txnID, group, p.id, p.epoch, -1
	for _, o := range offsets {
		r.Topics = append(r.Topics, kmsg.TxnOffsetCommitRequestTopic{Topic: o.topic, Partitions: []kmsg.TxnOffsetCommitRequestTopicPartition{
			{Partition: o.partition, Offset: o.at, LeaderEpoch: 3, Metadata: kmsg.StringPtr("note")},
		}})
	}
	if change != nil {
		change(r)
	}
	for _, t := range ask[*kmsg.TxnOffsetCommitResponse](p.f, r).Topics {
		for _, o := range t.Partitions {
			lines = append(lines, fmt.Sprintf("%s-%d e%d", t.Topic, o.Partition, o.ErrorCode))
		}
	}
	return lines
}

func TestTxnOffsetCommit(t *testing.T) {
	f := newFixture(t)
	f.topic("t", 2)
	f.versions(kmsg.NewPtrTxnOffsetCommitRequest(), func(v int16) {
		says := func(what string, got []string, want string) {
			t.Helper()
			equal(t, fmt.Sprintf("version %d, %s", v, what), fmt.Sprint(got), "["+want+"]")
		}
		id := fmt.Sprint("id", v)
		g, at := "g"+id, offset{"t", 0, 7}
		if v == 0 {
			says("before there is a coordinator", (&producer{f, "early", 5, 0}).sendOffsets(v, g, nil, at), "t-0 e15")
		}
		p := f.producer(id)
		says("what is not there", p.sendOffsets(v, g, nil, offset{"t", 9, 7}, offset{"nope", 0, 7}), "t-9 e3 nope-0 e3")
		equal(t, "the transaction", f.describeTxn(id).State, "Empty")
		switch {
		case v < 4:
			says("not added", p.sendOffsets(v, g, nil, at), "t-0 e48")
		case v < 5:
			says("not added", p.sendOffsets(v, g, nil, at), "t-0 e120")
		}
		if v < 5 {
			equal(t, "AddOffsetsToTxn", p.addOffsets(4, g), 0)
		}
		says("in the transaction", p.sendOffsets(v, g, nil, at, offset{"t", 1, 8}, offset{"t", 2, 8}), "t-2 e3 t-0 e0 t-1 e0")
		equal(t, "the transaction", f.describeTxn(id).Topics[0].Topic, groupMetadataTopic)

		fetch := f.fetchRequest(7, g, at)
		equal(t, "not committed yet", f.fetched(ask[*kmsg.OffsetFetchResponse](f, fetch)), []string{`t-0 -1 -1 "" e0`})
		fetch.RequireStable = true
		equal(t, "not stable yet", f.fetched(ask[*kmsg.OffsetFetchResponse](f, fetch)), []string{`t-0 -1 -1 "" e88`})

		fenced := *p
		fenced.epoch = 7
		says("another epoch", fenced.sendOffsets(v, g, nil, at), "t-0 e47")
		unknown := producer{f, "unknown", p.id + 1000, 0}
		says("an unknown transactional id", unknown.sendOffsets(v, g, nil, at), "t-0 e49")
		says("no group", p.sendOffsets(v, "", nil, at), "t-0 e24")
		if v >= 3 {
			says("a member that there is not", p.sendOffsets(v, g, func(r *kmsg.TxnOffsetCommitRequest) { r.Generation, r.MemberID = 4, "me" }, at), "t-0 e25")
		}
		f.marked.hold()
		equal(t, "end", p.end(3, true), 0)
		says("being ended, another group", p.sendOffsets(v, "another", nil, at), fmt.Sprint("t-0 e", kerr.ConcurrentTransactions.Code))
		f.marked.release()
		awaitState(f, id, "CompleteCommit")
		equal(t, "committed", f.fetched(ask[*kmsg.OffsetFetchResponse](f, fetch)), []string{`t-0 7 ` + map[bool]string{true: "3", false: "-1"}[v >= 2] + ` "note" e0`})
	})
}
