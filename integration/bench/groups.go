package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	commitPartitions = 12 // in each commit
	commitPeriod     = 4 * time.Second
	// beatPause lies between a member's heartbeats, by which it learns of a rebalance. Java's consumer waits 3 s,
	// which would be all that one sees.
	beatPause = 20 * time.Millisecond
)

var commitRate = figure{"commits/s", higherIsBetter}

func groupRows() (list []row) {
	for _, n := range []int{1, 50, 500} {
		list = append(list, row{set: "groups", name: fmt.Sprintf("offset commits of %d partitions, closed loop, %s", commitPartitions, count(n, "group")),
			run: commits(n), aims: []aim{{fmt.Sprintf("offset commits, %s: %s", count(n, "group"), commitRate.name), commitRate}}})
	}
	for _, n := range []int{3, 50} {
		list = append(list, row{set: "groups", name: fmt.Sprintf("one more member joins a group of %d, a heartbeat every %v", n, beatPause),
			run: rebalance(n), detail: true})
	}
	return list
}

// member is a consumer as the group protocol sees it, on a connection of its own.
type member struct {
	*wire
	group      string
	id         string
	generation int32
}

const memberTimeoutMs = 60_000

// join takes part in a rebalance, until the member has its assignment.
func (m *member) join() error {
	for {
		join := kmsg.NewPtrJoinGroupRequest()
		join.Version, join.Group, join.MemberID = 9, m.group, m.id
		join.SessionTimeoutMillis, join.RebalanceTimeoutMillis, join.ProtocolType = memberTimeoutMs, memberTimeoutMs, "consumer"
		join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("\x00\x00\x00\x00\x00\x01\x00\x05bench\xff\xff\xff\xff")}}
		joined := kmsg.NewPtrJoinGroupResponse()
		if err := m.ask(join, joined); err != nil {
			return err
		}
		switch err := kerr.ErrorForCode(joined.ErrorCode); err {
		case nil:
		case kerr.MemberIDRequired:
			m.id = joined.MemberID
			continue
		case kerr.RebalanceInProgress:
			continue
		default:
			return fmt.Errorf("join: %w", err)
		}
		m.generation = joined.Generation
		sync := kmsg.NewPtrSyncGroupRequest()
		sync.Version, sync.Group, sync.MemberID, sync.Generation = 5, m.group, m.id, m.generation
		sync.ProtocolType, sync.Protocol = joined.ProtocolType, joined.Protocol
		for _, o := range joined.Members {
			sync.GroupAssignment = append(sync.GroupAssignment,
				kmsg.SyncGroupRequestGroupAssignment{MemberID: o.MemberID, MemberAssignment: []byte("\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff")})
		}
		synced := kmsg.NewPtrSyncGroupResponse()
		if err := m.ask(sync, synced); err != nil {
			return err
		}
		switch err := kerr.ErrorForCode(synced.ErrorCode); err {
		case nil:
			return nil
		case kerr.RebalanceInProgress:
		default:
			return fmt.Errorf("sync: %w", err)
		}
	}
}

func (m *member) leave() error {
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Version, leave.Group = 3, m.group
	leave.Members = []kmsg.LeaveGroupRequestMember{{MemberID: m.id}}
	return m.ask(leave, kmsg.NewPtrLeaveGroupResponse())
}

// connectMember waits until the broker coordinates the group: Kafka creates a topic first.
func connectMember(ctx context.Context, addr, group string) (*member, error) {
	w, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.Version, find.CoordinatorKeys = 4, []string{group}
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Version, describe.Groups = 5, []string{group}
	for {
		found, described := kmsg.NewPtrFindCoordinatorResponse(), kmsg.NewPtrDescribeGroupsResponse()
		if err := w.ask(find, found); err != nil {
			w.Close()
			return nil, err
		}
		if found.Coordinators[0].ErrorCode == 0 {
			if err := w.ask(describe, described); err != nil {
				w.Close()
				return nil, err
			}
			if described.Groups[0].ErrorCode == 0 {
				return &member{wire: w, group: group}, nil
			}
		}
		select {
		case <-ctx.Done():
			w.Close()
			return nil, ctx.Err()
		case <-time.After(beatPause):
		}
	}
}

func groupName(i int) string {
	return "bench-" + strconv.FormatInt(time.Now().UnixNano(), 36) + "-" + strconv.Itoa(i)
}

