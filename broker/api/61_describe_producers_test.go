package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol/batch"
)

func describeProducersRequest(topic string, partitions ...int32) *kmsg.DescribeProducersRequest {
	r := kmsg.NewPtrDescribeProducersRequest()
	r.Topics = append(r.Topics, kmsg.DescribeProducersRequestTopic{Topic: topic, Partitions: partitions})
	return r
}

func TestDescribeProducers(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 2)
	for _, p := range []struct {
		id       int64
		epoch    int16
		sequence int32
		records  int
	}{{7, 0, 0, 2}, {7, 0, 2, 1}, {9, 4, 0, 1}} {
		b := batch.NewBuilder()
		b.ProducerID, b.ProducerEpoch, b.BaseSequence = p.id, p.epoch, p.sequence
		for n := range p.records {
			b.Add(batch.Record{Timestamp: int64(1000 + n), Value: []byte("v")})
		}
		f.appendBatch("a", 0, b)
	}
	f.append("a", 1, 1) // a producer without an id is not known
	for _, c := range []struct {
		topic string
		want  []string
	}{
		{"a", []string{"e0 null: 7 epoch 0 sequence 2 coordinator -1 transaction -1, 9 epoch 4 sequence 0 coordinator -1 transaction -1",
			"e0 null: ", "e3 null: ", "e3 null: "}},
		{"none", []string{"e3 " + unknownTopic + ": ", "e3 " + unknownTopic + ": ", "e3 " + unknownTopic + ": ", "e3 " + unknownTopic + ": "}},
		{"..", []string{"e17 Topic name is invalid: '..' is not allowed: ", "e17 Topic name is invalid: '..' is not allowed: ",
			"e17 Topic name is invalid: '..' is not allowed: ", "e17 Topic name is invalid: '..' is not allowed: "}},
	} {
		var got []string
		for _, p := range ask[*kmsg.DescribeProducersResponse](f, describeProducersRequest(c.topic, 0, 1, 2, -1)).Topics[0].Partitions {
			var producers []string
			for _, a := range p.ActiveProducers {
				if a.LastTimestamp <= 0 {
					t.Errorf("producer %d has the timestamp %d", a.ProducerID, a.LastTimestamp)
				}
				producers = append(producers, fmt.Sprintf("%d epoch %d sequence %d coordinator %d transaction %d",
					a.ProducerID, a.ProducerEpoch, a.LastSequence, a.CoordinatorEpoch, a.CurrentTxnStartOffset))
			}
			got = append(got, fmt.Sprintf("e%d %s: %s", p.ErrorCode, text(p.ErrorMessage), strings.Join(producers, ", ")))
		}
		equal(t, c.topic, got, c.want)
	}
}
