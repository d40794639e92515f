package markers

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/broker/replica"
	"blumfeld/controller/group"
	"blumfeld/controller/txn"
)

// Markers in logs are tested through the wire, in package broker.

// store answers what it is asked when the test says so.
type store struct {
	asked chan *question
	n     atomic.Int32
}

type question struct {
	group.EndTxnRequest
	answer chan error
}

func (s *store) EndTxn(r group.EndTxnRequest) <-chan error {
	s.n.Add(1)
	q := &question{r, make(chan error, 1)}
	s.asked <- q
	return q.answer
}

func none() *replica.Set { return replica.NewSet(replica.SetOptions{}) }

func offsets(producer int64, partitions ...int32) txn.Markers {
	m := txn.Markers{ProducerID: producer, Epoch: 3, Commit: true, CoordinatorEpoch: 4, TransactionVersion: 2}
	for _, p := range partitions {
		m.Partitions = append(m.Partitions, txn.TopicPartition{Topic: OffsetsTopic, Partition: p})
	}
	return m
}

// TestWrite: the groups hear of a transaction once, whatever its partitions, and each partition gets its own answer.
func TestWrite(t *testing.T) {
	s := &store{asked: make(chan *question, 2)}
	m := offsets(7, 5, 9)
	m.Partitions = []txn.TopicPartition{{Topic: "gone", Partition: 0}, m.Partitions[0], {Topic: "gone", Partition: 1}, m.Partitions[1]}
	var errs []error
	var writing sync.WaitGroup
	writing.Go(func() { errs = New(none(), s).Write(t.Context(), m) })
	q := <-s.asked
	if want := (group.EndTxnRequest{ProducerID: 7, Epoch: 3, Commit: true, CoordinatorEpoch: 4, TransactionVersion: 2}); q.EndTxnRequest != want {
		t.Errorf("asked %+v, want %+v", q.EndTxnRequest, want)
	}
	q.answer <- kerr.CoordinatorNotAvailable
	writing.Wait()
	want := []error{txn.ErrDeleted, kerr.CoordinatorNotAvailable, txn.ErrDeleted, kerr.CoordinatorNotAvailable}
	if fmt.Sprint(errs) != fmt.Sprint(want) || s.n.Load() != 1 {
		t.Errorf("%v after %d questions, want %v after one", errs, s.n.Load(), want)
	}
}

// TestWriteIsCutOff: whether the marker was taken is not known then.
func TestWriteIsCutOff(t *testing.T) {
	s := &store{asked: make(chan *question, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if errs := New(none(), s).Write(ctx, offsets(7, 5)); !errors.Is(errs[0], kerr.RequestTimedOut) {
		t.Errorf("%v, want REQUEST_TIMED_OUT", errs)
	}
}

// TestAttemptsAreBounded: with a store that does not answer, more attempts than may be under way wait their turn, nobody
// who brings one does, and all of them are made in the end.
func TestAttemptsAreBounded(t *testing.T) {
	const attempts = 2*maxAttempts + 10
	s := &store{asked: make(chan *question, attempts)}
	w := New(none(), s)
	var made sync.WaitGroup
	made.Add(attempts)
	for n := range attempts {
		w.WriteMarkers(t.Context(), offsets(int64(n), 0), func([]error) { made.Done() })
	}
	first := make([]*question, maxAttempts)
	for i := range first {
		first[i] = <-s.asked
	}
	if n := s.n.Load(); n != maxAttempts {
		t.Errorf("%d attempts are under way", n)
	}
	for _, q := range first {
		q.answer <- nil
	}
	for range attempts - maxAttempts {
		(<-s.asked).answer <- nil
	}
	made.Wait()
	w.Close()
}

// TestClose ends what is under way and forgets what has not begun.
func TestClose(t *testing.T) {
	s := &store{asked: make(chan *question, maxAttempts)}
	w := New(none(), s)
	ctx, cancel := context.WithCancel(t.Context())
	var called atomic.Int32
	for n := range maxAttempts + 5 {
		w.WriteMarkers(ctx, offsets(int64(n), 0), func([]error) { called.Add(1) })
	}
	for range maxAttempts {
		<-s.asked
	}
	cancel()
	w.Close()
	if n := called.Load(); n > maxAttempts {
		t.Errorf("%d attempts were made of %d", n, maxAttempts)
	}
	w.WriteMarkers(t.Context(), offsets(1, 0), func([]error) { t.Error("an attempt after Close") })
}
