package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestEndTxn walks both protocols through what a producer does and what it does
// not hear in time; machine scripts of controller/txn know all the rest.
func TestEndTxn(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	f.versions(kmsg.NewPtrEndTxnRequest(), func(v int16) {
		version := fmt.Sprint("version ", v)
		p := f.producer(fmt.Sprint("t", v))
		equal(t, version+", a commit of nothing", p.end(v, true), kerr.InvalidTxnState.Code)
		nothing := kerr.InvalidTxnState.Code
		if v >= 5 {
			nothing = 0
		}
		equal(t, version+", an abort of nothing", p.end(v, false), nothing)

		p.add(min(v, 3), "a", 0)
		before := *p
		f.marked.hold()
		equal(t, version+", a commit", p.end(v, true), 0)
		equal(t, version, f.describeTxn(p.txnID).State, "PrepareCommit")
		again := before
		equal(t, version+", a commit that is under way", again.end(v, true), kerr.ConcurrentTransactions.Code)
		equal(t, version+", an abort while the commit is under way", again.end(v, false), kerr.ConcurrentTransactions.Code)
		f.marked.release()
		awaitState(f, p.txnID, "CompleteCommit")
		equal(t, version+", a commit once more", again.end(v, true), 0)
		if v >= 5 {
			equal(t, "what the retry is told", again, *p)
			equal(t, "an epoch for each end", p.epoch, before.epoch+1)
			again = before
		}
		equal(t, version+", an abort of what was committed", again.end(v, false), kerr.InvalidTxnState.Code)

		fenced := kerr.ProducerFenced.Code
		if v < 2 {
			fenced = kerr.InvalidProducerEpoch.Code
		}
		other := *p
		other.epoch += 7
		equal(t, version+", another epoch", other.end(v, true), fenced)
		other = *p
		other.id += 1000
		equal(t, version+", another producer id", other.end(v, true), kerr.InvalidProducerIDMapping.Code)
		other.txnID = ""
		equal(t, version+", no transactional id", other.end(v, true), kerr.InvalidRequest.Code)
	})
}

// awaitState waits until the coordinator has a transactional id in a state.
func awaitState(f *fixture, id, state string) {
	f.Helper()
	for f.Context().Err() == nil {
		if f.describeTxn(id).State == state {
			return
		}
	}
}
