package integration

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/integration/process"
)

// This file has the members of the groups that TestKilledInRebalances tortures, and what they hold the broker to.

const (
	torturedTopic      = "tortured-by-groups"
	torturedPartitions = 6
	// A member that is gone is missed this soon. group.min.session.timeout.ms allows it.
	shortSession     = 3 * time.Second
	rebalanceTimeout = 5 * time.Second
)

// ledger is what a group was told, over all its members and all lives of the broker.
type ledger struct {
	t     *testing.T
	group string
	all   *tally // the commits of all groups

	mu        sync.Mutex
	acked     [torturedPartitions]int64 // the highest offset whose commit was acknowledged
	seen      [torturedPartitions]int64 // the highest offset that was fetched
	processed [torturedPartitions]int64 // records below it were consumed by some member
	confirmed int32                     // the highest generation that a SyncGroup was answered in
	commits   int
}

func (l *ledger) ack(partition int32, offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[partition] = max(l.acked[partition], offset)
	l.commits++
	l.all.add()
}

// lows are what an OffsetFetch that begins now must not fall short of.
func (l *ledger) lows() (lows [torturedPartitions]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p := range lows {
		lows[p] = max(l.acked[p], l.seen[p])
	}
	return lows
}

// fetched checks an answer to an OffsetFetch.
func (l *ledger) fetched(low [torturedPartitions]int64, partition int32, offset int64) {
	if offset < low[partition] {
		l.t.Errorf("group %s, partition %d: offset %d, after %d had been committed", l.group, partition, offset, low[partition])
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[partition] = max(l.seen[partition], offset)
}

func (l *ledger) confirm(generation int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.confirmed = max(l.confirmed, generation)
}

func (l *ledger) generation() int32 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.confirmed
}

// consumed checks that a record is not behind one that nobody has read.
func (l *ledger) consumed(r *kgo.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Offset > l.processed[r.Partition] {
		l.t.Errorf("group %s, partition %d: record %d was consumed, %d never", l.group, r.Partition, r.Offset, l.processed[r.Partition])
	}
	l.processed[r.Partition] = max(l.processed[r.Partition], r.Offset+1)
}

// caughtUp says whether all below these offsets is committed.
func (l *ledger) caughtUp(ends []int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, end := range ends {
		if l.acked[p] < end {
			return false
		}
	}
	return true
}

// count is the number of acknowledged commits.
func (l *ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.commits
}

// consumer is a member as applications have it: it polls, and commits what it has polled.
type consumer struct {
	l      *ledger
	cl     *kgo.Client
	line   *line
	cancel context.CancelFunc
	done   chan struct{}

	lows       map[int32]int64 // by partition whose first record since its assignment is still to come
	generation int32
}

func startConsumer(t *testing.T, b *process.Broker, l *ledger, opts ...kgo.Opt) *consumer {
	ctx, cancel := context.WithCancel(t.Context())
	c := &consumer{l: l, line: &line{}, cancel: cancel, done: make(chan struct{}), lows: make(map[int32]int64)}
	c.cl = client(t, b, append([]kgo.Opt{
		kgo.ConsumerGroup(l.group), kgo.ConsumeTopics(torturedTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(shortSession), kgo.HeartbeatInterval(shortSession / 15), kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.FetchMaxWait(100 * time.Millisecond), kgo.RetryTimeout(rebalanceTimeout),
		kgo.Dialer(c.line.dial), kgo.OnPartitionsAssigned(c.assigned), kgo.OnPartitionsRevoked(c.revoked), kgo.OnPartitionsLost(c.revoked),
	}, opts...)...)
	go c.run(ctx)
	return c
}

// assigned is called before the offsets are fetched.
func (c *consumer) assigned(_ context.Context, cl *kgo.Client, added map[string][]int32) {
	if _, generation := cl.GroupMetadata(); generation >= 0 {
		if generation < c.generation {
			c.l.t.Errorf("group %s: generation %d after %d", c.l.group, generation, c.generation)
		}
		c.generation = generation
	}
	lows := c.l.lows()
	for _, p := range added[torturedTopic] {
		c.lows[p] = lows[p]
	}
}

func (c *consumer) revoked(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	for _, p := range lost[torturedTopic] {
		delete(c.lows, p)
	}
}

func (c *consumer) run(ctx context.Context) {
	defer close(c.done)
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		records := c.cl.PollRecords(poll, 200).Records()
		cancel()
		for _, r := range records {
			if low, ok := c.lows[r.Partition]; ok && r.Offset < low {
				c.l.t.Errorf("group %s, partition %d: went on at %d, after %d had been committed", c.l.group, r.Partition, r.Offset, low)
			}
			delete(c.lows, r.Partition)
			c.l.consumed(r)
		}
		if len(records) > 0 {
			c.commit(ctx, records)
		}
		c.cl.AllowRebalance()
	}
}

func (c *consumer) commit(ctx context.Context, records []*kgo.Record) {
	offsets := make(map[int32]kgo.EpochOffset)
	for _, r := range records {
		offsets[r.Partition] = kgo.EpochOffset{Epoch: r.LeaderEpoch, Offset: r.Offset + 1}
	}
	c.cl.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{torturedTopic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			if err != nil {
				return
			}
			for _, t := range resp.Topics {
				for _, p := range t.Partitions {
					if p.ErrorCode == 0 {
						c.l.ack(p.Partition, offsets[p.Partition].Offset)
					}
				}
			}
		})
}

