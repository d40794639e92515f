package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// endOf is one partition of an OffsetForLeaderEpoch request.
type endOf struct {
	topic     string
	partition int32
	epoch     int32 // whose end is asked for
	current   int32 // the client's view of the leader epoch
}

func offsetForLeaderEpochRequest(version int16, ends ...endOf) *kmsg.OffsetForLeaderEpochRequest {
	r := kmsg.NewPtrOffsetForLeaderEpochRequest()
	r.Version = version
	for _, e := range ends {
		p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
		p.Partition, p.LeaderEpoch, p.CurrentLeaderEpoch = e.partition, e.epoch, e.current
		t := kmsg.NewOffsetForLeaderEpochRequestTopic()
		t.Topic = e.topic
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
	}
	return r
}

func TestOffsetForLeaderEpoch(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	f.append("a", 0, 1, 2)
	p := f.partition("a", 0)
	// Another election: this broker leads again from offset 2 on.
	state := p.State()
	state.LeaderEpoch, state.PartitionEpoch = 4, state.PartitionEpoch+1
	if err := p.Apply(state); err != nil {
		t.Fatal(err)
	}
	f.append("a", 0, 3)
	f.versions(kmsg.NewPtrOffsetForLeaderEpochRequest(), func(v int16) {
		for _, c := range []struct {
			ask  endOf
			want string
		}{
			{endOf{"a", 0, 0, -1}, "a-0 e0 epoch 0 end 2"},
			{endOf{"a", 0, 0, 4}, "a-0 e0 epoch 0 end 2"},
			{endOf{"a", 0, 3, -1}, "a-0 e0 epoch 0 end 2"},
			{endOf{"a", 0, 4, -1}, "a-0 e0 epoch 4 end 3"},
			{endOf{"a", 0, 5, -1}, "a-0 e0 epoch -1 end -1"},
			{endOf{"a", 0, -1, -1}, "a-0 e0 epoch -1 end -1"},
			{endOf{"a", 0, -7, -1}, "a-0 e0 epoch -7 end 0"},
			{endOf{"a", 0, 0, 3}, "a-0 e74 epoch -1 end -1"},
			{endOf{"a", 0, 0, 5}, "a-0 e75 epoch -1 end -1"},
			{endOf{"a", 1, 0, -1}, "a-1 e3 epoch -1 end -1"},
			{endOf{"none", 0, 0, -1}, "none-0 e3 epoch -1 end -1"},
		} {
			got := ask[*kmsg.OffsetForLeaderEpochResponse](f, offsetForLeaderEpochRequest(v, c.ask)).Topics[0]
			equal(t, fmt.Sprintf("version %d, %+v", v, c.ask), fmt.Sprintf("%s-%d e%d epoch %d end %d", got.Topic,
				got.Partitions[0].Partition, got.Partitions[0].ErrorCode, got.Partitions[0].LeaderEpoch, got.Partitions[0].EndOffset), c.want)
		}
	})
	// As often as it is asked, and in that order.
	again := endOf{"a", 0, 0, -1}
	equal(t, "answers", len(ask[*kmsg.OffsetForLeaderEpochResponse](f, offsetForLeaderEpochRequest(4, again, again)).Topics), 2)
}
