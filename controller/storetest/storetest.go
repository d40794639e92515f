// Package storetest owns the contract of controller.Store, as tests that every implementation passes. It must not know
// any implementation.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blumfeld/controller"
)

// Store is what the tests need of an implementation: the Store itself, and a way to make it forget its history, which
// otherwise happens by itself in time.
type Store interface {
	controller.Store
	// Compact forgets the changes before rev.
	Compact(ctx context.Context, rev int64) error
}

// patience bounds how long a test waits for what must happen.
const patience = 20 * time.Second

// Run runs the contract against stores that open makes. Each is empty, and is closed by the test.
func Run(t *testing.T, open func(t *testing.T) Store) {
	tests := []struct {
		name string
		run  func(*testing.T, *harness)
	}{
		{"Txn/writes", txnWrites},
		{"Txn/conditions", txnConditions},
		{"Txn/failure writes nothing", txnFailureWritesNothing},
		{"Txn/delete prefix", txnDeletePrefix},
		{"Txn/no change takes no revision", txnNoChange},
		{"Txn/bounds", txnBounds},
		{"Txn/cancelled", txnCancelled},
		{"Txn/concurrent compare and swap", txnConcurrent},
		{"Progress/grows", progressGrows},
		{"Range/order and prefix", rangeOrder},
		{"Watch/from revision", watchFrom},
		{"Watch/prefix", watchPrefix},
		{"Watch/transactions whole", watchWhole},
		{"Watch/order under load", watchOrder},
		{"Watch/slow consumer", watchSlow},
		{"Watch/compacted", watchCompacted},
		{"Watch/compaction does not disturb", watchCompactionAhead},
		{"Watch/ends with context", watchCancelled},
		{"Close/ends watches", closeEndsWatches},
		{"Close/refuses calls", closeRefuses},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			t.Cleanup(func() {
				cancel()
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			tt.run(t, &harness{t: t, Store: s, ctx: ctx})
		})
	}
}

type harness struct {
	Store
	t   *testing.T
	ctx context.Context
}

func (h *harness) txn(conds []controller.Cond, ops ...controller.Op) (int64, bool) {
	h.t.Helper()
	rev, ok, err := h.Txn(h.ctx, conds, ops)
	if err != nil {
		h.t.Fatalf("Txn: %v", err)
	}
	return rev, ok
}

func (h *harness) put(key, value string) int64 {
	h.t.Helper()
	rev, ok := h.txn(nil, controller.Put(key, []byte(value)))
	if !ok {
		h.t.Fatal("Txn without conditions failed")
	}
	return rev
}

// state returns the keys with a prefix as "key=value@revision".
func (h *harness) state(prefix string) []string {
	h.t.Helper()
	kvs, _, err := h.Range(h.ctx, prefix)
	if err != nil {
		h.t.Fatalf("Range: %v", err)
	}
	var s []string
	for _, kv := range kvs {
		s = append(s, fmt.Sprintf("%s=%s@%d", kv.Key, kv.Value, kv.ModRevision))
	}
	return s
}

func (h *harness) expect(prefix string, want ...string) {
	h.t.Helper()
	if got := h.state(prefix); !slices.Equal(got, want) {
		h.t.Errorf("keys %v, want %v", got, want)
	}
}

// collect reads n events.
func (h *harness) collect(ch <-chan []controller.Event, n int) []controller.Event {
	h.t.Helper()
	var got []controller.Event
	for len(got) < n {
		select {
		case batch, ok := <-ch:
			if !ok {
				h.t.Fatalf("watch closed after %d of %d events", len(got), n)
			}
			got = append(got, batch...)
		case <-h.ctx.Done():
			h.t.Fatalf("%d of %d events in time", len(got), n)
		}
	}
	return got
}

func (h *harness) awaitClosed(ch <-chan []controller.Event) {
	h.t.Helper()
	for {
		select {
		case _, ok := <-ch:
			if !ok {
				return
			}
		case <-h.ctx.Done():
			h.t.Fatal("watch was not closed in time")
		}
	}
}

func show(evs []controller.Event) (s []string) {
	for _, ev := range evs {
		if ev.Deleted {
			s = append(s, fmt.Sprintf("-%s@%d", ev.Key, ev.ModRevision))
		} else {
			s = append(s, fmt.Sprintf("%s=%s@%d", ev.Key, ev.Value, ev.ModRevision))
		}
	}
	return s
}

func at(format string, rev ...any) string { return fmt.Sprintf(format, rev...) }

