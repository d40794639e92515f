package broker

import (
	"context"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"

	"blumfeld/broker/config"
	"blumfeld/broker/kafkadir"
	"blumfeld/controller"
	"blumfeld/logstore"
	"blumfeld/protocol/batch"
)

// offlineConfig is a broker's that keeps its metadata in store, for Import, Recover, Backup and Restore.
func offlineConfig(t *testing.T, dir string, store controller.Store) Config {
	t.Helper()
	// A broker may be running at the default address.
	values, _, err := config.Parse(config.Properties{"log.dirs": dir, "listeners": "PLAINTEXT://127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	return Config{
		Values: values, Logger: slog.New(slog.DiscardHandler), Now: time.Now,
		OpenStore: func(context.Context, string, int32, *slog.Logger) (controller.Store, error) { return store, nil },
	}
}

// kafkaDirectory makes what an Apache Kafka of one node leaves: a broker of ours writes topic "t" of two partitions, five
// records in the first from producer 4711, in whose place the records 0 and 1 were deleted; metadata and the offsets
// topic are written as Kafka writes them. Group g has read three records.
func kafkaDirectory(t *testing.T) (dir string, id [16]byte) {
	t.Helper()
	dir = t.TempDir()
	r := run(t, config.Properties{"log.dirs": dir}, "", controller.NewMemStore())
	c := r.dial()
	c.createTopic("t", 2)
	w := batch.NewBuilder()
	w.ProducerID, w.ProducerEpoch, w.BaseSequence = 4711, 3, 0
	for range 5 {
		w.Add(batch.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("five records")})
	}
	if code := produceCode(ask[*kmsg.ProduceResponse](c, produceRequest("t", 0, 1, w.Build()))); code != 0 {
		t.Fatalf("produce: error %d", code)
	}
	del := kmsg.NewPtrDeleteRecordsRequest()
	del.TimeoutMillis = 5000
	dt := kmsg.NewDeleteRecordsRequestTopic()
	dp := kmsg.NewDeleteRecordsRequestTopicPartition()
	dt.Topic, dp.Offset = "t", 2
	dt.Partitions = append(dt.Partitions, dp)
	del.Topics = append(del.Topics, dt)
	if got := ask[*kmsg.DeleteRecordsResponse](c, del).Topics[0].Partitions[0]; got.LowWatermark != 2 {
		t.Fatalf("%+v", got)
	}
	req := metadataOf("t")
	req.Version = 12
	id = ask[*kmsg.MetadataResponse](c, req).Topics[0].TopicID
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, metadataFolder)); err != nil {
		t.Fatal(err)
	}

	record := func(kind byte, fields []byte) batch.Record {
		return batch.Record{Value: append(append([]byte{1, kind, 0}, fields...), 0)}
	}
	m := batch.NewBuilder()
	m.Add(record(2, append(kbin.AppendCompactString(nil, "t"), id[:]...)))
	for n := range int32(2) {
		m.Add(record(3, append(kbin.AppendInt32(nil, n), id[:]...)))
	}
	for key, value := range map[string]string{"max.message.bytes": "777777", "no.such.key": "x"} {
		f := kbin.AppendCompactString([]byte{2}, "t")
		m.Add(record(4, kbin.AppendCompactString(kbin.AppendCompactString(f, key), value)))
	}
	m.Add(record(18, make([]byte, 16))) // an ACL
	writeSegment(t, dir, metadataFolder, m.Build())

	o := batch.NewBuilder()
	key := kmsg.OffsetCommitKey{Version: 1, Group: "g", Topic: "t"}
	value := kmsg.NewOffsetCommitValue()
	value.Version, value.Offset, value.LeaderEpoch, value.Metadata = 3, 3, -1, "mine"
	o.Add(batch.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)})
	key.Topic = "gone"
	o.Add(batch.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)})
	key.Group, key.Partition = "no such partition", -1
	o.Add(batch.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)})
	writeSegment(t, dir, "__consumer_offsets-0", o.Build())
	return dir, id
}

