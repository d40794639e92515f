package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// FindCoordinator, key 10, versions 0 to 6: KIP-98 (transactions), KIP-699 (many
// keys, version 4), KIP-932 (share coordinators, version 6).
//
// The coordinator of a key is the leader of one partition of an internal topic;
// the topic is created when first asked for.
//
// Deviations: Apache Kafka answers COORDINATOR_NOT_AVAILABLE to the request that
// creates the internal topic. Here the topic is served before the answer leaves,
// so the first request is answered. There is no share coordinator: a share key is
// refused as Kafka refuses it where share groups are not enabled.

// Coordinator types.
const (
	groupCoordinator       = 0
	transactionCoordinator = 1
)

const (
	groupMetadataTopic    = "__consumer_offsets"
	transactionStateTopic = "__transaction_state"
)

// createCoordinatorTopicTimeout bounds how long a connection waits for an
// internal topic to be created; the client asks again.
const createCoordinatorTopicTimeout = 10 * time.Second

func findCoordinator(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.FindCoordinatorRequest)
	out := in.ResponseKind().(*kmsg.FindCoordinatorResponse)
	kind := in.CoordinatorType
	if r.Version == 0 {
		kind = groupCoordinator
	}
	if r.Version < 4 {
		c := coordinatorOf(ctx, d, r, kind, in.CoordinatorKey)
		out.ErrorCode, out.NodeID, out.Host, out.Port = c.ErrorCode, c.NodeID, c.Host, c.Port
		// Kafka's message for success is the name of its enumeration's value.
		out.ErrorMessage = kmsg.StringPtr("NONE")
		if c.ErrorCode != 0 {
			out.ErrorMessage = message(kerr.ErrorForCode(c.ErrorCode))
		}
		return answer(out)
	}
	for _, key := range in.CoordinatorKeys {
		c := coordinatorOf(ctx, d, r, kind, key)
		c.Key = key
		c.ErrorMessage = kmsg.StringPtr("")
		out.Coordinators = append(out.Coordinators, c)
	}
	return answer(out)
}

// coordinatorOf answers node, address and error for one key.
func coordinatorOf(ctx context.Context, d *Deps, r *Request, kind int8, key string) kmsg.FindCoordinatorResponseCoordinator {
	c := kmsg.NewFindCoordinatorResponseCoordinator()
	c.NodeID, c.Port = -1, -1
	name := ""
	switch kind {
	case groupCoordinator:
		name = groupMetadataTopic
	case transactionCoordinator:
		name = transactionStateTopic
	default:
		c.ErrorCode = kerr.InvalidRequest.Code
		return c
	}
	c.ErrorCode = kerr.CoordinatorNotAvailable.Code
	t, err := coordinatorTopic(ctx, d, name)
	if err != nil {
		d.Logger.Warn("no coordinator: its topic cannot be created", "topic", name, "err", err)
		return c
	}
	leader := t.Partitions[coordinatorPartition(key, len(t.Partitions))].Leader
	b, ok := d.Partitions.Image().Broker(leader)
	if !ok || b.Fenced {
		return c
	}
	if e, ok := endpoint(d, r, b); ok {
		c.ErrorCode = 0
		c.NodeID, c.Host, c.Port = b.ID, e.Host, e.Port
	}
	return c
}

// coordinatorTopic answers an internal topic, and creates it first if there is
// none. When it returns, the topic's partitions are served.
func coordinatorTopic(ctx context.Context, d *Deps, name string) (*controller.Topic, error) {
	if t, ok := d.Partitions.Image().Topic(name); ok {
		return t, nil
	}
	spec, ok := internalTopic(d, name)
	if !ok {
		return nil, fmt.Errorf("%s is not an internal topic", name)
	}
	ctx, cancel := context.WithTimeout(ctx, createCoordinatorTopicTimeout)
	defer cancel()
	results, revision := d.Controller.CreateTopics(ctx, []controller.NewTopic{spec}, false)
	if err := results[0].Err; err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return nil, err
	}
	if err := d.Partitions.Await(ctx, revision); err != nil {
		return nil, err
	}
	t, ok := d.Partitions.Image().Topic(name)
	if !ok {
		return nil, kerr.UnknownTopicOrPartition // deleted again meanwhile
	}
	return t, nil
}
