package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// cursorAt is a cursor in a request; nil for an empty topic.
func cursorAt(topic string, partition int32) *kmsg.DescribeTopicPartitionsRequestCursor {
	if topic == "" {
		return nil
	}
	return &kmsg.DescribeTopicPartitionsRequestCursor{Topic: topic, Partition: partition}
}

// described is a response in short: each topic with its partitions or its error,
// then the cursor.
func described(r *kmsg.DescribeTopicPartitionsResponse) string {
	var out []string
	for _, t := range r.Topics {
		s := text(t.Topic)
		if t.ErrorCode != 0 {
			s += fmt.Sprint(" e", t.ErrorCode)
		}
		for _, p := range t.Partitions {
			s += fmt.Sprint(" ", p.Partition)
		}
		out = append(out, s)
	}
	s := strings.Join(out, "; ")
	if r.NextCursor != nil {
		s += fmt.Sprintf(" -> %s %d", r.NextCursor.Topic, r.NextCursor.Partition)
	}
	return s
}

func TestDescribeTopicPartitions(t *testing.T) {
	f := newFixture(t, "max.request.partition.size.limit", "5")
	f.topic("b", 3)
	f.topic("a", 2)
	f.topic("c", 1)
	f.topic("d", 3)
	for _, c := range []struct {
		topics    string // separated by spaces; none: all
		limit     int32
		cursor    string
		partition int32
		want      string
	}{
		{"b c a", 10, "", 0, "a 0 1; b 0 1 2 -> c 0"},
		{"b a", 10, "", 0, "a 0 1; b 0 1 2"},
		{"", 10, "", 0, "a 0 1; b 0 1 2 -> c 0"},
		{"", 10, "c", 0, "c 0; d 0 1 2"},
		{"", 10, "bb", 7, "c 0; d 0 1 2"},
		{"", 10, "z", 0, ""},
		{"b c a", -1, "", 0, "a 0 -> a 1"},
		{"b c a", 0, "", 0, "a 0 -> a 1"},
		{"b c a", 1, "a", 1, "a 1 -> b 0"},
		{"b c a", 2, "b", 0, "b 0 1 -> b 2"},
		{"b c a", 2, "b", 2, "b 2; c 0"},
		{"b c a", 1, "b", 2, "b 2 -> c 0"},
		{"b c a", 5, "b", 3, "b; c 0"},
		{"b c a", 5, "b", 1 << 30, "b; c 0"},
		{"a a", 5, "", 0, "a 0 1"},
		{"none a z", 2, "", 0, "a 0 1 -> none 0"},
		{"none a z", 3, "", 0, "a 0 1; none e3; z e3"},
		{"a , z", 3, "", 0, ", e17; a 0 1; z e3"},
		{"none a", 5, "none", 2, "none e3"},
		{"b c", 5, "bb", 0, "b e42; c e42"},
		{"b c", 5, "b", -1, "b e42; c e42"},
		{"", 5, "b", -1, ""},
	} {
		r := kmsg.NewPtrDescribeTopicPartitionsRequest()
		r.ResponsePartitionLimit, r.Cursor = c.limit, cursorAt(c.cursor, c.partition)
		for _, topic := range strings.Fields(c.topics) {
			r.Topics = append(r.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: topic})
		}
		equal(t, fmt.Sprintf("%+v", c), described(ask[*kmsg.DescribeTopicPartitionsResponse](f, r)), c.want)
	}
}

func TestDescribeTopicPartitionsState(t *testing.T) {
	f := newFixture(t)
	id := f.topic(groupMetadataTopic, 1).ID
	r := kmsg.NewPtrDescribeTopicPartitionsRequest()
	r.Topics = append(r.Topics, kmsg.DescribeTopicPartitionsRequestTopic{Topic: groupMetadataTopic})
	got := ask[*kmsg.DescribeTopicPartitionsResponse](f, r).Topics[0]
	equal(t, "id", got.TopicID, id)
	equal(t, "internal", got.IsInternal, true)
	equal(t, "operations", got.AuthorizedOperations, 3576)
	p := got.Partitions[0]
	equal(t, "partition", fmt.Sprintf("leader %d in %d of %v, in sync %v, eligible %v, last known %v, offline %v", p.LeaderID, p.LeaderEpoch,
		p.Replicas, p.ISR, p.EligibleLeaderReplicas, p.LastKnownELR, p.OfflineReplicas),
		"leader 1 in 0 of [1], in sync [1], eligible [], last known [], offline []")
}