// commits has one member of each group commit again and again, the next when the last is acknowledged.
func commits(groups int) func(context.Context, load, *broker) ([]measured, error) {
	return func(ctx context.Context, _ load, b *broker) (list []measured, err error) {
		topic, err := newTopic(ctx, b.addr, commitPartitions)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, deleteTopic(ctx, b.addr, topic)) }()
		members := make([]*member, groups)
		errs := make([]error, groups)
		defer func() {
			for _, m := range members {
				if m != nil {
					m.Close()
				}
			}
		}()
		committers := make([]*committer, groups)
		var joining sync.WaitGroup
		for i := range members {
			joining.Go(func() {
				if members[i], errs[i] = connectMember(ctx, b.addr, groupName(i)); errs[i] != nil {
					return
				}
				if errs[i] = members[i].join(); errs[i] == nil {
					committers[i], errs[i] = newCommitter(members[i], topic)
				}
			})
		}
		joining.Wait()
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
		took := make([][]time.Duration, groups)
		c, err := b.costOf(func() error {
			began := time.Now()
			var committing sync.WaitGroup
			for i, c := range committers {
				committing.Go(func() {
					for offset := int64(1); time.Since(began) < commitPeriod && errs[i] == nil; offset++ {
						start := time.Now()
						errs[i] = c.commit(offset)
						took[i] = append(took[i], time.Since(start))
					}
				})
			}
			committing.Wait()
			return errors.Join(errs...)
		})
		if err != nil {
			return nil, err
		}
		for _, m := range members {
			if err := m.leave(); err != nil {
				return nil, err
			}
		}
		all := slices.Concat(took...)
		n := float64(len(all))
		return append([]measured{{commitRate, c.perSecond(n)}, {cpuPerReq, c.perMillion(n)}}, latencies(all)...), nil
	}
}

// committer sends one member's commits, which differ only in their offsets and are acknowledged in the same words: they
// are encoded once, so that the client, which shares the machine with the broker, costs as little as it can.
type committer struct {
	m         *member
	request   []byte
	offsets   patch
	confirmed []byte
}

func newCommitter(m *member, topic string) (*committer, error) {
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Version, req.Group, req.MemberID, req.Generation = 8, m.group, m.id, m.generation
	t := kmsg.NewOffsetCommitRequestTopic()
	t.Topic = topic
	for i := range int32(commitPartitions) {
		t.Partitions = append(t.Partitions, kmsg.OffsetCommitRequestTopicPartition{Partition: i, Offset: mark, LeaderEpoch: -1})
	}
	req.Topics = append(req.Topics, t)
	c := &committer{m: m, request: m.encode(req)}
	var err error
	if c.offsets, err = find(c.request, commitPartitions); err != nil {
		return nil, err
	}
	// The first answer is read in full; the others have to be the same.
	c.offsets.put(c.request, 0)
	answer, err := m.send(c.request)
	if err != nil {
		return nil, err
	}
	resp := kmsg.NewPtrOffsetCommitResponse()
	if err := m.decode(req, resp, answer); err != nil {
		return nil, err
	}
	confirmed := 0
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("commit: %w", err)
			}
			confirmed++
		}
	}
	if confirmed != commitPartitions {
		return nil, fmt.Errorf("commit: %d offsets confirmed", confirmed)
	}
	c.confirmed = bytes.Clone(answer)
	return c, nil
}

func (c *committer) commit(offset int64) error {
	c.offsets.put(c.request, offset)
	answer, err := c.m.send(c.request)
	if err == nil && !bytes.Equal(answer, c.confirmed) {
		err = fmt.Errorf("commit: another answer than the first: %x", answer)
	}
	return err
}

// rebalance measures from the JoinGroup of one more member until all of the group have their new assignment.
func rebalance(members int) func(context.Context, load, *broker) ([]measured, error) {
	return func(ctx context.Context, _ load, b *broker) ([]measured, error) {
		group := groupName(0)
		var running sync.WaitGroup
		all := make([]*member, members+1)
		for i := range all {
			m, err := connectMember(ctx, b.addr, group)
			if err != nil {
				return nil, err
			}
			defer m.Close()
			all[i] = m
		}
		type joined struct {
			generation int32
			err        error
		}
		stable := make(chan joined)
		done, stop := context.WithCancel(ctx)
		defer running.Wait()
		defer stop()
		enter := func(m *member) {
			running.Go(func() {
				for {
					err := m.join()
					select {
					case stable <- joined{m.generation, err}:
					case <-done.Done():
						return
					}
					if err != nil || m.untilRebalance(done) != nil {
						return
					}
				}
			})
		}
		// await returns when want members have the same generation.
		await := func(want int) error {
			in := make(map[int32]int)
			for {
				select {
				case j := <-stable:
					if j.err != nil {
						return j.err
					}
					if in[j.generation]++; in[j.generation] == want {
						return nil
					}
				case <-done.Done():
					return done.Err()
				}
			}
		}
		for _, m := range all[:members] {
			enter(m)
		}
		if err := await(members); err != nil {
			return nil, err
		}
		began := time.Now()
		enter(all[members])
		if err := await(members + 1); err != nil {
			return nil, err
		}
		took := time.Since(began)
		stop()
		running.Wait()
		for _, m := range all {
			if err := m.leave(); err != nil {
				return nil, err
			}
		}
		return []measured{{figure{"ms until all are stable again", lowerIsBetter}, ms(took)}}, nil
	}
}

// untilRebalance heartbeats until the member has to join again, which is no error.
func (m *member) untilRebalance(ctx context.Context) error {
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Version, beat.Group, beat.MemberID, beat.Generation = 3, m.group, m.id, m.generation
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(beatPause):
		}
		resp := kmsg.NewPtrHeartbeatResponse()
		if err := m.ask(beat, resp); err != nil {
			return err
		}
		switch err := kerr.ErrorForCode(resp.ErrorCode); err {
		case nil:
		case kerr.RebalanceInProgress:
			return nil
		default:
			return err
		}
	}
}
