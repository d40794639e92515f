package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol/batch"
)

var everything = regexp.MustCompile("")

func metadataOf(change func(*kmsg.MetadataResponse)) *field {
	r := kmsg.NewPtrMetadataResponse()
	r.Version = 12
	for _, name := range []string{"a", "b"} {
		t := kmsg.NewMetadataResponseTopic()
		t.Topic = kmsg.StringPtr(name)
		r.Topics = append(r.Topics, t)
	}
	change(r)
	return responseFields(r, newSymbols("9092", time.Now()))
}

// Whatever differs is seen, and only an entry that is about it explains it.
func TestCompare(t *testing.T) {
	same := func(*kmsg.MetadataResponse) {}
	swap := func(r *kmsg.MetadataResponse) { r.Topics[0], r.Topics[1] = r.Topics[1], r.Topics[0] }
	for name, c := range map[string]struct {
		ours  func(*kmsg.MetadataResponse)
		entry string
		want  string // of what is not explained, joined
		used  bool
	}{
		"equal":          {ours: same},
		"value":          {ours: func(r *kmsg.MetadataResponse) { r.Topics[1].ErrorCode = 3 }, want: "Topics[1].ErrorCode: Kafka 0, ours 3"},
		"explained":      {ours: func(r *kmsg.MetadataResponse) { r.Topics[1].ErrorCode = 3 }, entry: "rows m/*\nfield Topics.ErrorCode\nkafka 0\nours 3\nbecause x\n", used: true},
		"other versions": {ours: func(r *kmsg.MetadataResponse) { r.Topics[1].ErrorCode = 3 }, entry: "rows m/*\nversions v1-3\nfield Topics.ErrorCode\nkafka 0\nours 3\nbecause x\n", want: "Topics[1].ErrorCode: Kafka 0, ours 3"},
		"other answer":   {ours: func(r *kmsg.MetadataResponse) { r.Topics[1].ErrorCode = 5 }, entry: "rows m/*\nfield Topics.ErrorCode\nkafka 0\nours 3\nbecause x\n", want: "Topics[1].ErrorCode: Kafka 0, ours 5"},
		"null and empty": {ours: func(r *kmsg.MetadataResponse) { r.ClusterID = kmsg.StringPtr("") }, want: `ClusterID: Kafka null, ours ""`},
		"missing":        {ours: func(r *kmsg.MetadataResponse) { r.Topics = r.Topics[:1] }, want: `Topics: Kafka {ErrorCode=0 Topic="b"`},
		"order":          {ours: swap, want: `Topics: Kafka order "a" "b", ours order "b" "a"`},
		"no order":       {ours: swap, entry: "rows m/*\nunordered Topics\nbecause x\n", used: true},
		"several fields": {ours: func(r *kmsg.MetadataResponse) { r.Topics[1].ErrorCode = 3; r.ControllerID = 7 }, entry: "rows m/*\nfield Topics.ErrorCode\nkafka 0\nours 3\nfield ControllerID\nkafka -1\nours 7\nbecause x\n", used: true},
		"unused":         {ours: same, entry: "rows m/*\nunordered Topics\nbecause x\n"},
		"tag":            {ours: func(r *kmsg.MetadataResponse) { r.UnknownTags.Set(9, []byte{1}) }, want: "Tag9: Kafka absent, ours 01"},
	} {
		t.Run(name, func(t *testing.T) {
			entries, err := readDifferences(c.entry)
			if err != nil {
				t.Fatal(err)
			}
			cmp := comparison{row: "m/x", version: 12, differences: entries}
			cmp.answers([]said{{answer: metadataOf(same)}}, []said{{answer: metadataOf(c.ours)}})
			got := strings.Join(cmp.unexplained, "\n")
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if len(entries) > 0 && entries[0].used != c.used {
				t.Errorf("the entry is used: %v", entries[0].used)
			}
		})
	}
}

