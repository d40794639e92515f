package group

import (
	"context"
	"crypto/rand"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
	"blumfeld/controller/shard"
)

// Options of a Coordinator. Store is required.
type Options struct {
	Store       controller.Store
	Config      Config                       // taken as it is: see DefaultConfig
	Now         func() time.Time             // nil: time.Now
	NewMemberID func(clientID string) string // nil: clientID, "-" and a random UUID, as Kafka's; a static member's instance id stands in for the client id
	Logger      *slog.Logger                 // nil: silent
}

// shardCount is the number of goroutines that own groups. Each has one transaction under way at a time, so that more
// shards make smaller batches: with four of them a commit of one of 50 busy groups cost the broker a third more CPU. One
// takes some 100,000 commits a second, more than etcd behind it, which applies what it is given one after the other.
const shardCount = 1

// Coordinator coordinates groups. Its methods may be called from any goroutine and do not wait for the store: each hands
// its request to the shard that owns the group and returns a channel of capacity 1, on which the answer comes exactly
// once, after what it tells has been stored. Errors wrap a *kerr.Error.
//
// Before Start has returned every request is refused with CoordinatorLoadInProgress, after Close with NotCoordinator; if
// the store fails the group is read from it again, and meanwhile refuses with CoordinatorNotAvailable.
type Coordinator struct {
	opts   Options
	shards [shardCount]*core

	cancel context.CancelFunc // nil before Start
	ended  sync.WaitGroup
}

