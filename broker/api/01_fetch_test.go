package api

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol/batch"
)

// fetchOf is a full request without session for partition 0 of the topic.
func fetchOf(topic string, id [16]byte, version int16, offset int64) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MinBytes, req.MaxBytes, req.SessionEpoch = version, 1, 1<<20, finalEpoch
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID = topic, id
	t.Partitions = append(t.Partitions, fetchPart(0, offset))
	req.Topics = append(req.Topics, t)
	return req
}

func fetchPart(partition int32, offset int64) kmsg.FetchRequestTopicPartition {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
	return p
}

// fetchReply runs the handler and what waits behind it, without encoding: the
// records are still slices of the log.
func (f *fixture) fetchReply(ctx context.Context, req *kmsg.FetchRequest) Reply {
	f.Helper()
	reply := fetch(ctx, f.Deps, f.request(req))
	for reply.Wait != nil {
		reply = reply.Wait(ctx)
	}
	return reply
}

// records are the record bytes of a reply by topic and partition; the slices
// are released.
func (f *fixture) records(r Reply) [][][]byte {
	f.Helper()
	out := make([][][]byte, len(r.Records))
	for i, topic := range r.Records {
		for _, s := range topic {
			b, err := s.AppendTo(nil)
			if err != nil {
				f.Fatal(err)
			}
			s.Release()
			out[i] = append(out[i], b)
		}
	}
	return out
}

func TestFetchInEveryVersion(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("t", 1)
	f.append("t", 0, 1, 2, 3)
	f.append("t", 0, 4, 5)
	f.versions(kmsg.NewPtrFetchRequest(), func(version int16) {
		r := f.fetchReply(t.Context(), fetchOf("t", topic.ID, version, 4))
		got := r.Response.(*kmsg.FetchResponse).Topics[0].Partitions[0]
		if got.ErrorCode != 0 || got.HighWatermark != 5 || got.LastStableOffset != 5 || got.LogStartOffset != 0 {
			t.Fatalf("version %d: %+v", version, got)
		}
		// The batch that holds the offset comes whole.
		b, rest, err := batch.Next(f.records(r)[0][0])
		if err != nil || len(rest) != 0 || b.BaseOffset() != 3 || b.Count() != 2 {
			t.Fatalf("version %d: batch at %d with %d records, %d bytes more, %v", version, b.BaseOffset(), b.Count(), len(rest), err)
		}
	})
}

func TestFetchErrors(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("t", 1)
	f.append("t", 0, 1, 2, 3)
	epoch := func(current int32) *kmsg.FetchRequest {
		req := fetchOf("t", topic.ID, 12, 0)
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = current
		return req
	}
	for _, tc := range []struct {
		name string
		req  *kmsg.FetchRequest
		want *kerr.Error
	}{
		{"behind the end", fetchOf("t", topic.ID, 12, 4), kerr.OffsetOutOfRange},
		{"negative", fetchOf("t", topic.ID, 12, -1), kerr.OffsetOutOfRange},
		{"unknown topic", fetchOf("u", topic.ID, 12, 0), kerr.UnknownTopicOrPartition},
		{"unknown topic id", fetchOf("", [16]byte{9}, 13, 0), kerr.UnknownTopicID},
		{"an epoch that was not yet", epoch(7), kerr.UnknownLeaderEpoch},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.req.MaxWaitMillis = math.MaxInt32 // an error is told at once
			r := f.fetchReply(t.Context(), tc.req)
			got := r.Response.(*kmsg.FetchResponse).Topics[0].Partitions[0]
			if got.ErrorCode != tc.want.Code {
				t.Errorf("answered %v, want %v", kerr.ErrorForCode(got.ErrorCode), tc.want)
			}
			if got.HighWatermark != -1 || got.LogStartOffset != -1 {
				t.Errorf("offsets in an error: %+v", got)
			}
		})
	}
}