func TestDifferencesFile(t *testing.T) {
	if _, err := readDifferences(differencesText); err != nil {
		t.Error(err)
	}
	for name, bad := range map[string]string{
		"no reason":            "rows a\nfield B\nkafka 1\nours 2\n",
		"no answers":           "rows a\nfield B\nbecause c\n",
		"order and answers":    "rows a\nunordered B\nkafka 1\nours 2\nbecause c\n",
		"an unknown word":      "rows a\nfeild B\n",
		"a pattern that is no": "rows [\nfield B\nkafka 1\nours 2\nbecause c\n",
	} {
		if _, err := readDifferences(bad); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}

func TestLike(t *testing.T) {
	for pattern, texts := range map[string][2]string{ // one that matches, one that does not
		"a":     {"a", "ab"},
		"a*":    {"ab", "ba"},
		"*a":    {"ba", "ab"},
		"a*b*c": {"axbxc", "axcxb"},
		"*":     {"", "\x00never"},
	} {
		if !like(pattern, texts[0]) || pattern != "*" && like(pattern, texts[1]) {
			t.Errorf("%q: %q %v, %q %v", pattern, texts[0], like(pattern, texts[0]), texts[1], like(pattern, texts[1]))
		}
	}
}

// Ids are equal if they are the same ones at the same places, whatever they are.
func TestSymbols(t *testing.T) {
	show := func(ids ...string) string {
		s := newSymbols("19092", time.UnixMilli(1_800_000_000_000))
		s.topic("t", "AAAAAAAAAAAAAAAAAAAABQ")
		var out []string
		for _, id := range ids {
			out = append(out, s.string("MemberID", "client-"+id))
		}
		return fmt.Sprintln(out, s.string("Message", "topic AAAAAAAAAAAAAAAAAAAABQ at localhost:19092 since 1800000000123"),
			s.int("Port", 19092), s.int("ProducerID", 5), s.time(1_700_000_000_000))
	}
	const a, b = "0f8fad5b-d9cb-469f-a165-70867728950e", "7c9e6679-7425-40de-944b-e07fc1f90ae7"
	const want = `[client-<uuid 1> client-<uuid 2> client-<uuid 1>] topic <id of t> at localhost:<port> since <now> <port> 5 1700000000000
`
	if got := show(a, b, a); got != want || show(b, a, b) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if show(a, b, b) == want {
		t.Error("other members at the same places are the same")
	}
}

// Ids that a broker gave are named in the order in which it gave them: by the row, or by all rows before it.
func TestProducers(t *testing.T) {
	s := newSymbols("9092", time.Now())
	for _, id := range []int64{4000, 0, -1, 4001, 4000} {
		s.newProducer(id)
	}
	if got := fmt.Sprintln(s.producer(4001), s.producer(4000), s.producer(0), s.producer(-1), s.producer(7)); got != "<producer 1> <producer 2> 0 -1 7\n" {
		t.Error(got)
	}
	s.forget()
	s.newProducer(5000)
	if got := fmt.Sprintln(s.producer(5000), s.producer(4001)); got != "<producer 1> <earlier producer 2>\n" {
		t.Error(got)
	}
}

// A marker is compared field by field, and so is what a newer one may have behind them.
func TestControlFields(t *testing.T) {
	b := batch.NewBuilder()
	b.Transactional, b.Control, b.ProducerID, b.ProducerEpoch = true, true, 5, 1
	b.Add(batch.Record{Timestamp: 1, Key: []byte{0, 0, 0, 1}, Value: []byte{0, 2, 0, 0, 0, 9, 0xff}})
	got := recordFields(b.Build(), newSymbols("9092", time.Now())).String()
	if want := "ControlKey=00000001 ControlVersion=0002 CoordinatorEpoch=00000009 ControlRest=ff+0}]"; !strings.HasSuffix(got, want) {
		t.Errorf("%s does not end with %s", got, want)
	}
}
