package replica

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
	"blumfeld/logstore"
	"blumfeld/protocol/batch"
)

// Partition is this broker's replica of one partition: its log, its role, and
// as leader its view of the other replicas. All methods may be called from many
// goroutines.
type Partition struct {
	topic  string
	id     int32
	nodeID int32

	// mu guards the role. Appends and fetches hold it shared, so that a change of
	// leadership waits for those under way and none runs under an old epoch.
	mu      sync.RWMutex
	state   controller.PartitionState
	stopped bool
	minISR  int

	current atomic.Pointer[logstore.Log] // changes under mu and hw

	// hw guards progress and orders its consequences: the log's high watermark,
	// and who is woken by it.
	hw       sync.Mutex
	progress progress

	waiters waitList
	commits commitQueue
}

func newPartition(nodeID int32, topic string, id int32, log *logstore.Log, minISR int) *Partition {
	p := &Partition{
		topic: topic, id: id, nodeID: nodeID, minISR: minISR,
		state: controller.PartitionState{Leader: -1, LeaderEpoch: -1, PartitionEpoch: -1},
	}
	p.current.Store(log)
	return p
}

// Topic is the partition's topic name.
func (p *Partition) Topic() string { return p.topic }

// ID is the partition's number in its topic.
func (p *Partition) ID() int32 { return p.id }

// Log is the partition's log, for what only reads or describes it. Appends go
// through Append. It may be another one the next time: a replica can move to
// another directory.
func (p *Partition) Log() *logstore.Log { return p.current.Load() }

// State is the metadata that was last applied.
func (p *Partition) State() controller.PartitionState {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.state
}

// Apply makes the replica leader or follower as s says. A state that is older
// than the one in force (by leader epoch) is ignored.
func (p *Partition) Apply(s controller.PartitionState) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || s.LeaderEpoch < p.state.LeaderEpoch {
		return nil
	}
	newEpoch := s.LeaderEpoch != p.state.LeaderEpoch
	p.state = s
	p.hw.Lock()
	if newEpoch {
		p.progress = newProgress(p.nodeID, s, p.minISR)
	} else {
		p.progress.isr = append(p.progress.isr[:0], s.ISR...)
	}
	p.hw.Unlock()
	if s.Leader == p.nodeID {
		// An epoch that the log knows already (this broker led before it was
		// restarted) began earlier, and is no change of the log.
		if latest, ok := p.Log().LatestEpoch(); newEpoch && !(ok && latest == s.LeaderEpoch) {
			if err := p.Log().AssignEpochStart(s.LeaderEpoch, p.Log().Offsets().LogEnd); err != nil {
				return fmt.Errorf("partition %s-%d: start of leader epoch %d: %w", p.topic, p.id, s.LeaderEpoch, err)
			}
		}
		// A sole replica's whole log is committed the moment it leads.
		p.advance(0)
	}
	if newEpoch {
		p.wake()
	}
	return nil
}

// configure takes over a changed topic configuration.
func (p *Partition) configure(c logstore.Config, minISR int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.minISR = minISR
	p.hw.Lock()
	p.progress.minISR = min(max(minISR, 1), max(len(p.state.Replicas), 1))
	p.hw.Unlock()
	p.Log().SetConfig(c)
}

// stop ends the partition's service here: its log is about to be deleted or
// closed. Whoever waits is woken and finds it gone.
func (p *Partition) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.wake()
}

// wake has everybody who waits look again.
func (p *Partition) wake() {
	p.commits.wakeAll()
	p.waiters.add(everything)
}

// leads answers nil if this broker leads the partition and the caller's view of
// the leader epoch (-1: none) is not wrong, as KIP-320 has it. Callers hold mu.
func (p *Partition) leads(callersEpoch int32) error {
	switch {
	case p.stopped:
		return fmt.Errorf("partition %s-%d is not here any more: %w", p.topic, p.id, kerr.UnknownTopicOrPartition)
	case callersEpoch != -1 && callersEpoch < p.state.LeaderEpoch:
		return kerr.FencedLeaderEpoch
	case callersEpoch > p.state.LeaderEpoch:
		return kerr.UnknownLeaderEpoch
	case p.state.Leader != p.nodeID:
		return kerr.NotLeaderForPartition
	}
	return nil
}

// CheckLeader answers nil if this broker leads the partition in an epoch that
// agrees with the caller's (-1: not given), otherwise the Kafka error:
// NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH.
func (p *Partition) CheckLeader(callersEpoch int32) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.leads(callersEpoch)
}

// Verification is what the log notes while the coordinator of a transaction is
// asked; Marker is how a transaction ends.
type (
	Verification = logstore.Verification
	Marker       = logstore.Marker
)

// Appended is what became of a batch: where it is in the log, and the leader
// epoch in which it was appended. Another leader may have replaced it since.
type Appended struct {
	logstore.AppendInfo
	LeaderEpoch int32
}

