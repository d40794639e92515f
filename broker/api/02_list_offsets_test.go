package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// offsetOf is one partition of a ListOffsets request.
type offsetOf struct {
	topic     string
	partition int32
	timestamp int64
	epoch     int32 // the client's view of the leader epoch
}

func listOffsetsRequest(version int16, partitions ...offsetOf) *kmsg.ListOffsetsRequest {
	r := kmsg.NewPtrListOffsetsRequest()
	r.Version, r.ReplicaID = version, consumerReplica
	for _, o := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp, p.CurrentLeaderEpoch = o.partition, o.timestamp, o.epoch
		t := kmsg.NewListOffsetsRequestTopic()
		t.Topic = o.topic
		t.Partitions = append(t.Partitions, p)
		r.Topics = append(r.Topics, t)
	}
	return r
}

// offsetsIn is a response in short: topic-partition error offset timestamp epoch.
func offsetsIn(r *kmsg.ListOffsetsResponse) (out []string) {
	for _, t := range r.Topics {
		for _, p := range t.Partitions {
			out = append(out, fmt.Sprintf("%s-%d e%d o%d t%d l%d", t.Topic, p.Partition, p.ErrorCode, p.Offset, p.Timestamp, p.LeaderEpoch))
		}
	}
	return out
}

func TestListOffsets(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 2)
	f.append("a", 0, 1000, 1010, 1005)
	f.append("a", 0, 1100, 1090)
	f.append("a", 0, 1050)
	const unsupported = "a-0 e35 o-1 t-1 l-1"
	for _, c := range []struct {
		timestamp int64
		since     int16 // first version that may ask
		want      string
		empty     string // what an empty partition answers
	}{
		{-1, 1, "e0 o6 t-1 l0", "e0 o0 t-1 l0"},
		{-2, 1, "e0 o0 t-1 l0", "e0 o0 t-1 l0"},
		{-3, 7, "e0 o3 t1100 l0", "e0 o-1 t-1 l-1"},
		{-4, 8, "e0 o0 t-1 l0", "e0 o0 t-1 l0"},
		{-5, 9, "e0 o-1 t-1 l-1", "e0 o-1 t-1 l-1"},
		{-6, 11, "e0 o-1 t-1 l-1", "e0 o-1 t-1 l-1"},
		{-7, 99, "", ""},
		{-1 << 63, 99, "", ""},
		{0, 1, "e0 o0 t1000 l0", "e0 o-1 t-1 l-1"},
		{1000, 1, "e0 o0 t1000 l0", "e0 o-1 t-1 l-1"},
		{1001, 1, "e0 o1 t1010 l0", "e0 o-1 t-1 l-1"},
		{1011, 1, "e0 o3 t1100 l0", "e0 o-1 t-1 l-1"},
		{1100, 1, "e0 o3 t1100 l0", "e0 o-1 t-1 l-1"},
		{1101, 1, "e0 o-1 t-1 l-1", "e0 o-1 t-1 l-1"},
		{1<<63 - 1, 1, "e0 o-1 t-1 l-1", "e0 o-1 t-1 l-1"},
	} {
		f.versions(kmsg.NewPtrListOffsetsRequest(), func(v int16) {
			for isolation := range int8(2) {
				r := listOffsetsRequest(v, offsetOf{"a", 0, c.timestamp, -1}, offsetOf{"a", 1, c.timestamp, -1})
				r.IsolationLevel = isolation
				want := []string{"a-0 " + c.want, "a-1 " + c.empty}
				if v < c.since {
					want = []string{unsupported, "a-1" + unsupported[3:]}
				}
				for i, w := range want {
					if v < 4 { // no epochs on the wire
						want[i] = w[:strings.LastIndex(w, "l")] + "l-1"
					}
				}
				got := offsetsIn(ask[*kmsg.ListOffsetsResponse](f, r))
				equal(t, fmt.Sprintf("timestamp %d, version %d, isolation %d", c.timestamp, v, isolation), got, want)
			}
		})
	}
}