func txnWrites(t *testing.T, h *harness) {
	r1 := h.put("a", "1")
	r2, ok := h.txn(nil, controller.Put("b", []byte("2")), controller.Put("c", nil), controller.Delete("a"))
	if !ok || r2 != r1+1 {
		t.Errorf("second transaction: ok %v, revision %d after %d", ok, r2, r1)
	}
	h.expect("", at("b=2@%d", r2), at("c=@%d", r2))
	if _, rev, err := h.Range(h.ctx, "x"); rev != r2 || err != nil {
		t.Errorf("Range's revision %d, want %d; %v", rev, r2, err)
	}
}

func txnConditions(t *testing.T, h *harness) {
	r := h.put("k", "v")
	for _, tt := range []struct {
		cond controller.Cond
		want bool
	}{
		{controller.IfRevision("k", r), true},
		{controller.IfRevision("k", r-1), false},
		{controller.IfRevision("k", r+1), false},
		{controller.IfAbsent("k"), false},
		{controller.IfExists("k"), true},
		{controller.IfValue("k", []byte("v")), true},
		{controller.IfValue("k", []byte("w")), false},
		{controller.IfValue("k", nil), false},
		{controller.IfAbsent("none"), true},
		{controller.IfExists("none"), false},
		{controller.IfRevision("none", r), false},
		{controller.IfValue("none", nil), false},
	} {
		before := h.state("")
		rev, ok := h.txn([]controller.Cond{tt.cond, controller.IfExists("k")})
		if ok != tt.want {
			t.Errorf("%+v: %v, want %v", tt.cond, ok, tt.want)
		}
		if rev != r {
			t.Errorf("%+v: revision %d, want %d", tt.cond, rev, r)
		}
		if after := h.state(""); !slices.Equal(before, after) {
			t.Errorf("%+v changed %v to %v", tt.cond, before, after)
		}
	}
	// A deleted key is absent, and its revision is forgotten.
	h.txn(nil, controller.Delete("k"))
	if _, ok := h.txn([]controller.Cond{controller.IfAbsent("k")}, controller.Put("k", []byte("again"))); !ok {
		t.Error("a deleted key is not absent")
	}
}

func txnFailureWritesNothing(t *testing.T, h *harness) {
	r := h.put("k", "v")
	rev, ok := h.txn([]controller.Cond{controller.IfExists("k"), controller.IfAbsent("k")},
		controller.Put("k", []byte("w")), controller.Put("new", nil), controller.DeletePrefix("k"))
	if ok || rev != r {
		t.Errorf("ok %v, revision %d, want false, %d", ok, rev, r)
	}
	h.expect("", at("k=v@%d", r))
}

func txnDeletePrefix(t *testing.T, h *harness) {
	for _, k := range []string{"a", "p", "p/", "p/1", "p/\xff", "p/\xff\xff", "p0", "q"} {
		h.put(k, "")
	}
	rev, _ := h.txn(nil, controller.DeletePrefix("p/"))
	var keys []string
	for _, s := range h.state("") {
		keys = append(keys, s[:strings.IndexByte(s, '=')])
	}
	if want := []string{"a", "p", "p0", "q"}; !slices.Equal(keys, want) {
		t.Errorf("%q remain, want %q", keys, want)
	}
	if next := h.put("z", ""); next != rev+1 {
		t.Errorf("revision %d after %d", next, rev)
	}
}

func txnNoChange(t *testing.T, h *harness) {
	r := h.put("k", "v")
	if rev, ok := h.txn([]controller.Cond{controller.IfExists("k")}); !ok || rev != r {
		t.Errorf("no ops: ok %v, revision %d, want true, %d", ok, rev, r)
	}
	if rev := h.put("k", "v"); rev != r+1 {
		t.Errorf("putting the same value took revision %d, want %d", rev, r+1)
	}
}

func txnBounds(t *testing.T, h *harness) {
	var conds []controller.Cond
	var ops []controller.Op
	for i := range controller.MaxTxnOps {
		k := fmt.Sprintf("%03d", i)
		conds = append(conds, controller.IfAbsent(k))
		ops = append(ops, controller.Put(k, nil))
	}
	if _, ok := h.txn(conds, ops...); !ok {
		t.Error("a transaction of the greatest number of operations failed")
	}
	big := controller.Put("big", make([]byte, controller.MaxTxnBytes-1000))
	if _, ok := h.txn(nil, big); !ok {
		t.Error("a transaction of almost the greatest size failed")
	}
	for name, err := range map[string]error{
		"ops":   h.err(nil, append(ops, controller.Put("more", nil))...),
		"conds": h.err(append(conds, controller.IfAbsent("more"))),
		"bytes": h.err(nil, controller.Put("more", make([]byte, controller.MaxTxnBytes))),
	} {
		if !errors.Is(err, controller.ErrTxnTooLarge) {
			t.Errorf("too many %s: %v", name, err)
		}
	}
	h.expect("more")
}

