package group

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
)

// sameShard returns another group that the shard of this one owns.
func sameShard(c *Coordinator, group, name string) string {
	for i := 0; ; i++ {
		if other := fmt.Sprint(name, i); c.shard(other) == c.shard(group) {
			return other
		}
	}
}

// written returns when everything that waited to be written, of the groups of this one's shard, is: a commit that comes
// after it goes into no earlier transaction.
func written(t testing.TB, c *Coordinator, group string) {
	t.Helper()
	if errs := commit(t, c, sameShard(c, group, "later"), "", -1, OffsetToCommit{"t", 0, 1, -1, ""}); errs[0] != nil {
		t.Fatal(errs[0])
	}
}

// TestTooLargeForTheStore: a member whose metadata no transaction can hold is told so, again and again. Its group goes on
// joining; its neighbours notice nothing.
func TestTooLargeForTheStore(t *testing.T) {
	store, cl := controller.NewMemStore(), newClock()
	c := open(t, store, cl, nil)
	member := stable(t, c, cl, "g", "t")
	other := sameShard(c, "g", "neighbour")
	neighbour := stable(t, c, cl, other, "t")
	large := consumer("g", "client", member, "t")
	large.Protocols[0].Metadata = append(large.Protocols[0].Metadata, make([]byte, controller.MaxTxnBytes)...)
	for round := range int32(5) {
		j := await(t, c.Join(large))
		if j.Err != nil || j.Generation != 2+round {
			t.Fatalf("join: %v, generation %d", j.Err, j.Generation)
		}
		// While it is refused another member of the shard commits and heartbeats.
		synced := c.Sync(SyncRequest{Group: "g", MemberID: member, Generation: j.Generation, Assignments: map[string][]byte{member: []byte("all")}})
		if errs := commit(t, c, other, neighbour, 1, OffsetToCommit{"t", 0, int64(round), -1, ""}); errs[0] != nil {
			t.Errorf("commit of a neighbour: %v", errs[0])
		}
		if s := await(t, synced); !errors.Is(s.Err, kerr.UnknownServerError) {
			t.Fatalf("sync: %v", s.Err)
		}
		if err := beat(t, c, other, neighbour, 1); err != nil {
			t.Errorf("heartbeat of a neighbour: %v", err)
		}
		if err := beat(t, c, "g", member, j.Generation); !errors.Is(err, kerr.RebalanceInProgress) {
			t.Errorf("heartbeat: %v", err)
		}
	}
	// The store has the last assignment that fitted; with less it goes on.
	if d := open(t, store, cl, nil).Describe("g"); d.State != "Stable" || string(d.Members[0].Assignment) != "all" {
		t.Errorf("after a restart: %+v", d)
	}
}

// TestTooLargeThenSmall: what was refused does not stay in the way.
func TestTooLargeThenSmall(t *testing.T) {
	cl := newClock()
	c := open(t, controller.NewMemStore(), cl, nil)
	member := stable(t, c, cl, "g", "t")
	assignment := make([]byte, controller.MaxTxnBytes)
	for generation := int32(2); generation < 4; generation++ {
		if j := await(t, c.Join(consumer("g", "client", member, "t"))); j.Err != nil || j.Generation != generation {
			t.Fatalf("join: %+v", j)
		}
		s := await(t, c.Sync(SyncRequest{Group: "g", MemberID: member, Generation: generation, Assignments: map[string][]byte{member: assignment}}))
		if want := len(assignment) == controller.MaxTxnBytes; errors.Is(s.Err, kerr.UnknownServerError) != want || (s.Err == nil) == want {
			t.Fatalf("sync with %d bytes: %v", len(assignment), s.Err)
		}
		assignment = assignment[:100_000]
	}
	if errs := commit(t, c, "g", member, 3, OffsetToCommit{"t", 0, 1, -1, ""}); errs[0] != nil {
		t.Errorf("commit: %v", errs[0])
	}
}