// stop ends the member: a dynamic one leaves the group, a static one is expected back. vanish: nobody is told.
func (c *consumer) stop(vanish bool) {
	c.cancel()
	<-c.done
	if vanish {
		c.line.cut()
	}
	c.cl.CloseAllowingRebalance()
}

// line is a client's connections, which can be cut all at once and for ever.
type line struct {
	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

func (l *line) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		conn.Close()
		return nil, errors.New("the line is cut")
	}
	l.conns = append(l.conns, conn)
	return conn, nil
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	for _, c := range l.conns {
		c.Close()
	}
}

// commitRequest commits one offset.
func commitRequest(group, member string, generation, partition int32, offset int64) *kmsg.OffsetCommitRequest {
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.MemberID, commit.Generation = group, member, generation
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = torturedTopic
	p := kmsg.NewOffsetCommitRequestTopicPartition()
	p.Partition, p.Offset = partition, offset
	topic.Partitions = append(topic.Partitions, p)
	commit.Topics = append(commit.Topics, topic)
	return commit
}

// commitOne says whether a commit was acknowledged, and if not, why.
func commitOne(ctx context.Context, cl *kgo.Client, req *kmsg.OffsetCommitRequest) error {
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode)
}

// commitConstantly is a member that is alone in its group and never leaves: no death of the broker may cost it its
// membership or its generation. member "" and generation -1 is a consumer without a group.
func commitConstantly(ctx context.Context, l *ledger, cl *kgo.Client, member string, generation int32) {
	for n := int64(1); ctx.Err() == nil; n++ {
		p := int32(n % torturedPartitions)
		switch err := commitOne(ctx, cl, commitRequest(l.group, member, generation, p, n)); {
		case err == nil:
			l.ack(p, n)
		case errors.Is(err, kerr.UnknownMemberID), errors.Is(err, kerr.IllegalGeneration), errors.Is(err, kerr.RebalanceInProgress):
			l.t.Errorf("group %s: commit of member %q in generation %d: %v", l.group, member, generation, err)
			return
		}
	}
}

// churn is a member that joins, commits to its share of the partitions, and now and then leaves, for ever: most of the
// time its group is rebalancing.
func churn(ctx context.Context, l *ledger, cl *kgo.Client, leaves bool) {
	id := ""
	for round := 0; ctx.Err() == nil; round++ {
		confirmed := l.generation()
		join := joinRequest(l.group)
		join.MemberID = id
		join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = int32(shortSession.Milliseconds()), int32(rebalanceTimeout.Milliseconds())
		joined, err := join.RequestWith(ctx, cl)
		if err != nil {
			continue
		}
		switch kerr.ErrorForCode(joined.ErrorCode) {
		case nil:
		case kerr.MemberIDRequired:
			id = joined.MemberID
			continue
		case kerr.UnknownMemberID:
			id = ""
			continue
		default:
			continue
		}
		if joined.Generation < confirmed {
			l.t.Errorf("group %s: generation %d, after %d had been confirmed", l.group, joined.Generation, confirmed)
		}
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Group, sync.MemberID, sync.Generation = l.group, id, joined.Generation
		sync.ProtocolType, sync.Protocol = joined.ProtocolType, joined.Protocol
		for i, m := range joined.Members {
			sync.GroupAssignment = append(sync.GroupAssignment,
				kmsg.SyncGroupRequestGroupAssignment{MemberID: m.MemberID, MemberAssignment: []byte{byte(i), byte(len(joined.Members))}})
		}
		synced, err := sync.RequestWith(ctx, cl)
		if err != nil || synced.ErrorCode != 0 || len(synced.MemberAssignment) != 2 {
			continue
		}
		l.confirm(joined.Generation)
		for p := int32(synced.MemberAssignment[0]); p < torturedPartitions; p += int32(synced.MemberAssignment[1]) {
			// It goes on where the group stands, as a consumer does.
			lows := l.lows()
			at, err := fetchOne(ctx, cl, l.group, p)
			if err != nil {
				break
			}
			l.fetched(lows, p, at)
			if commitOne(ctx, cl, commitRequest(l.group, id, joined.Generation, p, at+1)) != nil {
				break
			}
			l.ack(p, at+1)
		}
		if leaves && round%3 == 0 {
			leave := kmsg.NewPtrLeaveGroupRequest()
			leave.Group, leave.MemberID = l.group, id
			leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: id}}
			leave.RequestWith(ctx, cl)
			id = ""
		}
	}
}

// fetchOne is the committed offset of one partition, 0 if there is none.
func fetchOne(ctx context.Context, cl *kgo.Client, group string, partition int32) (int64, error) {
	offsets, err := fetchOffsets(ctx, cl, group)
	return offsets[partition], err
}

// fetchOffsets are all committed offsets of a group.
func fetchOffsets(ctx context.Context, cl *kgo.Client, group string) (map[int32]int64, error) {
	fetch := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	fetch.Groups = append(fetch.Groups, g)
	resp, err := fetch.RequestWith(ctx, cl)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.Groups[0].ErrorCode); err != nil {
		return nil, err
	}
	offsets := make(map[int32]int64)
	for _, t := range resp.Groups[0].Topics {
		for _, p := range t.Partitions {
			offsets[p.Partition] = p.Offset
		}
	}
	return offsets, nil
}
