package txn

import (
	"context"
	"errors"
	"time"

	"blumfeld/controller"
)

const (
	// storeTimeout bounds one use of the store.
	storeTimeout = 5 * time.Second
	// recoveryPause lies between the first attempts to reach a store that fails; it doubles up to maxRecoveryPause.
	recoveryPause    = 50 * time.Millisecond
	maxRecoveryPause = 2 * time.Second
	// txnBytes leaves room for the condition that fences us, in bytes.
	txnBytes = controller.MaxTxnBytes - 1024
	// opOverhead is what the store counts for an operation beside key and value, in bytes.
	opOverhead = 16
)

// flight is what the writer of a shard does at a time: one transaction; or, after a doubt, moving the ownership key; or,
// after a failure, that and reading everything again.
type flight struct {
	ops     []controller.Op
	bytes   int
	entries []entry
	replies []reply // that wait for nothing but to know that the ids are still ours
	retake  bool
	reload  bool

	err   error // of the transaction: it may have taken place or not
	epoch int32 // after retake and reload
	txns  map[string]*txn
}

// entry is one transactional id's part of a flight.
type entry struct {
	t    *txn
	lazy bool
}

// add returns false if there is no room. Into an empty flight everything fits that a machine lets through.
func (f *flight) add(t *txn) bool {
	op := controller.Delete(t.key)
	if t.change.meta != nil {
		op = controller.Put(t.key, t.change.meta.encode())
	}
	n := len(op.Key) + len(op.Value) + opOverhead
	if len(f.ops) > 0 && (len(f.ops) == controller.MaxTxnOps || f.bytes+n > txnBytes) {
		return false
	}
	f.ops = append(f.ops, op)
	f.bytes += n
	f.entries = append(f.entries, entry{t, t.change.lazy})
	return true
}

// write is the writer's goroutine: one flight at a time, until flights is closed.
func (s *shard) write(ctx context.Context) {
	for f := range s.flights {
		pause := recoveryPause
		for !s.fly(ctx, f) {
			s.opts.Logger.Warn("transactional ids cannot be read from the metadata store", "err", f.err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			pause = min(2*pause, maxRecoveryPause)
		}
		s.landed <- f
	}
}

// fly returns false if the flight has to be tried again: after a failure there is no other way than to read.
func (s *shard) fly(ctx context.Context, f *flight) bool {
	bounded, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	switch {
	case f.reload:
		f.err = s.load(bounded, f)
		return f.err == nil || final(f.err) || ctx.Err() != nil
	case f.retake:
		f.err = s.owner.retake(bounded)
		f.epoch = s.owner.epoch
	default:
		f.err = s.owner.txn(bounded, f.ops)
	}
	return true
}

// final says whether trying again is of no use.
func final(err error) bool {
	return errors.Is(err, errLost) || errors.Is(err, errMalformed) || errors.Is(err, controller.ErrClosed)
}

// load moves the ownership key and reads what the store holds. Damaged values are an error: a transaction that was
// silently lost would keep a last stable offset where it is for ever.
func (s *shard) load(ctx context.Context, f *flight) error {
	if err := s.owner.retake(ctx); err != nil {
		return err
	}
	f.epoch = s.owner.epoch
	var err error
	f.txns, err = s.read(ctx)
	return err
}

func (s *shard) read(ctx context.Context) (map[string]*txn, error) {
	kvs, _, err := s.owner.store.Range(ctx, idsPrefix)
	if err != nil {
		return nil, err
	}
	txns := make(map[string]*txn, len(kvs))
	for _, kv := range kvs {
		id, ok := parseKey(kv.Key)
		meta, err := decodeMetadata(kv.Value)
		if !ok || err != nil {
			return nil, malformed(kv)
		}
		txns[id] = &txn{machine: restore(id, s, meta), key: kv.Key}
	}
	return txns, nil
}
