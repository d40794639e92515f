package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// deletion is one partition of a DeleteRecords request.
type deletion struct {
	topic     string
	partition int32
	offset    int64
}

func deleteRecordsRequest(version int16, deletions ...deletion) *kmsg.DeleteRecordsRequest {
	r := kmsg.NewPtrDeleteRecordsRequest()
	r.Version, r.TimeoutMillis = version, 30000
	for _, d := range deletions {
		p := kmsg.NewDeleteRecordsRequestTopicPartition()
		p.Partition, p.Offset = d.partition, d.offset
		t := kmsg.NewDeleteRecordsRequestTopic()
		t.Topic = d.topic
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
	}
	return r
}

func lowWatermarks(r *kmsg.DeleteRecordsResponse) (out []string) {
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%s-%d e%d low %d", t.Topic, p.Partition, p.ErrorCode, p.LowWatermark))
		}
	}
	return out
}

func TestDeleteRecords(t *testing.T) {
	f := newFixture(t)
	f.topic("compacted", 1, "cleanup.policy", "compact")
	f.topic("both", 1, "cleanup.policy", "compact,delete")
	f.topic(groupMetadataTopic, 1)
	f.append("compacted", 0, 1, 2)
	f.append("both", 0, 1, 2)
	f.versions(kmsg.NewPtrDeleteRecordsRequest(), func(v int16) {
		a := fmt.Sprint("a", v)
		f.topic(a, 2)
		f.append(a, 0, 1, 2, 3, 4, 5)
		f.append(a, 1, 1, 2, 3, 4, 5)
		for _, c := range []struct {
			what string
			ask  []deletion
			want []string
		}{
			{"inside a batch", []deletion{{a, 0, 2}}, []string{a + "-0 e0 low 2"}},
			{"back", []deletion{{a, 0, 1}}, []string{a + "-0 e0 low 2"}},
			{"beyond the end", []deletion{{a, 0, 6}}, []string{a + "-0 e1 low -1"}},
			{"less than -1", []deletion{{a, 0, -2}}, []string{a + "-0 e1 low -1"}},
			{"to the high watermark", []deletion{{a, 0, -1}}, []string{a + "-0 e0 low 5"}},
			{"twice: the last counts", []deletion{{a, 1, 3}, {a, 1, 2}}, []string{a + "-1 e0 low 2"}},
			{"unknown", []deletion{{"none", 0, 0}, {a, 9, 0}, {a, -1, 0}}, []string{"none-0 e3 low -1", a + "-9 e3 low -1", a + "--1 e3 low -1"}},
			{"compacted", []deletion{{"compacted", 0, 1}, {"both", 0, 1}}, []string{"compacted-0 e44 low -1", "both-0 e0 low 1"}},
			{"internal", []deletion{{groupMetadataTopic, 0, 0}}, []string{groupMetadataTopic + "-0 e17 low -1"}},
			{"nothing", nil, nil},
		} {
			equal(t, fmt.Sprint("version ", v, ": ", c.what), lowWatermarks(ask[*kmsg.DeleteRecordsResponse](f, deleteRecordsRequest(v, c.ask...))), c.want)
		}
	})
}
