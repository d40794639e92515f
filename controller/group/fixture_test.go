package group

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
)

// clock is the time of a test, which moves only when told to.
type clock struct{ ns atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.ns.Store(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}
func (c *clock) now() time.Time { return time.Unix(0, c.ns.Load()) }

// pass lets time pass and every shard act on it.
func (c *clock) pass(co *Coordinator, d time.Duration) {
	c.ns.Add(int64(d))
	// Twice: the first may set alarms that are due at once.
	for range 2 {
		for _, s := range co.shards {
			co.ask(s, func(*core, error) {})
		}
	}
}

func testConfig() Config {
	c := DefaultConfig()
	c.InitialRebalanceDelayMs = 0
	return c
}

func open(t testing.TB, store controller.Store, cl *clock, change func(*Options)) *Coordinator {
	t.Helper()
	var ids atomic.Int32
	o := Options{Store: store, Config: testConfig(), Now: cl.now, NewMemberID: func(client string) string {
		return fmt.Sprintf("%s-%d", client, ids.Add(1))
	}}
	if change != nil {
		change(&o)
	}
	c := New(o)
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func await[T any](t testing.TB, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("no answer")
		panic("unreachable")
	}
}

func consumer(group, client, memberID string, topics ...string) JoinRequest {
	return JoinRequest{Group: group, MemberID: memberID, ClientID: client, ClientHost: "/127.0.0.1", SessionTimeoutMs: 10_000,
		RebalanceTimeoutMs: 60_000, ProtocolType: "consumer", Protocols: []Protocol{{"range", subscription(topics...)}},
		RequireKnownMemberID: true, SupportsSkipAssignment: true}
}

func subscription(topics ...string) []byte {
	b := []byte{0, 1, 0, 0, 0, byte(len(topics))}
	for _, t := range topics {
		b = append(b, 0, byte(len(t)))
		b = append(b, t...)
	}
	return append(b, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)
}

// stable brings up a group of one consumer, and returns its member id. The generation is 1.
func stable(t testing.TB, c *Coordinator, cl *clock, group string, topics ...string) string {
	t.Helper()
	first := await(t, c.Join(consumer(group, "client", "", topics...)))
	if !errors.Is(first.Err, kerr.MemberIDRequired) {
		t.Fatalf("first join of %s: %v", group, first.Err)
	}
	joined := c.Join(consumer(group, "client", first.MemberID, topics...))
	cl.pass(c, 0)
	j := await(t, joined)
	if j.Err != nil || j.Leader != first.MemberID || j.Generation != 1 || len(j.Members) != 1 {
		t.Fatalf("join of %s: %+v", group, j)
	}
	s := await(t, c.Sync(SyncRequest{Group: group, MemberID: j.MemberID, Generation: 1, Assignments: map[string][]byte{j.MemberID: []byte("all")}}))
	if s.Err != nil || string(s.Assignment) != "all" {
		t.Fatalf("sync of %s: %+v", group, s)
	}
	return j.MemberID
}

func commit(t testing.TB, c *Coordinator, group, member string, generation int32, offsets ...OffsetToCommit) []error {
	t.Helper()
	return await(t, c.Commit(CommitRequest{Group: group, MemberID: member, Generation: generation, Offsets: offsets})).Errs
}

func beat(t testing.TB, c *Coordinator, group, member string, generation int32) error {
	t.Helper()
	return await(t, c.Heartbeat(HeartbeatRequest{Group: group, MemberID: member, Generation: generation}))
}

func offsets(t testing.TB, c *Coordinator, group string) []CommittedOffset {
	t.Helper()
	r := c.FetchOffsets(FetchRequest{Group: group})
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	return r.Offsets
}

// rejoin lets a consumer join again that may have lost its session.
func rejoin(t testing.TB, c *Coordinator, cl *clock, group, member string) string {
	t.Helper()
	if beat(t, c, group, member, c.generation(group)) == nil {
		return member
	}
	r := consumer(group, "client", "", "t")
	r.RequireKnownMemberID = false
	ch := c.Join(r)
	cl.pass(c, 0)
	j := await(t, ch)
	if j.Err != nil {
		t.Fatal(j.Err)
	}
	if s := await(t, c.Sync(SyncRequest{Group: group, MemberID: j.MemberID, Generation: j.Generation})); s.Err != nil {
		t.Fatal(s.Err)
	}
	return j.MemberID
}

func (c *Coordinator) generation(group string) (n int32) {
	c.ask(c.shard(group), func(s *core, err error) {
		if g := s.groups[group]; err == nil && g != nil {
			n = g.machine.generation
		}
	})
	return n
}
