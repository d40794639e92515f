package integration

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// Generation, members, their assignments and committed offsets outlive a crash:
// a member goes on with its heartbeats as if nothing had been.
func TestGroupSurvivesAKill(t *testing.T) {
	const group, topic = "kept", "work"
	o := options(t, t.TempDir())
	b := start(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// Not OffsetFetch version 10: it tells nothing of topics that do not exist.
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(9, 9)
	cl := client(t, b, kgo.MaxVersions(versions))
	create := kmsg.NewPtrCreateTopicsRequest()
	create.TimeoutMillis = 10_000
	create.Topics = []kmsg.CreateTopicsRequestTopic{{Topic: topic, NumPartitions: 3, ReplicationFactor: 1}}
	created, err := create.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	member := formGroup(ctx, t, cl, group)
	heartbeat := kmsg.NewPtrHeartbeatRequest()
	heartbeat.Group, heartbeat.MemberID, heartbeat.Generation = group, member.MemberID, member.Generation
	for round := range int64(3) {
		commit := kmsg.NewPtrOffsetCommitRequest()
		commit.Group, commit.MemberID, commit.Generation = group, member.MemberID, member.Generation
		work := kmsg.NewOffsetCommitRequestTopic()
		work.Topic, work.TopicID = topic, created.Topics[0].TopicID
		for p := range int32(3) {
			c := kmsg.NewOffsetCommitRequestTopicPartition()
			c.Partition, c.Offset, c.LeaderEpoch, c.Metadata = p, 100*round+int64(p), 0, kmsg.StringPtr("note")
			work.Partitions = append(work.Partitions, c)
		}
		commit.Topics = append(commit.Topics, work)
		done, err := commit.RequestWith(ctx, cl)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range done.Topics[0].Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				t.Fatalf("round %d: commit of partition %d: %v", round, p.Partition, err)
			}
		}
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		b = start(t, o)

		beat, err := heartbeat.RequestWith(ctx, cl)
		if err != nil || beat.ErrorCode != 0 {
			t.Fatalf("round %d: heartbeat: %v, %v", round, err, kerr.ErrorForCode(beat.ErrorCode))
		}
		offsets := committed(ctx, t, cl, group)
		if len(offsets) != 3 {
			t.Errorf("round %d: %d offsets, want 3", round, len(offsets))
		}
		for _, got := range offsets {
			if want := 100*round + int64(got.Partition); got.Offset != want || *got.Metadata != "note" {
				t.Errorf("round %d: partition %d has offset %d and metadata %q, want %d", round, got.Partition, got.Offset, *got.Metadata, want)
			}
		}
		member.GroupAssignment = nil
		again, err := member.RequestWith(ctx, cl)
		if err != nil || string(again.MemberAssignment) != "assignment" {
			t.Fatalf("round %d: assignment %q, %v", round, again.MemberAssignment, err)
		}
	}

	// What is deleted takes its offsets along, also across a crash.
	remove := kmsg.NewPtrDeleteTopicsRequest()
	remove.TimeoutMillis = 10_000
	remove.TopicNames = []string{topic}
	remove.Topics = []kmsg.DeleteTopicsRequestTopic{{Topic: kmsg.StringPtr(topic)}}
	if removed, err := remove.RequestWith(ctx, cl); err != nil || removed.Topics[0].ErrorCode != 0 {
		t.Fatal(err, removed)
	}
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	start(t, o)
	for len(committed(ctx, t, cl, group)) > 0 {
	}
}

// committed are all offsets of a group in its only topic.
func committed(ctx context.Context, t *testing.T, cl *kgo.Client, group string) []kmsg.OffsetFetchResponseGroupTopicPartition {
	t.Helper()
	fetch := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	fetch.Groups = append(fetch.Groups, g)
	got, err := fetch.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Groups) != 1 || got.Groups[0].ErrorCode != 0 {
		t.Fatalf("offsets of group %s: %+v", group, got)
	}
	if len(got.Groups[0].Topics) == 0 {
		return nil
	}
	return got.Groups[0].Topics[0].Partitions
}

// A member that waits for the others does not keep the broker from ending.
func TestStopDoesNotWaitForGroups(t *testing.T) {
	const group = "g"
	b := start(t, options(t, t.TempDir()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cl := client(t, b, kgo.RetryTimeout(time.Second))
	formGroup(ctx, t, cl, group)
	// The first member does not join again: this one waits for it.
	var joining sync.WaitGroup
	defer joining.Wait()
	defer cancel()
	joining.Go(func() {
		join := joinRequest(group)
		if first, err := join.RequestWith(ctx, cl); err == nil {
			join.MemberID = first.MemberID
			join.RequestWith(ctx, cl)
		}
	})
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups = []string{group}
	for {
		got, err := describe.RequestWith(ctx, cl)
		if err != nil {
			t.Fatal(err)
		}
		if got.Groups[0].State == "PreparingRebalance" {
			break
		}
	}
	began := time.Now()
	if code, err := b.Stop(ctx); code != 0 || err != nil {
		t.Fatalf("SIGTERM: exit code %d, %v", code, err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
}

func joinRequest(group string) *kmsg.JoinGroupRequest {
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = group, "consumer", 60_000, 60_000
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range", Metadata: []byte("subscription")}}
	return join
}

// formGroup makes a group of one member, which sends no heartbeats, and answers
// the last request that it took.
func formGroup(ctx context.Context, t *testing.T, cl *kgo.Client, group string) *kmsg.SyncGroupRequest {
	t.Helper()
	join := joinRequest(group)
	first, err := join.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	join.MemberID = first.MemberID
	joined, err := join.RequestWith(ctx, cl)
	if err != nil || joined.ErrorCode != 0 {
		t.Fatal(err, kerr.ErrorForCode(joined.ErrorCode))
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = group, joined.MemberID, joined.Generation
	sync.ProtocolType, sync.Protocol = joined.ProtocolType, joined.Protocol
	sync.GroupAssignment = []kmsg.SyncGroupRequestGroupAssignment{{MemberID: joined.MemberID, MemberAssignment: []byte("assignment")}}
	if synced, err := sync.RequestWith(ctx, cl); err != nil || synced.ErrorCode != 0 {
		t.Fatal(err, synced)
	}
	return sync
}
