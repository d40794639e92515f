package group

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
)

// TestRestarts cuts the coordinator off again and again in the middle of rebalances and commits, and puts another in its
// place. No commit that was acknowledged is lost, no offset goes back, and the group comes to rest in the end.
func TestRestarts(t *testing.T) {
	const (
		rounds     = 25
		perRound   = 60 // acknowledged commits
		partitions = 70
	)
	store := controller.NewMemStore()
	cfg := testConfig()
	cfg.MinSessionTimeoutMs = 0
	newCoordinator := func() *Coordinator {
		c := New(Options{Store: store, Config: cfg})
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		return c
	}
	var current atomic.Pointer[Coordinator]
	current.Store(newCoordinator())

	var acked [partitions]atomic.Int64
	var total atomic.Int64
	ackedCommit := make(chan struct{}, 1)
	var stop atomic.Bool
	var clients sync.WaitGroup
	for w := range 6 {
		clients.Go(func() {
			id, n := "", int64(0)
			for !stop.Load() {
				c := current.Load()
				r := JoinRequest{Group: "g", MemberID: id, ClientID: fmt.Sprint("c", w), SessionTimeoutMs: 300, RebalanceTimeoutMs: 500,
					ProtocolType: "consumer", Protocols: []Protocol{{"range", subscription("t")}}, RequireKnownMemberID: true}
				j := <-c.Join(r)
				switch {
				case errors.Is(j.Err, kerr.MemberIDRequired):
					id = j.MemberID
					continue
				case errors.Is(j.Err, kerr.UnknownMemberID):
					id = ""
					continue
				case j.Err != nil:
					continue
				}
				sync := SyncRequest{Group: "g", MemberID: id, Generation: j.Generation, Assignments: make(map[string][]byte)}
				for i, m := range j.Members {
					sync.Assignments[m.ID] = []byte{byte(i)}
				}
				s := <-c.Sync(sync)
				if s.Err != nil || len(s.Assignment) != 1 {
					continue
				}
				// The member's own partitions: nobody else of this generation has them.
				mine := int32(s.Assignment[0])
				for range 40 {
					n++
					p := (mine*11 + int32(n%11)) % partitions
					low := acked[p].Load()
					c := current.Load() // after low; one that has just been put in place goes on with the generation
					// It goes on where the group stands, as a consumer does.
					f := c.FetchOffsets(FetchRequest{Group: "g", Topics: map[string][]int32{"t": {p}}})
					if f.Err != nil {
						break
					}
					if got := f.Offsets[0].Offset; low > 0 && got < low {
						t.Errorf("partition %d: acknowledged %d, fetched %d", p, low, got)
					}
					at := max(f.Offsets[0].Offset, 0) + 1
					r := <-c.Commit(CommitRequest{Group: "g", MemberID: id, Generation: j.Generation,
						Offsets: []OffsetToCommit{{"t", p, at, -1, ""}}})
					if r.Errs[0] != nil {
						break
					}
					for old := acked[p].Load(); old < at && !acked[p].CompareAndSwap(old, at); old = acked[p].Load() {
					}
					if total.Add(1)%perRound == 0 {
						select {
						case ackedCommit <- struct{}{}:
						default:
						}
					}
				}
				if w%2 == 1 && n%3 == 0 {
					<-current.Load().Leave(LeaveRequest{Group: "g", Members: []LeavingMember{{MemberID: id}}})
					id = ""
				}
			}
		})
	}
	var old []*Coordinator
	for range rounds {
		select {
		case <-ackedCommit:
		case <-time.After(20 * time.Second):
			t.Fatalf("stuck: %+v", current.Load().Describe("g"))
		}
		// The next takes over while the last still has writes under way.
		c := newCoordinator()
		old = append(old, current.Swap(c))
		old[len(old)-1].Close()
	}
	stop.Store(true)
	clients.Wait()
	current.Load().Close()

	c := newCoordinator()
	defer c.Close()
	topics := map[string][]int32{"t": make([]int32, partitions)}
	for p := range int32(partitions) {
		topics["t"][p] = p
	}
	for _, o := range c.FetchOffsets(FetchRequest{Group: "g", Topics: topics}).Offsets {
		if want := acked[o.Partition].Load(); want > 0 && o.Offset < want {
			t.Errorf("partition %d: acknowledged %d, stored %d", o.Partition, want, o.Offset)
		}
	}
	t.Logf("%d commits over %d coordinators, generation %d", total.Load(), rounds+1, c.generation("g"))
}
