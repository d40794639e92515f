package controller

import (
	"context"

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
