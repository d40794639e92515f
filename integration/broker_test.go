package integration

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"blumfeld/integration/process"
)

var built struct {
	once   sync.Once
	dir    string
	binary string
	err    error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// binary builds Blumfeld once for all tests of the package.
func binary(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "blumfeld-integration-"); built.err == nil {
			built.binary, built.err = process.Build(context.Background(), built.dir, buildArgs...)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return built.binary
}

// options are those of a broker on dir and a free port.
func options(t *testing.T, dir string, args ...string) process.Options {
	t.Helper()
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return process.Options{Binary: binary(t), Dir: dir, Port: port, Args: args}
}

// start starts a broker that does not outlive the test. If the test fails, what
// the broker logged is part of its output.
func start(t *testing.T, o process.Options) *process.Broker {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	b, err := process.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Kill(); err != nil {
			t.Error(err)
		}
		if strings.Contains(b.Stderr(), "DATA RACE") {
			t.Error("data race in the broker")
		}
		if t.Failed() {
			t.Logf("broker on %s logged:\n%s", b.Addr(), b.Stderr())
		}
	})
	return b
}

func client(t *testing.T, b *process.Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr()), kgo.AllowAutoTopicCreation()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// consume returns the first n records of partition 0, from its beginning.
func consume(t *testing.T, b *process.Broker, topic string, n int) []*kgo.Record {
	t.Helper()
	cl := client(t, b, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var records []*kgo.Record
	for len(records) < n {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %d of %d records: %v", len(records), n, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}
