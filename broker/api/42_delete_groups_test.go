package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDeleteGroupsVersions(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	f.member("stable")
	f.versions(kmsg.NewPtrDeleteGroupsRequest(), func(v int16) {
		f.commit("simple", offset{"a", 0, 1})
		r := kmsg.NewPtrDeleteGroupsRequest()
		r.Version, r.Groups = v, []string{"simple", "stable", "none", "simple", ""}
		var got []string
		for _, g := range ask[*kmsg.DeleteGroupsResponse](f, r).Groups {
			got = append(got, fmt.Sprint(g.Group, " e", g.ErrorCode))
		}
		equal(t, "deleted", got, []string{"simple e0", "stable e68", "none e69", " e69"})
		equal(t, "offsets", f.allOffsetsOf("simple"), nil)
	})
	equal(t, "stable", f.describe("stable").State, "Stable")
}

func TestOffsetDelete(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 2)
	f.commit("g", offset{"a", 0, 1}, offset{"a", 1, 2})
	send := func(group string) (lines []string) {
		r := kmsg.NewPtrOffsetDeleteRequest()
		r.Group = group
		for _, name := range []string{"a", "missing"} {
			o := kmsg.NewOffsetDeleteRequestTopic()
			o.Topic = name
			for _, p := range []int32{0, 9} {
				o.Partitions = append(o.Partitions, kmsg.OffsetDeleteRequestTopicPartition{Partition: p})
			}
			r.Topics = append(r.Topics, o)
		}
		got := ask[*kmsg.OffsetDeleteResponse](f, r)
		if got.ErrorCode != 0 {
			lines = append(lines, fmt.Sprint("e", got.ErrorCode))
		}
		for _, o := range got.Topics {
			for _, p := range o.Partitions {
				lines = append(lines, fmt.Sprintf("%s-%d e%d", o.Topic, p.Partition, p.ErrorCode))
			}
		}
		return lines
	}
	equal(t, "deleted", send("g"), []string{"a-9 e3", "a-0 e0", "missing-0 e3", "missing-9 e3"})
	equal(t, "left", f.allOffsetsOf("g"), []string{`a-1 2 3 "note" e0`})
	equal(t, "an unknown group", send("none"), []string{"e69"})
	equal(t, "no group", send(""), []string{"e24"})
}
