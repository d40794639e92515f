package api

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionRequest names partitions 0 to n-1 of a topic in a session.
func sessionRequest(id, epoch int32, topic string, n int) *kmsg.FetchRequest {
	req := fetchOf(topic, [16]byte{}, 12, 0)
	req.SessionID, req.SessionEpoch = id, epoch
	req.Topics[0].Partitions = nil
	for p := range int32(n) {
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, fetchPart(p, 0))
	}
	return req
}

func openSession(t *testing.T, f *fixture, n int) *fetchSession {
	t.Helper()
	s, _, err := f.Sessions.begin(sessionRequest(0, initialEpoch, "t", n), f.Partitions.Image())
	if err != nil || s == nil {
		t.Fatalf("no session was opened: %v", err)
	}
	return s
}

// TestSessionsKeepToTheirBound grows a session beyond what all may hold: it ends,
// and what it held is free again.
func TestSessionsKeepToTheirBound(t *testing.T) {
	f := newFixture(t)
	f.Sessions.limit = 10
	image := f.Partitions.Image()
	s := openSession(t, f, 6)
	if _, wanted, err := f.Sessions.begin(sessionRequest(s.id, 1, "t", 8), image); err != nil || len(wanted) != 8 {
		t.Fatalf("%d partitions, %v", len(wanted), err)
	}
	equal(t, "partitions", f.Sessions.partitions, 8)
	_, _, err := f.Sessions.begin(sessionRequest(s.id, 2, "t", 11), image)
	equal(t, "beyond the bound", code(err), kerr.FetchSessionIDNotFound.Code)
	equal(t, "partitions", f.Sessions.partitions, 0)
	equal(t, "sessions", len(f.Sessions.sessions), 0)
	if s, _, _ := f.Sessions.begin(sessionRequest(0, initialEpoch, strings.Repeat("x", 20*nameUnit), 1), image); s != nil {
		t.Error("a long name counts for no more than a short one")
	}
}

// TestSessionWithNothingLeftEnds forgets every partition (Kafka's
// FetchManager.newContext).
func TestSessionWithNothingLeftEnds(t *testing.T) {
	f := newFixture(t)
	s := openSession(t, f, 2)
	req := sessionRequest(s.id, 1, "t", 0)
	req.Topics = nil
	forgotten := kmsg.NewFetchRequestForgottenTopic()
	forgotten.Topic, forgotten.Partitions = "t", []int32{0, 1}
	req.ForgottenTopics = append(req.ForgottenTopics, forgotten)
	got := f.fetchReply(t.Context(), req).Response.(*kmsg.FetchResponse)
	if got.ErrorCode != 0 || got.SessionID != 0 || len(got.Topics) != 0 {
		t.Errorf("answered %+v", got)
	}
	equal(t, "sessions", len(f.Sessions.sessions), 0)
	equal(t, "partitions", f.Sessions.partitions, 0)
}

// TestSessionRemovedWhileItGrows has one connection end sessions that another is
// using: nothing stays counted.
func TestSessionRemovedWhileItGrows(t *testing.T) {
	f := newFixture(t)
	f.Sessions = NewFetchSessions(10, time.Now)
	image := f.Partitions.Image()
	for range 200 {
		s := openSession(t, f, 1)
		var wg sync.WaitGroup
		wg.Go(func() { f.Sessions.begin(sessionRequest(s.id, 1, "t", 20), image) })
		wg.Go(func() { f.Sessions.begin(sessionRequest(s.id, finalEpoch, "t", 0), image) })
		wg.Wait()
	}
	equal(t, "sessions", len(f.Sessions.sessions), 0)
	equal(t, "partitions", f.Sessions.partitions, 0)
}
