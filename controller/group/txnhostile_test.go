package group

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
)

func commitTxn(t testing.TB, c *Coordinator, group string, producer int64, offsets ...OffsetToCommit) []error {
	t.Helper()
	b := await(t, c.BeginTxnCommit(group, producer, 0))
	if b.Err != nil {
		t.Fatal(b.Err)
	}
	r := TxnCommitRequest{CommitRequest{Group: group, Generation: -1, Offsets: offsets}, producer, 0, b.Guard}
	return await(t, c.CommitTxn(r)).Errs
}

func endTxn(t testing.TB, c *Coordinator, producer int64, commit bool) {
	t.Helper()
	if err := await(t, c.EndTxn(EndTxnRequest{ProducerID: producer, Commit: commit})); err != nil {
		t.Fatal(err)
	}
}

// TestTxnWrites: what a transaction costs the store, alone and with others.
func TestTxnWrites(t *testing.T) {
	store, cl := controller.NewMemStore(), newClock()
	c := open(t, store, cl, nil)
	last := int64(0)
	writes := func() int64 {
		_, rev, err := store.Range(t.Context(), groupsPrefix)
		if err != nil {
			t.Fatal(err)
		}
		n := rev - last
		last = rev
		return n
	}
	writes()
	list := []OffsetToCommit{{"t", 0, 1, -1, ""}, {"t", 1, 1, -1, ""}, {"t", 64, 1, -1, ""}, {"u", 0, 1, -1, ""}}
	for _, step := range []struct {
		what string
		do   func()
		want int64
	}{
		{"a commit", func() { commitTxn(t, c, "g", 1, list...) }, 1},
		{"its marker", func() { endTxn(t, c, 1, true) }, 1},
		{"its marker again", func() { endTxn(t, c, 1, true) }, 0},
		{"a marker of an unknown producer", func() { endTxn(t, c, 2, false) }, 0},
		{"a guard", func() { await(t, c.BeginTxnCommit("g", 1, 0)) }, 0},
		{"a commit that is late", func() {
			r := TxnCommitRequest{CommitRequest{Group: "g", Generation: -1, Offsets: list}, 1, 0, TxnGuard{}}
			if errs := await(t, c.CommitTxn(r)).Errs; !errors.Is(errs[0], kerr.InvalidTxnState) {
				t.Errorf("%v", errs)
			}
		}, 0},
		{"three groups", func() {
			for _, g := range []string{"a", "b", "c"} {
				commitTxn(t, c, g, 1, list...)
			}
		}, 3},
		{"their one marker", func() { endTxn(t, c, 1, true) }, 1},
	} {
		step.do()
		if n := writes(); n != step.want {
			t.Errorf("%s: %d writes, want %d", step.what, n, step.want)
		}
	}
}

// TestTxnHuge: a transaction over more partitions than one write of the store takes, with all the metadata that is
// allowed, in a group with the longest of names, is committed in the end; whatever the store has of it when it is cut off
// is right, and the marker that comes again does the rest.
func TestTxnHuge(t *testing.T) {
	const partitions = 300
	group := strings.Repeat("/", 32767)
	metadata := strings.Repeat("\u20ac", 4096) // 12 KiB
	var cut atomic.Int32                       // transactions until one fails; not above 0: none does
	fault := func(context.Context, []controller.Cond, []controller.Op) error {
		if cut.Add(-1) == 0 {
			return errInjected
		}
		return nil
	}
	store, cl := controller.NewFaultyMemStore(controller.Faults{AfterTxn: fault}), newClock()
	c := open(t, store, cl, nil)
	read := func(requireStable bool) (stable, unstable int) {
		topics := map[string][]int32{"t": nil}
		for p := range int32(partitions) {
			topics["t"] = append(topics["t"], p)
		}
		f := c.FetchOffsets(FetchRequest{Group: group, Topics: topics, RequireStable: requireStable})
		if f.Err != nil {
			t.Fatal(f.Err)
		}
		for _, o := range f.Offsets {
			switch {
			case o.Err != nil:
				unstable++
			case o.Offset == int64(o.Partition) && o.Metadata == metadata:
				stable++
			case o.Offset != -1:
				t.Errorf("%d: %d", o.Partition, o.Offset)
			}
		}
		return stable, unstable
	}
	var list []OffsetToCommit
	for p := range int32(partitions) {
		list = append(list, OffsetToCommit{"t", p, int64(p), -1, metadata})
	}
	for _, err := range commitTxn(t, c, group, 7, list...) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := 1; ; i++ {
		cut.Store(int32(i)) // each time later
		err := await(t, c.EndTxn(EndTxnRequest{ProducerID: 7, Commit: true}))
		if cut.Swap(0) > 0 {
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d writes", i-1)
			break
		}
		if err == nil {
			t.Fatal("a marker that failed was answered")
		}
		c.Close()
		c = open(t, store, cl, nil)
		if got, _ := read(false); got < (i-1)*blockSize {
			t.Errorf("cut off after %d writes: %d offsets can be read", i, got)
		}
		// What is there is still unstable as long as the store has it pending.
		if got, unstable := read(true); got+unstable != partitions {
			t.Errorf("cut off after %d writes: %d offsets, %d of them unstable", i, got+unstable, unstable)
		}
	}
	if got, unstable := read(true); got != partitions || unstable != 0 {
		t.Errorf("%d offsets, %d unstable", got, unstable)
	}
	if kvs, _, _ := store.Range(t.Context(), groupPrefix(group)+pendingName); len(kvs) != 0 {
		t.Errorf("%d keys are left", len(kvs))
	}
}

