package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	testSpeed = figure{"MB/s", higherIsBetter}
	testCost  = figure{costPrefix + " s", lowerIsBetter}
	testRows  = []row{
		{set: "first", name: "produce", bare: true, aims: []aim{{"processor", testCost}, {"what is not there", p99}}},
		{set: "first", name: "consume"},
		{set: "second", name: "start", aims: []aim{{"start", testCost}}},
		{set: "second", name: "more", detail: true},
	}
)

// TestHeading: a row that was measured after all were is named, whatever was measured between.
func TestHeading(t *testing.T) {
	const run = "All rows in one run of 19m7s: 2026-11-23 934daaa."
	at := func(row, measured string) entry { return entry{row: row, measured: measured} }
	for _, c := range []struct {
		run     string
		entries []entry
		want    string
	}{
		{run, nil, run},
		{run, []entry{at("a", "2026-11-23 934daaa"), at("b", "2026-11-23 934daaa")}, run},
		{partialRun, []entry{at("a", "2026-11-23 934daaa")}, partialRun},
		{run, []entry{at("a", "2026-11-23 934daaa"), at("b, 1 KiB", "2026-11-24 934daaa"), at("b, 1 KiB", "2026-11-24 934daaa"),
			at("c", "2026-11-24 fab176b and changes"), at("d", "2026-11-24 934daaa")},
			`All rows in one run of 19m7s: 2026-11-23 934daaa; measured later, at 2026-11-24 934daaa: "b, 1 KiB", "d"; at 2026-11-24 fab176b and changes: "c".`},
	} {
		r := results{machine: "Here.", run: c.run, entries: c.entries}
		got := r.heading()
		if got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
		again, err := parseResults(r.render())
		if err != nil || again.run != c.run || again.heading() != got {
			t.Errorf("read again: %q, %v", again.run, err)
		}
	}
}

// testOutcome has three pairs of the produce row.
func testOutcome() outcome {
	o := outcome{row: "produce"}
	add := func(broker string, f figure, v float64) {
		o.samples = append(o.samples, sample{broker, measured{f, v}})
	}
	for _, v := range []float64{1, 3, 2} {
		add(blumfeld, testSpeed, 1000*v)
		add(blumfeld, testCost, v)
		add(apacheKafka, testCost, 4)
		add(bareLoop, testCost, 0.5)
	}
	return o
}

const (
	testHead = "# Beside Apache Kafka\n\nHere.\n\nAll at once: yesterday.\n\n" +
		"| row | figure | Blumfeld | Apache Kafka | ratio (range) | bare loop | ratio to it | measured |\n|---|---|---|---|---|---|---|---|\n"
	testProduce = `| produce | MB/s, more is better | 2,000 | – | – |  |  | yesterday |
|  | broker CPU s, less is better | 2 | 4 | 0.500 (0.250–0.750) | 0.500 | 4 (2–6) |  |
`
)

