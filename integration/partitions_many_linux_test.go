package integration

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sys/unix"

	"blumfeld/integration/process"
)

var manyPartitions = flag.Int("partitions", 1000, "of TestManyPartitions; make scale has more")

// manyOpenFiles is what the broker of TestManyPartitions may open: far fewer than its partitions have files.
const manyOpenFiles = 600

// A broker with many more partitions than it may open files serves all of them: they are written, read, and there again
// after an orderly stop and after a kill. What they cost is logged, and bounded.
func TestManyPartitions(t *testing.T) {
	n := *manyPartitions
	o := options(t, t.TempDir())
	o.Binary = limited(t, o.Binary, manyOpenFiles)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	b := start(t, o)
	empty := costOf(t, b)
	topics := manyTopics(n)
	took(t, fmt.Sprintf("create %d partitions, 10 topics in one request", n), func() { createMany(ctx, t, client(t, b), topics) })
	created := costOf(t, b)
	t.Logf("created: %v; %d B of memory a partition", created, (created.anon-empty.anon)/int64(n))
	took(t, "a record to each", func() { writeEach(ctx, t, b, topics) })
	took(t, "and read it", func() { readEach(ctx, t, b, topics, 1) })
	written := costOf(t, b)
	t.Logf("written and read: %v", written)
	if written.files > manyOpenFiles {
		t.Errorf("%d files are open", written.files)
	}

	b = restart(ctx, t, b, o)
	ready := b.Ready()
	idle := costOf(t, b)
	each := (idle.anon - empty.anon) / int64(n)
	t.Logf("start after an orderly stop: %v to the first answer; %v; %d B of memory a partition", ready.Round(time.Millisecond), idle, each)
	// What the heap may have grown by beside them does not grow with them; the race detector has memory of its own.
	if len(buildArgs) == 0 && each > 8<<10+int64(8<<20/n) {
		t.Errorf("an idle partition costs %d bytes", each)
	}
	if d := idle.files - empty.files; d > 10 {
		t.Errorf("%d idle partitions hold %d files", n, d)
	}
	took(t, "another record to each", func() { writeEach(ctx, t, b, topics) })
	took(t, "and read both", func() { readEach(ctx, t, b, topics, 2) })
	b = restart(ctx, t, b, o)

	writeEach(ctx, t, b, map[string]int32{"many-0": 10})
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	b = start(t, o)
	t.Logf("start after kill -9, 10 partitions written to: %v to the first answer", b.Ready().Round(time.Millisecond))
	readEach(ctx, t, b, map[string]int32{"many-0": 10}, 3)
	readEach(ctx, t, b, map[string]int32{"many-9": topics["many-9"]}, 2)
	t.Logf("goroutines: %d", goroutines(t, b))
}

// manyTopics is n partitions as ten topics.
func manyTopics(n int) map[string]int32 {
	topics := make(map[string]int32)
	for i := range 10 {
		topics[fmt.Sprint("many-", i)] = int32((n + 9 - i) / 10)
	}
	return topics
}

// limited is the binary under a limit of open files.
func limited(t *testing.T, binary string, files int) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "limited")
	text := fmt.Sprintf("#!/bin/sh\nulimit -n %d || exit\nexec '%s' \"$@\"\n", files, binary)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return script
}

func took(t *testing.T, what string, do func()) {
	t.Helper()
	began := time.Now()
	do()
	t.Logf("%s: %v", what, time.Since(began).Round(time.Millisecond))
}

func createMany(ctx context.Context, t *testing.T, cl *kgo.Client, topics map[string]int32) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 60_000
	for name, partitions := range topics {
		topic := kmsg.NewCreateTopicsRequestTopic()
		topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
		req.Topics = append(req.Topics, topic)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range resp.Topics {
		if topic.ErrorCode != 0 {
			t.Fatalf("create %s: %v", topic.Topic, kerr.ErrorForCode(topic.ErrorCode))
		}
	}
}

func writeEach(ctx context.Context, t *testing.T, b *process.Broker, topics map[string]int32) {
	t.Helper()
	cl := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer cl.Close()
	var records []*kgo.Record
	for name, partitions := range topics {
		for p := range partitions {
			records = append(records, &kgo.Record{Topic: name, Partition: p, Value: fmt.Appendf(nil, "%s-%d", name, p)})
		}
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// readEach expects so many records of writeEach in each partition.
func readEach(ctx context.Context, t *testing.T, b *process.Broker, topics map[string]int32, each int) {
	t.Helper()
	from := make(map[string]map[int32]kgo.Offset)
	want := 0
	for name, partitions := range topics {
		from[name] = make(map[int32]kgo.Offset)
		for p := range partitions {
			from[name][p] = kgo.NewOffset().At(0)
			want += each
		}
	}
	cl := client(t, b, kgo.ConsumePartitions(from))
	defer cl.Close()
	for got := 0; got < want; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", got, want, err)
		}
		for _, r := range fetches.Records() {
			if value := fmt.Sprintf("%s-%d", r.Topic, r.Partition); string(r.Value) != value {
				t.Fatalf("%s is in partition %d of %s", r.Value, r.Partition, r.Topic)
			}
			got++
		}
	}
}

// restart stops the broker in order and starts it again.
func restart(ctx context.Context, t *testing.T, b *process.Broker, o process.Options) *process.Broker {
	t.Helper()
	took(t, "orderly stop", func() {
		if code, err := b.Stop(ctx); err != nil || code != 0 {
			t.Fatalf("exit code %d, %v\n%s", code, err, b.Stderr())
		}
	})
	return start(t, o)
}

// cost is what a process holds.
type cost struct {
	anon        int64 // RssAnon, bytes
	files, maps int
}

func (c cost) String() string {
	return fmt.Sprintf("RssAnon %.1f MiB, %d files open, %d mappings", mib(c.anon), c.files, c.maps)
}

func costOf(t *testing.T, b *process.Broker) cost {
	t.Helper()
	u, err := process.UsageOf(b.PID())
	if err != nil {
		t.Fatal(err)
	}
	proc := fmt.Sprintf("/proc/%d/", b.PID())
	files, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.ReadFile(proc + "maps")
	if err != nil {
		t.Fatal(err)
	}
	return cost{u.RSSAnon, len(files), bytes.Count(maps, []byte("\n"))}
}

// goroutines ends the broker with SIGQUIT, which has the runtime print every goroutine's stack, and counts them.
func goroutines(t *testing.T, b *process.Broker) int {
	t.Helper()
	if err := unix.Kill(b.PID(), unix.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-b.Exited()
	return strings.Count(b.Stderr(), "\ngoroutine ")
}
