package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestOffsetFetchVersions(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 3)
	f.commit("g", offset{"a", 2, 20}, offset{"a", 0, 10})
	f.versions(kmsg.NewPtrOffsetFetchRequest(), func(v int16) {
		epoch := "3"
		if v < 5 {
			epoch = "-1"
		}
		first, second := "a-2 20 "+epoch+` "note" e0`, "a-0 10 "+epoch+` "note" e0`
		some := f.fetchRequest(v, "g", offset{"a", 2, 0}, offset{"missing", 1, 0}, offset{"a", 1, 0}, offset{"a", 9, 0}, offset{"a", 0, 0})
		want := []string{first, `missing-1 -1 -1 "" e0`, `a-1 -1 -1 "" e0`, `a-9 -1 -1 "" e0`, second}
		if v >= 10 {
			want = []string{first, `a-1 -1 -1 "" e0`, `a-9 -1 -1 "" e0`, second, `?-1 -1 -1 "" e100`}
		}
		equal(t, "some", f.fetched(ask[*kmsg.OffsetFetchResponse](f, some)), want)
		unknown := f.fetchRequest(v, "nobody's", offset{"a", 0, 0})
		equal(t, "an unknown group", f.fetched(ask[*kmsg.OffsetFetchResponse](f, unknown)), []string{`a-0 -1 -1 "" e0`})
		if v < 2 {
			return
		}
		equal(t, "all", f.fetched(ask[*kmsg.OffsetFetchResponse](f, f.fetchRequest(v, "g"))), []string{second, first})
		equal(t, "all of an unknown group", f.fetched(ask[*kmsg.OffsetFetchResponse](f, f.fetchRequest(v, "nobody's"))), nil)
	})
}

func TestOffsetFetchManyGroups(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	f.commit("g", offset{"a", 0, 1})
	f.commit("h", offset{"a", 0, 2})
	r := f.fetchRequest(8, "g", offset{"a", 0, 0})
	for _, group := range []string{"h", "none", "g"} {
		r.Groups = append(r.Groups, f.fetchRequest(8, group).Groups...)
	}
	got := ask[*kmsg.OffsetFetchResponse](f, r)
	var groups []string
	for _, g := range got.Groups {
		groups = append(groups, g.Group)
	}
	equal(t, "groups", groups, []string{"g", "h", "none", "g"})
	equal(t, "offsets", f.fetched(got), []string{`a-0 1 3 "note" e0`, `a-0 2 3 "note" e0`, `a-0 1 3 "note" e0`})
}

// No partitions asked for is not all of them.
func TestOffsetFetchOfNothing(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	f.commit("g", offset{"a", 0, 1})
	f.versions(kmsg.NewPtrOffsetFetchRequest(), func(v int16) {
		r := f.fetchRequest(v, "g")
		r.Topics = []kmsg.OffsetFetchRequestTopic{}
		r.Groups[0].Topics = []kmsg.OffsetFetchRequestGroupTopic{}
		equal(t, "offsets", f.fetched(ask[*kmsg.OffsetFetchResponse](f, r)), nil)
	})
}

// Version 1 has no place for a group's error.
func TestOffsetFetchErrorOfVersion1(t *testing.T) {
	out := kmsg.NewPtrOffsetFetchResponse()
	out.Version = 1
	asked := kmsg.OffsetFetchRequestGroup{Topics: []kmsg.OffsetFetchRequestGroupTopic{{Topic: "a", Partitions: []int32{4}}}}
	single(out, asked, kmsg.OffsetFetchResponseGroup{ErrorCode: 16})
	equal(t, "partition", out.Topics[0].Partitions[0], kmsg.OffsetFetchResponseTopicPartition{
		Partition: 4, Offset: -1, LeaderEpoch: -1, Metadata: kmsg.StringPtr(""), ErrorCode: 16,
	})
}