func TestResults(t *testing.T) {
	fresh := testOutcome().entries("yesterday")
	fresh = append(fresh, outcome{row: "consume", unsupported: []string{blumfeld},
		samples: []sample{{apacheKafka, measured{testCost, 1234.5}}}}.entries("yesterday")...)
	fresh = append(fresh, outcome{row: "more", failed: errors.New("it | broke\nhere")}.entries("yesterday")...)
	r := results{machine: "Here.", run: "All at once: yesterday."}.merge(testRows, fresh)
	const first = testHead + testProduce + `| consume | not supported by Blumfeld |  |  |  |  |  | yesterday |
|  | broker CPU s, less is better | – | 1,234 | – |  |  |  |
| more | failed: it / broke here |  |  |  |  |  | yesterday |
`
	if got := r.render(); got != first {
		t.Fatalf("got:\n%s\nwant:\n%s", got, first)
	}
	again, err := parseResults(first)
	if err != nil || !slices.Equal(again.entries, r.entries) || again.machine != r.machine || again.run != r.run {
		t.Fatalf("read again: %+v, %v\nwant: %+v", again, err, r)
	}

	// A run of some rows leaves the others, and a row that there is no more goes.
	file := filepath.Join(t.TempDir(), "RESULTS.md")
	if err := os.WriteFile(file, []byte(strings.Replace(first, "| more |", "| no more |", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := readResults(file, "There."); err == nil {
		t.Error("figures of another machine were kept")
	}
	if r, err = readResults(file, "Here."); err != nil {
		t.Fatal(err)
	}
	fresh = slices.Concat(
		outcome{row: "start", samples: []sample{{blumfeld, measured{testCost, 1}}}}.entries("today"),
		outcome{row: "consume", samples: []sample{{blumfeld, measured{testCost, 1}}}}.entries("today"))
	const later = `All at once: yesterday; measured later, at today: "consume", "start".`
	second := strings.Replace(testHead, "All at once: yesterday.", later, 1) + testProduce + `| consume | broker CPU s, less is better | 1 | – | – |  |  | today |
| start | broker CPU s, less is better | 1 | – | – |  |  | today |
`
	r = r.merge(testRows, fresh)
	if got := r.render(); got != second {
		t.Errorf("got:\n%s\nwant:\n%s", got, second)
	}
	if brief := r.brief(testRows); !strings.HasPrefix(brief, "Here. "+later+"\n") {
		t.Errorf("not said in README: %s", brief)
	}

	if r, err = readResults(filepath.Join(t.TempDir(), "none"), "Here."); err != nil || len(r.entries) > 0 || r.run != partialRun {
		t.Errorf("of a file that is not there: %+v, %v", r, err)
	}
	for _, text := range []string{"", "# Something else\n\na\n\nb\n\n| x |\n", testHead + "| two | columns |\n"} {
		if r, err := parseResults(text); err == nil {
			t.Errorf("%q was read as %+v", text, r)
		}
	}
}

func TestBrief(t *testing.T) {
	fresh := append(testOutcome().entries("today"), outcome{row: "consume", failed: errors.New("broke")}.entries("today")...)
	r := results{machine: "Here.", run: "All at once: today."}.merge(testRows, fresh)
	const want = `Here. All at once: today.

|  | Blumfeld | Apache Kafka | ratio (range) | bare loop | ratio to it |
|---|---|---|---|---|---|
| processor | 2 | 4 | 0.500 (0.250–0.750) | 0.500 | 4 (2–6) |
| what is not there | – | – | – |  |  |
| start | – | – | – |  |  |

| row |  | Blumfeld | Apache Kafka | ratio | its broker CPU | its p99 |
|---|---|---|---|---|---|---|
| produce | MB/s | 2,000 | – | – | 0.500 |  |
| consume | failed: broke | – | – | – |  |  |
| start | – | – | – | – |  |  |
`
	brief := r.brief(testRows)
	if brief != want {
		t.Fatalf("got:\n%s\nwant:\n%s", brief, want)
	}
	file := filepath.Join(t.TempDir(), "README.md")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("before\n" + briefBegin + "old\n" + briefEnd + "after\n")
	for range 2 { // what it wrote it replaces
		if err := writeBrief(file, brief); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(file)
		if want := "before\n" + briefBegin + "\n" + brief + "\n" + briefEnd + "after\n"; err != nil || string(got) != want {
			t.Errorf("got %q, %v\nwant %q", got, err, want)
		}
	}
	for _, text := range []string{"", briefBegin, briefEnd, briefEnd + briefBegin} {
		write(text)
		if err := writeBrief(file, brief); err == nil {
			t.Errorf("%q has no place for it", text)
		}
	}
	if _, err := readBrief("../../README.md"); err != nil {
		t.Error(err)
	}
}

func TestShow(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 2: "2", 0.0004: "0.000", 0.0314159: "0.031", 1.23456: "1.23", 45.678: "45.7",
		999.4: "999", 1234.5: "1,234", 1234567: "1,234,567", -123456: "-123,456"} {
		if got := show(v); got != want {
			t.Errorf("%v is shown as %s, want %s", v, got, want)
		}
	}
}

// A pair of zeros has no ratio.
func TestRatios(t *testing.T) {
	if got := ratios([]float64{0, 1, 0, 3}, []float64{0, 0, 2, 4, 5}); !slices.Equal(got, []float64{0, 0.75}) {
		t.Errorf("ratios %v", got)
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
	}{{"", len(all)}, {"memory", 1}, {"memory, start-up", 3}, {"consumer-perf-test", 1}, {"lz4,acks=0", 2}, {"acks=0,acks=0", 1}, {"100 B records, 16 KiB batches", 1}} {
		got, err := choose(all, c.list)
		if err != nil || len(got) != c.want {
			t.Errorf("%q chooses %d rows, want %d: %v", c.list, len(got), c.want, err)
		}
	}
	for _, list := range []string{"memory,nonsense", "memory,"} {
		if _, err := choose(all, list); err == nil {
			t.Errorf("%q was accepted", list)
		}
	}
}

func TestNames(t *testing.T) {
	var got []string
	for _, r := range produceRows() {
		got = append(got, r.name)
	}
	want := []string{
		"produce, 1 partition, 1 KiB records, 16 KiB batches, acks=all",
		"produce, 12 partitions, 1 KiB records, 16 KiB batches, acks=all",
		"produce, 1,000 partitions, 1 KiB records, 16 KiB batches, acks=all",
		"produce, 12 partitions, 100 B records, 16 KiB batches, acks=all",
		"produce, 1 partition, 16 KiB records, one a batch, acks=all",
		"produce, 1 partition, 1 KiB records, 128 KiB batches, acks=all",
		"produce, 1 partition, 1 KiB records, 128 KiB batches, lz4, acks=all",
		"produce, 1 partition, 1 KiB records, 16 KiB batches, acks=1",
		"produce, 1 partition, 1 KiB records, 16 KiB batches, acks=0",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Lines as Kafka 4.3.1's tools print them.
func TestToolOutput(t *testing.T) {
	out := `15000 records sent, 2999.4 records/sec (2.93 MB/sec), 300.1 ms avg latency, 500.0 ms max latency.
100000 records sent, 31240.237426 records/sec (30.51 MB/sec), 580.42 ms avg latency, 874.00 ms max latency, 552 ms 50th, 831 ms 95th, 865 ms 99th, 872 ms 99.9th.

producer-metrics:request-total:{client-id=perf-producer-client}                             : 6673.000
producer-node-metrics:request-total:{client-id=perf-producer-client, node-id=node-1}        : 6670.000
Avg latency: 0.5521 ms
Percentiles: 50th = 0, 99th = 1, 99.9th = 4
`
	sums := producerLine.FindAllStringSubmatch(out, -1)
	if len(sums) != 1 || strings.Join(sums[0][1:], " ") != "30.51 865" {
		t.Errorf("sums: %q", sums)
	}
	for _, c := range []struct {
		line *regexp.Regexp
		want string
	}{{requestLine, "6673.000"}, {averageLine, "0.5521"}, {percentileLine, "1"}} {
		if m := c.line.FindStringSubmatch(out); len(m) != 2 || m[1] != c.want {
			t.Errorf("%s: %q, want %s", c.line, m, c.want)
		}
	}
}
