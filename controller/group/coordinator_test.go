package group

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
)

// TestRestart: another coordinator over the same store goes on where the first was cut off, which is what a kill -9 looks
// like from here: nothing is written at the end.
func TestRestart(t *testing.T) {
	store, cl := controller.NewMemStore(), newClock()
	c := open(t, store, cl, nil)
	member := stable(t, c, cl, "readers", "t")
	want := []CommittedOffset{
		{Topic: "t", Partition: 0, Offset: 5, LeaderEpoch: -1},
		{Topic: "t", Partition: 63, Offset: 6, LeaderEpoch: 2, Metadata: "m"},
		{Topic: "t", Partition: 64, Offset: 1 << 60, LeaderEpoch: 3},
		{Topic: "u", Partition: 1000, Offset: 0, LeaderEpoch: 0},
	}
	var list []OffsetToCommit
	for _, o := range want {
		list = append(list, OffsetToCommit{o.Topic, o.Partition, o.Offset, o.LeaderEpoch, o.Metadata})
	}
	for _, err := range commit(t, c, "readers", member, 1, list...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if errs := commit(t, c, "simple/%2F", "", -1, OffsetToCommit{"t", 0, 9, -1, ""}); errs[0] != nil {
		t.Fatal(errs)
	}
	before := c.Describe("readers")
	cl.pass(c, 9*time.Second)

	again := open(t, store, cl, nil)
	if got := again.Describe("readers"); fmt.Sprint(got) != fmt.Sprint(before) || got.State != "Stable" || string(got.Members[0].Assignment) != "all" {
		t.Errorf("described after the restart: %+v\nbefore: %+v", got, before)
	}
	if got := offsets(t, again, "readers"); !slices.Equal(got, want) {
		t.Errorf("offsets after the restart: %+v", got)
	}
	if got := offsets(t, again, "simple/%2F"); len(got) != 1 || got[0].Offset != 9 {
		t.Errorf("offsets of the simple group after the restart: %+v", got)
	}
	// The session began anew.
	cl.pass(again, 9*time.Second)
	if err := beat(t, again, "readers", member, 1); err != nil {
		t.Errorf("heartbeat after the restart: %v", err)
	}
	if errs := commit(t, again, "readers", member, 1, OffsetToCommit{"t", 0, 7, -1, ""}); errs[0] != nil {
		t.Errorf("commit after the restart: %v", errs[0])
	}
	if r := again.FetchOffsets(FetchRequest{Group: "readers", Topics: map[string][]int32{"t": {1, 0}, "x": {0}}}); fmt.Sprint(r.Offsets) !=
		"[{t 1 -1 -1  <nil>} {t 0 7 -1  <nil>} {x 0 -1 -1  <nil>}]" {
		t.Errorf("fetched: %v", r.Offsets)
	}
	// The first one is fenced: it may neither write nor pretend.
	if errs := commit(t, c, "readers", member, 1, OffsetToCommit{"t", 0, 1, -1, ""}); !errors.Is(errs[0], kerr.CoordinatorNotAvailable) {
		t.Errorf("commit at the old coordinator: %v", errs[0])
	}
	for {
		err := beat(t, c, "readers", member, 1)
		if errors.Is(err, kerr.NotCoordinator) {
			break
		} else if !errors.Is(err, kerr.CoordinatorNotAvailable) {
			t.Fatalf("heartbeat at the old coordinator: %v", err)
		}
	}
	if got, _ := again.FetchOffsets(FetchRequest{Group: "readers", Topics: map[string][]int32{"t": {0}}}), 0; got.Offsets[0].Offset != 7 {
		t.Errorf("offset went to %d", got.Offsets[0].Offset)
	}
}

// TestStoreErrors: a write that fails, whether it took place or not, is answered with an error that clients retry, and
// what is in memory afterwards is what is in the store.
func TestStoreErrors(t *testing.T) {
	for _, applied := range []bool{false, true} {
		t.Run(fmt.Sprintf("applied=%v", applied), func(t *testing.T) {
			var failing atomic.Bool
			fault := func(context.Context, []controller.Cond, []controller.Op) error {
				if failing.Load() {
					return errors.New("injected")
				}
				return nil
			}
			faults := controller.Faults{BeforeTxn: fault}
			if applied {
				faults = controller.Faults{AfterTxn: fault}
			}
			store, cl := controller.NewFaultyMemStore(faults), newClock()
			c := open(t, store, cl, nil)
			member := stable(t, c, cl, "g", "t")
			commit(t, c, "g", member, 1, OffsetToCommit{"t", 0, 1, -1, ""})

			failing.Store(true)
			if errs := commit(t, c, "g", member, 1, OffsetToCommit{"t", 0, 2, -1, ""}); !errors.Is(errs[0], kerr.CoordinatorNotAvailable) {
				t.Fatalf("commit while the store fails: %v", errs[0])
			}
			if err := beat(t, c, "g", member, 1); !errors.Is(err, kerr.CoordinatorNotAvailable) {
				t.Errorf("heartbeat while the store fails: %v", err)
			}
			failing.Store(false)
			for errors.Is(beat(t, c, "g", member, 1), kerr.CoordinatorNotAvailable) {
			}
			if err := beat(t, c, "g", member, 1); err != nil {
				t.Fatalf("heartbeat when the store works again: %v", err)
			}
			want := int64(1)
			if applied {
				want = 2
			}
			if got := offsets(t, c, "g"); len(got) != 1 || got[0].Offset != want {
				t.Errorf("offsets: %+v, want %d", got, want)
			}
			if errs := commit(t, c, "g", member, 1, OffsetToCommit{"t", 0, 3, -1, ""}); errs[0] != nil {
				t.Errorf("commit when the store works again: %v", errs[0])
			}

			// A rebalance that cannot be stored did not take place, unless it did.
			joined := c.Join(consumer("g", "client", member, "t", "u"))
			if j := await(t, joined); j.Err != nil || j.Generation != 2 {
				t.Fatalf("join: %+v", j)
			}
			failing.Store(true)
			s := await(t, c.Sync(SyncRequest{Group: "g", MemberID: member, Generation: 2, Assignments: map[string][]byte{member: []byte("more")}}))
			if !errors.Is(s.Err, kerr.CoordinatorNotAvailable) || s.Assignment != nil {
				t.Fatalf("sync while the store fails: %+v", s)
			}
			failing.Store(false)
			for errors.Is(beat(t, c, "g", member, 2), kerr.CoordinatorNotAvailable) {
			}
			wantErr := error(kerr.IllegalGeneration)
			if applied {
				wantErr = nil
			}
			if err := beat(t, c, "g", member, 2); !errors.Is(err, wantErr) {
				t.Errorf("heartbeat of the new generation: %v, want %v", err, wantErr)
			}
			if j := await(t, c.Join(consumer("g", "client", member, "t", "v"))); j.Err != nil || j.Generation < 2 {
				t.Errorf("join afterwards: %+v", j)
			}
		})
	}
}

// TestNaturalBatching: what arrives while a transaction is under way goes into one next transaction.
func TestNaturalBatching(t *testing.T) {
	var txns atomic.Int32
	gate := make(chan struct{})
	started := make(chan struct{}, 1000)
	var blocking atomic.Bool
	store := controller.NewFaultyMemStore(controller.Faults{BeforeTxn: func(ctx context.Context, _ []controller.Cond, _ []controller.Op) error {
		txns.Add(1)
		if blocking.Load() {
			started <- struct{}{}
			select {
			case <-gate:
			case <-ctx.Done():
			}
		}
		return nil
	}})
	cl := newClock()
	c := open(t, store, cl, nil)
	blocking.Store(true)
	txns.Store(0)
	var answers []<-chan CommitResponse
	send := func(i int) {
		answers = append(answers, c.Commit(CommitRequest{Group: "g", Generation: -1, Offsets: []OffsetToCommit{{"t", int32(i % 300), int64(i), -1, ""}}}))
	}
	send(0)
	await(t, started)
	for i := range 1000 {
		send(i)
	}
	cl.pass(c, 0) // all have been taken in
	if got := offsets(t, c, "g"); len(got) != 0 {
		t.Errorf("offsets can be read before they are stored: %v", got)
	}
	select {
	case r := <-answers[0]:
		t.Fatalf("answered before the commit: %v", r)
	default:
	}
	blocking.Store(false)
	close(gate)
	for _, a := range answers {
		if errs := await(t, a).Errs; errs[0] != nil {
			t.Fatal(errs[0])
		}
	}
	if got := offsets(t, c, "g"); len(got) != 300 || got[299].Offset != 899 || got[0].Offset != 900 {
		t.Errorf("%d offsets: %v", len(got), got)
	}
	if n := txns.Load(); n != 2 {
		t.Errorf("%d transactions for the first commit and the 1,000 behind it", n)
	}
}

// TestOutage: while the store is away groups that need no write go on, nobody waits, and afterwards all is as it was.
func TestOutage(t *testing.T) {
	var away atomic.Bool
	store := controller.NewFaultyMemStore(controller.Faults{
		BeforeTxn: func(context.Context, []controller.Cond, []controller.Op) error {
			if away.Load() {
				return errors.New("injected")
			}
			return nil
		},
		BeforeRange: func(context.Context, string) error {
			if away.Load() {
				return errors.New("injected")
			}
			return nil
		},
	})
	cl := newClock()
	c := open(t, store, cl, nil)
	// Groups of one shard.
	var ids []string
	for i := 0; len(ids) < 3; i++ {
		if id := fmt.Sprint("g", i); c.shard(id) == c.shards[0] {
			ids = append(ids, id)
		}
	}
	members := make(map[string]string)
	for _, id := range ids {
		members[id] = stable(t, c, cl, id, "t")
		commit(t, c, id, members[id], 1, OffsetToCommit{"t", 0, 1, -1, ""}, OffsetToCommit{"gone", 100, 1, -1, ""})
	}
	hit, quiet, rebalancing := ids[0], ids[1], ids[2]

	away.Store(true)
	if errs := commit(t, c, hit, members[hit], 1, OffsetToCommit{"t", 0, 2, -1, ""}); !errors.Is(errs[0], kerr.CoordinatorNotAvailable) {
		t.Fatalf("commit: %v", errs[0])
	}
	for range 3 {
		cl.pass(c, 9*time.Second)
		if err := beat(t, c, quiet, members[quiet], 1); err != nil {
			t.Errorf("heartbeat of a group that writes nothing: %v", err)
		}
		if err := beat(t, c, rebalancing, members[rebalancing], 1); err != nil {
			t.Errorf("heartbeat of a group that writes nothing: %v", err)
		}
		if errs := commit(t, c, quiet, members[quiet], 1, OffsetToCommit{"t", 0, 2, -1, ""}); !errors.Is(errs[0], kerr.CoordinatorNotAvailable) {
			t.Errorf("commit: %v", errs[0])
		}
	}
	if got := offsets(t, c, quiet); fmt.Sprint(got) != "[{gone 100 1 -1  <nil>} {t 0 1 -1  <nil>}]" {
		t.Errorf("fetched: %v", got)
	}
	if f := c.FetchOffsets(FetchRequest{Group: hit}); !errors.Is(f.Err, kerr.CoordinatorNotAvailable) {
		t.Errorf("fetched from the group that was hit: %+v", f)
	}
	if j := await(t, c.Join(consumer(rebalancing, "client", members[rebalancing], "t", "u"))); j.Err != nil || j.Generation != 2 {
		t.Errorf("join: %+v", j)
	}
	if s := await(t, c.Sync(SyncRequest{Group: rebalancing, MemberID: members[rebalancing], Generation: 2})); !errors.Is(s.Err, kerr.CoordinatorNotAvailable) {
		t.Errorf("sync: %+v", s)
	}
	if j := await(t, c.Join(consumer("new"+ids[0], "client", "", "t"))); c.shard("new"+ids[0]) == c.shards[0] && !errors.Is(j.Err, kerr.CoordinatorNotAvailable) {
		t.Errorf("join of a new group: %+v", j)
	}
	for _, id := range ids {
		commit(t, c, id, members[id], 1, OffsetToCommit{"gone", 0, 3, -1, ""}) // refused, as above
	}
	c.TopicsDeleted([]string{"gone"})
	away.Store(false)
	for _, id := range ids {
		// Clients retry this error; the groups are read again one flight after the other.
		errs := []error{kerr.CoordinatorNotAvailable}
		for errors.Is(errs[0], kerr.CoordinatorNotAvailable) {
			errs = commit(t, c, id, members[id], 1, OffsetToCommit{"t", 0, 3, -1, ""})
		}
		if errs[0] != nil {
			t.Errorf("%s afterwards: %v", id, errs[0])
		}
		if err := beat(t, c, id, members[id], 1); err != nil {
			t.Errorf("%s afterwards: %v", id, err)
		}
		if got := fmt.Sprint(offsets(t, c, id)); got != "[{t 0 3 -1  <nil>}]" {
			t.Errorf("%s: offsets of a topic that was deleted meanwhile: %s", id, got)
		}
	}
}

// TestLargeGroup: neither a snapshot nor a commit has to fit into one transaction.
func TestLargeGroup(t *testing.T) {
	const members = 400
	store, cl := controller.NewMemStore(), newClock()
	c := open(t, store, cl, nil)
	var joins []<-chan JoinResponse
	for range members {
		r := consumer("large", "c", "", "t")
		r.RequireKnownMemberID = false
		r.Protocols[0].Metadata = append(r.Protocols[0].Metadata, make([]byte, 10_000)...)
		joins = append(joins, c.Join(r))
		// The initial delay is 0: what comes late is one of a second rebalance, and has to be waited for there.
	}
	generation, leader := int32(0), ""
	ids := make(map[string]bool)
	deadline := time.Now().Add(20 * time.Second)
	for len(ids) < members && time.Now().Before(deadline) {
		cl.pass(c, 0)
		for i, ch := range joins {
			select {
			case j := <-ch:
				if j.Err != nil {
					t.Fatal(j.Err)
				}
				if j.Generation > generation {
					generation, leader = j.Generation, j.Leader
					clear(ids)
				}
				ids[j.MemberID] = true
				r := consumer("large", "c", j.MemberID, "t")
				r.Protocols[0].Metadata = append(r.Protocols[0].Metadata, make([]byte, 10_000)...)
				if len(ids) < members {
					if d := c.Describe("large"); d.State == "PreparingRebalance" {
						joins[i] = c.Join(r)
					}
				}
			default:
			}
		}
	}
	if len(ids) != members {
		t.Fatalf("%d members of %d", len(ids), members)
	}
	assignments := make(map[string][]byte)
	for id := range ids {
		assignments[id] = []byte(id)
	}
	if s := await(t, c.Sync(SyncRequest{Group: "large", MemberID: leader, Generation: generation, Assignments: assignments})); s.Err != nil {
		t.Fatal(s.Err)
	}
	var list []OffsetToCommit
	for i := range 20_000 {
		list = append(list, OffsetToCommit{"t", int32(i), int64(i), -1, ""})
	}
	for _, err := range commit(t, c, "large", leader, generation, list...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	again := open(t, store, cl, nil)
	d := again.Describe("large")
	if len(d.Members) != members {
		t.Fatalf("%d members after the restart", len(d.Members))
	}
	for _, m := range d.Members {
		if string(m.Assignment) != m.ID {
			t.Errorf("member %s has %s", m.ID, m.Assignment)
		}
	}
	if got := offsets(t, again, "large"); len(got) != len(list) {
		t.Errorf("%d offsets after the restart", len(got))
	}
}

// TestTornSnapshot: a snapshot whose transactions were cut off leaves a group in which nobody has a wrong assignment.
func TestTornSnapshot(t *testing.T) {
	s := &snapshot{generation: 7, protocolType: "consumer", protocol: "range", leader: "a"}
	member := memberRecord{id: "a", sessionMs: 1000, assignment: []byte("old"), protocols: []Protocol{{"range", subscription("t")}}}
	prefix := groupPrefix("g")
	store := controller.NewMemStore()
	if _, _, err := store.Txn(t.Context(), nil, []controller.Op{
		controller.Put(prefix+headName, s.encodeHead()),
		controller.Put(prefix+memberName+"a", member.encode(8, 0)),
		controller.Put(prefix+memberName+"b", member.encode(7, 1)),
	}); err != nil {
		t.Fatal(err)
	}
	cl := newClock()
	c := open(t, store, cl, nil)
	if d := c.Describe("g"); len(d.Members) != 1 || d.Members[0].ID != "b" {
		t.Errorf("%+v", d)
	}
	if err := beat(t, c, "g", "a", 7); !errors.Is(err, kerr.UnknownMemberID) {
		t.Error(err)
	}
	// The next snapshot removes what is left of a.
	await(t, c.Leave(LeaveRequest{Group: "g", Members: []LeavingMember{{MemberID: "b"}}}))
	kvs, _, _ := store.Range(t.Context(), prefix)
	if len(kvs) != 1 || kvs[0].Key != prefix+headName {
		t.Errorf("left in the store: %v", kvs)
	}
}

func TestDelete(t *testing.T) {
	store, cl := controller.NewMemStore(), newClock()
	c := open(t, store, cl, nil)
	member := stable(t, c, cl, "live", "t")
	commit(t, c, "simple", "", -1, OffsetToCommit{"t", 0, 1, -1, ""})
	commit(t, c, "simple2", "", -1, OffsetToCommit{"t", 0, 1, -1, ""})
	errs := await(t, c.Delete([]string{"live", "simple", "none"}))
	if len(errs) != 3 || !errors.Is(errs["live"], kerr.NonEmptyGroup) || errs["simple"] != nil || !errors.Is(errs["none"], kerr.GroupIDNotFound) {
		t.Errorf("deleted: %v", errs)
	}
	if d := c.Describe("simple"); !errors.Is(d.Err, kerr.GroupIDNotFound) || d.State != "Dead" {
		t.Errorf("deleted group: %+v", d)
	}
	await(t, c.Leave(LeaveRequest{Group: "live", Members: []LeavingMember{{MemberID: member}}}))
	if errs := await(t, c.Delete([]string{"live"})); errs["live"] != nil {
		t.Errorf("deleted: %v", errs)
	}
	kvs, _, _ := store.Range(t.Context(), groupsPrefix)
	if len(kvs) != 1 || kvs[0].Key != "groups/g/simple2/o/t/00000000" {
		t.Errorf("left in the store: %v", kvs)
	}
}

func TestDeleteOffsets(t *testing.T) {
	store, cl := controller.NewMemStore(), newClock()
	c := open(t, store, cl, nil)
	member := stable(t, c, cl, "g", "t")
	commit(t, c, "g", member, 1, OffsetToCommit{"t", 0, 1, -1, ""}, OffsetToCommit{"u", 0, 2, -1, ""}, OffsetToCommit{"u", 1, 3, -1, ""})
	r := await(t, c.DeleteOffsets(DeleteOffsetsRequest{"g", []TopicPartition{{"t", 0}, {"u", 0}, {"nothing", 7}}}))
	if r.Err != nil || !errors.Is(r.Errs[0], kerr.GroupSubscribedToTopic) || r.Errs[1] != nil || r.Errs[2] != nil {
		t.Errorf("%+v", r)
	}
	for _, c := range []*Coordinator{c, open(t, store, cl, nil)} {
		if got := offsets(t, c, "g"); fmt.Sprint(got) != "[{t 0 1 -1  <nil>} {u 1 3 -1  <nil>}]" {
			t.Errorf("%v", got)
		}
	}
	c = open(t, store, cl, nil)
	if r := await(t, c.DeleteOffsets(DeleteOffsetsRequest{"none", []TopicPartition{{"t", 0}}})); !errors.Is(r.Err, kerr.GroupIDNotFound) {
		t.Errorf("%+v", r)
	}
	c.TopicsDeleted([]string{"t"})
	commit(t, c, "g", member, 1, OffsetToCommit{"u", 5, 1, -1, ""})
	if got := offsets(t, c, "g"); fmt.Sprint(got) != "[{u 1 3 -1  <nil>} {u 5 1 -1  <nil>}]" {
		t.Errorf("after the topic was deleted: %v", got)
	}
}

func TestOffsetsRetention(t *testing.T) {
	store, cl := controller.NewMemStore(), newClock()
	c := open(t, store, cl, nil)
	member := stable(t, c, cl, "live", "t")
	left := stable(t, c, cl, "left", "t")
	commit(t, c, "live", member, 1, OffsetToCommit{"t", 0, 1, -1, ""}, OffsetToCommit{"unread", 0, 1, -1, ""})
	commit(t, c, "left", left, 1, OffsetToCommit{"t", 0, 1, -1, ""})
	commit(t, c, "simple", "", -1, OffsetToCommit{"t", 0, 1, -1, ""}, OffsetToCommit{"t", 1, 1, -1, ""})
	week := 7 * 24 * time.Hour
	for range int(week / (5 * time.Hour)) { // 165 hours
		cl.pass(c, 5*time.Hour)
		member = rejoin(t, c, cl, "live", member)
	}
	commit(t, c, "simple", "", -1, OffsetToCommit{"t", 1, 1, -1, ""})
	cl.pass(c, 2*time.Hour)
	if got := len(offsets(t, c, "live")) + len(offsets(t, c, "left")) + len(offsets(t, c, "simple")); got != 5 {
		t.Errorf("%d offsets an hour early", got)
	}
	cl.pass(c, time.Hour+10*time.Minute)
	commit(t, c, "simple", "", -1, OffsetToCommit{"t", 2, 1, -1, ""}) // and with it all that was queued before
	if got := fmt.Sprint(offsets(t, c, "simple")); got != "[{t 1 1 -1  <nil>} {t 2 1 -1  <nil>}]" {
		t.Errorf("simple group: %v", got)
	}
	// The group has been Empty since its member's session ended: a little later than the commit.
	cl.pass(c, 5*time.Hour)
	commit(t, c, "left2", "", -1, OffsetToCommit{"t", 2, 1, -1, ""})
	if got := c.List(ListFilter{}); slices.ContainsFunc(got, func(l Listing) bool { return l.Group == "left" }) {
		t.Errorf("still there: %v", got)
	}
}

func TestList(t *testing.T) {
	cl := newClock()
	c := open(t, controller.NewMemStore(), cl, nil)
	stable(t, c, cl, "b", "t")
	commit(t, c, "a", "", -1, OffsetToCommit{"t", 0, 1, -1, ""})
	for _, tt := range []struct {
		f    ListFilter
		want string
	}{
		{ListFilter{}, "[{a  Empty classic} {b consumer Stable classic}]"},
		{ListFilter{States: []string{"stable"}}, "[{b consumer Stable classic}]"},
		{ListFilter{States: []string{"Empty", "Dead"}, Types: []string{"Classic"}}, "[{a  Empty classic}]"},
		{ListFilter{Types: []string{"consumer"}}, "[]"},
		{ListFilter{States: []string{"nonsense"}}, "[]"},
	} {
		if got := fmt.Sprint(c.List(tt.f)); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.f, got, tt.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	cl := newClock()
	o := Options{Store: controller.NewMemStore(), Config: testConfig(), Now: cl.now}
	c := New(o)
	if j := await(t, c.Join(consumer("g", "c", ""))); !errors.Is(j.Err, kerr.CoordinatorLoadInProgress) || j.Generation != -1 {
		t.Errorf("before Start: %+v", j)
	}
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	short, long := consumer("g", "c", ""), consumer("g", "c", "")
	short.SessionTimeoutMs, long.SessionTimeoutMs = 5_999, 1_800_001
	for _, r := range []JoinRequest{short, long} {
		if j := await(t, c.Join(r)); !errors.Is(j.Err, kerr.InvalidSessionTimeout) {
			t.Errorf("session of %d ms: %+v", r.SessionTimeoutMs, j)
		}
	}
	if j := await(t, c.Join(consumer("", "c", ""))); !errors.Is(j.Err, kerr.InvalidGroupID) {
		t.Errorf("no group: %+v", j)
	}
	if j := await(t, c.Join(consumer("g", "c", "somebody"))); !errors.Is(j.Err, kerr.UnknownMemberID) {
		t.Errorf("id without a group: %+v", j)
	}
	if err := beat(t, c, "g", "m", 1); !errors.Is(err, kerr.UnknownMemberID) {
		t.Error(err)
	}
	if s := await(t, c.Sync(SyncRequest{Group: "g"})); !errors.Is(s.Err, kerr.UnknownMemberID) {
		t.Error(s.Err)
	}
	if l := await(t, c.Leave(LeaveRequest{Group: "g", Members: []LeavingMember{{MemberID: "m"}}})); l.Err != nil || !errors.Is(l.Members[0].Err, kerr.UnknownMemberID) {
		t.Errorf("%+v", l)
	}
	if errs := commit(t, c, "g", "m", 1, OffsetToCommit{"t", 0, 1, -1, ""}); !errors.Is(errs[0], kerr.GroupIDNotFound) {
		t.Error(errs)
	}
	large := string(make([]byte, 4097))
	if errs := commit(t, c, "g", "", -1, OffsetToCommit{"t", 0, 1, -1, large}, OffsetToCommit{"t", -1, 1, -1, ""}); !errors.Is(errs[0], kerr.OffsetMetadataTooLarge) || !errors.Is(errs[1], kerr.UnknownTopicOrPartition) {
		t.Error(errs)
	}
	if got := c.List(ListFilter{}); len(got) != 0 {
		t.Errorf("groups made by refused requests: %v", got)
	}
	if errs := commit(t, c, "g", "", -1, OffsetToCommit{"t", 0, 1, -1, large[1:]}); errs[0] != nil {
		t.Error(errs)
	}
	parked := c.Join(JoinRequest{Group: "p", SessionTimeoutMs: 6000, ProtocolType: "x", Protocols: []Protocol{{"p", nil}}})
	var wg sync.WaitGroup
	wg.Go(c.Close)
	if j := await(t, parked); j.Err != nil && !errors.Is(j.Err, kerr.NotCoordinator) {
		t.Errorf("parked at Close: %+v", j)
	}
	wg.Wait()
	if err := beat(t, c, "g", "m", 1); !errors.Is(err, kerr.NotCoordinator) {
		t.Error(err)
	}
}

// TestIdleGroups: an Empty group has no timer.
func TestIdleGroups(t *testing.T) {
	cl := newClock()
	c := open(t, controller.NewMemStore(), cl, nil)
	member := stable(t, c, cl, "g", "t")
	await(t, c.Leave(LeaveRequest{Group: "g", Members: []LeavingMember{{MemberID: member}}}))
	cl.pass(c, time.Minute)
	for _, s := range c.shards {
		c.ask(s, func(s *core, err error) {
			if s.alarms.Len() != 0 {
				t.Errorf("%d alarms", s.alarms.Len())
			}
		})
	}
}

// TestConcurrent is for the race detector: many clients of some groups, over a store that fails now and then.
func TestConcurrent(t *testing.T) {
	var n atomic.Int64
	store := controller.NewFaultyMemStore(controller.Faults{AfterTxn: func(context.Context, []controller.Cond, []controller.Op) error {
		if n.Add(1)%97 == 0 {
			return errors.New("injected")
		}
		return nil
	}})
	c := New(Options{Store: store, Config: testConfig()})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var mu sync.Mutex
	acked := make(map[string]int64)
	var wg sync.WaitGroup
	for w := range 16 {
		wg.Go(func() {
			group := fmt.Sprint("g", w%5)
			simple := fmt.Sprint("s", w)
			for i := range int64(200) {
				r := consumer(group, "c", "", "t")
				r.RequireKnownMemberID = false
				select {
				case j := <-c.Join(r):
					c.Heartbeat(HeartbeatRequest{Group: group, MemberID: j.MemberID, Generation: j.Generation})
					<-c.Leave(LeaveRequest{Group: group, Members: []LeavingMember{{MemberID: j.MemberID}}})
				default: // gone before the answer
				}
				if errs := commit(t, c, simple, "", -1, OffsetToCommit{"t", 0, i, -1, ""}); errs[0] == nil {
					mu.Lock()
					acked[simple] = i
					mu.Unlock()
				}
				c.Describe(group)
				c.List(ListFilter{})
			}
		})
	}
	wg.Wait()
	c.Close()
	again := New(Options{Store: store, Config: testConfig()})
	for again.Start(t.Context()) != nil {
		// the injected error
	}
	defer again.Close()
	for _, group := range slices.Sorted(maps.Keys(acked)) {
		if got := again.FetchOffsets(FetchRequest{Group: group, Topics: map[string][]int32{"t": {0}}}); got.Offsets[0].Offset < acked[group] {
			t.Errorf("%s: acknowledged %d, stored %d", group, acked[group], got.Offsets[0].Offset)
		}
	}
}
