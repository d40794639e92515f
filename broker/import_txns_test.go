package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/controller"
	"blumfeld/protocol/batch"
)

// TestImportTransactions imports what an Apache Kafka leaves that died with transactions in each state: what is decided
// is carried out, offsets of groups too; what is open is aborted, and its producer fenced; who is idle goes on.
func TestImportTransactions(t *testing.T) {
	from := t.TempDir()
	r := run(t, config.Properties{"log.dirs": from}, "", controller.NewMemStore())
	c := r.dial()
	c.createTopic("t", 1)
	state := batch.NewBuilder()
	// left is a producer's last record in __transaction_state.
	left := func(p *transactional, kafkaState int8, partitions ...kmsg.TxnMetadataValueTopic) {
		key := kmsg.TxnMetadataKey{TransactionalID: p.id}
		v := kmsg.NewTxnMetadataValue()
		v.Version, v.ProducerID, v.ProducerEpoch, v.TimeoutMillis, v.ClientTransactionVersion = 1, p.pid, p.epoch, 60_000, 2
		v.State, v.LastUpdateTimestamp, v.StartTimestamp = kmsg.TransactionState(kafkaState), time.Now().UnixMilli(), time.Now().UnixMilli()
		if v.Topics = partitions; kafkaState == 2 || kafkaState == 3 {
			v.ProducerEpoch++ // the end has bumped it
		}
		state.Add(batch.Record{Key: key.AppendTo(nil), Value: v.AppendTo(nil)})
	}
	t0 := kmsg.TxnMetadataValueTopic{Topic: "t", Partitions: []int32{0}}
	groups := kmsg.TxnMetadataValueTopic{Topic: "__consumer_offsets", Partitions: []int32{0}}
	idle, commit, abort, open := r.transactional("idle", true), r.transactional("commit", true), r.transactional("abort", true), r.transactional("open", true)
	idle.mustProduce("t", 0, "idle")
	idle.mustEnd(true)
	left(idle, 4)
	commit.mustProduce("t", 0, "commit")
	left(commit, 2, t0, groups)
	abort.mustProduce("t", 0, "abort")
	left(abort, 3, t0, groups)
	open.mustProduce("t", 0, "open")
	left(open, 1, t0, groups)
	hanging := r.transactional("hanging", true) // which the coordinator has lost
	hanging.mustProduce("t", 0, "hanging")

	req := metadataOf("t")
	req.Version = 12
	id := ask[*kmsg.MetadataResponse](c, req).Topics[0].TopicID
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{metadataFolder, "__transaction_state-0"} {
		if err := os.RemoveAll(filepath.Join(from, folder)); err != nil {
			t.Fatal(err)
		}
	}
	m := batch.NewBuilder()
	m.Add(batch.Record{Value: append(append([]byte{1, 2, 0}, append(kbin.AppendCompactString(nil, "t"), id[:]...)...), 0)})
	m.Add(batch.Record{Value: append(append([]byte{1, 3, 0}, append(kbin.AppendInt32(nil, 0), id[:]...)...), 0)})
	writeSegment(t, from, metadataFolder, m.Build())
	writeSegment(t, from, "__transaction_state-0", state.Build())
	var pending []byte
	for n, p := range []*transactional{commit, abort, open} {
		o := batch.NewBuilder()
		o.BaseOffset, o.ProducerID, o.ProducerEpoch, o.Transactional = int64(n), p.pid, p.epoch, true
		key := kmsg.OffsetCommitKey{Version: 1, Group: "g-" + p.id, Topic: "t"}
		value := kmsg.NewOffsetCommitValue()
		value.Version, value.Offset, value.LeaderEpoch = 3, 3, -1
		o.Add(batch.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)})
		pending = append(pending, o.Build()...)
	}
	writeSegment(t, from, "__consumer_offsets-0", pending)

	dir, store := t.TempDir(), lastingStore{controller.NewMemStore()}
	var out strings.Builder
	if err := Import(t.Context(), offlineConfig(t, dir, store), []string{from}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"offsets of 1 groups, 4 transactional ids", "aborted, since it was open: the transaction of open\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the import does not say %q:\n%s", want, out.String())
		}
	}
	r = run(t, config.Properties{"log.dirs": dir}, "", store)
	c = r.dial()
	c.awaitReadable("t", 0, "idle", "commit")
	waitFor(t, func() bool { _, stable := c.committed("t", 0); return stable == 10 }) // a record and a marker of each
	again := r.transactional("other", true)                                           // makes the topic of transactional ids
	got := fmt.Sprint(c.txnState("idle"), c.txnState("commit"), c.txnState("abort"), c.txnState("open"), c.txnState("hanging"))
	if want := "CompleteCommit CompleteCommit CompleteAbort CompleteAbort e105"; got != strings.ReplaceAll(want, " ", "") {
		t.Errorf("states %s", got)
	}
	for group, want := range map[string]string{"g-commit": "3 e0", "g-abort": "-1 e0", "g-open": "-1 e0"} {
		if got := c.offsetOf(group, "t", true); got != want {
			t.Errorf("offset of %s: %s, want %s", group, got, want)
		}
	}
	for _, p := range []*transactional{idle, commit, open} {
		p.client = again.client
	}
	idle.mustProduce("t", 0, "more")
	idle.mustEnd(true)
	commit.mustEnd(true) // once more: the answer was lost
	commit.mustProduce("t", 0, "and more")
	commit.mustEnd(true)
	if code := open.produce("t", 0, "late"); code != kerr.InvalidProducerEpoch.Code {
		t.Errorf("the producer of what was open: error %d", code)
	}
	c.awaitReadable("t", 0, "idle", "commit", "more", "and more")
	if p := r.transactional("new", true); p.pid <= open.pid {
		t.Errorf("producer id %d was handed out before", p.pid)
	}
}
