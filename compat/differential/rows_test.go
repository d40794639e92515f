package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/api"
)

// Every version of every API that is advertised has a row: whoever adds one
// compares it with Apache Kafka.
func TestEveryServedVersionHasARow(t *testing.T) {
	served := make(map[int16][2]int16)
	for _, a := range api.Table() {
		served[a.Key] = [2]int16{a.Min, a.Max}
	}
	for _, missing := range uncovered(allRuns(t, served), served) {
		t.Error(missing)
	}
}

// A row that cannot be sent is found here, without brokers.
func TestEveryRowEncodes(t *testing.T) {
	served := make(map[int16][2]int16)
	for _, a := range api.Table() {
		served[a.Key] = [2]int16{a.Min, a.Max}
	}
	keys := apiKeys()
	names := make(map[string]int)
	for _, run := range allRuns(t, served) {
		if run.row == nil {
			continue
		}
		if line, twice := names[run.row.name]; twice && line != run.row.line {
			t.Errorf("line %d: row %s is there twice", run.row.line, run.row.name)
		}
		names[run.row.name] = run.row.line
		vars := (&player{t0: 1}).variables(run.version, run.number)
		for i := range run.row.steps {
			s := &run.row.steps[i]
			for _, it := range s.capture {
				vars[it.name] = zeroID // a text that is an id and may be a member's
			}
			key, ok := keys[s.verb]
			if !ok || usesCaptured(s) {
				continue
			}
			version := run.version
			if s.version >= 0 {
				version = s.version
			} else if s.version == latestVersion {
				version = served[key][1]
			}
			if _, err := newRequest(key, version, withoutTopicIDs(s.items), vars); err != nil {
				t.Errorf("%s, line %d: %v", run.row.name, s.line, err)
			}
		}
	}
}

// usesCaptured says whether a step needs what an answer gave.
func usesCaptured(s *step) bool {
	var in func(items []item) bool
	in = func(items []item) bool {
		for _, it := range items {
			if it.kind == scalar && strings.Contains(it.text, "$") && !slices.ContainsFunc([]string{"$v", "$t0", "$run"}, func(known string) bool { return strings.Contains(it.text, known) }) || in(it.items) {
				return true
			}
		}
		return false
	}
	return in(s.items)
}

// withoutTopicIDs puts an id for every @topic: none is known without a broker.
func withoutTopicIDs(items []item) []item {
	out := make([]item, len(items))
	for i, it := range items {
		if it.kind == scalar && it.plain && strings.HasPrefix(it.text, "@") {
			it.text = zeroID
		}
		it.items = withoutTopicIDs(it.items)
		out[i] = it
	}
	return out
}

func allRuns(t *testing.T, served map[int16][2]int16) []*run {
	t.Helper()
	table, err := readRows(files)
	if err != nil {
		t.Fatal(err)
	}
	return plan(table, everything, func(key int16) (low, high int16, ok bool) {
		v, ok := served[key]
		return v[0], v[1], ok
	})
}

func TestReadFile(t *testing.T) {
	const text = `
with ReplicaID=-1
topic lo 3
row at v4+ for n in 1 "a b"
  b: ListOffsets Topics=[{x$n
      [{0 Timestamp=-1}]}] until ErrorCode=0 -> e=ErrorCode
  Metadata/v1 Topics=null
`
	f, err := readFile("02_list_offsets", text, apiKeys(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if f.subject != 2 || f.name != "list_offsets" || len(f.parts) != 3 || f.parts[0].setup == nil {
		t.Fatalf("%+v", f)
	}
	r := f.parts[2].row
	if r.name != "list_offsets/at=a_b" || r.min != 4 || len(r.steps) != 2 {
		t.Fatalf("%+v", r)
	}
	s := r.steps[0]
	if s.conn != "b" || s.version != subjectVersion || len(s.items) != 2 || len(s.until) != 1 || s.capture[0].name != "e" {
		t.Errorf("%+v", s)
	}
	if s := r.steps[1]; s.version != 1 || s.conn != "main" {
		t.Errorf("%+v", s)
	}
	for name, bad := range map[string]string{
		"a step without a row": "  Metadata\n",
		"an unknown request":   "row a\n  Bogus\n",
		"an open bracket":      "row a\n  Metadata [\n",
		"no steps":             "row a\nrow b\n  Metadata\n",
		"for without in":       "row a for x\n  Metadata\n",
	} {
		if _, err := readFile("02_x", bad, apiKeys(), nil); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
}

func TestNewRequest(t *testing.T) {
	p := parser{`"a b" [{t$v 3 1 Configs=[{k null} {k2 x*3}]}] TimeoutMillis=$t0+1`}
	items, err := p.items("")
	if err != nil {
		t.Fatal(err)
	}
	req, err := newRequest(int16(kmsg.CreateTopics), 7, items[1:], variables{"v": "7", "t0": "10"})
	if err != nil {
		t.Fatal(err)
	}
	got := req.(*kmsg.CreateTopicsRequest)
	topic := got.Topics[0]
	if got.TimeoutMillis != 11 || topic.Topic != "t7" || topic.NumPartitions != 3 || topic.ReplicationFactor != 1 ||
		topic.Configs[0].Value != nil || *topic.Configs[1].Value != "xxx" {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"Bogus=1", "x", "[{a 70000000000}]", "[{a $nothing}]"} {
		p := parser{bad}
		items, err := p.items("")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newRequest(int16(kmsg.CreateTopics), 7, items, nil); err == nil {
			t.Errorf("%s is no error", bad)
		}
	}
}
