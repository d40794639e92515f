package integration

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"blumfeld/integration/process"
)

// sample returns n records of 0 to 200 bytes, some with keys and headers, the
// same ones each time.
func sample(topic string, n int) []*kgo.Record {
	random := rand.New(rand.NewPCG(19, 15))
	bytesOf := func(limit int) []byte {
		b := make([]byte, random.IntN(limit+1))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	records := make([]*kgo.Record, n)
	for i := range records {
		r := &kgo.Record{Topic: topic, Value: append(strconv.AppendInt(nil, int64(i), 10), bytesOf(200)...)}
		if i%3 == 0 {
			r.Key = bytesOf(20)
		}
		if i%5 == 0 {
			r.Headers = []kgo.RecordHeader{{Key: "h", Value: bytesOf(20)}}
		}
		if i%7 == 0 {
			r.Value = nil // a tombstone
		}
		records[i] = r
	}
	return records
}

// differ says where two records are not the same to a consumer.
func differ(got, want *kgo.Record) string {
	switch {
	case got.Offset != want.Offset:
		return fmt.Sprintf("offset %d, want %d", got.Offset, want.Offset)
	case !got.Timestamp.Equal(want.Timestamp):
		return fmt.Sprintf("timestamp %v, want %v", got.Timestamp, want.Timestamp)
	case !bytes.Equal(got.Key, want.Key) || (got.Key == nil) != (want.Key == nil):
		return fmt.Sprintf("key %q, want %q", got.Key, want.Key)
	case !bytes.Equal(got.Value, want.Value) || (got.Value == nil) != (want.Value == nil):
		return fmt.Sprintf("value %q, want %q", got.Value, want.Value)
	case len(got.Headers) != len(want.Headers):
		return fmt.Sprintf("%d headers, want %d", len(got.Headers), len(want.Headers))
	}
	for i, h := range got.Headers {
		if h.Key != want.Headers[i].Key || !bytes.Equal(h.Value, want.Headers[i].Value) {
			return fmt.Sprintf("header %d: %v, want %v", i, h, want.Headers[i])
		}
	}
	return ""
}

func compare(t *testing.T, got, want []*kgo.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if d := differ(got[i], want[i]); d != "" {
			t.Fatalf("record %d: %s", i, d)
		}
	}
}

func TestRecordsSurviveAKill(t *testing.T) {
	const topic, n = "kept", 100_000
	o := options(t, t.TempDir())
	b := start(t, o)

	records := sample(topic, n)
	producer := client(t, b, kgo.MaxBufferedRecords(n))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := producer.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	// What was acknowledged is what is read: the client has set offsets and timestamps.
	compare(t, consume(t, b, topic, n), records)

	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	b = start(t, o)
	compare(t, consume(t, b, topic, n), records)

	// The same after an orderly stop, which recovers nothing.
	if code, err := b.Stop(ctx); code != 0 || err != nil {
		t.Fatalf("SIGTERM: exit code %d, %v", code, err)
	}
	compare(t, consume(t, start(t, o), topic, n), records)
}

// A consumer that waits for records does not keep the broker from ending.
func TestStopDoesNotWaitForConsumers(t *testing.T) {
	o := options(t, t.TempDir())
	b := start(t, o)
	cl := client(t, b, kgo.DefaultProduceTopic("stop"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := cl.ProduceSync(ctx, kgo.StringRecord("first")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	// At the end of the partition the consumer's fetch may wait for a minute.
	waiting := client(t, b, kgo.FetchMaxWait(time.Minute), kgo.ConsumePartitions(
		map[string]map[int32]kgo.Offset{"stop": {0: kgo.NewOffset().AtStart()}}))
	if got := waiting.PollFetches(ctx).NumRecords(); got != 1 {
		t.Fatalf("%d records, want 1", got)
	}
	began := time.Now()
	if code, err := b.Stop(ctx); code != 0 || err != nil {
		t.Fatalf("SIGTERM: exit code %d, %v", code, err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

func TestSecondBrokerIsRefused(t *testing.T) {
	o := options(t, t.TempDir())
	b := start(t, o)

	sameDir := options(t, o.Dir)
	samePort := process.Options{Binary: o.Binary, Dir: t.TempDir(), Port: o.Port}
	for name, c := range map[string]struct {
		process.Options
		says string
	}{
		"same directory": {sameDir, o.Dir},
		"same port":      {samePort, strconv.Itoa(o.Port)},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			end, err := process.Run(ctx, c.Options)
			if err != nil {
				t.Fatal(err)
			}
			if end.Code != 1 {
				t.Errorf("exit code %d, want 1", end.Code)
			}
			if strings.Count(end.Stderr, "\n") != 1 || !strings.Contains(end.Stderr, c.says) {
				t.Errorf("want one line that names %q:\n%s", c.says, end.Stderr)
			}
			if end.Stdout != "" {
				t.Errorf("standard output: %s", end.Stdout)
			}
		})
	}

	// The first one never noticed.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := client(t, b, kgo.DefaultProduceTopic("still-here")).ProduceSync(ctx, kgo.StringRecord("x")).FirstErr(); err != nil {
		t.Error(err)
	}
}

// The command line of README: an unknown property and a bad value end it with
// one line, before anything is created.
func TestBadCommandLineIsOneLine(t *testing.T) {
	for name, c := range map[string]struct{ override, says string }{
		"misspelt key": {"num.partition=3", "num.partitions"},
		"bad value":    {"num.partitions=many", "num.partitions"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, filepath.Join(t.TempDir(), "data"), "--override", c.override)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			end, err := process.Run(ctx, o)
			if err != nil {
				t.Fatal(err)
			}
			if end.Code != 1 || strings.Count(end.Stderr, "\n") != 1 || !strings.Contains(end.Stderr, c.says) {
				t.Errorf("exit code %d, want 1 and one line that names %s:\n%s", end.Code, c.says, end.Stderr)
			}
			if found, _ := filepath.Glob(o.Dir); len(found) > 0 {
				t.Errorf("created %s", o.Dir)
			}
		})
	}
}
