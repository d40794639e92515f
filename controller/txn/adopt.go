package txn

import (
	"context"
	"errors"
	"fmt"

	"blumfeld/controller"
)

// Adopted is a transactional id of another cluster, as its coordinator left it. Times are milliseconds since 1970.
type Adopted struct {
	TransactionalID    string
	State              State
	ProducerID         int64
	PreviousProducerID int64 // -1: none
	NextProducerID     int64 // -1: none
	Epoch              int16
	TimeoutMs          int32
	Version            int16 // transaction.version of the last change
	Partitions         []TopicPartition
	StartMs            int64
	UpdatedMs          int64
}

// ErrAdopt is wrapped by the error about a transactional id that cannot be.
var ErrAdopt = errors.New("not a state of a transactional id")

// adoptOps and adoptBytes bound one transaction of Adopt.
const (
	adoptOps   = 64
	adoptBytes = 500_000
)

// Adopt stores transactional ids of another cluster, before a Coordinator is started. A transaction that is decided is
// carried out when one is. One that is open will be aborted then, under an epoch that its producer does not have: what it
// wrote here and there is one transaction no more. An id that the store knows is left alone; known are these, aborted the
// others whose transactions were open. newProducerID gives out one for a producer whose epochs are used up.
func Adopt(ctx context.Context, store controller.Store, ids []Adopted, newProducerID func() int64) (known, aborted []string, err error) {
	kvs, _, err := store.Range(ctx, idsPrefix)
	if err != nil {
		return nil, nil, fmt.Errorf("txn: reading the transactional ids: %w", err)
	}
	there := make(map[string]bool, len(kvs))
	for _, kv := range kvs {
		there[kv.Key] = true
	}
	var ops []controller.Op
	size := 0
	flush := func() error {
		defer func() { ops, size = nil, 0 }()
		if len(ops) == 0 {
			return nil
		}
		_, _, err := store.Txn(ctx, nil, ops)
		return err
	}
	for _, a := range ids {
		if there[idKey(a.TransactionalID)] {
			known = append(known, a.TransactionalID)
			continue
		}
		d, open := a.metadata(newProducerID)
		value := d.encode()
		if _, err := decodeMetadata(value); err != nil || a.TransactionalID == "" || len(value) > controller.MaxTxnBytes/2 {
			return nil, nil, fmt.Errorf("transactional id %q: %w", a.TransactionalID, ErrAdopt)
		}
		if open {
			aborted = append(aborted, a.TransactionalID)
		}
		if len(ops) == adoptOps || size+len(value) > adoptBytes {
			if err := flush(); err != nil {
				return nil, nil, fmt.Errorf("txn: writing transactional ids: %w", err)
			}
		}
		ops, size = append(ops, controller.Put(idKey(a.TransactionalID), value)), size+len(value)
	}
	if err := flush(); err != nil {
		return nil, nil, fmt.Errorf("txn: writing transactional ids: %w", err)
	}
	return known, aborted, nil
}

// metadata is what is stored of it, and whether a transaction is open.
func (a *Adopted) metadata(newProducerID func() int64) (d *metadata, open bool) {
	d = &metadata{
		producerID: a.ProducerID, prevProducerID: a.PreviousProducerID, nextProducerID: a.NextProducerID,
		epoch: a.Epoch, lastEpoch: noEpoch, timeoutMs: a.TimeoutMs, state: a.State, version: a.Version,
		partitions: union(a.Partitions, nil), start: a.StartMs, updated: a.UpdatedMs,
	}
	if d.state == Ongoing || d.state == PrepareEpochFence {
		next := int64(noProducerID)
		if exhausted(d.epoch) {
			next = newProducerID()
		}
		aborted := d.prepare(PrepareAbort, 0, next, d.updated)
		aborted.start, aborted.epoch = a.StartMs, d.bumped()
		return aborted, true
	}
	if d.state.idle() {
		d.partitions, d.nextProducerID = nil, noProducerID
	}
	if d.version >= 2 && d.state != Empty && d.epoch > 0 {
		d.lastEpoch = d.epoch - 1 // its owner may not have heard of the end, and ask again
	}
	return d, false
}