func (h *harness) err(conds []controller.Cond, ops ...controller.Op) error {
	_, _, err := h.Txn(h.ctx, conds, ops)
	return err
}

func txnCancelled(t *testing.T, h *harness) {
	ctx, cancel := context.WithCancel(h.ctx)
	cancel()
	if _, _, err := h.Txn(ctx, nil, []controller.Op{controller.Put("k", nil)}); !errors.Is(err, context.Canceled) {
		t.Errorf("Txn: %v", err)
	}
	if _, _, err := h.Range(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Range: %v", err)
	}
	h.expect("")
}

// txnConcurrent: writers increment one counter; every success must be the only one for its revision, and the value must
// be the number of successes.
func txnConcurrent(t *testing.T, h *harness) {
	const writers, each = 8, 25
	h.put("n", "0")
	var wg sync.WaitGroup
	var conflicts atomic.Int64
	for range writers {
		wg.Go(func() {
			for done := 0; done < each; {
				kvs, _, err := h.Range(h.ctx, "n")
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				fmt.Sscan(string(kvs[0].Value), &n)
				_, ok, err := h.Txn(h.ctx, []controller.Cond{controller.IfRevision("n", kvs[0].ModRevision)},
					[]controller.Op{controller.Put("n", fmt.Append(nil, n+1))})
				if err != nil {
					t.Error(err)
					return
				}
				if ok {
					done++
				} else {
					conflicts.Add(1)
				}
			}
		})
	}
	wg.Wait()
	kvs, _, _ := h.Range(h.ctx, "n")
	if got := string(kvs[0].Value); got != fmt.Sprint(writers*each) {
		t.Errorf("counter is %s after %d increments (%d conflicts)", got, writers*each, conflicts.Load())
	}
}

func progressGrows(t *testing.T, h *harness) {
	term, committed := h.Progress()
	if term < 1 {
		t.Errorf("term %d", term)
	}
	for range 3 {
		h.put("k", "v")
		later, more := h.Progress() // a leader may just have been elected
		if later < term || more <= committed {
			t.Errorf("after a write: term %d, %d committed; before: %d, %d", later, more, term, committed)
		}
		term, committed = later, more
	}
}