// TestFetchBounds holds KIP-74: the first partition that has records gives one
// batch however large, the others keep to what is left.
func TestFetchBounds(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("t", 3)
	for p := range int32(3) {
		f.append("t", p, 1, 2, 3)
		f.append("t", p, 4, 5, 6)
	}
	one := len(f.records(f.fetchReply(t.Context(), fetchOf("t", topic.ID, 12, 3)))[0][0])
	sizes := func(maxBytes, partitionMax int) (out []int) {
		req := fetchOf("t", topic.ID, 12, 0)
		req.Topics[0].Partitions = []kmsg.FetchRequestTopicPartition{fetchPart(0, 0), fetchPart(1, 0), fetchPart(2, 0)}
		req.MaxBytes = int32(maxBytes)
		for i := range req.Topics[0].Partitions {
			req.Topics[0].Partitions[i].PartitionMaxBytes = int32(partitionMax)
		}
		for _, b := range f.records(f.fetchReply(t.Context(), req))[0] {
			out = append(out, len(b)/one)
		}
		return out
	}
	equal(t, "no bound is met", sizes(1<<20, 1<<20), []int{2, 2, 2})
	equal(t, "one byte", sizes(1, 1), []int{1, 0, 0})
	equal(t, "max.bytes ends in the second partition", sizes(3*one+10, 1<<20), []int{2, 1, 0})
	equal(t, "max.partition.fetch.bytes of one batch", sizes(1<<20, one), []int{1, 1, 1})
}

// TestFetchWaits holds that a fetch short of min.bytes ends with the append that
// fills it, and with max.wait.
func TestFetchWaits(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("t", 2)
	req := fetchOf("t", topic.ID, 12, 0)
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, fetchPart(1, 0))
	req.MaxWaitMillis = math.MaxInt32
	req.MinBytes = 200 // more than one of our batches, less than four
	reply := fetch(t.Context(), f.Deps, f.request(req))
	if reply.Wait == nil {
		t.Fatal("an empty log was answered at once")
	}
	done := make(chan Reply)
	go func() { done <- reply.Wait(t.Context()) }()
	for i := range int32(4) {
		f.append("t", i%2, int64(i))
	}
	total := 0
	for _, b := range f.records(<-done)[0] {
		total += len(b)
	}
	if total < 200 {
		t.Fatalf("answered with %d bytes, 200 were asked for", total)
	}

	req.MinBytes, req.MaxWaitMillis = 1<<20, 20
	before := time.Now()
	f.records(f.fetchReply(t.Context(), req))
	if waited := time.Since(before); waited < 20*time.Millisecond {
		t.Fatalf("answered short of min.bytes after %v of 20 ms", waited)
	}
}

// TestFetchDoesNotWaitForWhatCannotCome asks for more than its own bounds, or a
// segment's end, let through: it is answered at once with what there is.
func TestFetchDoesNotWaitForWhatCannotCome(t *testing.T) {
	f := newFixture(t)
	f.topic("t", 1)
	small := f.topic("small", 1, "segment.bytes", "1048576")
	for range 3 {
		f.append("t", 0, 1, 2, 3)
	}
	one := len(f.records(f.fetchReply(t.Context(), fetchOf("t", [16]byte{}, 12, 6)))[0][0])
	big := batch.NewBuilder().Add(batch.Record{Timestamp: 1, Value: make([]byte, 400_000)})
	for range 5 {
		f.appendBatch("small", 0, big)
	}
	for _, tc := range []struct {
		name                        string
		topic                       string
		maxBytes, partitionMax, min int
		want                        int // bytes at least
	}{
		{"min.bytes above max.bytes", "t", 2 * one, 1 << 20, 1 << 30, 2 * one},
		{"max.bytes inside a batch", "t", 2*one + 10, 1 << 20, 2*one + 10, 2 * one},
		{"max.partition.fetch.bytes inside a batch", "t", 1 << 20, 2*one + 10, 2*one + 5, 2 * one},
		{"the end of a segment", "small", 1 << 20, 10 << 20, 1 << 20, 800_000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req := fetchOf(tc.topic, small.ID, 12, 0)
			req.MaxBytes, req.MinBytes = int32(tc.maxBytes), int32(tc.min)
			req.Topics[0].Partitions[0].PartitionMaxBytes = int32(tc.partitionMax)
			req.MaxWaitMillis = math.MaxInt32
			r := fetch(t.Context(), f.Deps, f.request(req))
			if r.Wait != nil {
				t.Fatal("it waits")
			}
			if got := len(f.records(r)[0][0]); got < tc.want {
				t.Errorf("%d bytes, want %d", got, tc.want)
			}
		})
	}
}

