package txn

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"blumfeld/controller"
)

// TestAdopt takes transactional ids over and has a Coordinator go on with them.
func TestAdopt(t *testing.T) {
	store := controller.NewMemStore()
	now := millis(time.Now())
	tp := TopicPartition{"t", 0}
	adopted := func(id string, state State, version, epoch int16) Adopted {
		a := Adopted{TransactionalID: id, State: state, ProducerID: 7, PreviousProducerID: -1, NextProducerID: -1, Epoch: epoch,
			TimeoutMs: 60_000, Version: version, StartMs: now, UpdatedMs: now}
		if !state.idle() {
			a.Partitions = []TopicPartition{{"u", 1}, tp, tp}
		}
		return a
	}
	ids := []Adopted{
		adopted("empty", Empty, 0, 3), adopted("committed", CompleteCommit, 2, 3), adopted("open", Ongoing, 2, 3),
		adopted("open, last epoch", Ongoing, 2, maxEpoch-1), adopted("fenced", PrepareEpochFence, 0, 3),
		adopted("to commit", PrepareCommit, 0, 3), adopted("to abort", PrepareAbort, 2, 4),
	}
	known, aborted, err := Adopt(t.Context(), store, ids, func() (int64, error) { return 99, nil })
	if err != nil || len(known) != 0 || fmt.Sprint(aborted) != "[open open, last epoch fenced]" {
		t.Fatalf("known %q, aborted %q, error %v", known, aborted, err)
	}
	// The same again, of an import that is repeated, are no others of that name; and none takes a producer id more.
	known, aborted, err = Adopt(t.Context(), store, ids, nil)
	if err != nil || len(known) != 0 || fmt.Sprint(aborted) != "[open open, last epoch fenced]" {
		t.Fatalf("again: known %q, aborted %q, error %v", known, aborted, err)
	}
	known, _, err = Adopt(t.Context(), store, []Adopted{adopted("empty", Empty, 0, 4), adopted("open", PrepareAbort, 2, 3)}, nil)
	if err != nil || fmt.Sprint(known) != "[empty open]" {
		t.Fatalf("others: known %q, error %v", known, err)
	}

	l := &leaders{}
	c := open(t, store, l)
	for id, want := range map[string]string{
		"empty": "Empty 7 3", "committed": "CompleteCommit 7 3", "open": "CompleteAbort 7 4", "open, last epoch": "CompleteAbort 99 0",
		"fenced": "CompleteAbort 7 4", "to commit": "CompleteCommit 7 3", "to abort": "CompleteAbort 7 4",
	} {
		var got string
		for end := time.Now().Add(10 * time.Second); got != want && time.Now().Before(end); {
			d := <-c.Describe(id)
			got = fmt.Sprintf("%s %d %d", d.State, d.ProducerID, d.Epoch)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	for _, m := range l.markers() {
		if fmt.Sprint(m.Partitions) != "[{t 0} {u 1}]" {
			t.Errorf("markers %+v", m)
		}
	}
	if n := len(l.markers()); n != 5 {
		t.Errorf("markers of %d transactions", n)
	}
	// A producer that did not hear of its commit asks again, and goes on.
	if r := <-c.EndTxn(EndTxnRequest{5, "committed", 7, 2, true}); r.Err != nil || r.Epoch != 3 {
		t.Errorf("%+v", r)
	}
	if r := <-c.AddPartitions(AddPartitionsRequest{5, "open", 7, 3, []TopicPartition{tp}}); r == nil {
		t.Error("the producer of what was aborted goes on")
	}
}

// TestAdoptManyAtOnce: more than a transaction of the store takes.
func TestAdoptManyAtOnce(t *testing.T) {
	store := controller.NewMemStore()
	var ids []Adopted
	for n := range 1000 {
		a := Adopted{TransactionalID: fmt.Sprint(n), State: PrepareCommit, ProducerID: int64(n), TimeoutMs: 1}
		for p := range int32(2000) {
			a.Partitions = append(a.Partitions, TopicPartition{"a topic with a name", p})
		}
		ids = append(ids, a)
	}
	if _, _, err := Adopt(t.Context(), store, ids, nil); err != nil {
		t.Fatal(err)
	}
	if kvs, _, err := store.Range(t.Context(), idsPrefix); err != nil || len(kvs) != 1000 {
		t.Fatalf("%d ids, error %v", len(kvs), err)
	}
	for name, a := range map[string]Adopted{
		"no id":          {State: Empty, TimeoutMs: 1},
		"negative epoch": {TransactionalID: "x", Epoch: -1, TimeoutMs: 1},
		"state":          {TransactionalID: "x", State: Dead, TimeoutMs: 1},
		"partition":      {TransactionalID: "x", State: PrepareAbort, TimeoutMs: 1, Partitions: []TopicPartition{{"t", -1}}},
	} {
		if _, _, err := Adopt(t.Context(), store, []Adopted{a}, nil); !errors.Is(err, ErrAdopt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRaiseEpochs: only a producer that logs know under a later epoch gets it.
func TestRaiseEpochs(t *testing.T) {
	store := controller.NewMemStore()
	var ids []Adopted
	for id, producer := range map[string]int64{"behind": 1, "level": 2, "ahead": 3, "unknown": 4} {
		ids = append(ids, Adopted{TransactionalID: id, State: PrepareAbort, ProducerID: producer, PreviousProducerID: -1, NextProducerID: -1,
			Epoch: 5, TimeoutMs: 1, UpdatedMs: millis(time.Now()), Partitions: []TopicPartition{{"t", 0}}})
	}
	if _, _, err := Adopt(t.Context(), store, ids, nil); err != nil {
		t.Fatal(err)
	}
	err := RaiseEpochs(t.Context(), store, func(producer int64) int16 { return []int16{0, 9, 5, 4, -1}[producer] })
	if err != nil {
		t.Fatal(err)
	}
	c := open(t, store, &leaders{held: true})
	for id, want := range map[string]string{"behind": "Empty 9 0", "level": "PrepareAbort 5 1", "ahead": "PrepareAbort 5 1", "unknown": "PrepareAbort 5 1"} {
		d := <-c.Describe(id)
		if got := fmt.Sprint(d.State, " ", d.Epoch, " ", len(d.Partitions)); got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
}
