package broker

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/controller"
	"blumfeld/protocol/batch"
)

// TestImportOfSeveralDirectories: they have to be those of one broker, each named once.
func TestImportOfSeveralDirectories(t *testing.T) {
	second := func(properties string, folders ...string) string {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "meta.properties"), []byte(properties), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	from, _ := kafkaDirectory(t)
	p, err := os.ReadFile(filepath.Join(from, "meta.properties"))
	if err != nil {
		t.Fatal(err)
	}
	same := string(p)
	copied := second(same)
	if err := os.CopyFS(filepath.Join(copied, "t-1"), os.DirFS(filepath.Join(from, "t-1"))); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from []string
		want string
	}{
		"of one broker":      {[]string{from, second(same)}, ""},
		"of another cluster": {[]string{second("version=1\nnode.id=1\ncluster.id=AnotherClusterAnother\n"), from}, "are not of one broker"},
		"of another node":    {[]string{from, second(strings.Replace(same, "node.id=", "node.id=7", 1))}, "are not of one broker"},
		"a log in both":      {[]string{from, copied}, "partition 1 of topic t is in both"},
		"offsets in both":    {[]string{from, second(same, "__consumer_offsets-0")}, "__consumer_offsets-0 is in two of the directories"},
		"the same twice":     {[]string{from, from}, metadataFolder + " is in both"},
	} {
		t.Run(name, func(t *testing.T) {
			store := lastingStore{controller.NewMemStore()}
			err := Import(t.Context(), offlineConfig(t, t.TempDir(), store), c.from, &strings.Builder{})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v, not %q", err, c.want)
			}
		})
	}
}

// TestImportCutOffAmongTopics: so many topics do not appear in one transaction. What a first import has finished is left as
// it is by the second, which does the rest.
func TestImportCutOffAmongTopics(t *testing.T) {
	from, _ := kafkaDirectory(t)
	metadata, err := os.ReadFile(filepath.Join(from, metadataFolder, "00000000000000000000.log"))
	if err != nil {
		t.Fatal(err)
	}
	m := batch.NewBuilder()
	m.BaseOffset = batch.Batch(metadata).LastOffset() + 1
	const many = controller.MaxTxnOps // each takes more than one operation
	for n := range many {
		id, name := [16]byte{9, byte(n >> 8), byte(n)}, fmt.Sprint("many", n)
		m.Add(batch.Record{Value: append(append([]byte{1, 2, 0}, append(kbin.AppendCompactString(nil, name), id[:]...)...), 0)})
		m.Add(batch.Record{Value: append(append([]byte{1, 3, 0}, append(kbin.AppendInt32(nil, 0), id[:]...)...), 0)})
		writeSegment(t, from, name+"-0", nil)
		text := "version: 0\ntopic_id: " + controller.FormatID(id)
		if err := os.WriteFile(filepath.Join(from, name+"-0", "partition.metadata"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	writeSegment(t, from, metadataFolder, append(metadata, m.Build()...))

	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	appeared := 0
	store := lastingStore{controller.NewFaultyMemStore(controller.Faults{BeforeTxn: func(_ context.Context, _ []controller.Cond, ops []controller.Op) error {
		topic := slices.ContainsFunc(ops, func(o controller.Op) bool { return strings.HasPrefix(o.Key, "meta/topics/") })
		if !topic || ctx.Err() != nil {
			return nil
		}
		if appeared++; appeared == 2 {
			cancel()
			return context.Canceled
		}
		return nil
	}})}
	var out strings.Builder
	if err := Import(ctx, offlineConfig(t, dir, store), []string{from}, &out); err == nil {
		t.Fatal("the store failed, the import did not")
	}
	if err := Import(t.Context(), offlineConfig(t, dir, store), []string{from}, &out); err != nil {
		t.Fatal(err)
	}
	r := run(t, config.Properties{"log.dirs": dir}, "", store)
	topics := make(map[string]int16)
	all := metadataOf()
	all.Topics = nil
	for _, topic := range ask[*kmsg.MetadataResponse](r.dial(), all).Topics {
		topics[*topic.Topic] = topic.ErrorCode
	}
	if len(topics) != many+1 || topics["t"] != 0 {
		t.Errorf("%d topics: %v", len(topics), topics)
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
}

// TestImportAgainGivesNewProducerIDs: a transaction whose producer has no epoch left is aborted under another producer id.
// That one is nobody else's, also if the import was cut off behind it, and was repeated.
func TestImportAgainGivesNewProducerIDs(t *testing.T) {
	from, _ := kafkaDirectory(t)
	state := batch.NewBuilder()
	key := kmsg.TxnMetadataKey{TransactionalID: "open"}
	v := kmsg.NewTxnMetadataValue()
	v.Version, v.ProducerID, v.ProducerEpoch, v.TimeoutMillis, v.ClientTransactionVersion = 1, 4711, math.MaxInt16-1, 60_000, 2
	v.State, v.LastUpdateTimestamp, v.StartTimestamp = 1, time.Now().UnixMilli(), time.Now().UnixMilli()
	v.Topics = []kmsg.TxnMetadataValueTopic{{Topic: "t", Partitions: []int32{0}}}
	state.Add(batch.Record{Key: key.AppendTo(nil), Value: v.AppendTo(nil)})
	writeSegment(t, from, "__transaction_state-0", state.Build())

	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	adopted := false
	store := lastingStore{controller.NewFaultyMemStore(controller.Faults{BeforeTxn: func(_ context.Context, _ []controller.Cond, ops []controller.Op) error {
		if adopted && ctx.Err() == nil {
			cancel()
			return context.Canceled
		}
		adopted = adopted || slices.ContainsFunc(ops, func(o controller.Op) bool { return strings.HasPrefix(o.Key, "txns/t/") })
		return nil
	}})}
	var out strings.Builder
	if err := Import(ctx, offlineConfig(t, dir, store), []string{from}, &out); err == nil || !adopted {
		t.Fatalf("%v; the transactional id was written: %t", err, adopted)
	}
	if err := Import(t.Context(), offlineConfig(t, dir, store), []string{from}, &out); err != nil {
		t.Fatal(err)
	}
	r := run(t, config.Properties{"log.dirs": dir}, "", store)
	c := r.dial()
	other := r.transactional("other", true).pid // it makes the topic of transactional ids, too
	waitFor(t, func() bool { return c.txnState("open") == "CompleteAbort" })
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{"open"}
	given := ask[*kmsg.DescribeTransactionsResponse](c, req).TransactionStates[0].ProducerID
	if given <= 4711 || other <= given {
		t.Errorf("the producer id %d was given to the open transaction's owner, and then %d to another", given, other)
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
}
