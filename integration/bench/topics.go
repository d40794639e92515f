package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	manyTopics       = 100
	topicsPartitions = 3
)

func topicRows() []row {
	return []row{{set: "topics", name: fmt.Sprintf("creation of %d topics of %d partitions, one after the other", manyTopics, topicsPartitions), run: createTopics}}
}

func createTopics(ctx context.Context, _ load, b *broker) (list []measured, err error) {
	w, err := dial(ctx, b.addr)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	drop := kmsg.NewPtrDeleteTopicsRequest()
	drop.Version, drop.TimeoutMillis = 5, 30_000
	defer func() {
		resp := kmsg.NewPtrDeleteTopicsResponse()
		err = errors.Join(err, w.ask(drop, resp))
		for _, t := range resp.Topics {
			err = errors.Join(err, kerr.ErrorForCode(t.ErrorCode))
		}
	}()
	var took []time.Duration
	c, err := b.costOf(func() error {
		for i := range manyTopics {
			t := kmsg.NewCreateTopicsRequestTopic()
			t.Topic, t.NumPartitions, t.ReplicationFactor = groupName(i), topicsPartitions, 1
			req := kmsg.NewPtrCreateTopicsRequest()
			req.Version, req.TimeoutMillis = 7, 30_000
			req.Topics = append(req.Topics, t)
			resp := kmsg.NewPtrCreateTopicsResponse()
			start := time.Now()
			if err := w.ask(req, resp); err != nil {
				return err
			}
			if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
				return err
			}
			took = append(took, time.Since(start))
			drop.TopicNames = append(drop.TopicNames, t.Topic)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return append([]measured{
		{figure{"topics/s", higherIsBetter}, c.perSecond(manyTopics)},
		{figure{costPrefix + " s/1,000 topics", lowerIsBetter}, c.cpu / (manyTopics / 1e3)},
	}, latencies(took)[:2]...), nil
}
