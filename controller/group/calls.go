package group

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller/shard"
)

// A call is a request on its way through a shard. It is answered exactly once, by answer, by Fail, or by handle itself.
type call interface {
	shard.Call
	handle(s *core)
}

// An answerer is a call that waits for the store: what step or the shard decided is handed to it after the commit.
type answerer interface {
	call
	answer(body any)
}

type joinCall struct {
	req   JoinRequest
	newID string
	ch    chan JoinResponse
}

func (c *joinCall) answer(body any) { c.ch <- body.(JoinResponse) }
func (c *joinCall) Fail(err error) {
	c.ch <- JoinResponse{Err: err, Generation: -1, MemberID: c.req.MemberID}
}
func (c *joinCall) handle(s *core) {
	g, err := s.lookup(c.req.Group)
	if err != nil {
		c.Fail(err)
		return
	}
	if g == nil {
		if c.req.MemberID != "" {
			c.Fail(kerr.UnknownMemberID)
			return
		}
		if s.recovering() {
			c.Fail(kerr.CoordinatorNotAvailable)
			return
		}
		g = s.create(c.req.Group)
		s.apply(g, []effect{persist{g.machine.snapshot()}}) // the group exists from now on, whatever becomes of this request
	}
	s.step(g, joinEvent{c, &c.req, c.newID})
}

type syncCall struct {
	req SyncRequest
	ch  chan SyncResponse
}

func (c *syncCall) answer(body any) { c.ch <- body.(SyncResponse) }
func (c *syncCall) Fail(err error)  { c.ch <- SyncResponse{Err: err} }
func (c *syncCall) handle(s *core) {
	if g := s.memberGroup(c, c.req.Group); g != nil {
		s.step(g, syncEvent{c, &c.req})
	}
}

type heartbeatCall struct {
	req HeartbeatRequest
	ch  chan error
}

func (c *heartbeatCall) answer(body any) { c.ch <- asError(body) }
func (c *heartbeatCall) Fail(err error)  { c.ch <- err }
func (c *heartbeatCall) handle(s *core) {
	if g := s.memberGroup(c, c.req.Group); g != nil {
		s.step(g, heartbeatEvent{c, &c.req})
	}
}

type leaveCall struct {
	req LeaveRequest
	ch  chan LeaveResponse
}

func (c *leaveCall) answer(body any) { c.ch <- body.(LeaveResponse) }

// fail: a group that does not exist is told member by member.
func (c *leaveCall) Fail(err error) {
	if err != kerr.UnknownMemberID {
		c.ch <- LeaveResponse{Err: err}
		return
	}
	r := LeaveResponse{Members: make([]LeftMember, len(c.req.Members))}
	for i, m := range c.req.Members {
		r.Members[i] = LeftMember{m.MemberID, m.InstanceID, err}
	}
	c.ch <- r
}
func (c *leaveCall) handle(s *core) {
	if g := s.memberGroup(c, c.req.Group); g != nil {
		s.step(g, leaveEvent{c, &c.req})
	}
}

type commitCall struct {
	req CommitRequest
	ch  chan CommitResponse
}

func (c *commitCall) answer(body any) { c.ch <- CommitResponse{body.([]error)} }
func (c *commitCall) Fail(err error)  { c.ch <- failedCommit(&c.req, err) }

func failedCommit(r *CommitRequest, err error) CommitResponse {
	return CommitResponse{slices.Repeat([]error{err}, len(r.Offsets))}
}

