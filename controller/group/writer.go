package group

import (
	"context"
	"slices"
	"strings"
	"time"

	"blumfeld/controller"
	"blumfeld/controller/shard"
)

// flight is what the writer of a shard does at a time: transactions, one after the other, or, after a failure, reading
// groups again.
type flight struct {
	txns    [][]controller.Op
	bytes   int // in the last of txns
	entries []*entry
	reload  []string

	err    error             // of the transactions: none, some or all may have taken place
	loaded map[string]*group // by reload; machines start at the time of landing
}

func (f *flight) entry(g *group) *entry {
	if f == nil {
		return nil
	}
	for _, e := range f.entries {
		if e.g == g {
			return e
		}
	}
	return nil
}

func (f *flight) has(g *group) bool { return f.entry(g) != nil }

// add puts a group's operations into the flight's one transaction if they fit, or, if they are the first, into as many as
// it takes. It returns false if they have to wait for the next flight.
func (f *flight) add(e *entry, ops []controller.Op) bool {
	if len(f.entries) > 0 {
		n := f.bytes
		for _, o := range ops {
			n += shard.Size(o)
		}
		if len(f.txns) > 1 || n > shard.TxnBytes || len(f.txns[0])+len(ops) > controller.MaxTxnOps {
			return false
		}
		f.txns[0] = append(f.txns[0], ops...)
		f.bytes = n
		f.entries = append(f.entries, e)
		return true
	}
	f.entries = append(f.entries, e)
	var txn []controller.Op
	for _, o := range ops {
		if len(txn) == controller.MaxTxnOps || len(txn) > 0 && f.bytes+shard.Size(o) > shard.TxnBytes {
			f.txns = append(f.txns, txn)
			txn, f.bytes = nil, 0
		}
		txn = append(txn, o)
		f.bytes += shard.Size(o)
	}
	f.txns = append(f.txns, txn)
	return true
}

// Fly is [shard.Core]'s.
func (s *core) Fly(ctx context.Context, f *flight) {
	if f.reload != nil {
		f.err = s.recover(ctx, f)
		return
	}
	for _, ops := range f.txns {
		if f.err = s.write(ctx, ops); f.err != nil {
			return
		}
	}
}

func (s *core) write(ctx context.Context, ops []controller.Op) error {
	if len(ops) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, shard.StoreTimeout)
	defer cancel()
	return s.owner.Txn(ctx, ops)
}

// recover tries until it has read the groups again, the ownership is lost, or ctx ends.
func (s *core) recover(ctx context.Context, f *flight) error {
	warn := func(err error) {
		s.c.opts.Logger.Warn("groups cannot be read from the metadata store", "groups", len(f.reload), "err", err)
	}
	return shard.Retry(ctx, warn, func(ctx context.Context) error { return s.reload(ctx, f) })
}

func (s *core) reload(ctx context.Context, f *flight) error {
	if err := s.owner.Retake(ctx); err != nil {
		return err
	}
	f.loaded = make(map[string]*group)
	for _, id := range f.reload {
		kvs, _, err := s.c.opts.Store.Range(ctx, groupPrefix(id))
		if err != nil {
			return err
		}
		groups, err := load(kvs, &s.c.opts.Config, s.c.opts.Now())
		if err != nil {
			return err
		}
		if g := groups[id]; g != nil {
			f.loaded[id] = g
		}
	}
	return nil
}

// load makes groups of what the store holds of them. Damaged values are an error: a group that silently lost its
// offsets would read everything again, or nothing.
func load(kvs []controller.KV, cfg *Config, now time.Time) (map[string]*group, error) {
	groups := make(map[string]*group)
	for len(kvs) > 0 {
		id, _, ok := parseKey(kvs[0].Key)
		if !ok {
			return nil, malformed(kvs[0])
		}
		prefix := groupPrefix(id)
		n := 0
		for n < len(kvs) && strings.HasPrefix(kvs[n].Key, prefix) {
			n++
		}
		if n == 0 {
			return nil, malformed(kvs[0])
		}
		g, err := loadGroup(id, prefix, kvs[:n], cfg, now)
		if err != nil {
			return nil, err
		}
		groups[id] = g
		kvs = kvs[n:]
	}
	return groups, nil
}

func loadGroup(id, prefix string, kvs []controller.KV, cfg *Config, now time.Time) (*group, error) {
	g := &group{prefix: prefix}
	var head *snapshot
	var members []storedMember
	orders := make(map[string]int32)
	for _, kv := range kvs {
		rest := kv.Key[len(prefix):]
		var err error
		switch {
		case rest == headName:
			head, err = decodeHead(kv.Value)
		case strings.HasPrefix(rest, memberName):
			m, order, e := decodeMember(rest[len(memberName):], kv.Value)
			err = e
			members = append(members, m)
			orders[m.id] = order
			if g.stored == nil {
				g.stored = make(map[string]uint64)
			}
			g.stored[m.id] = hashRecord(kv.Value)
		case strings.HasPrefix(rest, offsetsName):
			b, ok := parseBlock(rest[len(offsetsName):])
			block, e := decodeBlock(kv.Value)
			if err = e; !ok {
				err = errMalformed
			}
			if g.blocks == nil {
				g.blocks = make(map[blockID][]committed)
			}
			g.blocks[b] = block
		case strings.HasPrefix(rest, pendingName):
			id, ok := parsePending(rest[len(pendingName):])
			t, block, e := decodePending(kv.Value)
			if err = e; !ok {
				err = errMalformed
			}
			if err == nil {
				g.loadPending(id, t, block)
			}
		default:
			err = errMalformed
		}
		if err != nil {
			return nil, malformed(kv)
		}
	}
	if head == nil {
		g.machine = newMachine(id, cfg, now)
		return g, nil
	}
	slices.SortFunc(members, func(a, b storedMember) int { return int(orders[a.id]) - int(orders[b.id]) })
	head.members = sameGeneration(head.generation, members)
	g.machine = restore(id, cfg, head, now)
	return g, nil
}

func (g *group) loadPending(id pendingID, part openTxn, block pendingBlock) {
	t := g.txns[id.producerID]
	if t == nil {
		t = &openTxn{epoch: part.epoch, coordinatorEpoch: part.coordinatorEpoch, blocks: make(map[blockID]pendingBlock)}
		if g.txns == nil {
			g.txns = make(map[int64]*openTxn)
		}
		g.txns[id.producerID] = t
	}
	t.epoch, t.coordinatorEpoch = max(t.epoch, part.epoch), max(t.coordinatorEpoch, part.coordinatorEpoch)
	t.blocks[id.block] = block
	for _, o := range block {
		g.sequence = max(g.sequence, o.sequence)
	}
}
