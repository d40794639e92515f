package replica

import (
	"errors"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/logstore"
	"blumfeld/protocol/batch"
)

// begin appends the first batch of a producer's transaction.
func begin(t *testing.T, p *Partition, producer int64) Appended {
	t.Helper()
	v, needed, err := p.BeginVerification(producer, 0, 0, true)
	if err != nil || !needed {
		t.Fatalf("verification needed: %v, %v", needed, err)
	}
	w := batch.NewBuilder()
	w.ProducerID, w.ProducerEpoch, w.BaseSequence, w.Transactional = producer, 0, 0, true
	b := w.Add(batch.Record{Timestamp: 1, Value: make([]byte, 100)}).Build()
	if _, err := p.Append(b, -1, Verification{}); !errors.Is(err, kerr.InvalidTxnState) {
		t.Fatalf("without verification: %v", err)
	}
	a, err := p.Append(b, -1, v)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestMarkerShowsTheWholeTransaction: who waits for more committed data than a
// marker has bytes is woken by it, and is told what was aborted.
func TestMarkerShowsTheWholeTransaction(t *testing.T) {
	p := testPartition(t, logstore.DefaultConfig(), self)
	begin(t, p, 7)
	begin(t, p, 8)
	f := FetchParams{MaxBytes: 1000, AtLeastOne: true, ReadCommitted: true, ReplicaID: -1, CurrentLeaderEpoch: -1, LastFetchedEpoch: -1}
	r, err := p.Fetch(f)
	if err != nil || r.Slice.Len() > 0 || r.Offsets.LastStable != 0 {
		t.Fatalf("%d bytes of open transactions, %+v, %v", r.Slice.Len(), r.Offsets, err)
	}
	w := NewWaiter(300)
	p.Register(w)
	defer p.Unregister(w)
	for producer, commit := range map[int64]bool{7: false, 8: true} {
		if _, err := p.AppendMarker(Marker{ProducerID: producer, Epoch: 1, Commit: commit, TransactionVersion: 2}); err != nil {
			t.Fatal(err)
		}
		if !ready(w) {
			t.Error("not woken by a marker")
		}
	}
	if r, err = p.Fetch(f); err != nil || r.Offsets.LastStable != 4 {
		t.Fatalf("%+v, %v", r.Offsets, err)
	}
	defer r.Slice.Release()
	if a := r.Slice.Aborted; len(a) != 1 || a[0] != (logstore.AbortedTxn{ProducerID: 7, FirstOffset: 0}) {
		t.Errorf("aborted: %+v", a)
	}
	f.ReadCommitted = false
	all, err := p.Fetch(f)
	if err != nil || all.Slice.Aborted != nil || all.Slice.Len() != r.Slice.Len() {
		t.Errorf("to who does not ask for committed data: %d bytes, aborted %+v, %v", all.Slice.Len(), all.Slice.Aborted, err)
	}
	all.Slice.Release()
}

// TestMarkersAreTheLeaders: only a leader takes markers and verifies, and markers
// only with enough replicas, which the transaction then waits for.
func TestMarkersAreTheLeaders(t *testing.T) {
	p := testPartition(t, logstore.DefaultConfig(), self, 2)
	p.configure(logstore.DefaultConfig(), 2)
	begin(t, p, 7)
	a, err := p.AppendMarker(Marker{ProducerID: 7})
	if err != nil {
		t.Fatal(err)
	}
	if p.Committed(a) || p.Log().Offsets().LastStable != 0 {
		t.Errorf("%+v before the other replica has it", p.Log().Offsets())
	}
	if !p.followed(2, a.LastOffset+1) || !p.Committed(a) || p.Log().Offsets().LastStable != a.LastOffset+1 {
		t.Errorf("%+v when the other replica has it", p.Log().Offsets())
	}
	apply(t, p, state(self, 0, self))
	if _, err := p.AppendMarker(Marker{ProducerID: 7}); !errors.Is(err, kerr.NotEnoughReplicas) {
		t.Errorf("with one replica of two: %v", err)
	}
	apply(t, p, state(2, 1, self, 2))
	if _, err := p.AppendMarker(Marker{ProducerID: 7}); !errors.Is(err, kerr.NotLeaderForPartition) {
		t.Errorf("to a follower: %v", err)
	}
	if _, _, err := p.BeginVerification(7, 0, 1, true); !errors.Is(err, kerr.NotLeaderForPartition) {
		t.Errorf("to a follower: %v", err)
	}
}