// Append appends one batch as leader. With acks -1 (all) it is refused with
// NOT_ENOUGH_REPLICAS while too few replicas are in sync. v is what
// BeginVerification gave for the first batch of a transaction, zero for others.
// The caller then waits with WaitFlushed if the flush is due, whatever acks are,
// and with WaitCommitted.
func (p *Partition) Append(b batch.Batch, acks int16, v Verification) (Appended, error) {
	return p.append(acks, int64(len(b)), func(log *logstore.Log, epoch int32) (logstore.AppendInfo, error) {
		return log.WriteAsLeader(b, epoch, v)
	})
}

// AppendMarker appends the marker that ends a transaction, as Append with acks
// -1 appends a batch. Errors are those of [logstore.Log.AppendMarker] too.
func (p *Partition) AppendMarker(m Marker) (Appended, error) {
	// Readers of committed data may see all of the transaction at once.
	return p.append(-1, everything, func(log *logstore.Log, epoch int32) (logstore.AppendInfo, error) {
		return log.AppendMarker(m, epoch)
	})
}

// append writes to the log by write; visible is how many bytes waiters may see
// more thereby.
func (p *Partition) append(acks int16, visible int64, write func(log *logstore.Log, epoch int32) (logstore.AppendInfo, error)) (Appended, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if err := p.leads(-1); err != nil {
		return Appended{}, err
	}
	if acks == -1 && !p.enoughInSync() {
		return Appended{}, kerr.NotEnoughReplicas
	}
	a := Appended{LeaderEpoch: p.state.LeaderEpoch}
	var err error
	if a.AppendInfo, err = write(p.Log(), a.LeaderEpoch); err != nil {
		return a, err
	}
	if !a.Duplicate {
		p.advance(visible)
	}
	return a, nil
}

// BeginVerification is called before the coordinator of a transaction is asked
// whether the partition belongs to it, on behalf of the batch that would be the
// first of the transaction here: see [logstore.Log.BeginVerification].
func (p *Partition) BeginVerification(producerID int64, epoch int16, firstSequence int32, implicitAdd bool) (v Verification, needed bool, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if err := p.leads(-1); err != nil {
		return Verification{}, false, err
	}
	return p.Log().BeginVerification(producerID, epoch, firstSequence, implicitAdd)
}

func (p *Partition) enoughInSync() bool {
	p.hw.Lock()
	defer p.hw.Unlock()
	return p.progress.enough()
}

// advance recomputes the high watermark after the log grew by some bytes or a
// follower moved, and wakes those for whom something became visible. Of appends
// that run side by side the first to come here may make the other's bytes
// visible too: each counts its own, whether or not it moves the high watermark.
func (p *Partition) advance(bytes int64) {
	p.hw.Lock()
	defer p.hw.Unlock()
	at := p.Log().Offsets()
	hw := p.progress.highWatermark(at.LogEnd, at.HighWatermark)
	if hw > at.HighWatermark {
		p.Log().SetHighWatermark(hw)
		p.commits.release(hw)
		if len(p.progress.followers) > 0 {
			// What became visible may be more than what was just appended.
			bytes = everything
		}
	}
	if bytes > 0 {
		p.waiters.add(bytes)
	}
}

// Committed says whether the batch is committed. It says no once the leader
// epoch is another than the one it was appended in: what is at its offsets may
// be somebody else's by now.
func (p *Partition) Committed(a Appended) bool {
	// In this order: if the epoch is still the same, so it was before.
	return p.Log().Offsets().HighWatermark > a.LastOffset && p.State().LeaderEpoch == a.LeaderEpoch
}

// WaitFlushed waits until the batch is on disk, if flush.messages asks for it,
// together with all others who wait for that. No lock is held meanwhile:
// others append, and are covered by the next flush. After an error,
// KAFKA_STORAGE_ERROR, nobody knows whether it is.
func (p *Partition) WaitFlushed(a Appended) error {
	if !a.FlushDue {
		return nil
	}
	for {
		log := p.Log()
		// If it has left for another directory meanwhile, what was in it is there.
		if err := log.FlushTo(a.LastOffset + 1); err == nil || p.Log() == log {
			return err
		}
	}
}

// WaitCommitted waits until the batch is committed. It answers
// NOT_LEADER_OR_FOLLOWER if leadership was lost since it was appended, and
// REQUEST_TIMED_OUT when ctx ends first: the batch is in the log then, and may
// yet be committed.
func (p *Partition) WaitCommitted(ctx context.Context, a Appended) error {
	if p.Committed(a) {
		return nil
	}
	done := p.commits.add(a.LastOffset + 1)
	defer p.commits.remove(done)
	if p.Committed(a) {
		return nil
	}
	if p.CheckLeader(a.LeaderEpoch) != nil {
		return kerr.NotLeaderForPartition
	}
	timedOut := false
	select {
	case <-done:
	case <-ctx.Done():
		timedOut = true
	}
	switch {
	case p.Committed(a):
		return nil
	case timedOut && p.CheckLeader(a.LeaderEpoch) == nil:
		return kerr.RequestTimedOut
	}
	return kerr.NotLeaderForPartition
}

// Register makes w hear of everything that becomes visible in the partition.
func (p *Partition) Register(w *Waiter) { p.waiters.register(w) }

// Unregister is Register's reverse.
func (p *Partition) Unregister(w *Waiter) { p.waiters.unregister(w) }