// TestTopicIDsOfAnotherTime holds that who names a topic by id never reaches
// another one that has its name by now.
func TestTopicIDsOfAnotherTime(t *testing.T) {
	f := newFixture(t)
	f.topic("t", 1)
	_, err := f.Partitions.GetByID([16]byte{7}, "t", 0)
	equal(t, "error", code(err), kerr.UnknownTopicID.Code)
	p, err := f.Partitions.GetByID(f.partition("t", 0).Log().TopicID(), "t", 0)
	equal(t, "error", err, nil)
	equal(t, "partition", p, f.partition("t", 0))
	_, err = f.Partitions.GetByID(p.Log().TopicID(), "t", 5)
	equal(t, "error", code(err), kerr.UnknownTopicOrPartition.Code)
}

// TestFetchSession plays a session: full, then only what changed (KIP-227).
func TestFetchSession(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("t", 3)
	base := func(id, epoch int32) *kmsg.FetchRequest {
		req := kmsg.NewPtrFetchRequest()
		req.Version, req.MinBytes, req.MaxBytes, req.SessionID, req.SessionEpoch = 13, 0, 1<<20, id, epoch
		return req
	}
	asked := func(req *kmsg.FetchRequest, parts ...kmsg.FetchRequestTopicPartition) *kmsg.FetchRequest {
		t := kmsg.NewFetchRequestTopic()
		t.TopicID, t.Partitions = topic.ID, parts
		req.Topics = append(req.Topics, t)
		return req
	}
	partitions := func(req *kmsg.FetchRequest) (resp *kmsg.FetchResponse, told []int32) {
		r := f.fetchReply(t.Context(), req)
		f.records(r)
		resp = r.Response.(*kmsg.FetchResponse)
		for _, topic := range resp.Topics {
			for _, p := range topic.Partitions {
				told = append(told, p.Partition)
			}
		}
		return resp, told
	}
	code := func(what string, req *kmsg.FetchRequest, want *kerr.Error) {
		t.Helper()
		if got, _ := partitions(req); got.ErrorCode != want.Code {
			t.Errorf("%s: %v, want %v", what, kerr.ErrorForCode(got.ErrorCode), want)
		}
	}

	first, told := partitions(asked(base(0, 0), fetchPart(0, 0), fetchPart(1, 0), fetchPart(2, 0)))
	equal(t, "a full request is told everything", told, []int32{0, 1, 2})
	id := first.SessionID
	if id == 0 {
		t.Fatal("no session was opened")
	}
	_, told = partitions(base(id, 1))
	equal(t, "nothing has changed", told, nil)

	f.append("t", 1, 1)
	_, told = partitions(base(id, 2))
	equal(t, "one partition has records", told, []int32{1})

	f.append("t", 0, 1)
	f.append("t", 2, 1)
	_, told = partitions(asked(base(id, 3), fetchPart(1, 1)))
	equal(t, "the one that was served last has moved on; the others come", told, []int32{0, 2})
	_, told = partitions(base(id, 4))
	equal(t, "both still have the records", told, []int32{0, 2})

	forget := base(id, 5)
	ft := kmsg.NewFetchRequestForgottenTopic()
	ft.TopicID, ft.Partitions = topic.ID, []int32{0}
	forget.ForgottenTopics = append(forget.ForgottenTopics, ft)
	_, told = partitions(forget)
	equal(t, "a forgotten partition is gone", told, []int32{2})

	code("an epoch twice", base(id, 5), kerr.InvalidFetchSessionEpoch)
	code("an unknown session", base(id+1, 1), kerr.FetchSessionIDNotFound)
	byName := base(id, 6)
	byName.Version = 12
	code("names in a session of ids", byName, kerr.FetchSessionTopicIDError)

	_, _ = partitions(base(id, finalEpoch))
	code("after its end", base(id, 6), kerr.FetchSessionIDNotFound)
}

