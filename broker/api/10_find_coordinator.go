package api

import (
	"context"
	"errors"
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
	shareCoordinator       = 2
)

// createCoordinatorTopicTimeout bounds how long a connection waits for an
// internal topic to be created; the client asks again.
const createCoordinatorTopicTimeout = 10 * time.Second

func findCoordinator(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.FindCoordinatorRequest)
	out := in.ResponseKind().(*kmsg.FindCoordinatorResponse)
	kind, keys := in.CoordinatorType, in.CoordinatorKeys
	if r.Version == 0 {
		kind = groupCoordinator
	}
	if r.Version < 4 {
		keys = []string{in.CoordinatorKey}
	}
	if len(keys) == 0 {
		return answer(out)
	}
	// Once for all keys: a store that does not answer is waited for once.
	t, err := coordinatorTopic(ctx, d, kind)
	if err != nil && !errors.Is(err, kerr.InvalidRequest) {
		d.Logger.Warn("no coordinator: its topic cannot be created", "type", kind, "err", err)
		err = kerr.CoordinatorNotAvailable
	}
	for _, key := range keys {
		c := kmsg.NewFindCoordinatorResponseCoordinator()
		c.Key, c.NodeID, c.Port = key, -1, -1
		c.ErrorCode, c.ErrorMessage = code(err), kmsg.StringPtr("")
		if kind < groupCoordinator || kind > shareCoordinator {
			c.ErrorMessage = message(err) // no other error comes with a message
		}
		if err == nil {
			locateCoordinator(d, r, t, &c)
		}
		out.Coordinators = append(out.Coordinators, c)
	}
	if r.Version < 4 {
		c := out.Coordinators[0]
		out.Coordinators = nil
		out.ErrorCode, out.NodeID, out.Host, out.Port = c.ErrorCode, c.NodeID, c.Host, c.Port
		// Kafka's message for success is the name of its enumeration's value.
		out.ErrorMessage = kmsg.StringPtr("NONE")
		if c.ErrorCode != 0 {
			out.ErrorMessage = message(kerr.ErrorForCode(c.ErrorCode))
		}
	}
	return answer(out)
}

// locateCoordinator fills in node and address of c's key, or that there is none.
func locateCoordinator(d *Deps, r *Request, t *controller.Topic, c *kmsg.FindCoordinatorResponseCoordinator) {
	leader := t.Partitions[coordinatorPartition(c.Key, len(t.Partitions))].Leader
	if b, ok := d.Partitions.Image().Broker(leader); ok && !b.Fenced {
		if e, ok := endpoint(d, r, b); ok {
			c.NodeID, c.Host, c.Port = b.ID, e.Host, e.Port
			return
		}
	}
	c.ErrorCode = kerr.CoordinatorNotAvailable.Code
}

// coordinatorTopic answers the internal topic of a type of coordinator, and
// creates it first if there is none. When it returns, the topic's partitions are
// served. INVALID_REQUEST: there is no such coordinator.
func coordinatorTopic(ctx context.Context, d *Deps, kind int8) (*controller.Topic, error) {
	name := groupMetadataTopic
	switch kind {
	case groupCoordinator:
	case transactionCoordinator:
		name = transactionStateTopic
	default:
		return nil, kerr.InvalidRequest
	}
	if t, ok := d.Partitions.Image().Topic(name); ok {
		return t, nil
	}
	spec, _ := internalTopic(d, name)
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