// TestVanished: a client that goes away costs its group no more than its time-out, in whatever state it was, and leaves
// neither an alarm nor an id behind. The other member of the group and the neighbours go on.
func TestVanished(t *testing.T) {
	for _, state := range []string{"pending", "joining", "syncing", "stable"} {
		t.Run(state, func(t *testing.T) {
			cl := newClock()
			c := open(t, controller.NewMemStore(), cl, nil)
			other := sameShard(c, "g", "neighbour")
			neighbour := stable(t, c, cl, other, "t")
			beats := func(d time.Duration, group, member string, generation int32, want error) {
				t.Helper()
				for range d / (5 * time.Second) {
					cl.pass(c, 5*time.Second)
					if err := beat(t, c, other, neighbour, 1); err != nil {
						t.Fatalf("heartbeat of a neighbour: %v", err)
					}
					if group == "" {
						continue
					}
					if err := beat(t, c, group, member, generation); !errors.Is(err, want) {
						t.Fatalf("heartbeat of the other member: %v, want %v", err, want)
					}
				}
			}
			stays := stable(t, c, cl, "g", "t")
			first := await(t, c.Join(consumer("g", "gone", "", "t")))
			if !errors.Is(first.Err, kerr.MemberIDRequired) {
				t.Fatal(first.Err)
			}
			if state == "pending" {
				// The id is never used, and nobody waits for it but a rebalance.
				beats(10*time.Second, "g", stays, 1, nil)
			} else {
				joined := c.Join(consumer("g", "gone", first.MemberID, "t"))
				cl.pass(c, 0)
				switch state {
				case "joining":
					// Its JoinGroup is parked, and the answer finds nobody.
					beats(15*time.Second, "g", stays, 1, kerr.RebalanceInProgress)
				default:
					back := await(t, c.Join(consumer("g", "client", stays, "t")))
					if back.Err != nil || back.Generation != 2 || len(back.Members) != 2 {
						t.Fatalf("%+v", back)
					}
					await(t, joined)
					assign := SyncRequest{Group: "g", MemberID: stays, Generation: 2, Assignments: map[string][]byte{stays: []byte("a"), first.MemberID: []byte("b")}}
					if s := await(t, c.Sync(assign)); s.Err != nil {
						t.Fatal(s.Err)
					}
					if state == "stable" {
						if s := await(t, c.Sync(SyncRequest{Group: "g", MemberID: first.MemberID, Generation: 2})); string(s.Assignment) != "b" {
							t.Fatalf("%+v", s)
						}
					}
					beats(5*time.Second, "g", stays, 2, nil)
					cl.pass(c, 5*time.Second)
					if err := beat(t, c, "g", stays, 2); !errors.Is(err, kerr.RebalanceInProgress) {
						t.Errorf("heartbeat after the other's session: %v", err)
					}
				}
				again := c.Join(consumer("g", "client", stays, "t"))
				if state == "joining" {
					// A joining member is not missed before it has heard of its generation.
					if j := await(t, again); j.Err != nil || len(j.Members) != 2 {
						t.Fatalf("%+v", j)
					}
					beats(5*time.Second, "g", stays, 2, nil)
					cl.pass(c, 5*time.Second)
					again = c.Join(consumer("g", "client", stays, "t"))
				}
				if j := await(t, again); j.Err != nil || len(j.Members) != 1 {
					t.Fatalf("the other member alone: %+v", j)
				}
			}
			if d := c.Describe("g"); len(d.Members) != 1 || d.Members[0].ID != stays {
				t.Errorf("%+v", d)
			}
			await(t, c.Leave(LeaveRequest{Group: "g", Members: []LeavingMember{{MemberID: stays}}}))
			if d := c.Describe("g"); d.State != "Empty" {
				t.Errorf("%+v", d)
			}
			c.ask(c.shard("g"), func(s *core, _ error) {
				g := s.groups["g"]
				if len(g.members)+len(g.byID)+len(g.pending)+len(g.supported)+len(g.pendingSync)+g.parked != 0 {
					t.Errorf("left in memory: %+v", g.machine)
				}
			})
			// An alarm that was for one that is gone rings once more and is not set again; and a group without
			// members and offsets is forgotten.
			cl.pass(c, time.Hour)
			cl.pass(c, time.Hour)
			written(t, c, "g")
			c.ask(c.shard("g"), func(s *core, _ error) {
				if s.alarms.Len() != 0 || s.groups["g"] != nil {
					t.Errorf("%d alarms; left in memory: %+v", s.alarms.Len(), s.groups["g"])
				}
			})
		})
	}
}

