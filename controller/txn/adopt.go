package txn

import (
	"bytes"
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

// adoptOps and adoptBytes bound one transaction of a recordWriter.
const (
	adoptOps   = 64
	adoptBytes = 500_000
)

// Adopt stores transactional ids of another cluster, before a Coordinator is started. A transaction that is decided is
// carried out when one is. One that is open will be aborted then, under an epoch that its producer does not have: what
// it wrote here and there is one transaction no more. An id that the store knows is left alone; known are these, but for
// those that an earlier Adopt of the same has stored; aborted are the others whose transactions were open. newProducerID
// gives out one for a producer whose epochs are used up.
func Adopt(ctx context.Context, store controller.Store, ids []Adopted, newProducerID func() (int64, error)) (known, aborted []string, err error) {
	kvs, _, err := store.Range(ctx, idsPrefix)
	if err != nil {
		return nil, nil, fmt.Errorf("txn: reading the transactional ids: %w", err)
	}
	there := make(map[string][]byte, len(kvs))
	for _, kv := range kvs {
		there[kv.Key] = kv.Value
	}
	w := recordWriter{store: store}
	for _, a := range ids {
		if value, ok := there[idKey(a.TransactionalID)]; ok {
			same, open, err := a.storedAs(value)
			switch {
			case err != nil:
				return nil, nil, err
			case !same:
				known = append(known, a.TransactionalID)
			case open:
				aborted = append(aborted, a.TransactionalID)
			}
			continue
		}
		d, open, err := a.metadata(newProducerID)
		if err != nil {
			return nil, nil, fmt.Errorf("txn: a producer id for %q: %w", a.TransactionalID, err)
		}
		value := d.encode()
		if _, err := decodeMetadata(value); err != nil || a.TransactionalID == "" || len(value) > controller.MaxTxnBytes/2 {
			return nil, nil, fmt.Errorf("transactional id %q: %w", a.TransactionalID, ErrAdopt)
		}
		if open {
			aborted = append(aborted, a.TransactionalID)
		}
		if err := w.put(ctx, idKey(a.TransactionalID), value); err != nil {
			return nil, nil, err
		}
	}
	return known, aborted, w.flush(ctx)
}

// recordWriter writes records, many in one transaction of the store.
type recordWriter struct {
	store controller.Store
	ops   []controller.Op
	bytes int
}

func (w *recordWriter) put(ctx context.Context, key string, value []byte) error {
	if len(w.ops) == adoptOps || w.bytes+len(value) > adoptBytes {
		if err := w.flush(ctx); err != nil {
			return err
		}
	}
	w.ops, w.bytes = append(w.ops, controller.Put(key, value)), w.bytes+len(value)
	return nil
}

func (w *recordWriter) flush(ctx context.Context) error {
	if len(w.ops) == 0 {
		return nil
	}
	_, _, err := w.store.Txn(ctx, nil, w.ops)
	if w.ops, w.bytes = nil, 0; err != nil {
		return fmt.Errorf("txn: writing transactional ids: %w", err)
	}
	return nil
}

// RaiseEpochs is for a store that comes from a backup, before a Coordinator is started: a transactional id whose producer
// logs know under a later epoch gets that one, so that its next one is above all that were given out. What the store says
// of its transaction is over. latest answers the highest epoch in any log, -1 for a producer that none knows.
func RaiseEpochs(ctx context.Context, store controller.Store, latest func(producerID int64) int16) error {
	kvs, _, err := store.Range(ctx, idsPrefix)
	if err != nil {
		return fmt.Errorf("txn: reading the transactional ids: %w", err)
	}
	w := recordWriter{store: store}
	for _, kv := range kvs {
		d, err := decodeMetadata(kv.Value)
		if err != nil {
			return malformed(kv)
		}
		epoch := latest(d.producerID)
		if epoch <= d.epoch {
			continue
		}
		d.state, d.epoch, d.lastEpoch, d.nextProducerID, d.partitions, d.start = Empty, epoch, noEpoch, noProducerID, nil, -1
		if err := w.put(ctx, kv.Key, d.encode()); err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// storedAs says whether the store has what Adopt makes of it, but for the producer id that was given out, and whether a
// transaction was open.
func (a *Adopted) storedAs(value []byte) (same, open bool, err error) {
	have, err := decodeMetadata(value)
	if err != nil {
		return false, false, malformed(controller.KV{Key: idKey(a.TransactionalID), Value: value})
	}
	d, open, err := a.metadata(func() (int64, error) { return have.nextProducerID, nil })
	return err == nil && bytes.Equal(d.encode(), value), open, err
}

// metadata is what is stored of it, and whether a transaction is open.
func (a *Adopted) metadata(newProducerID func() (int64, error)) (d *metadata, open bool, err error) {
	d = &metadata{
		producerID: a.ProducerID, prevProducerID: a.PreviousProducerID, nextProducerID: a.NextProducerID,
		epoch: a.Epoch, lastEpoch: noEpoch, timeoutMs: a.TimeoutMs, state: a.State, version: a.Version,
		partitions: union(a.Partitions, nil), start: a.StartMs, updated: a.UpdatedMs,
	}
	if d.state == Ongoing || d.state == PrepareEpochFence {
		next := int64(noProducerID)
		if exhausted(d.epoch) {
			if next, err = newProducerID(); err != nil {
				return nil, false, err
			}
		}
		aborted := d.prepare(PrepareAbort, 0, next, d.updated)
		aborted.start, aborted.epoch = a.StartMs, d.bumped()
		return aborted, true, nil
	}
	if d.state.idle() {
		d.partitions, d.nextProducerID = nil, noProducerID
	}
	if d.version >= 2 && d.state != Empty && d.epoch > 0 {
		d.lastEpoch = d.epoch - 1 // its owner may not have heard of the end, and ask again
	}
	return d, false, nil
}
