package replica

import (
	"testing"

	"blumfeld/controller"
)

// TestHighWatermark plays fetches of followers against the rules for the high
// watermark. Node 1 leads in every case.
func TestHighWatermark(t *testing.T) {
	type step struct {
		replica int32 // 0: the leader's own log grew to offset
		offset  int64
		want    int64 // high watermark afterwards
	}
	for _, tc := range []struct {
		name     string
		replicas []int32
		isr      []int32
		minISR   int
		steps    []step
	}{
		{
			name: "a sole replica commits what it appends", replicas: []int32{1}, isr: []int32{1}, minISR: 1,
			steps: []step{{0, 5, 5}, {0, 9, 9}},
		}, {
			name: "min.insync.replicas above the replication factor asks for all replicas", replicas: []int32{1}, isr: []int32{1}, minISR: 3,
			steps: []step{{0, 5, 5}},
		}, {
			name: "the slowest in-sync replica decides", replicas: []int32{1, 2, 3}, isr: []int32{1, 2, 3}, minISR: 2,
			steps: []step{{0, 10, 0}, {2, 10, 0}, {3, 4, 4}, {3, 10, 10}},
		}, {
			name: "a replica out of sync and behind does not count", replicas: []int32{1, 2, 3}, isr: []int32{1, 2}, minISR: 2,
			steps: []step{{0, 10, 0}, {3, 1, 0}, {2, 8, 8}},
		}, {
			name: "a replica out of sync that has caught up counts before it has joined", replicas: []int32{1, 2, 3}, isr: []int32{1, 2}, minISR: 2,
			steps: []step{{0, 10, 0}, {2, 10, 10}, {3, 10, 10}, {0, 20, 10}, {2, 20, 10}, {3, 15, 15}},
		}, {
			name: "no progress below min.insync.replicas", replicas: []int32{1, 2, 3}, isr: []int32{1}, minISR: 2,
			steps: []step{{0, 10, 0}, {2, 10, 0}},
		}, {
			name: "never backwards", replicas: []int32{1, 2}, isr: []int32{1, 2}, minISR: 1,
			steps: []step{{0, 10, 0}, {2, 10, 10}, {2, 3, 10}},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newProgress(1, controller.PartitionState{Leader: 1, Replicas: tc.replicas, ISR: tc.isr}, tc.minISR)
			var end, hw int64
			for i, s := range tc.steps {
				if s.replica == 0 {
					end = s.offset
				} else if !p.fetched(s.replica, s.offset, end) {
					t.Fatalf("step %d: replica %d is not known", i, s.replica)
				}
				if hw = p.highWatermark(end, hw); hw != s.want {
					t.Fatalf("step %d: high watermark %d, want %d", i, hw, s.want)
				}
			}
			if p.fetched(9, 0, end) {
				t.Fatal("a broker without a replica was taken for a follower")
			}
		})
	}
}
