package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	all := []row{{set: "first", name: "produce"}, {set: "first", name: "consume"}, {set: "second", name: "start"}}
	table := newTable()
	table.date = "yesterday"
	cost := figure{"CPU s", lowerIsBetter}
	for _, v := range []float64{1, 3, 2} {
		table.add("produce", blumfeld, cost, v)
		table.add("produce", apacheKafka, cost, 4)
		table.add("produce", bareLoop, cost, 0.5)
	}
	table.add("consume", apacheKafka, cost, 1234.5)
	table.unsupported("consume", blumfeld)
	table.unsupported("consume", blumfeld)

	const head = "| row | figure | Blumfeld | Apache Kafka | ratio (range) | bare loop | ratio to it | measured |\n|---|---|---|---|---|---|---|---|\n"
	const first = "Here.\n\n" + head + `| produce | CPU s, less is better | 2.00 | 4.00 | 0.500 (0.250–0.750) | 0.500 | 4.000 (2.000–6.000) | yesterday |
| consume | CPU s, less is better | – | 1234 | – |  |  | yesterday |
| consume | not supported by Blumfeld | | | | | | yesterday |
`
	text := table.render("Here.", all)
	if text != first {
		t.Fatalf("got:\n%s\nwant:\n%s", text, first)
	}

	// A run of some rows leaves the others.
	file := filepath.Join(t.TempDir(), "RESULTS.md")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	chosen, err := choose(all, "start,consume")
	if err != nil {
		t.Fatal(err)
	}
	table = newTable()
	table.date = "today"
	if err := table.keep(file, "There.", all, chosen); err == nil {
		t.Error("figures of another machine were kept")
	}
	if err := table.keep(file, "Here.", all, chosen); err != nil {
		t.Fatal(err)
	}
	table.add("start", blumfeld, cost, 1)
	table.add("consume", blumfeld, cost, 1)
	const second = "Here.\n\n" + head + `| produce | CPU s, less is better | 2.00 | 4.00 | 0.500 (0.250–0.750) | 0.500 | 4.000 (2.000–6.000) | yesterday |
| consume | CPU s, less is better | 1.00 | – | – |  |  | today |
| start | CPU s, less is better | 1.00 | – | – |  |  | today |
`
	if got := table.render("Here.", all); got != second {
		t.Errorf("got:\n%s\nwant:\n%s", got, second)
	}
}

func TestChoose(t *testing.T) {
	all := rows()
	for i, r := range all {
		if strings.Contains(r.name, "|") || slices.ContainsFunc(all[:i], func(o row) bool { return o.name == r.name }) {
			t.Errorf("row %q: its name is not unique, or breaks the table", r.name)
		}
	}
	for _, c := range []struct {
		list string
		want int
	}{{"", len(all)}, {"memory", 1}, {"memory, start-up", 3}, {"consumer-perf-test", 1}} {
		got, err := choose(all, c.list)
		if err != nil || len(got) != c.want {
			t.Errorf("%q chooses %d rows, want %d: %v", c.list, len(got), c.want, err)
		}
	}
	if _, err := choose(all, "memory,nonsense"); err == nil {
		t.Error("a set that there is not was accepted")
	}
}

// Lines as Kafka 4.3.1's tools print them.
func TestToolOutput(t *testing.T) {
	out := `15000 records sent, 2999.4 records/sec (2.93 MB/sec), 300.1 ms avg latency, 500.0 ms max latency.
100000 records sent, 31240.237426 records/sec (30.51 MB/sec), 580.42 ms avg latency, 874.00 ms max latency, 552 ms 50th, 831 ms 95th, 865 ms 99th, 872 ms 99.9th.

producer-metrics:request-total:{client-id=perf-producer-client}                             : 6673.000
producer-node-metrics:request-total:{client-id=perf-producer-client, node-id=node-1}        : 6670.000
`
	sums := producerLine.FindAllStringSubmatch(out, -1)
	if len(sums) != 1 || strings.Join(sums[0][1:], " ") != "30.51 865" {
		t.Errorf("sums: %q", sums)
	}
	if m := requestLine.FindStringSubmatch(out); len(m) != 2 || m[1] != "6673.000" {
		t.Errorf("requests: %q", m)
	}
}
