package txn

import (
	"fmt"
	"testing"
	"time"

	"blumfeld/controller"
)

// TestOutcomes asks about what a log has open of each kind of transaction.
func TestOutcomes(t *testing.T) {
	tp := TopicPartition{"t", 0}
	for _, c := range []struct {
		name  string
		is    metadata
		epoch int16 // of the open transaction, of producer 7
		want  Outcome
	}{
		{"open", metadata{producerID: 7, epoch: 3, state: Ongoing, partitions: []TopicPartition{tp}}, 3, Pending},
		{"open elsewhere", metadata{producerID: 7, epoch: 3, state: Ongoing, partitions: []TopicPartition{{"t", 1}}}, 3, Aborted},
		{"being committed, new", metadata{producerID: 7, epoch: 4, lastEpoch: 3, version: 2, state: PrepareCommit, partitions: []TopicPartition{tp}}, 3, Pending},
		{"being aborted", metadata{producerID: 7, epoch: 4, state: PrepareAbort, partitions: []TopicPartition{tp}}, 3, Pending},
		{"committed, old", metadata{producerID: 7, epoch: 3, state: CompleteCommit}, 3, Committed},
		{"committed, new", metadata{producerID: 7, epoch: 4, lastEpoch: 3, version: 2, state: CompleteCommit}, 3, Committed},
		{"committed with the last epoch", metadata{producerID: 9, prevProducerID: 7, epoch: 0, lastEpoch: maxEpoch - 1, version: 2, state: CompleteCommit}, maxEpoch - 1, Committed},
		{"the one before was committed, old", metadata{producerID: 7, epoch: 3, state: CompleteCommit}, 2, Aborted},
		{"the one before was committed, new", metadata{producerID: 7, epoch: 4, lastEpoch: 3, version: 2, state: CompleteCommit}, 2, Aborted},
		{"aborted", metadata{producerID: 7, epoch: 4, lastEpoch: 3, version: 2, state: CompleteAbort}, 3, Aborted},
		{"none since", metadata{producerID: 7, epoch: 4, lastEpoch: 3, state: Empty}, 3, Aborted},
		{"another producer", metadata{producerID: 8, epoch: 3, state: Ongoing, partitions: []TopicPartition{tp}}, 3, Aborted},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := controller.NewMemStore()
			c.is.timeoutMs, c.is.updated = 60_000, millis(time.Now())
			if c.is.state == Ongoing {
				c.is.start = c.is.updated
			}
			_, _, err := store.Txn(t.Context(), nil, []controller.Op{controller.Put(idKey("id"), c.is.encode())})
			if err != nil {
				t.Fatal(err)
			}
			l := &leaders{held: true}
			coordinator := open(t, store, l)
			got := <-coordinator.Outcomes([]OpenTransaction{{7, c.epoch, tp}, {100, 0, tp}})
			if want := fmt.Sprint([]Outcome{c.want, Aborted}); got.Err != nil || fmt.Sprint(got.Outcomes) != want {
				t.Errorf("%v, error %v; want %s", got.Outcomes, got.Err, want)
			}
		})
	}
}
