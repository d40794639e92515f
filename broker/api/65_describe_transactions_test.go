package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeTransactions(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 2)
	p := f.producer("t")
	none := func(id string, code int16) kmsg.DescribeTransactionsResponseTransactionState {
		return kmsg.DescribeTransactionsResponseTransactionState{TransactionalID: id, ErrorCode: code}
	}
	equal(t, "unknown", f.describeTxn("nope"), none("nope", 105))
	equal(t, "empty", f.describeTxn(""), none("", 42))
	want := none("t", 0)
	want.State, want.TimeoutMillis, want.StartTimestamp, want.ProducerID = "Empty", 60_000, -1, p.id
	equal(t, "Empty", f.describeTxn("t"), want)
	p.add(3, "a", 1, 0)
	got := f.describeTxn("t")
	if got.StartTimestamp <= 0 {
		t.Errorf("started at %d", got.StartTimestamp)
	}
	want.State, want.StartTimestamp = "Ongoing", got.StartTimestamp
	want.Topics = []kmsg.DescribeTransactionsResponseTransactionStateTopic{{Topic: "a", Partitions: []int32{0, 1}}}
	equal(t, "Ongoing", got, want)
	p.end(3, false)
	awaitState(f, "t", "CompleteAbort")
	want.State, want.Topics = "CompleteAbort", nil
	equal(t, "CompleteAbort", f.describeTxn("t"), want)
}