func (c *commitCall) handle(s *core) {
	g, err := s.lookup(c.req.Group)
	switch {
	case err != nil:
		c.Fail(err)
		return
	case g == nil && c.req.Generation >= 0:
		c.Fail(kerr.GroupIDNotFound)
		return
	case s.recovering():
		c.Fail(kerr.CoordinatorNotAvailable)
		return
	}
	created := g == nil
	if created {
		g = s.create(c.req.Group)
	}
	if err := asError(g.step(commitEvent{c, &c.req, false}, s.now)[0].(reply).body); err != nil {
		c.Fail(err)
		return
	}
	s.schedule(g)
	errs := s.checkOffsets(c.req.Offsets)
	at := s.now.UnixMilli()
	for i, o := range c.req.Offsets {
		if errs[i] != nil {
			continue
		}
		block, slot := blockOf(o.Topic, o.Partition)
		g.work.changesOf(block, len(c.req.Offsets)-i).set(offsetChange{committed: committed{o.Offset, o.LeaderEpoch, slot, at, o.Metadata}})
		g.overtake(block, slot, math.MaxInt64)
	}
	if created && len(g.work.offsets) == 0 {
		s.drop(g)
		c.answer(errs)
		return
	}
	s.enqueue(g, reply{c, errs})
}

// maxMetadataBytes bounds the metadata of an offset beside offset.metadata.max.bytes: 64 of them and the longest group id
// fit into one transaction. A block that did not fit could not be committed when its transaction is.
const maxMetadataBytes = 14 << 10

// checkOffsets returns an error or nil for each offset.
func (s *core) checkOffsets(list []OffsetToCommit) []error {
	limit := s.c.opts.Config.OffsetMetadataMaxBytes
	errs := make([]error, len(list))
	for i, o := range list {
		switch {
		case len(o.Metadata) > maxMetadataBytes, len(o.Metadata) > limit && javaLength(o.Metadata) > limit:
			errs[i] = kerr.OffsetMetadataTooLarge
		case o.Partition < 0:
			errs[i] = kerr.UnknownTopicOrPartition
		}
	}
	return errs
}

// javaLength is the length that Kafka compares with offset.metadata.max.bytes: in units of UTF-16.
func javaLength(s string) int {
	n := utf8.RuneCountInString(s)
	for _, r := range s {
		if r > 0xffff {
			n++
		}
	}
	return n
}

type deleteOffsetsCall struct {
	req DeleteOffsetsRequest
	ch  chan DeleteOffsetsResponse
}

func (c *deleteOffsetsCall) answer(body any) { c.ch <- DeleteOffsetsResponse{Errs: body.([]error)} }
func (c *deleteOffsetsCall) Fail(err error)  { c.ch <- DeleteOffsetsResponse{Err: err} }
func (c *deleteOffsetsCall) handle(s *core) {
	g, err := s.lookup(c.req.Group)
	switch {
	case err != nil:
	case g == nil:
		err = kerr.GroupIDNotFound
	case s.recovering():
		err = kerr.CoordinatorNotAvailable
	default:
		err = g.checkDeleteOffsets()
	}
	if err != nil {
		c.Fail(err)
		return
	}
	errs := make([]error, len(c.req.Partitions))
	for i, p := range c.req.Partitions {
		if g.subscribed(p.Topic) {
			errs[i] = kerr.GroupSubscribedToTopic
		} else if p.Partition >= 0 {
			block, slot := blockOf(p.Topic, p.Partition)
			if s.mayHold(g, block) {
				g.work.setOffset(block, offsetChange{committed: committed{slot: slot}, deleted: true})
			}
			g.forgetPending(block, 1<<slot)
		}
	}
	s.enqueue(g, reply{c, errs})
}

// deleteCall deletes one group of several; the last to be answered sends the result of all.
type deleteCall struct {
	group string
	all   *deletion
}

type deletion struct {
	mu   sync.Mutex
	left int
	errs map[string]error
	ch   chan map[string]error
}

