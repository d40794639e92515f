package controller

import (
	"context"
	"iter"
)

// change is what an operation wants to write for one item.
type change struct {
	conds []Cond
	ops   []Op
	// prepare is written before, in as many transactions as it takes, each under conds; until ops are committed
	// nobody sees it. If conds fail at the end, undo is written.
	prepare, undo []Op
}

func (ch *change) fits(conds, ops, bytes int) bool {
	return len(ch.prepare) == 0 && conds+len(ch.conds) <= MaxTxnOps && ops+len(ch.ops) <= MaxTxnOps &&
		bytes+ch.bytes() <= MaxTxnBytes
}

func (ch *change) bytes() int {
	n := 0
	for _, c := range ch.conds {
		n += len(c.Key) + len(c.Value) + opOverhead
	}
	for _, o := range ch.ops {
		n += o.size()
	}
	return n
}

// settle carries out an operation on n independent items: it decides about each on the newest Image, commits as many
// together as the bounds of a transaction allow, and decides again about those whose conditions failed. A nil change
// settles an item without a write. decide reports results by itself, and may be called again for an item; failed is
// told of items that could not be settled. The revision returned shows all that was written.
func (c *Controller) settle(ctx context.Context, n int, decide func(img *Image, i int) *change, failed func(i int, err error)) int64 {
	pending := make([]int, n)
	for i := range pending {
		pending[i] = i
	}
	var rev int64
	for {
		p := c.published.Load()
		rev = max(rev, p.img.revision)
		b := txnBatch{c: c}
		for _, i := range pending {
			if ch := decide(p.img, i); ch != nil {
				b.add(ctx, i, ch)
			}
		}
		b.flush(ctx)
		rev = max(rev, b.rev)
		for i, err := range b.failed {
			failed(i, storeError(err))
		}
		if pending = b.conflicts; len(pending) == 0 {
			return rev
		}
		if err := p.superseded(ctx); err != nil {
			for _, i := range pending {
				failed(i, err)
			}
			return rev
		}
	}
}

// txnBatch collects changes for one transaction and commits it when the next change does not fit.
type txnBatch struct {
	c     *Controller
	items []int
	conds []Cond
	ops   []Op
	bytes int
	keys  map[string]struct{} // that ops touch

	rev       int64
	conflicts []int
	failed    map[int]error
}

func (b *txnBatch) add(ctx context.Context, item int, ch *change) {
	if len(b.items) > 0 && (!ch.fits(len(b.conds), len(b.ops), b.bytes) || b.overlaps(ch)) {
		b.flush(ctx)
	}
	if len(ch.prepare) > 0 {
		ok, err := b.prepare(ctx, ch)
		if err == nil && ok {
			ok, err = b.txn(ctx, ch.conds, ch.ops)
		}
		if err == nil && !ok {
			// Only a definite failure may be undone: a commit of unknown outcome may have succeeded.
			_, err = b.txn(ctx, nil, ch.undo)
		}
		b.settle([]int{item}, ok, err)
		return
	}
	b.items = append(b.items, item)
	b.conds = append(b.conds, ch.conds...)
	b.ops = append(b.ops, ch.ops...)
	b.bytes += ch.bytes()
	if b.keys == nil {
		b.keys = make(map[string]struct{})
	}
	for _, o := range ch.ops {
		b.keys[o.Key] = struct{}{}
	}
}

func (b *txnBatch) overlaps(ch *change) bool {
	for _, o := range ch.ops {
		if _, ok := b.keys[o.Key]; ok {
			return true
		}
	}
	return false
}

func (b *txnBatch) prepare(ctx context.Context, ch *change) (ok bool, err error) {
	for ops := range chunkOps(ch.prepare) {
		if ok, err = b.txn(ctx, ch.conds, ops); err != nil || !ok {
			return ok, err
		}
	}
	return true, nil
}

func (b *txnBatch) flush(ctx context.Context) {
	if len(b.items) == 0 {
		return
	}
	ok, err := b.txn(ctx, b.conds, b.ops)
	b.settle(b.items, ok, err)
	b.items, b.conds, b.ops, b.bytes = nil, nil, nil, 0
	clear(b.keys)
}

func (b *txnBatch) txn(ctx context.Context, conds []Cond, ops []Op) (bool, error) {
	rev, ok, err := b.c.store.Txn(ctx, conds, ops)
	if ok {
		b.rev = max(b.rev, rev)
	}
	return ok, err
}

func (b *txnBatch) settle(items []int, ok bool, err error) {
	switch {
	case err != nil:
		if b.failed == nil {
			b.failed = make(map[int]error)
		}
		for _, i := range items {
			b.failed[i] = err
		}
	case !ok:
		b.conflicts = append(b.conflicts, items...)
	}
}

// chunkOps splits operations into transactions within the bounds. Half of the bytes are left for conditions.
func chunkOps(ops []Op) iter.Seq[[]Op] {
	return func(yield func([]Op) bool) {
		for len(ops) > 0 {
			n, bytes := 0, 0
			for n < len(ops) && n < MaxTxnOps && (n == 0 || bytes+ops[n].size() <= MaxTxnBytes/2) {
				bytes += ops[n].size()
				n++
			}
			if !yield(ops[:n]) {
				return
			}
			ops = ops[n:]
		}
	}
}
