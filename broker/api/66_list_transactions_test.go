package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestListTransactions(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	list := func(version int16, change func(*kmsg.ListTransactionsRequest)) (found []string) {
		r := kmsg.NewPtrListTransactionsRequest()
		r.Version = version
		change(r)
		got := ask[*kmsg.ListTransactionsResponse](f, r)
		if got.ErrorCode != 0 {
			found = append(found, fmt.Sprint("e", got.ErrorCode))
		}
		for _, s := range got.UnknownStateFilters {
			found = append(found, "?"+s)
		}
		for _, s := range got.TransactionStates {
			found = append(found, s.TransactionalID+" "+s.TransactionState)
		}
		return found
	}
	all := func(*kmsg.ListTransactionsRequest) {}
	equal(t, "none", len(list(2, all)), 0)
	f.producer("idle")
	busy := f.producer("busy")
	busy.add(3, "a", 0)
	f.versions(kmsg.NewPtrListTransactionsRequest(), func(v int16) {
		for _, c := range []struct {
			what   string
			change func(*kmsg.ListTransactionsRequest)
			since  int16
			want   string
		}{
			{"all", all, 0, "[busy Ongoing idle Empty]"},
			{"by state", func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"Ongoing", "Dead"} }, 0, "[busy Ongoing]"},
			{"by a state that there is not", func(r *kmsg.ListTransactionsRequest) { r.StateFilters = []string{"ongoing", "Empty"} }, 0, "[?ongoing idle Empty]"},
			{"by producer", func(r *kmsg.ListTransactionsRequest) { r.ProducerIDFilters = []int64{busy.id, 999} }, 0, "[busy Ongoing]"},
			{"by how long", func(r *kmsg.ListTransactionsRequest) { r.DurationFilterMillis = 3_600_000 }, 1, "[idle Empty]"},
			{"by pattern", func(r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = kmsg.StringPtr("b.*") }, 2, "[busy Ongoing]"},
			{"by a part of it", func(r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = kmsg.StringPtr("us") }, 2, "[]"},
			{"by a pattern that is none", func(r *kmsg.ListTransactionsRequest) { r.TransactionalIDPattern = kmsg.StringPtr("(") }, 2, "[e128]"},
		} {
			if v >= c.since {
				equal(t, fmt.Sprint(c.what, ", version ", v), fmt.Sprint(list(v, c.change)), c.want)
			}
		}
	})
}
