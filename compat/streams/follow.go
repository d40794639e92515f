package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// follower is a consumer that reads topics from the beginning, committed records only, while a case plays: whatever it
// was once given has to be there at the end, too.
type follower struct {
	mu      sync.Mutex
	records map[string][]*kgo.Record // by topic
	changed chan struct{}            // closed with the next record
	ended   chan struct{}
}

// follow reads topics until the case ends.
func (s *scene) follow(topics ...string) (*follower, error) {
	cl, err := client(s.address(), kgo.ConsumeTopics(topics...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	f := &follower{records: make(map[string][]*kgo.Record), changed: make(chan struct{}), ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		for {
			// A broker that is away is no error: there will be one again.
			fetches := cl.PollFetches(context.Background())
			if fetches.IsClientClosed() {
				return
			}
			f.mu.Lock()
			fetches.EachRecord(func(r *kgo.Record) { f.records[r.Topic] = append(f.records[r.Topic], r) })
			close(f.changed)
			f.changed = make(chan struct{})
			f.mu.Unlock()
		}
	}()
	s.stop = append(s.stop, func() error { cl.Close(); <-f.ended; return nil })
	return f, nil
}

// await returns when there are n records of a topic.
func (f *follower) await(ctx context.Context, topic string, n int) error {
	for {
		f.mu.Lock()
		changed, have := f.changed, len(f.records[topic])
		f.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d records in %s: %w", have, n, topic, ctx.Err())
		}
	}
}

// read are all records that it was given of a topic.
func (f *follower) read(topic string) []*kgo.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.records[topic]
}

// both compares what a topic has to hold with what it holds, and with what the follower was given of it.
func (s *scene) both(ctx context.Context, f *follower, topic string, want map[string][]string, order func(map[string][]string) map[string][]string) error {
	now, err := s.read(ctx, topic, committed)
	if err != nil {
		return err
	}
	if err := same(topic, want, order(byKey(now))); err != nil {
		return err
	}
	if err := f.await(ctx, topic, len(now)); err != nil {
		return err
	}
	return same(topic+" as it was followed", want, order(byKey(f.read(topic))))
}

func inOrder(values map[string][]string) map[string][]string { return values }