func (c *deleteCall) answer(body any) { c.Fail(asError(body)) }
func (c *deleteCall) Fail(err error) {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	c.all.errs[c.group] = err
	if c.all.left--; c.all.left == 0 {
		c.all.ch <- c.all.errs
	}
}
func (c *deleteCall) handle(s *core) {
	g, err := s.lookup(c.group)
	switch {
	case err != nil:
		c.Fail(err)
	case g == nil:
		c.Fail(kerr.GroupIDNotFound)
	case s.recovering():
		c.Fail(kerr.CoordinatorNotAvailable)
	default:
		if err := asError(g.step(deleteEvent{c}, s.now)[0].(reply).body); err != nil {
			c.Fail(err)
			return
		}
		g.discard()
		s.enqueue(g, reply{c, nil})
	}
}

// asError is the reverse of errorBody.
func asError(body any) error {
	err, _ := body.(error)
	return err
}

// query reads a shard. Its answer does not wait for the store. failed is called instead if the shard does not answer.
type query struct {
	read, failed func(*core, error)
	done         chan struct{}
}

func (q *query) handle(s *core) { q.read(s, nil); close(q.done) }
func (q *query) Fail(err error) { q.failed(nil, err); close(q.done) }

// signal changes a shard; nobody waits for it.
type signal func(s *core)

func (f signal) handle(s *core) { f(s) }
func (f signal) Fail(error)     {}

func (s *core) fetchOffsets(r FetchRequest) FetchResponse {
	g, err := s.lookup(r.Group)
	if err != nil {
		return FetchResponse{Err: err}
	}
	var resp FetchResponse
	var unstable map[blockID]slots
	if g != nil && g.state != Dead && r.RequireStable {
		unstable = s.unstable(g)
	}
	if r.Topics == nil {
		if g == nil || g.state == Dead {
			return resp
		}
		for id, block := range g.blocks {
			for _, c := range block {
				o := CommittedOffset{id.topic, id.number*blockSize + int32(c.slot), c.offset, c.leaderEpoch, c.metadata, nil}
				if unstable[id].has(c.slot) {
					o = unstableOffset(o.Topic, o.Partition)
				}
				resp.Offsets = append(resp.Offsets, o)
			}
		}
		slices.SortFunc(resp.Offsets, func(a, b CommittedOffset) int {
			return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
		})
		return resp
	}
	for _, topic := range slices.Sorted(maps.Keys(r.Topics)) {
		for _, p := range r.Topics[topic] {
			o := CommittedOffset{Topic: topic, Partition: p, Offset: -1, LeaderEpoch: -1}
			if block, slot := blockOf(topic, p); p >= 0 && unstable[block].has(slot) {
				o = unstableOffset(topic, p)
			} else if c, ok := g.offset(topic, p); ok {
				o.Offset, o.LeaderEpoch, o.Metadata = c.offset, c.leaderEpoch, c.metadata
			}
			resp.Offsets = append(resp.Offsets, o)
		}
	}
	return resp
}

func unstableOffset(topic string, partition int32) CommittedOffset {
	return CommittedOffset{Topic: topic, Partition: partition, Offset: -1, LeaderEpoch: -1, Err: kerr.UnstableOffsetCommit}
}

// unstable returns the partitions of which a transaction has an offset, or had one until something that is not yet
// written: what can be read of them is not what it will be.
func (s *core) unstable(g *group) map[blockID]slots {
	all := g.pendingSlots()
	add := func(w *work) {
		for id, some := range w.settled {
			if all == nil {
				all = make(map[blockID]slots)
			}
			all[id] |= some
		}
	}
	add(&g.work)
	if e := s.flight.entry(g); e != nil {
		add(&e.work)
	}
	return all
}

func (s *core) describe(id string) Description {
	g, err := s.lookup(id)
	switch {
	case err != nil:
		return Description{Err: err, Group: id}
	case g == nil || g.state == Dead:
		return Description{Err: kerr.GroupIDNotFound, Group: id, State: Dead.String()}
	}
	d := Description{Group: id, State: g.state.String(), ProtocolType: g.protocolType, Members: make([]DescribedMember, len(g.members))}
	for i, m := range g.members {
		d.Members[i] = DescribedMember{ID: m.id, InstanceID: m.instanceID, ClientID: m.clientID, ClientHost: m.clientHost, Assignment: m.assignment}
		if g.state == Stable {
			d.Members[i].Metadata = m.metadata(g.protocol)
		}
	}
	if g.state == Stable {
		d.Protocol = g.protocol
	}
	return d
}

