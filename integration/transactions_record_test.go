package integration

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"blumfeld/integration/txncheck"
)

// This file keeps the history of a round of TestTransactions: what each client did, was told and saw.

// recorder is written to by all clients of a round.
type recorder struct {
	clock atomic.Int64 // of the history's moments

	mu        sync.Mutex
	producers int
	names     map[int]string // of producers
	plain     map[int]bool   // of producers: writes no transactions
	txns      []txncheck.Txn
	seen      map[string]map[txncheck.TP][]txncheck.Sighting // by reader; the members of a group are one
}

func newRecorder() *recorder {
	return &recorder{names: make(map[int]string), plain: make(map[int]bool), seen: make(map[string]map[txncheck.TP][]txncheck.Sighting)}
}

// producer returns the number of a new one.
func (r *recorder) producer(name string, plain bool) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.producers++
	r.names[r.producers], r.plain[r.producers] = name, plain
	return r.producers
}

// begin says that a producer begins a transaction, and returns its number.
func (r *recorder) begin(producer int, group string) (txn int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.txns = append(r.txns, txncheck.Txn{Producer: producer, Name: r.names[producer], Group: group})
	return len(r.txns) - 1
}

// write says that a record is about to be sent, and returns the value by which it is known.
func (r *recorder) write(txn int, w txncheck.Write) []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &r.txns[txn]
	t.Writes = append(t.Writes, w)
	return fmt.Appendf(nil, "%d/%d", txn, len(t.Writes)-1)
}

// ask says that a commit is about to be asked for.
func (r *recorder) ask(txn int) {
	at := r.clock.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.txns[txn].Asked = at
}

// end says what a client was told.
func (r *recorder) end(txn int, outcome txncheck.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.txns[txn].Outcome = outcome
}

// see says that a reader has been given a record.
func (r *recorder) see(reader string, record *kgo.Record) error {
	at := r.clock.Add(1)
	what, err := identify(record)
	if err != nil {
		return err
	}
	tp := txncheck.TP{Topic: record.Topic, Partition: record.Partition}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seen[reader] == nil {
		r.seen[reader] = make(map[txncheck.TP][]txncheck.Sighting)
	}
	r.seen[reader][tp] = append(r.seen[reader][tp], txncheck.Sighting{Record: what, At: at})
	return nil
}

// last is the highest offset at which a reader has seen a record, -1 if none.
func (r *recorder) last(reader string, tp txncheck.TP) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if list := r.seen[reader][tp]; len(list) > 0 {
		return list[len(list)-1].Offset
	}
	return -1
}

// close settles what nobody asked to be committed, and counts the transactions of each outcome, and the records outside of
// them. Nobody writes any more.
func (r *recorder) close() (outcomes [3]int, plain int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.txns {
		t := &r.txns[i]
		if t.Asked == 0 {
			t.Outcome = txncheck.Aborted
		}
		if r.plain[t.Producer] {
			plain++
		} else {
			outcomes[t.Outcome]++
		}
	}
	return outcomes, plain
}

// identify returns whose record it is.
func identify(r *kgo.Record) (txncheck.Record, error) {
	what := txncheck.Record{Offset: r.Offset}
	if _, err := fmt.Sscanf(string(r.Value), "%d/%d", &what.Txn, &what.N); err != nil {
		return what, fmt.Errorf("%s-%d, offset %d has a record that nobody wrote: %q", r.Topic, r.Partition, r.Offset, r.Value)
	}
	return what, nil
}
