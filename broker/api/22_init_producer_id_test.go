package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestInitProducerID(t *testing.T) {
	f := newFixture(t)
	txn, none := kmsg.StringPtr("t"), kmsg.StringPtr("")
	for _, c := range []struct {
		what    string
		id      *string
		timeout int32
		pid     int64
		epoch   int16
		want    int16 // error
		before3 int16 // error in versions without producer id and epoch
	}{
		{"new", nil, 60000, -1, -1, 0, 0},
		{"the timeout does not matter", nil, -5, -1, -1, 0, 0},
		{"with id and epoch", nil, 60000, 5, 3, 0, 0},
		{"with the last epoch", nil, 60000, 5, 32767, 0, 0},
		{"with an id only", nil, 60000, 5, -1, 42, 0},
		{"with an epoch only", nil, 60000, -1, 5, 42, 0},
		{"an empty transactional id", none, 60000, -1, -1, 42, 42},
		{"a transaction that may take too long", txn, 900001, -1, -1, 50, 50},
		{"a transaction without time", txn, 0, -1, -1, 50, 50},
		{"a transactional id with a producer id only", txn, 60000, 5, -1, 42, 16},
		{"a transactional id before its topic exists", txn, 60000, -1, -1, 16, 16},
	} {
		f.versions(kmsg.NewPtrInitProducerIDRequest(), func(v int16) {
			r := kmsg.NewPtrInitProducerIDRequest()
			r.Version, r.TransactionalID, r.TransactionTimeoutMillis, r.ProducerID, r.ProducerEpoch = v, c.id, c.timeout, c.pid, c.epoch
			got := ask[*kmsg.InitProducerIDResponse](f, r)
			want, what := c.want, fmt.Sprint(c.what, ", version ", v)
			if v < 3 {
				want = c.before3
			}
			equal(t, what, got.ErrorCode, want)
			switch {
			case want != 0:
				equal(t, what, fmt.Sprint(got.ProducerID, got.ProducerEpoch), "-1 -1")
			case got.ProducerID < 0 || got.ProducerID == c.pid || got.ProducerEpoch != 0:
				t.Errorf("%s: producer id %d, epoch %d", what, got.ProducerID, got.ProducerEpoch)
			}
		})
	}
}

// A producer comes again and again: with its epoch, without it, and with one that
// was never given.
func TestInitTransactionalProducer(t *testing.T) {
	f := newFixture(t)
	f.coordinator()
	f.versions(kmsg.NewPtrInitProducerIDRequest(), func(v int16) {
		id := fmt.Sprint("t", v)
		first := ask[*kmsg.InitProducerIDResponse](f, initRequest(v, id))
		equal(t, "first", []int16{first.ErrorCode, first.ProducerEpoch}, []int16{0, 0})
		again := ask[*kmsg.InitProducerIDResponse](f, initRequest(v, id))
		equal(t, "again", []int64{int64(again.ErrorCode), again.ProducerID, int64(again.ProducerEpoch)}, []int64{0, first.ProducerID, 1})
		if v < 3 {
			return
		}
		named := initRequest(v, id)
		named.ProducerID, named.ProducerEpoch = first.ProducerID, 1
		mine := ask[*kmsg.InitProducerIDResponse](f, named)
		equal(t, "with its epoch", []int16{mine.ErrorCode, mine.ProducerEpoch}, []int16{0, 2})
		named.ProducerEpoch = 0
		late := ask[*kmsg.InitProducerIDResponse](f, named)
		want := kerr.ProducerFenced.Code
		if v < 4 {
			want = kerr.InvalidProducerEpoch.Code
		}
		equal(t, fmt.Sprint("fenced, version ", v), []int64{int64(late.ErrorCode), late.ProducerID, int64(late.ProducerEpoch)}, []int64{int64(want), -1, -1})
	})
}
