package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func createPartitionsRequest(version int16, topics ...kmsg.CreatePartitionsRequestTopic) *kmsg.CreatePartitionsRequest {
	r := kmsg.NewPtrCreatePartitionsRequest()
	r.Version, r.TimeoutMillis, r.Topics = version, 30000, topics
	return r
}

// grown asks for a topic of count partitions; assignments are the replicas of
// those that are new.
func grown(topic string, count int32, assignments ...[]int32) kmsg.CreatePartitionsRequestTopic {
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, count
	for _, replicas := range assignments {
		a := kmsg.NewCreatePartitionsRequestTopicAssignment()
		a.Replicas = replicas
		t.Assignment = append(t.Assignment, a)
	}
	return t
}

func grownTo(r *kmsg.CreatePartitionsResponse) (out []string) {
	for _, t := range r.Topics {
		out = append(out, fmt.Sprintf("%s e%d %s", t.Topic, t.ErrorCode, text(t.ErrorMessage)))
	}
	return out
}

func TestCreatePartitions(t *testing.T) {
	f := newFixture(t)
	empty := grown("a", 3)
	empty.Assignment = []kmsg.CreatePartitionsRequestTopicAssignment{}
	f.topic("a", 2)
	f.topic("b", 1)
	for name, c := range map[string]struct {
		topics []kmsg.CreatePartitionsRequestTopic
		want   []string
	}{
		"nothing":  {nil, nil},
		"as it is": {[]kmsg.CreatePartitionsRequestTopic{grown("a", 2)}, []string{"a e37 Topic already has 2 partition(s)."}},
		"fewer": {[]kmsg.CreatePartitionsRequestTopic{grown("a", -1)},
			[]string{"a e37 The topic a currently has 2 partition(s); -1 would not be an increase."}},
		"too many": {[]kmsg.CreatePartitionsRequestTopic{grown("a", 1<<31-1)},
			[]string{"a e44 Unable to perform excessively large batch operation."}},
		"unknown": {[]kmsg.CreatePartitionsRequestTopic{grown("none", 4), grown("", 4)}, []string{"none e3 null", " e3 null"}},
		"twice":   {[]kmsg.CreatePartitionsRequestTopic{grown("b", 2), grown("b", 3)}, []string{"b e42 Duplicate topic name."}},
		"an empty list of replicas": {[]kmsg.CreatePartitionsRequestTopic{empty},
			[]string{"a e39 Attempted to add 1 additional partition(s), but only 0 assignment(s) were specified."}},
		"an unknown broker": {[]kmsg.CreatePartitionsRequestTopic{grown("a", 3, []int32{7})},
			[]string{"a e39 The manual partition assignment includes broker 7, but no such broker is registered."}},
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, "answer", grownTo(ask[*kmsg.CreatePartitionsResponse](f, createPartitionsRequest(3, c.topics...))), c.want)
		})
	}
	count := int32(2)
	f.versions(kmsg.NewPtrCreatePartitionsRequest(), func(v int16) {
		r := createPartitionsRequest(v, grown("a", count+2, []int32{1}, []int32{1}))
		r.ValidateOnly = true
		equal(t, "validate only", grownTo(ask[*kmsg.CreatePartitionsResponse](f, r)), []string{"a e0 null"})
		if _, err := f.Partitions.Get("a", count); err == nil {
			t.Fatalf("version %d: validate only created a partition", v)
		}
		r.ValidateOnly = false
		equal(t, "create", grownTo(ask[*kmsg.CreatePartitionsResponse](f, r)), []string{"a e0 null"})
		count += 2
		f.partition("a", count-1) // what is answered is served
	})
}
