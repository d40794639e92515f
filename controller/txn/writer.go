package txn

import (
	"context"

	"blumfeld/controller"
	"blumfeld/controller/shard"
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
	n := shard.Size(op)
	if len(f.ops) > 0 && (len(f.ops) == controller.MaxTxnOps || f.bytes+n > shard.TxnBytes) {
		return false
	}
	f.ops = append(f.ops, op)
	f.bytes += n
	f.entries = append(f.entries, entry{t, t.change.lazy})
	return true
}

// Fly is [shard.Core]'s. After a failure there is no other way than to read.
func (s *core) Fly(ctx context.Context, f *flight) {
	if f.reload {
		f.err = shard.Retry(ctx, s.warn, func(ctx context.Context) error { return s.load(ctx, f) }, errMalformed)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, shard.StoreTimeout)
	defer cancel()
	if f.retake {
		f.err = s.owner.Retake(ctx)
		f.epoch = s.owner.Epoch()
	} else {
		f.err = s.owner.Txn(ctx, f.ops)
	}
}

func (s *core) warn(err error) {
	s.opts.Logger.Warn("transactional ids cannot be read from the metadata store", "err", err)
}

// load moves the ownership key and reads what the store holds. Damaged values are an error: a transaction that was
// silently lost would keep a last stable offset where it is for ever.
func (s *core) load(ctx context.Context, f *flight) error {
	if err := s.owner.Retake(ctx); err != nil {
		return err
	}
	f.epoch = s.owner.Epoch()
	var err error
	f.txns, err = s.read(ctx)
	return err
}

func (s *core) read(ctx context.Context) (map[string]*txn, error) {
	kvs, _, err := s.opts.Store.Range(ctx, idsPrefix)
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