// TestTxnMetadata: where offset.metadata.max.bytes allows more than a transaction of the store can take of a block, no
// commit is accepted whose marker could not be.
func TestTxnMetadata(t *testing.T) {
	store, cl := controller.NewMemStore(), newClock()
	c := open(t, store, cl, func(o *Options) { o.Config.OffsetMetadataMaxBytes = 1 << 20 })
	large := strings.Repeat("m", maxMetadataBytes)
	var plain, txn []OffsetToCommit
	for p := range int32(blockSize) {
		plain = append(plain, OffsetToCommit{"t", p, 1, -1, large})
		txn = append(txn, OffsetToCommit{"t", p, 2, -1, large})
	}
	group := strings.Repeat("/", 32767)
	for _, errs := range [][]error{commit(t, c, group, "", -1, plain...), commitTxn(t, c, group, 1, txn...)} {
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	txn[0].Metadata += "m"
	if errs := commitTxn(t, c, group, 1, txn[:2]...); !errors.Is(errs[0], kerr.OffsetMetadataTooLarge) || errs[1] != nil {
		t.Errorf("%v", errs)
	}
	endTxn(t, c, 1, true)
	if got := offsets(t, c, group); len(got) != blockSize || got[0].Offset != 2 {
		t.Errorf("%d offsets", len(got))
	}
}

// TestTxnRefused: a marker that goes along with a snapshot that the store cannot take is told so, comes again, and finds
// what is pending; so does the marker that waits behind it.
func TestTxnRefused(t *testing.T) {
	var p gate
	store, cl := controller.NewFaultyMemStore(controller.Faults{BeforeTxn: p.before}), newClock()
	c := open(t, store, cl, nil)
	member := stable(t, c, cl, "g", "t")
	commitTxn(t, c, "g", 1, OffsetToCommit{"u", 0, 5, -1, ""})
	j := await(t, c.Join(consumer("g", "client", member, "t")))
	if j.Err != nil {
		t.Fatal(j.Err)
	}
	p.hold()
	other := c.Commit(CommitRequest{Group: "other", Generation: -1, Offsets: []OffsetToCommit{{"t", 0, 1, -1, ""}}})
	await(t, p.reached)
	synced := c.Sync(SyncRequest{Group: "g", MemberID: member, Generation: j.Generation, Assignments: map[string][]byte{member: make([]byte, controller.MaxTxnBytes)}})
	marker := c.EndTxn(EndTxnRequest{ProducerID: 1, Commit: true})
	last := c.Commit(CommitRequest{Group: "last", Generation: -1, Offsets: []OffsetToCommit{{"t", 0, 1, -1, ""}}})
	again := c.EndTxn(EndTxnRequest{ProducerID: 1, Commit: true})
	cl.pass(c, 0)
	p.release()
	if errs := await(t, other).Errs; errs[0] != nil {
		t.Error(errs)
	}
	if s := await(t, synced); !errors.Is(s.Err, kerr.UnknownServerError) {
		t.Errorf("sync: %v", s.Err)
	}
	if err := await(t, marker); !errors.Is(err, kerr.UnknownServerError) {
		t.Errorf("marker: %v", err)
	}
	if err := await(t, again); err == nil {
		t.Error("the marker behind it was answered")
	}
	await(t, last)
	for errors.Is(await(t, c.EndTxn(EndTxnRequest{ProducerID: 1, Commit: true})), kerr.CoordinatorNotAvailable) {
	}
	if got := fmt.Sprint(offsets(t, c, "g")); got != "[{u 0 5 -1  <nil>}]" {
		t.Errorf("%s", got)
	}
}

// TestManyTransactions: thousands of transactions that are never ended cost what they store; a marker looks at one; and
// what is remembered of producers is bounded.
func TestManyTransactions(t *testing.T) {
	const transactions = 20_000
	store, cl := controller.NewMemStore(), newClock()
	c := open(t, store, cl, nil)
	var last <-chan CommitResponse
	for id := range int64(transactions) {
		b := await(t, c.BeginTxnCommit("g", id, 0))
		last = c.CommitTxn(TxnCommitRequest{CommitRequest{Group: fmt.Sprint("g", id%500), Generation: -1,
			Offsets: []OffsetToCommit{{"t", int32(id % 100), id, -1, ""}}}, id, 0, b.Guard})
	}
	await(t, last)
	c = open(t, store, cl, nil)
	began := time.Now()
	var ends []<-chan error
	for id := range int64(transactions) {
		ends = append(ends, c.EndTxn(EndTxnRequest{ProducerID: id, Commit: true}))
	}
	for _, ch := range ends {
		if err := await(t, ch); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d markers in %v", transactions, time.Since(began))
	kvs, _, _ := store.Range(t.Context(), groupsPrefix)
	for _, kv := range kvs {
		if _, rest, _ := parseKey(kv.Key); strings.HasPrefix(rest, pendingName) {
			t.Fatalf("%s is left", kv.Key)
		}
	}
	for range 2 {
		cl.pass(c, producerPause)
		endTxn(t, c, 1, false)
	}
	c.ask(c.shard("g"), func(s *core, _ error) {
		if n := len(s.producers.seen) + len(s.producers.before); n != 1 {
			t.Errorf("%d producers are remembered", n)
		}
	})
}

// TestProducersForgotten: who has something pending is not forgotten, and a guard that is older than what is known is
// void.
func TestProducersForgotten(t *testing.T) {
	now := time.Unix(0, 0)
	s := &core{}
	p := newProducers()
	marker := EndTxnRequest{ProducerID: 1, Epoch: 5}
	open := p.touch(2, now)
	open.epoch, open.groups = 3, []*group{{}}
	early := p.guard(s)
	p.marked(p.touch(1, now), &marker)
	late := p.guard(s)
	check := func(when string, earlyVoid, lateVoid bool) {
		t.Helper()
		if got := p.void(early, s, 1, 5); got != earlyVoid {
			t.Errorf("%s: a guard of before the marker is void: %v", when, got)
		}
		if got := p.void(late, s, 1, 5); got != lateVoid {
			t.Errorf("%s: a guard of after it is void: %v", when, got)
		}
	}
	check("at once", true, false)
	if p.void(early, s, 1, 6) || p.void(early, s, 3, 5) || !p.void(early, &core{}, 1, 6) || !p.void(TxnGuard{}, s, 9, 0) {
		t.Error("guards of others")
	}
	p.marked(p.touch(3, now), &EndTxnRequest{ProducerID: 3})
	fill := func(from int64) {
		for i := range int64(maxProducers) {
			p.touch(from+i, now)
			if n := len(p.seen) + len(p.before); n > 2*maxProducers+1 {
				t.Fatalf("%d producers", n)
			}
		}
	}
	fill(1 << 20)
	check("after one turn", true, false)
	fill(1 << 30)
	fill(1 << 40)
	if p.find(1) != nil || p.find(2) != open {
		t.Errorf("remembered: %v, %v", p.find(1), p.find(2))
	}
	check("forgotten", true, true)
	if g := p.guard(s); p.void(g, s, 1, 5) {
		t.Error("a new guard is void")
	}
	for range 3 {
		now = now.Add(producerPause)
		p.touch(now.Unix(), now)
	}
	if n := len(p.seen) + len(p.before); n != 3 {
		t.Errorf("%d producers after some time", n)
	}
}