// New returns a Coordinator that refuses all requests until Start.
func New(o Options) *Coordinator {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewMemberID == nil {
		o.NewMemberID = func(clientID string) string { return clientID + "-" + newUUID() }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Coordinator{opts: o}
	for i := range c.shards {
		c.shards[i] = &core{
			Loop: shard.NewLoop[call, flight](), c: c, owner: shard.NewOwner(o.Store, ownerKey(i)),
			groups: make(map[string]*group), producers: newProducers(),
		}
	}
	return c
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Start takes the groups over from whoever owned them before, reads them from the store, and lets requests in. ctx bounds
// the reading. It is called once; after an error only Close may be.
func (c *Coordinator) Start(ctx context.Context) error {
	for _, s := range c.shards {
		if err := s.owner.Take(ctx); err != nil {
			return fmt.Errorf("group: taking over the groups: %w", err)
		}
	}
	kvs, _, err := c.opts.Store.Range(ctx, groupsPrefix)
	if err != nil {
		return fmt.Errorf("group: reading the groups: %w", err)
	}
	now := c.opts.Now()
	groups, err := load(kvs, &c.opts.Config, now)
	if err != nil {
		return err
	}
	for id, g := range groups {
		s := c.shard(id)
		s.now = now
		s.adopt(g)
	}
	run, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	for _, s := range c.shards {
		if ms := c.opts.Config.OffsetsRetentionCheckMs; ms > 0 {
			s.expireAt = now.Add(time.Duration(ms) * time.Millisecond)
		}
		s.Open()
		c.ended.Go(func() { s.Run(run, s) })
	}
	return nil
}

// Close refuses whatever waits and ends all goroutines. Writes under way are cut off.
func (c *Coordinator) Close() {
	if c.cancel != nil {
		c.cancel()
	}
	c.ended.Wait()
}

func (c *Coordinator) shard(group string) *core {
	h := fnv.New32a()
	h.Write([]byte(group))
	return c.shards[h.Sum32()%shardCount]
}

// send checks the group id and hands the call to its shard.
func (c *Coordinator) send(group string, call call) {
	if group == "" {
		call.Fail(kerr.InvalidGroupID)
		return
	}
	c.shard(group).Send(call)
}

// Join is JoinGroup. The answer may take as long as the rebalance.
func (c *Coordinator) Join(r JoinRequest) <-chan JoinResponse {
	call := &joinCall{req: r, ch: make(chan JoinResponse, 1)}
	switch {
	case r.Group == "":
		call.Fail(kerr.InvalidGroupID)
	case r.SessionTimeoutMs < c.opts.Config.MinSessionTimeoutMs || r.SessionTimeoutMs > c.opts.Config.MaxSessionTimeoutMs:
		call.Fail(kerr.InvalidSessionTimeout)
	default:
		if r.MemberID == "" {
			name := r.ClientID
			if r.InstanceID != nil {
				name = *r.InstanceID
			}
			call.newID = c.opts.NewMemberID(name)
		}
		c.send(r.Group, call)
	}
	return call.ch
}

// Sync is SyncGroup. The answer may take as long as the leader's assignment.
func (c *Coordinator) Sync(r SyncRequest) <-chan SyncResponse {
	call := &syncCall{r, make(chan SyncResponse, 1)}
	c.send(r.Group, call)
	return call.ch
}

// Heartbeat is Heartbeat.
func (c *Coordinator) Heartbeat(r HeartbeatRequest) <-chan error {
	call := &heartbeatCall{r, make(chan error, 1)}
	c.send(r.Group, call)
	return call.ch
}

// Leave is LeaveGroup.
func (c *Coordinator) Leave(r LeaveRequest) <-chan LeaveResponse {
	call := &leaveCall{r, make(chan LeaveResponse, 1)}
	c.send(r.Group, call)
	return call.ch
}

// Commit is OffsetCommit. Whether the topics exist is the caller's to check.
func (c *Coordinator) Commit(r CommitRequest) <-chan CommitResponse {
	call := &commitCall{r, make(chan CommitResponse, 1)}
	c.shard(r.Group).Send(call) // any group id will do for a simple consumer
	return call.ch
}

// BeginTxnCommit is to be called before CommitTxn. If Needed, the transaction coordinator is asked in between whether the
// group's partition is part of the transaction: a decision that it takes afterwards comes here as a marker, and makes the
// guard void. So no commit that is late by whatever time is left pending (Kafka's VerificationGuard).
func (c *Coordinator) BeginTxnCommit(group string, producerID int64, epoch int16) <-chan BeginTxnResponse {
	call := &beginTxnCall{group, producerID, epoch, make(chan BeginTxnResponse, 1)}
	c.send(group, call)
	return call.ch
}

// CommitTxn is TxnOffsetCommit: the offsets are pending until the marker of their transaction. Whether the topics exist is
// the caller's to check. IllegalGeneration if the request names a generation of a group that does not exist,
// InvalidTxnState if the guard is void, InvalidProducerEpoch if a later epoch of the producer was here.
func (c *Coordinator) CommitTxn(r TxnCommitRequest) <-chan CommitResponse {
	call := &commitTxnCall{r, make(chan CommitResponse, 1)}
	c.send(r.Group, call)
	return call.ch
}

// EndTxn takes a marker: in all groups the pending offsets of the producer are committed, or forgotten. It may come again,
// and does so after an error, but for InvalidProducerEpoch and TransactionCoordinatorFenced: then the marker is one of a
// transaction that is over.
func (c *Coordinator) EndTxn(r EndTxnRequest) <-chan error {
	end := &ending{left: len(c.shards), ch: make(chan error, 1)}
	for _, s := range c.shards {
		s.Send(&endTxnCall{r, end})
	}
	return end.ch
}

// FetchOffsets is OffsetFetch for one group: what is stored, read from memory.
func (c *Coordinator) FetchOffsets(r FetchRequest) (resp FetchResponse) {
	c.ask(c.shard(r.Group), func(s *core, err error) {
		if resp.Err = err; err == nil {
			resp = s.fetchOffsets(r)
		}
	})
	return resp
}

// Describe is DescribeGroups for one group; the empty id is one too.
func (c *Coordinator) Describe(group string) (d Description) {
	c.ask(c.shard(group), func(s *core, err error) {
		if d = (Description{Err: err, Group: group}); err == nil {
			d = s.describe(group)
		}
	})
	return d
}

// List is ListGroups, sorted by group.
func (c *Coordinator) List(f ListFilter) (list []Listing) {
	for _, s := range c.shards {
		c.ask(s, func(s *core, err error) {
			if err == nil {
				list = append(list, s.list(f)...)
			}
		})
	}
	slices.SortFunc(list, func(a, b Listing) int { return strings.Compare(a.Group, b.Group) })
	return list
}

// ask runs read on the goroutine of a shard, which does not wait for the store, and waits for it. read gets an error
// instead if the shard takes no calls.
func (c *Coordinator) ask(s *core, read func(*core, error)) {
	q := &query{read: read, failed: read, done: make(chan struct{})}
	s.Send(q)
	<-q.done
}

// Delete is DeleteGroups: an error (NonEmptyGroup, GroupIDNotFound, …) or nil for each group.
func (c *Coordinator) Delete(groups []string) <-chan map[string]error {
	groups = slices.Compact(slices.Sorted(slices.Values(groups)))
	all := &deletion{left: len(groups), errs: make(map[string]error, len(groups)), ch: make(chan map[string]error, 1)}
	if len(groups) == 0 {
		all.ch <- all.errs
	}
	for _, id := range groups {
		// DeleteGroups is there for groups of any id, the empty one too.
		c.shard(id).Send(&deleteCall{id, all})
	}
	return all.ch
}

// DeleteOffsets is OffsetDelete.
func (c *Coordinator) DeleteOffsets(r DeleteOffsetsRequest) <-chan DeleteOffsetsResponse {
	call := &deleteOffsetsCall{r, make(chan DeleteOffsetsResponse, 1)}
	c.send(r.Group, call)
	return call.ch
}

// Topics returns those of which a group has offsets, committed or pending, sorted.
func (c *Coordinator) Topics() []string {
	topics := make(map[string]struct{})
	for _, s := range c.shards {
		c.ask(s, func(s *core, err error) {
			if err == nil {
				s.topics(topics)
			}
		})
	}
	return slices.Sorted(maps.Keys(topics))
}

// TopicsDeleted forgets the committed and pending offsets of topics that no longer exist.
func (c *Coordinator) TopicsDeleted(names []string) {
	topics := make(map[string]struct{}, len(names))
	for _, n := range names {
		topics[n] = struct{}{}
	}
	for _, s := range c.shards {
		s.Send(signal(func(s *core) { s.topicsDeleted(topics) }))
	}
}