// TestNeverSyncs: a member that joins and heartbeats but never sends SyncGroup is out when the rebalance timeout is over.
func TestNeverSyncs(t *testing.T) {
	cl := newClock()
	c := open(t, controller.NewMemStore(), cl, nil)
	leader := stable(t, c, cl, "g", "t")
	first := await(t, c.Join(consumer("g", "lazy", "", "t")))
	joined := c.Join(consumer("g", "lazy", first.MemberID, "t"))
	cl.pass(c, 0)
	if j := await(t, c.Join(consumer("g", "client", leader, "t"))); j.Err != nil || len(j.Members) != 2 {
		t.Fatalf("%+v", j)
	}
	await(t, joined)
	if s := await(t, c.Sync(SyncRequest{Group: "g", MemberID: leader, Generation: 2, Assignments: map[string][]byte{leader: []byte("a")}})); s.Err != nil {
		t.Fatal(s.Err)
	}
	for range 11 {
		cl.pass(c, 5*time.Second)
		for _, m := range []string{leader, first.MemberID} {
			if err := beat(t, c, "g", m, 2); err != nil {
				t.Fatal(err)
			}
		}
	}
	cl.pass(c, 5*time.Second)
	if err := beat(t, c, "g", first.MemberID, 2); !errors.Is(err, kerr.UnknownMemberID) {
		t.Errorf("heartbeat of the one that never synced: %v", err)
	}
	if err := beat(t, c, "g", leader, 2); !errors.Is(err, kerr.RebalanceInProgress) {
		t.Errorf("heartbeat of the other: %v", err)
	}
}

// TestManyProtocols: ten thousand protocols a member cost what they are long, no more, and are gone with the member.
func TestManyProtocols(t *testing.T) {
	const members, protocols = 20, 10_000
	cl := newClock()
	c := open(t, controller.NewMemStore(), cl, nil)
	other := sameShard(c, "g", "neighbour")
	neighbour := stable(t, c, cl, other, "t")
	list := make([]Protocol, protocols)
	for i := range list {
		list[i] = Protocol{fmt.Sprint("protocol", i), []byte("metadata")}
	}
	var wg sync.WaitGroup
	for range members {
		r := consumer("g", "c", "", "t")
		r.Protocols, r.RequireKnownMemberID = list, false
		ch := c.Join(r)
		wg.Go(func() { <-ch })
		if err := beat(t, c, other, neighbour, 1); err != nil {
			t.Fatalf("heartbeat of a neighbour: %v", err)
		}
	}
	cl.pass(c, 9*time.Second)
	if err := beat(t, c, other, neighbour, 1); err != nil {
		t.Fatalf("heartbeat of a neighbour: %v", err)
	}
	for range 12 * 60 { // all that they can wait for: sessions, rebalances, 5 minutes for a first JoinGroup
		cl.pass(c, 5*time.Second)
	}
	wg.Wait()
	written(t, c, "g")
	cl.pass(c, time.Hour) // with nothing under way it is forgotten now
	written(t, c, "g")
	c.ask(c.shard("g"), func(s *core, _ error) {
		if g := s.groups["g"]; g != nil {
			t.Errorf("%s, %d protocols", g.state, len(g.supported))
		}
	})
}
