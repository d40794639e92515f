package replica

import (
	"slices"

	"blumfeld/controller"
)

// progress is how far each replica has copied the leader's log: the pure part of
// a leader's state, from which the high watermark follows. It does no I/O and
// has no clock; Partition feeds it and acts on what it answers.
type progress struct {
	leader int32
	// isr is the maximal in-sync set: what is committed in the metadata, plus an
	// expansion that is proposed and not yet answered. Counting the proposed
	// member at once is what keeps the high watermark from running ahead of a
	// replica that the controller may already count as eligible leader
	// (Kafka's PartitionState.maximalIsr).
	isr       []int32
	followers map[int32]follower
	minISR    int
}

type follower struct {
	logEnd   int64 // next offset it will fetch: all below is on its disk or in its page cache
	caughtUp bool  // reached the leader's log end; eligible to join the ISR
}

func newProgress(leader int32, s controller.PartitionState, minISR int) progress {
	p := progress{leader: leader, isr: slices.Clone(s.ISR), followers: make(map[int32]follower), minISR: minISR}
	p.minISR = min(max(minISR, 1), max(len(s.Replicas), 1))
	for _, r := range s.Replicas {
		if r != leader {
			p.followers[r] = follower{logEnd: -1}
		}
	}
	return p
}

// fetched records a follower's fetch: it has everything below offset. It
// answers false for a broker that holds no replica of the partition.
func (p *progress) fetched(replica int32, offset, leaderEnd int64) bool {
	f, ok := p.followers[replica]
	if !ok {
		return false
	}
	p.followers[replica] = follower{logEnd: offset, caughtUp: f.caughtUp || offset >= leaderEnd}
	return true
}

// highWatermark is the minimum log end over the maximal ISR and over replicas
// that are caught up and may join it. It does not advance while the ISR is
// below min(min.insync.replicas, replication factor): then it answers current.
func (p *progress) highWatermark(leaderEnd, current int64) int64 {
	if len(p.isr) < p.minISR {
		return current
	}
	hw := leaderEnd
	for id, f := range p.followers {
		if f.caughtUp || slices.Contains(p.isr, id) {
			hw = min(hw, f.logEnd)
		}
	}
	return max(hw, current)
}

// enough says whether acks=all may be accepted (min.insync.replicas).
func (p *progress) enough() bool { return len(p.isr) >= p.minISR }
