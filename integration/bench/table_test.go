package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	table := newTable()
	cost := figure{"CPU s", lowerIsBetter}
	for _, v := range []float64{1, 3, 2} {
		table.add("produce", blumfeld, cost, v)
		table.add("produce", apacheKafka, cost, 4)
	}
	table.add("consume", apacheKafka, cost, 1234.5)
	table.unsupported("consume", blumfeld)
	table.unsupported("consume", blumfeld)

	const want = `Here.

| row | figure | Blumfeld | Apache Kafka | ratio (range) |
|---|---|---|---|---|
| produce | CPU s, less is better | 2.00 | 4.00 | 0.500 (0.250–0.750) |
| consume | CPU s, less is better | – | 1234 | – |

consume: not supported by Blumfeld
`
	if got := table.render("Here."); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
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