func (s *core) list(f ListFilter) (list []Listing) {
	has := func(filter []string, v string) bool {
		return len(filter) == 0 || slices.ContainsFunc(filter, func(w string) bool { return strings.EqualFold(v, w) })
	}
	for id, g := range s.groups {
		if g.state != Dead && has(f.States, g.state.String()) && has(f.Types, classicType) {
			list = append(list, Listing{id, g.protocolType, g.state.String(), classicType})
		}
	}
	return list
}

const classicType = "classic"

// topicsDeleted forgets the offsets of topics. Nobody would say it again, so it outlives a failure of the store: nothing
// that a group commits later is acknowledged before.
func (s *core) topicsDeleted(topics map[string]struct{}) {
	for _, g := range s.groups {
		if g.failed {
			s.remember(g.id, topics)
			continue
		}
		// What is under way may be what removes the offsets of a topic, and it may fail.
		if e := s.flight.entry(g); e != nil {
			e.forgets(topics)
		}
		if g.work.queued {
			g.work.forgets(topics)
		}
		if g.state != Dead {
			s.forgetTopics(g, topics)
		}
	}
}

func (s *core) forgetTopics(g *group, topics map[string]struct{}) {
	forget := func(block blockID) bool {
		if _, ok := topics[block.topic]; !ok {
			return false
		}
		g.work.forgets(map[string]struct{}{block.topic: {}})
		s.enqueue(g)
		return true
	}
	for _, block := range s.blocksOf(g) {
		if forget(block) {
			for slot := range uint8(blockSize) {
				g.work.setOffset(block, offsetChange{committed: committed{slot: slot}, deleted: true})
			}
		}
	}
	for block, all := range g.pendingSlots() {
		if forget(block) {
			g.forgetPending(block, all)
		}
	}
}

// topics adds those of which a group has offsets.
func (s *core) topics(all map[string]struct{}) {
	for _, g := range s.groups {
		for id := range g.blocks {
			all[id.topic] = struct{}{}
		}
		for _, t := range g.txns {
			for id := range t.blocks {
				all[id.topic] = struct{}{}
			}
		}
	}
}

// remember keeps the deletion of topics for when a group that failed has been read again.
func (s *core) remember(id string, topics map[string]struct{}) {
	if len(topics) == 0 {
		return
	}
	if s.forget == nil {
		s.forget = make(map[string]map[string]struct{})
	}
	if s.forget[id] == nil {
		s.forget[id] = make(map[string]struct{})
	}
	maps.Copy(s.forget[id], topics)
}

// expire forgets offsets whose retention is over, and then groups that are Empty and hold none. Groups with writes
// under way are left for the next time. A transaction keeps the group, and the offsets of which it has pending ones.
func (s *core) expire() {
	retention := time.Duration(s.c.opts.Config.OffsetsRetentionMs) * time.Millisecond
	for _, g := range s.groups {
		if g.failed || g.state == Dead || g.work.queued || s.flight.has(g) {
			continue
		}
		all := len(g.txns) == 0
		pending := g.pendingSlots()
		for id, block := range g.blocks {
			for _, c := range block {
				if pending[id].has(c.slot) {
					all = false
				} else if from, ok := g.expiry(id.topic, time.UnixMilli(c.time)); ok && s.now.Sub(from) >= retention {
					g.work.setOffset(id, offsetChange{committed: c, deleted: true})
				} else {
					all = false
				}
			}
		}
		if all && g.state == Empty && len(g.pending) == 0 {
			g.step(deleteEvent{}, s.now)
			g.discard()
			s.enqueue(g)
		} else if len(g.work.offsets) > 0 {
			s.enqueue(g)
		}
	}
}