func rangeOrder(t *testing.T, h *harness) {
	var want []string
	for _, k := range []string{"b/2", "a", "b/10", "b", "b/", "c", "b/\xff"} {
		h.put(k, k)
	}
	for _, k := range []string{"b/", "b/10", "b/2", "b/\xff"} {
		want = append(want, k+"="+k)
	}
	var got []string
	for _, s := range h.state("b/") {
		got = append(got, s[:strings.IndexByte(s, '@')])
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func watchFrom(t *testing.T, h *harness) {
	r1 := h.put("k", "1")
	r2 := h.put("k", "2")
	ch := h.Watch(h.ctx, "", r2)
	r3, _ := h.txn(nil, controller.Delete("k"))
	r4 := h.put("k", "4")
	got := show(h.collect(ch, 3))
	if want := []string{at("k=2@%d", r2), at("-k@%d", r3), at("k=4@%d", r4)}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	// From a revision that is still to come.
	later := h.Watch(h.ctx, "", r4+2)
	h.put("k", "5")
	r6 := h.put("k", "6")
	if got := show(h.collect(later, 1)); !slices.Equal(got, []string{at("k=6@%d", r6)}) {
		t.Errorf("events %v, want only those from revision %d on", got, r6)
	}
	_ = r1
}

func watchPrefix(t *testing.T, h *harness) {
	ch := h.Watch(h.ctx, "p/", 1)
	h.put("p", "")
	h.put("q", "")
	r1, _ := h.txn(nil, controller.Put("other", nil), controller.Put("p/a", []byte("x")), controller.Put("p0", nil))
	r2, _ := h.txn(nil, controller.DeletePrefix("p"))
	got := show(h.collect(ch, 2))
	if want := []string{at("p/a=x@%d", r1), at("-p/a@%d", r2)}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func watchWhole(t *testing.T, h *harness) {
	const txns, keys = 50, 100
	live := h.Watch(h.ctx, "", 1)
	for i := range txns {
		var ops []controller.Op
		for k := range keys {
			ops = append(ops, controller.Put(fmt.Sprintf("k%03d", k), fmt.Append(nil, i)))
		}
		h.txn(nil, ops...)
	}
	past := h.Watch(h.ctx, "", 1) // catches up
	for name, ch := range map[string]<-chan []controller.Event{"live": live, "past": past} {
		for seen := 0; seen < txns*keys; {
			select {
			case batch, ok := <-ch:
				if !ok {
					t.Fatalf("%s: watch closed", name)
				}
				seen += len(batch)
				if len(batch)%keys != 0 {
					t.Fatalf("%s: a batch of %d events splits transactions of %d", name, len(batch), keys)
				}
				for i, ev := range batch {
					if ev.ModRevision != batch[i/keys*keys].ModRevision {
						t.Fatalf("%s: batch mixes revisions", name)
					}
					if want := fmt.Sprintf("k%03d", i%keys); ev.Key != want {
						t.Fatalf("%s: key %s where the transaction had %s", name, ev.Key, want)
					}
				}
			case <-h.ctx.Done():
				t.Fatalf("%s: %d events in time", name, seen)
			}
		}
	}
}

func watchOrder(t *testing.T, h *harness) {
	const writers, each = 4, 200
	ch := h.Watch(h.ctx, "", 1)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := h.err(nil, controller.Put(fmt.Sprintf("w%d", w), fmt.Append(nil, i))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	next := make(map[string]int)
	last := int64(0)
	for _, ev := range h.collect(ch, writers*each) {
		if ev.ModRevision <= last {
			t.Fatalf("revision %d after %d", ev.ModRevision, last)
		}
		last = ev.ModRevision
		if got := string(ev.Value); got != fmt.Sprint(next[ev.Key]) {
			t.Fatalf("%s: value %s, want %d", ev.Key, got, next[ev.Key])
		}
		next[ev.Key]++
	}
	wg.Wait()
}

func watchSlow(t *testing.T, h *harness) {
	const n = 2000
	ch := h.Watch(h.ctx, "", 1)
	for i := range n {
		h.put("k", fmt.Sprint(i)) // nobody reads: writers must not wait for it
	}
	for i, ev := range h.collect(ch, n) {
		if string(ev.Value) != fmt.Sprint(i) {
			t.Fatalf("event %d holds %s", i, ev.Value)
		}
	}
}

func watchCompacted(t *testing.T, h *harness) {
	r1 := h.put("k", "1")
	r2 := h.put("k", "2")
	r3 := h.put("k", "3")
	if err := h.Compact(h.ctx, r2); err != nil {
		t.Fatal(err)
	}
	h.awaitClosed(h.Watch(h.ctx, "", r1))
	h.expect("", at("k=3@%d", r3)) // the state stays
	if got := show(h.collect(h.Watch(h.ctx, "", r3), 1)); got[0] != at("k=3@%d", r3) {
		t.Errorf("after compaction: %v", got)
	}
}

func watchCompactionAhead(t *testing.T, h *harness) {
	ch := h.Watch(h.ctx, "", 1)
	r := h.put("k", "1")
	h.collect(ch, 1)
	if err := h.Compact(h.ctx, r); err != nil {
		t.Fatal(err)
	}
	r2 := h.put("k", "2")
	if got := show(h.collect(ch, 1)); got[0] != at("k=2@%d", r2) {
		t.Errorf("a watch that had caught up delivers %v", got)
	}
}

func watchCancelled(t *testing.T, h *harness) {
	ctx, cancel := context.WithCancel(h.ctx)
	idle := h.Watch(ctx, "", 1)
	h.put("k", "1")
	unread := h.Watch(ctx, "", 1)
	h.collect(idle, 1)
	cancel()
	h.awaitClosed(idle)
	h.awaitClosed(unread)
}

func closeEndsWatches(t *testing.T, h *harness) {
	idle := h.Watch(h.ctx, "", 1)
	h.put("k", "1")
	unread := h.Watch(h.ctx, "", 1)
	h.collect(idle, 1)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h.awaitClosed(idle)
	h.awaitClosed(unread)
}

func closeRefuses(t *testing.T, h *harness) {
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := h.err(nil, controller.Put("k", nil)); !errors.Is(err, controller.ErrClosed) {
		t.Errorf("Txn: %v", err)
	}
	if _, _, err := h.Range(h.ctx, ""); !errors.Is(err, controller.ErrClosed) {
		t.Errorf("Range: %v", err)
	}
	h.awaitClosed(h.Watch(h.ctx, "", 1))
}