func TestListOffsetsRefuses(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 3)
	for name, c := range map[string]struct {
		ask  []offsetOf
		want []string
	}{
		"unknown topic and partitions": {
			[]offsetOf{{"none", 0, -1, -1}, {"a", 3, -1, -1}, {"a", -1, -1, -1}},
			[]string{"none-0 e3 o-1 t-1 l-1", "a-3 e3 o-1 t-1 l-1", "a--1 e3 o-1 t-1 l-1"},
		},
		"a partition that comes twice, once in each of two entries": {
			[]offsetOf{{"a", 0, -1, -1}, {"none", 0, -1, -1}, {"a", 0, -2, -1}, {"a", 1, -1, -1}},
			[]string{"a-0 e42 o-1 t-1 l-1", "a-1 e0 o0 t-1 l0", "none-0 e3 o-1 t-1 l-1"},
		},
		"leader epochs": {
			[]offsetOf{{"a", 0, -1, 0}, {"a", 1, -1, 1}, {"a", 2, -1, -5}},
			[]string{"a-0 e0 o0 t-1 l0", "a-1 e75 o-1 t-1 l-1", "a-2 e74 o-1 t-1 l-1"},
		},
		"nothing": {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, "answer", offsetsIn(ask[*kmsg.ListOffsetsResponse](f, listOffsetsRequest(11, c.ask...))), c.want)
		})
	}
	t.Run("an isolation level that there is not", func(t *testing.T) {
		r := listOffsetsRequest(2, offsetOf{"a", 0, -1, -1})
		r.IsolationLevel = 2
		equal(t, "answer", offsetsIn(ask[*kmsg.ListOffsetsResponse](f, r)), []string{"a-0 e-1 o-1 t-1 l-1"})
	})
}

// A consumer sees what is committed, a reader of committed transactions what is
// stable, a replica and the debugging replica everything.
func TestListOffsetsVisibility(t *testing.T) {
	v := visible{end: 5}
	for _, c := range []struct {
		visible visible
		found   listed
		ok      bool
		want    listed
		err     error
	}{
		{v, listed{4, 100, 0}, true, listed{4, 100, 0}, nil},
		{v, listed{5, 100, 0}, true, unlisted, nil},
		{v, listed{}, false, unlisted, nil},
		{visible{end: 5, uncertain: true}, listed{4, 100, 0}, true, listed{4, 100, 0}, nil},
		{visible{end: 5, uncertain: true}, listed{5, 100, 0}, true, unlisted, kerr.OffsetNotAvailable},
		{visible{end: 5, uncertain: true}, listed{}, false, unlisted, kerr.OffsetNotAvailable},
	} {
		got, err := c.visible.limit(c.found, c.ok, nil)
		equal(t, fmt.Sprintf("%+v of %+v", c.found, c.visible), got, c.want)
		equal(t, "error", err, c.err)
	}
}

func TestListOffsetsAfterDeleteRecords(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	f.append("a", 0, 1000, 1010, 1005)
	f.append("a", 0, 1100, 1090)
	if _, err := f.partition("a", 0).Log().DeleteRecordsBefore(4); err != nil {
		t.Fatal(err)
	}
	for timestamp, want := range map[int64]string{
		-1:   "a-0 e0 o5 t-1 l0",
		-2:   "a-0 e0 o4 t-1 l0",
		-4:   "a-0 e0 o4 t-1 l0",
		0:    "a-0 e0 o4 t1090 l0",
		1090: "a-0 e0 o4 t1090 l0",
		1095: "a-0 e0 o-1 t-1 l-1",
	} {
		got := offsetsIn(ask[*kmsg.ListOffsetsResponse](f, listOffsetsRequest(8, offsetOf{"a", 0, timestamp, -1})))
		equal(t, fmt.Sprint("timestamp ", timestamp), got, []string{want})
	}
}

// A record that is late enough and below the start of the log does not hide those
// in later segments.
func TestListOffsetsLooksIntoLaterSegments(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1, "internal.segment.bytes", "100")
	f.append("a", 0, 5000) // a segment each
	f.append("a", 0, 1000)
	f.append("a", 0, 3000)
	if _, err := f.partition("a", 0).Log().DeleteRecordsBefore(1); err != nil {
		t.Fatal(err)
	}
	got := ask[*kmsg.ListOffsetsResponse](f, listOffsetsRequest(8, offsetOf{"a", 0, 2000, -1}))
	equal(t, "answer", offsetsIn(got), []string{"a-0 e0 o2 t3000 l0"})
}