func TestFetchSessionsAreBounded(t *testing.T) {
	f := newFixture(t)
	now := time.Unix(1_700_000_000, 0)
	f.Sessions = NewFetchSessions(2, func() time.Time { return now })
	topic := f.topic("t", 1)
	open := func() int32 {
		req := fetchOf("t", topic.ID, 13, 0)
		req.SessionEpoch = initialEpoch
		return f.fetchReply(t.Context(), req).Response.(*kmsg.FetchResponse).SessionID
	}
	a, b := open(), open()
	if a == 0 || b == 0 || a == b {
		t.Fatalf("sessions %d and %d", a, b)
	}
	if c := open(); c != 0 {
		t.Fatalf("session %d beyond the slots", c)
	}
	now = now.Add(minEvictionAge)
	if c := open(); c == 0 {
		t.Fatal("no session took the place of an idle one")
	}
	if n := len(f.Sessions.sessions); n != 2 {
		t.Fatalf("%d sessions in 2 slots", n)
	}
	if f.Sessions.partitions != 2 {
		t.Fatalf("%d partitions are counted in 2 sessions of one", f.Sessions.partitions)
	}
}

// What compat/differential found: how refusals look.
func TestFetchRefusalsAsKafkaShowsThem(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("t", 1)
	f.versions(kmsg.NewPtrFetchRequest(), func(version int16) {
		beyond := ask[*kmsg.FetchResponse](f, fetchOf("t", topic.ID, version, 7)).Topics[0].Partitions[0]
		if beyond.ErrorCode != kerr.OffsetOutOfRange.Code || beyond.AbortedTransactions != nil {
			t.Errorf("version %d, out of range: %+v, want null for aborted transactions", version, beyond)
		}
		nowhere := fetchOf("t", topic.ID, version, 0)
		nowhere.Topics[0].Partitions[0].Partition = 7
		if got := ask[*kmsg.FetchResponse](f, nowhere).Topics[0].Partitions[0]; got.ErrorCode == 0 || got.AbortedTransactions == nil {
			t.Errorf("version %d, no such partition: %+v, want no aborted transactions instead of null", version, got)
		}
		req := fetchOf("t", topic.ID, version, 0)
		req.Topics[0].Partitions[0].CurrentLeaderEpoch = -2
		if got := ask[*kmsg.FetchResponse](f, req).Topics[0].Partitions[0]; got.ErrorCode != 0 {
			t.Errorf("version %d, a leader epoch below 0 is none: %+v", version, got)
		}
		req.IsolationLevel = 2
		got := ask[*kmsg.FetchResponse](f, req)
		switch {
		case version >= 7 && got.ErrorCode != kerr.InvalidRequest.Code:
			t.Errorf("version %d, isolation level 2: %+v", version, got)
		case version >= 13 && len(got.Topics) > 0:
			t.Errorf("version %d, isolation level 2: %+v", version, got)
		case version < 13 && got.Topics[0].Partitions[0].ErrorCode != kerr.InvalidRequest.Code:
			t.Errorf("version %d, isolation level 2: %+v", version, got)
		}
	})
}

// TestFetchOfCommittedData: a reader of committed data stops at what is open and is told what was aborted; others get all
// of it and null.
func TestFetchOfCommittedData(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("t", 1)
	aborted, committed, open := f.producer("aborted"), f.producer("committed"), f.producer("open")
	for _, p := range []*producer{aborted, committed} {
		equal(t, "produce", p.one(12, "t"), "0 null")
	}
	aborted.end(5, false)
	committed.end(5, true)
	awaitState(f, "aborted", "CompleteAbort")
	awaitState(f, "committed", "CompleteCommit")
	equal(t, "produce", open.one(12, "t"), "0 null")
	f.versions(kmsg.NewPtrFetchRequest(), func(v int16) {
		for isolation, want := range []string{"8 11 null", fmt.Sprintf("8 11 [{%d 0}]", aborted.id)} {
			r := fetchOf("t", topic.ID, v, 0)
			r.IsolationLevel, r.Topics[0].Partitions[0].PartitionMaxBytes = int8(isolation), 1<<20
			reply := fetch(t.Context(), f.Deps, f.request(r))
			p := reply.Response.(*kmsg.FetchResponse).Topics[0].Partitions[0]
			list := "null"
			if p.AbortedTransactions != nil {
				list = "["
				for _, a := range p.AbortedTransactions {
					list += fmt.Sprintf("{%d %d}", a.ProducerID, a.FirstOffset)
				}
				list += "]"
			}
			reply.Records[0][0].Release()
			equal(t, fmt.Sprintf("version %d, isolation %d", v, isolation), fmt.Sprint(p.LastStableOffset, p.HighWatermark, " ", list), want)
		}
	})
}