func writeSegment(t *testing.T, dir, folder string, b batch.Batch) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, folder, "00000000000000000000.log"), b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// snapshotOf is every file below dir but locks, with its contents.
func snapshotOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == ".lock" {
			return err
		}
		contents, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(contents)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestImport(t *testing.T) {
	from, id := kafkaDirectory(t)
	before := snapshotOf(t, from)
	dir, store := t.TempDir(), lastingStore{controller.NewMemStore()}
	var out strings.Builder
	if err := Import(t.Context(), offlineConfig(t, dir, store), []string{from}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"imported 1 topics with 2 partitions, 1 record batches, offsets of 1 groups, 0 transactional ids", "not taken over: no.such.key=x of topic t", "not taken over: 1 ACLs"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if after := snapshotOf(t, from); len(after) != len(before) {
		t.Errorf("the source has %d files, had %d", len(after), len(before))
	} else {
		for name := range before {
			if before[name] != after[name] {
				t.Errorf("%s of the source has changed", name)
			}
		}
	}

	r := run(t, config.Properties{"log.dirs": dir}, "", store)
	c := r.dial()
	req := metadataOf("t")
	req.Version = 12
	topic := ask[*kmsg.MetadataResponse](c, req).Topics[0]
	if topic.TopicID != id || len(topic.Partitions) != 2 {
		t.Fatalf("%+v", topic)
	}
	if p := ask[*kmsg.FetchResponse](c, fetchRequest("t", 0, 1, 0, 0)).Topics[0].Partitions[0]; p.ErrorCode != 1 || p.LogStartOffset != 2 && p.LogStartOffset != -1 {
		t.Errorf("fetch below the log's start: %+v", p)
	}
	p := ask[*kmsg.FetchResponse](c, fetchRequest("t", 0, 2, 0, 0)).Topics[0].Partitions[0]
	if p.ErrorCode != 0 || p.HighWatermark != 5 || p.LogStartOffset != 2 || len(p.RecordBatches) == 0 {
		t.Errorf("fetch: %+v", p)
	}
	of := kmsg.NewPtrOffsetFetchRequest()
	of.Version, of.Group = 7, "g"
	if got := ask[*kmsg.OffsetFetchResponse](c, of).Topics; len(got) != 1 || got[0].Partitions[0].Offset != 3 || *got[0].Partitions[0].Metadata != "mine" {
		t.Errorf("committed: %+v", got)
	}
	init := kmsg.NewPtrInitProducerIDRequest()
	init.ProducerID, init.ProducerEpoch = -1, -1
	if got := ask[*kmsg.InitProducerIDResponse](c, init); got.ErrorCode != 0 || got.ProducerID <= 4711 {
		t.Errorf("producer id: %+v", got)
	}
	// The producer goes on where it was: what it sends again is a duplicate, and what follows is not out of order.
	w := batch.NewBuilder()
	w.ProducerID, w.ProducerEpoch, w.BaseSequence = 4711, 3, 5
	w.Add(batch.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("the sixth")})
	for range 2 {
		got := ask[*kmsg.ProduceResponse](c, produceRequest("t", 0, -1, w.Build())).Topics[0].Partitions[0]
		if got.ErrorCode != 0 || got.BaseOffset != 5 {
			t.Errorf("produce: %+v", got)
		}
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if err := Import(t.Context(), offlineConfig(t, dir, store), []string{from}, &out); err == nil || !strings.Contains(err.Error(), "topic t exists here already") {
		t.Errorf("a second import: %v", err)
	}
}

// TestImportAgain repeats an import that was cut off at any write of it: its copies are there, but no topic.
func TestImportAgain(t *testing.T) {
	from, _ := kafkaDirectory(t)
	for _, key := range []string{"meta/topics/t", "meta/producer-ids", "groups/g/"} {
		t.Run(key, func(t *testing.T) {
			dir := t.TempDir()
			ctx, cancel := context.WithCancel(t.Context())
			failed := false
			store := lastingStore{controller.NewFaultyMemStore(controller.Faults{BeforeTxn: func(ctx context.Context, _ []controller.Cond, ops []controller.Op) error {
				for _, o := range ops {
					if !failed && strings.HasPrefix(o.Key, key) {
						failed = true
						cancel()
						return context.Canceled
					}
				}
				return nil
			}})}
			var out strings.Builder
			if err := Import(ctx, offlineConfig(t, dir, store), []string{from}, &out); err == nil {
				t.Fatal("the store failed, the import did not")
			}
			if _, err := os.Stat(filepath.Join(dir, "t-0")); err != nil {
				t.Fatal(err)
			}
			if err := Import(t.Context(), offlineConfig(t, dir, store), []string{from}, &out); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestImportRefuses(t *testing.T) {
	damage := func(change func(dir string)) string {
		dir, _ := kafkaDirectory(t)
		change(dir)
		return dir
	}
	flip := func(name string, at int) func(dir string) {
		return func(dir string) {
			p, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			p[at] ^= 1
			if err := os.WriteFile(filepath.Join(dir, name), p, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	const segment = "t-0/00000000000000000000.log"
	for name, c := range map[string]struct {
		from string
		want string
	}{
		"an empty directory":  {t.TempDir(), "is no log directory of Apache Kafka"},
		"no metadata log":     {damage(func(dir string) { os.RemoveAll(filepath.Join(dir, kafkadir.MetadataFolder)) }), "name metadata.log.dir too"},
		"a partition missing": {damage(func(dir string) { os.RemoveAll(filepath.Join(dir, "t-1")) }), "partition 1 of topic t is in none"},
		"a flipped bit":       {damage(flip(segment, 80)), segment + " at position 0"},
	} {
		dir := t.TempDir()
		store := lastingStore{controller.NewMemStore()}
		err := Import(t.Context(), offlineConfig(t, dir, store), []string{c.from}, &strings.Builder{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if kvs, _, err := store.Range(t.Context(), "meta/topics/"); err != nil || len(kvs) > 0 {
			t.Errorf("%s: %d topics, %v", name, len(kvs), err)
		}
	}
}

// TestImportOfMorePartitionsThanLogs: what metadata claims is not allocated before it is found.
func TestImportOfMorePartitionsThanLogs(t *testing.T) {
	claimed := kafkadir.Topic{Name: "t", ID: [16]byte{1}, Partitions: 1<<31 - 1}
	found := sourceLog{FoundLog: logstore.FoundLog{Topic: "t", TopicID: claimed.ID}, dir: os.DirFS(t.TempDir())}
	if _, err := logsOf(claimed, []sourceLog{found}); err == nil || !strings.Contains(err.Error(), "partition 1 of topic t") {
		t.Error(err)
	}
}

// TestApacheKafkasDirectory: whoever names the directory of an Apache Kafka as this broker's own, by its server.properties
// perhaps, changes nothing in it, whatever the command.
func TestApacheKafkasDirectory(t *testing.T) {
	from, _ := kafkaDirectory(t)
	before := snapshotOf(t, from)
	own := offlineConfig(t, from, controller.NewMemStore())
	logsOnly := offlineConfig(t, from, controller.NewMemStore())
	var err error
	if logsOnly.Values, _, err = config.Parse(config.Properties{"log.dirs": from, "metadata.log.dir": t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for name, c := range map[string]struct {
		run  func() error
		want string
	}{
		"import":                      {func() error { return Import(t.Context(), own, []string{from}, &out) }, "both what is imported and where to"},
		"import, the metadata apart":  {func() error { return Import(t.Context(), logsOnly, []string{from + "/."}, &out) }, "both what is imported and where to"},
		"recover":                     {func() error { return Recover(t.Context(), own, &out) }, "Apache Kafka's own"},
		"backup":                      {func() error { return Backup(t.Context(), own, filepath.Join(t.TempDir(), "b"), &out) }, "Apache Kafka's own"},
		"no command: it is to be run": {func() error { return Run(t.Context(), own) }, "Apache Kafka's own"},
	} {
		if err := c.run(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	after := snapshotOf(t, from)
	if !maps.Equal(before, after) {
		t.Errorf("%d files before, %d after, or others", len(before), len(after))
	}
}

// TestImportOfARunningBroker: ours holds its directory's lock by flock, Kafka by fcntl.
func TestImportOfARunningBroker(t *testing.T) {
	dir, _ := kafkaDirectory(t)
	file, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := refuseRunning(dir); err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := refuseRunning(dir); err == nil || !strings.Contains(err.Error(), "in use by a broker") {
		t.Fatalf("%v", err)
	}
	// That the same works with a lock of fcntl's takes another process: compat/import has Apache Kafka.
}
