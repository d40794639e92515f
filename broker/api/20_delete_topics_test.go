package api

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// deleteTopicsRequest asks for topics: a string is a name, [16]byte an id.
func deleteTopicsRequest(version int16, topics ...any) *kmsg.DeleteTopicsRequest {
	r := kmsg.NewPtrDeleteTopicsRequest()
	r.Version, r.TimeoutMillis = version, 30000
	for _, topic := range topics {
		t := kmsg.NewDeleteTopicsRequestTopic()
		switch ref := topic.(type) {
		case string:
			r.TopicNames = append(r.TopicNames, ref)
			t.Topic = &ref
		case [16]byte:
			t.TopicID = ref
		case kmsg.DeleteTopicsRequestTopic:
			t = ref
		}
		r.Topics = append(r.Topics, t)
	}
	return r
}

// deleted is a response in short, sorted: Kafka shuffles it.
func deleted(r *kmsg.DeleteTopicsResponse) (out []string) {
	for _, t := range r.Topics {
		out = append(out, fmt.Sprintf("%s e%d %s", text(t.Topic), t.ErrorCode, text(t.ErrorMessage)))
	}
	slices.Sort(out)
	return out
}

const (
	unknownTopic   = "This server does not host this topic-partition."
	unknownTopicID = "This server does not host this topic ID."
)

func TestDeleteTopics(t *testing.T) {
	f := newFixture(t)
	f.versions(kmsg.NewPtrDeleteTopicsRequest(), func(v int16) {
		a, b := fmt.Sprint("a", v), fmt.Sprint("b", v)
		f.topic(a, 1)
		f.topic(b, 1)
		why := func(message string) string { // messages came with version 5
			if v < 5 {
				return "null"
			}
			return message
		}
		for _, c := range []struct {
			topics []any
			want   []string
		}{
			{[]any{a, a, a, "none"}, []string{a + " e42 " + why("Duplicate topic name."), "none e3 " + why(unknownTopic)}},
			{[]any{a, "", "a b"}, []string{" e3 " + why(unknownTopic), "a b e3 " + why(unknownTopic), a + " e0 null"}},
			{[]any{a}, []string{a + " e3 " + why(unknownTopic)}},
			{nil, nil},
		} {
			equal(t, fmt.Sprint("version ", v, " ", c.topics), deleted(ask[*kmsg.DeleteTopicsResponse](f, deleteTopicsRequest(v, c.topics...))), c.want)
		}
		if _, err := f.Partitions.Get(a, 0); err == nil {
			t.Errorf("version %d: a deleted topic is still served", v)
		}
		f.partition(b, 0)
	})
}

func TestDeleteTopicsByID(t *testing.T) {
	f := newFixture(t)
	id := f.topic("a", 1).ID
	both := kmsg.DeleteTopicsRequestTopic{Topic: kmsg.StringPtr("a"), TopicID: id}
	nameless := kmsg.DeleteTopicsRequestTopic{Topic: kmsg.StringPtr(""), TopicID: id}
	const overspecified = "You may not specify both topic name and topic id."
	for _, c := range []struct {
		what   string
		topics []any
		want   []string
	}{
		{"name and id in one", []any{both}, []string{"a e42 " + overspecified}},
		{"empty name and id in one", []any{nameless}, []string{" e42 " + overspecified}},
		{"neither", []any{[16]byte{}}, []string{"null e42 Neither topic name nor id were specified."}},
		{"twice by id", []any{id, id}, []string{"null e42 Duplicate topic id."}},
		{"by name and by id", []any{id, "a"}, []string{"a e42 The provided topic name maps to an ID that was already supplied."}},
		{"unknown", []any{[16]byte{1}}, []string{"null e100 " + unknownTopicID}},
		{"known", []any{id}, []string{"a e0 null"}},
		{"again", []any{id}, []string{"null e100 " + unknownTopicID}},
	} {
		equal(t, c.what, deleted(ask[*kmsg.DeleteTopicsResponse](f, deleteTopicsRequest(6, c.topics...))), c.want)
	}
}

func TestDeleteTopicsDisabled(t *testing.T) {
	f := newFixture(t, "delete.topic.enable", "false")
	f.topic("a", 1)
	f.versions(kmsg.NewPtrDeleteTopicsRequest(), func(v int16) {
		want := "e73 null"
		if v < 3 {
			want = "e42 null"
		}
		got := deleted(ask[*kmsg.DeleteTopicsResponse](f, deleteTopicsRequest(v, "a", "a", "none")))
		equal(t, fmt.Sprint("version ", v), got, []string{"a " + want, "a " + want, "none " + want})
	})
	f.partition("a", 0)
}
