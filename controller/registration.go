package controller

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

// RegisterBroker registers a broker, with a new epoch unless the same incarnation is registered already, and returns
// the registration as the Image now shows it. b's Epoch and ModRevision are ignored.
//
// Errors: DuplicateBrokerRegistration if another incarnation is known to live; RequestTimedOut if ctx ended.
func (c *Controller) RegisterBroker(ctx context.Context, b Broker) (Broker, error) {
	rev, err := c.transact(ctx, func(img *Image) ([]Cond, []Op, error) { return c.planRegistration(img, b) })
	if err != nil {
		return Broker{}, err
	}
	img, err := c.WaitRevision(ctx, rev)
	if err != nil {
		return Broker{}, err
	}
	registered, ok := img.Broker(b.ID)
	if !ok || registered.Incarnation != b.Incarnation {
		return Broker{}, refuse(kerr.DuplicateBrokerRegistration, "Another broker is registered with that broker id.")
	}
	return registered, nil
}

func (c *Controller) planRegistration(img *Image, b Broker) ([]Cond, []Op, error) {
	old, exists := img.Broker(b.ID)
	b.Epoch = 0 // the revision of this write
	if exists && old.Incarnation == b.Incarnation {
		b.Epoch = old.Epoch
	} else if exists && c.opts.SessionAlive != nil && c.opts.SessionAlive(old) {
		return nil, nil, refuse(kerr.DuplicateBrokerRegistration, "Another broker is registered with that broker id.")
	}
	return []Cond{IfRevision(brokerKey(b.ID), old.ModRevision)}, []Op{Put(brokerKey(b.ID), b.encode())}, nil
}

// UnregisterBroker removes the registration of a broker that is gone for good: its partitions get other leaders where
// there are any, and it leaves their ISRs. It returns the revision that shows it.
//
// Errors: BrokerIDNotRegistered; InvalidRequest if the broker lives: Kafka takes a live broker out of the cluster too,
// and it serves nobody until it is started again; RequestTimedOut if ctx ended, and then partitions may have changed.
func (c *Controller) UnregisterBroker(ctx context.Context, id int32) (rev int64, err error) {
	if err := c.checkUnregistration(c.Image(), id); err != nil {
		return 0, err
	}
	holds := func(p PartitionState) bool { return p.Leader == id || slices.Contains(p.ISR, id) }
	_, _, err = c.settlePartitions(ctx, holds, func(img *Image, t *Topic, partition int32) (PartitionState, bool) {
		p := t.Partitions[partition]
		eligible := func(other int32) bool { return other != id && img.active(other) }
		return changePartition(p, partitionChange{isr: leaveISR(p, id), eligible: eligible})
	})
	if err != nil {
		return 0, err
	}
	return c.transact(ctx, func(img *Image) ([]Cond, []Op, error) {
		if err := c.checkUnregistration(img, id); err != nil {
			return nil, nil, err
		}
		b, _ := img.Broker(id)
		return []Cond{IfRevision(brokerKey(id), b.ModRevision)}, []Op{Delete(brokerKey(id))}, nil
	})
}

func (c *Controller) checkUnregistration(img *Image, id int32) error {
	b, ok := img.Broker(id)
	switch {
	case !ok:
		return refuse(kerr.BrokerIDNotRegistered, "Broker ID %d is not currently registered", id)
	case id == c.opts.NodeID || c.opts.SessionAlive != nil && c.opts.SessionAlive(b):
		return refuse(kerr.InvalidRequest, "Broker %d is running: stop it before it is unregistered.", id)
	}
	return nil
}
