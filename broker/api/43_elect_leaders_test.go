package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

func TestElectLeaders(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 2)
	// The preferred leader of b-0 and c-0 is gone; nobody can lead c-0.
	if _, err := f.Controller.RegisterBroker(t.Context(), controller.Broker{ID: 2, Incarnation: [16]byte{2}}); err != nil {
		t.Fatal(err)
	}
	assigned := func(replicas ...int32) []controller.ReplicaAssignment {
		return []controller.ReplicaAssignment{{Partition: 0, Replicas: replicas}}
	}
	_, revision := f.Controller.CreateTopics(t.Context(), []controller.NewTopic{
		{Name: "b", Partitions: -1, ReplicationFactor: -1, Assignments: assigned(2, 1)},
		{Name: "c", Partitions: -1, ReplicationFactor: -1, Assignments: assigned(2)},
	}, false)
	if err := f.Partitions.Await(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	revision, err := f.Controller.UnregisterBroker(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Partitions.Await(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	const (
		notNeeded    = " e84 Leader election not needed for topic partition."
		notPreferred = " e80 The preferred leader was not available."
		noneEligible = " e83 Eligible topic partition leaders are not available."
	)
	unknown := func(election int8) string { return fmt.Sprintf(" e42 Unknown election type %d", election) }
	ab := []kmsg.ElectLeadersRequestTopic{
		{Topic: "a", Partitions: []int32{1, 0, 1}}, {Topic: "c", Partitions: []int32{0}}, {Topic: "b", Partitions: []int32{0}},
		{Topic: "none", Partitions: []int32{0}}, {Topic: "a", Partitions: []int32{7}}, {Topic: "a"},
	}
	const after = "none-0 e3 No such topic as none|a-7 e3 No such partition as a-7|a"
	named := func(whole, c, b string) string {
		return "e0: a-1" + whole + "|a-0" + whole + "|a-1" + whole + "|c-0" + c + "|b-0" + b + "|" + after
	}
	all := func(each string) string {
		return "a-1" + each + "|a-0" + each + "|a-1" + each + "|c-0" + each + "|b-0" + each + "|none-0" + each + "|a-7" + each + "|a"
	}
	for _, c := range []struct {
		election int8
		timeout  int32
		topics   []kmsg.ElectLeadersRequestTopic
		want     string
		before   string // in version 0, which knows only preferred elections; "": the same
	}{
		{0, 1000, ab, named(notNeeded, notPreferred, notPreferred), ""},
		{1, 1000, ab, named(notNeeded, noneEligible, notNeeded), named(notNeeded, notPreferred, notPreferred)},
		{0, 1000, nil, "e0: a|b-0" + notPreferred + "|c-0" + notPreferred, ""},
		{1, 1000, nil, "e0: a|b|c-0" + noneEligible, "e0: a|b-0" + notPreferred + "|c-0" + notPreferred},
		{0, 1000, []kmsg.ElectLeadersRequestTopic{}, "e0: ", ""},
		{2, 1000, []kmsg.ElectLeadersRequestTopic{}, "e0: ", ""},
		{2, 1000, nil, "e42: ", "e0: a|b-0" + notPreferred + "|c-0" + notPreferred},
		{-1, 1000, ab, "e42: " + all(unknown(-1)), named(notNeeded, notPreferred, notPreferred)},
		{2, 0, ab, "e7: " + all(" e7 null"), ""},
		{0, -1, nil, "e7: ", ""},
	} {
		f.versions(kmsg.NewPtrElectLeadersRequest(), func(v int16) {
			r := kmsg.NewPtrElectLeadersRequest()
			r.Version, r.ElectionType, r.TimeoutMillis, r.Topics = v, c.election, c.timeout, c.topics
			got := ask[*kmsg.ElectLeadersResponse](f, r)
			lines := ""
			for _, o := range got.Topics {
				if len(o.Partitions) == 0 {
					lines += "|" + o.Topic
				}
				for _, p := range o.Partitions {
					lines += fmt.Sprintf("|%s-%d e%d %s", o.Topic, p.Partition, p.ErrorCode, text(p.ErrorMessage))
				}
			}
			if lines != "" {
				lines = lines[1:]
			}
			want := c.want
			if v == 0 && c.before != "" {
				want = c.before
			}
			if _, rest, _ := strings.Cut(want, ":"); v == 0 { // which has no error of its own
				want = "e0:" + rest
			}
			equal(t, fmt.Sprintf("version %d, type %d, time-out %d", v, c.election, c.timeout), fmt.Sprintf("e%d: %s", got.ErrorCode, lines), want)
		})
	}
}
