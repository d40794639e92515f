// Package clients drives a broker with the Kafka clients that Go programs use:
// sarama, segmentio/kafka-go, confluent-kafka-go (librdkafka) and franz-go with
// kadm. Cases that every client can run are written once, over the interface
// client, and have the same name under each; what only the users of one client
// do stands in that client's own file.
//
// It owns what these clients have to see: records as they were written, errors
// by name, groups that share their work. It must not know which broker answers,
// nor import any of Blumfeld: Apache Kafka passes every case.
//
// The package is a module of its own, so that what clients depend on stays out of
// the broker's. `run ADDR` runs it; the tests alone lack an address and fail.
package clients

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// record is what a producer may say of a record and a consumer see of it. A nil
// key or value is null.
type record struct {
	partition  int32
	offset     int64
	key, value []byte
	headers    []header
	time       time.Time // milliseconds; zero lets the client take its clock
}

type header struct {
	key   string
	value string
}

// writing is how records are produced. The zero value is acks=all without
// compression.
type writing struct {
	codec      string // none, gzip, snappy, lz4 or zstd; empty is none
	acks       string // all, one or none; empty is all
	idempotent bool
}

// client is one of the clients under test, used as its users would use it. Every
// method fails the test on an error that it has no way to return.
type client interface {
	// createTopic returns when the broker serves all partitions.
	createTopic(t *testing.T, topic string, partitions int)
	// produce writes records to their partitions, in order, and returns the first
	// error. The topic is created where it is missing.
	produce(t *testing.T, topic string, how writing, records ...record) error
	// read begins to read a partition at an offset. Its reader is closed by the test.
	read(t *testing.T, topic string, partition int32, from int64) reader
	// offsetAt is ListOffsets by time: -1 where no record is as young.
	offsetAt(t *testing.T, topic string, partition int32, at time.Time) int64
	// unknownTopic uses a topic that is not there without creating it and returns
	// the error that the client shows.
	unknownTopic(t *testing.T, topic string) error
	// join becomes a member of the group that commits what it is told to commit. A
	// partition without a commit is read from its beginning.
	join(t *testing.T, group, topic string) member
}

// reader reads one partition.
type reader interface {
	next(t *testing.T) record
	seek(t *testing.T, offset int64)
	close(t *testing.T)
}

// pauser is a reader of a client that can pause a partition and go on with others.
type pauser interface {
	reader
	pause(t *testing.T)
	resume(t *testing.T)
	// also begins to read another partition of the topic, from its start: next returns
	// whichever comes first.
	also(t *testing.T, partition int32)
}

// member is a live member of a group.
type member interface {
	// records are what the member reads. It is closed by leave.
	records() <-chan record
	// commit returns when the broker has taken the offset after each record.
	commit(t *testing.T, records ...record)
	// leave closes the consumer: the group goes on without it at once.
	leave(t *testing.T)
}

// pump carries records from a client's own loop to a test. A client's loop must go
// on while a test does something else, or its group would go on without it.
type pump struct {
	out  chan record
	ctx  context.Context // ends when the member leaves
	stop context.CancelFunc
	done chan struct{}
}

// newPump runs loop until it returns, which it has to do when ctx ends.
func newPump(loop func(ctx context.Context, send func(record) bool)) *pump {
	p := &pump{out: make(chan record), done: make(chan struct{})}
	p.ctx, p.stop = context.WithCancel(context.Background())
	go func() {
		defer close(p.done)
		defer close(p.out)
		loop(p.ctx, p.send)
	}()
	return p
}

// send says whether the record was taken before the member had to leave.
func (p *pump) send(r record) bool {
	select {
	case p.out <- r:
		return true
	case <-p.ctx.Done():
		return false
	}
}

func (p *pump) records() <-chan record { return p.out }

// end stops the loop and waits for it.
func (p *pump) end() {
	p.stop()
	<-p.done
}

// caseLimit ends a case that waits for what does not come. The slowest of them
// takes a few seconds on an idle machine.
const caseLimit = 45 * time.Second

// address is the broker's.
func address(t *testing.T) string {
	t.Helper()
	addr := os.Getenv("COMPAT_ADDR")
	if addr == "" {
		t.Fatal("COMPAT_ADDR is not set: use compat/go/run ADDR")
	}
	return addr
}

// run makes a case. Cases run side by side, each with names and a time limit of
// its own.
func run(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		f(t)
	})
}

// within is the context of a case; its helpers poll under it.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), caseLimit)
	t.Cleanup(cancel)
	return ctx
}

var names atomic.Int64

// fresh returns a name for a topic or a group that nothing else uses.
func fresh(t *testing.T) string {
	t.Helper()
	name := strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())
	return fmt.Sprintf("%s-%d-%d", name, time.Now().UnixMilli(), names.Add(1))
}

// until polls a state that the broker or a client reaches by itself.
func until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	ctx := within(t)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !reached() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("in vain: %s", what)
		}
	}
}

// receive takes one value under the case's limit.
func receive[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v, ok := <-from:
		if !ok {
			t.Fatalf("%s: the channel is closed", what)
		}
		return v
	case <-within(t).Done():
		t.Fatalf("in vain: %s", what)
		panic("unreachable")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T comparable](t *testing.T, what string, have, want T) {
	t.Helper()
	if have != want {
		t.Fatalf("%s: %v, want %v", what, have, want)
	}
}

// numbered returns n records with the values 0, 1, … and equal keys.
func numbered(n int) []record {
	records := make([]record, n)
	for i := range records {
		records[i] = record{key: []byte("k" + strconv.Itoa(i)), value: []byte(strconv.Itoa(i))}
	}
	return records
}

// take reads n records.
func take(t *testing.T, r reader, n int) []record {
	t.Helper()
	var all []record
	for len(all) < n {
		all = append(all, r.next(t))
	}
	return all
}

// same compares what a consumer saw with what was produced, from an offset on;
// times only where they were given.
func same(t *testing.T, have, want []record, from int64) {
	t.Helper()
	equal(t, "records", len(have), len(want))
	for i, h := range have {
		w := want[i]
		switch {
		case h.offset != from+int64(i):
			t.Fatalf("record %d has offset %d, want %d", i, h.offset, from+int64(i))
		case h.partition != w.partition:
			t.Fatalf("record %d is of partition %d, want %d", i, h.partition, w.partition)
		case (h.key == nil) != (w.key == nil) || string(h.key) != string(w.key):
			t.Fatalf("record %d has key %q (null: %t), want %q", i, h.key, h.key == nil, w.key)
		case (h.value == nil) != (w.value == nil) || string(h.value) != string(w.value):
			t.Fatalf("record %d has value %.80q (null: %t), want %.80q", i, h.value, h.value == nil, w.value)
		case !slices.Equal(h.headers, w.headers):
			t.Fatalf("record %d has headers %v, want %v", i, h.headers, w.headers)
		case !w.time.IsZero() && !h.time.Equal(w.time):
			t.Fatalf("record %d is of %v, want %v", i, h.time, w.time)
		}
	}
}
