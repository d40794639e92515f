package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestOffsetCommitVersions(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 2)
	f.versions(kmsg.NewPtrOffsetCommitRequest(), func(v int16) {
		unknown := 3
		if v >= 10 {
			unknown = 100
		}
		group, name := fmt.Sprint("group-", v), "missing"
		if v >= 10 {
			name = "?"
		}
		r := f.commitRequest(v, group, offset{"a", 0, int64(v)}, offset{"a", 17, 1}, offset{"a", -1, 1}, offset{"missing", 0, 1}, offset{"a", 1, 9})
		equal(t, group, f.committed(ask[*kmsg.OffsetCommitResponse](f, r)), []string{
			"a-17 e3", "a--1 e3", "a-0 e0", "a-1 e0", fmt.Sprint(name, "-0 e", unknown),
		})
		epoch := 3
		if v < 6 {
			epoch = -1
		}
		equal(t, group, f.allOffsetsOf(group), []string{
			fmt.Sprintf(`a-0 %d %d "note" e0`, v, epoch), fmt.Sprintf(`a-1 9 %d "note" e0`, epoch),
		})
	})
}

func TestOffsetCommitErrors(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 3)
	member, generation := f.member("stable")
	f.commit("simple", offset{"a", 0, 1})
	instance := kmsg.StringPtr("instance")
	for _, c := range []struct {
		what, group, member string
		generation          int32
		instance            *string
		want, before9       int16
	}{
		{"a simple consumer", "simple", "", -1, nil, 0, 0},
		{"the group without name", "", "", -1, nil, 0, 0},
		{"a member of a simple group", "simple", "m", 0, nil, 25, 25},
		{"a member without generation", "simple", "m", -1, nil, 0, 0},
		{"a member of no group", "none", "m", 3, nil, 69, 22},
		{"the member", "stable", member, generation, nil, 0, 0},
		{"another generation", "stable", member, generation + 1, nil, 22, 22},
		{"an old generation", "stable", member, generation - 1, nil, 22, 22},
		{"no generation", "stable", member, -1, nil, 22, 22},
		{"another member", "stable", "m", generation, nil, 25, 25},
		{"no member", "stable", "", generation, nil, 25, 25},
		{"a simple consumer in a group that is in use", "stable", "", -1, nil, 25, 25},
		{"an unknown instance", "stable", member, generation, instance, 25, 25},
	} {
		for _, v := range []int16{8, 9, 10} {
			r := f.commitRequest(v, c.group, offset{"a", 2, 8})
			r.MemberID, r.Generation, r.InstanceID = c.member, c.generation, c.instance
			want := c.want
			if v < 9 {
				want = c.before9
			}
			equal(t, fmt.Sprint(c.what, ", version ", v), f.committed(ask[*kmsg.OffsetCommitResponse](f, r)), []string{fmt.Sprint("a-2 e", want)})
		}
	}
}

func TestOffsetCommitMetadata(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 3)
	r := f.commitRequest(9, "g", offset{"a", 0, 1}, offset{"a", 1, 1}, offset{"a", 2, 1})
	p := r.Topics[0].Partitions
	p[0].Metadata, p[1].Metadata, p[2].Metadata = kmsg.StringPtr(strings.Repeat("x", 4096)), kmsg.StringPtr(strings.Repeat("x", 4097)), nil
	equal(t, "errors", f.committed(ask[*kmsg.OffsetCommitResponse](f, r)), []string{"a-0 e0", "a-1 e12", "a-2 e0"})
	equal(t, "offsets", f.allOffsetsOf("g"), []string{fmt.Sprintf(`a-0 1 3 %q e0`, strings.Repeat("x", 4096)), `a-2 1 3 "" e0`})
}

// Nothing to commit makes no group.
func TestOffsetCommitOfNothing(t *testing.T) {
	f := newFixture(t)
	for _, r := range []*kmsg.OffsetCommitRequest{f.commitRequest(9, "g"), f.commitRequest(9, "g", offset{"missing", 0, 1})} {
		ask[*kmsg.OffsetCommitResponse](f, r)
		equal(t, "state", f.describe("g").State, "Dead")
	}
}

func TestTopicsDeletedTakesTheirOffsets(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	f.topic("b", 1)
	f.commit("g", offset{"a", 0, 1}, offset{"b", 0, 2})
	f.Groups.TopicsDeleted([]string{"a"})
	f.commit("g", offset{"b", 0, 3}) // after it in the group's order
	equal(t, "offsets", f.allOffsetsOf("g"), []string{`b-0 3 3 "note" e0`})
}
