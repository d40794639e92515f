package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// toolLimit is how long one run of a tool may take.
const toolLimit = 45 * time.Second

// recordBytes is the size of a value where a row has no size of its own.
const recordBytes = 1 << 10

// toolRows are load from Kafka's own tools, as users would put it on. Their JVM is most of what the machine does then.
func toolRows() []row {
	const set = "tools"
	return []row{
		{set: set, fills: true, name: "kafka-producer-perf-test, 1 KiB records, default batches", run: onTopic(false, producerPerf())},
		{set: set, fills: true, name: "kafka-producer-perf-test, 1 KiB records, 128 KiB batches", run: onTopic(false, producerPerf("batch.size=131072", "linger.ms=20"))},
		{set: set, fills: true, name: "kafka-consumer-perf-test, catch-up", run: onTopic(true, consumerPerf)},
		{set: set, name: "kafka-e2e-latency, one message of 100 B at a time, acks=all", run: onTopic(false, endToEndTool)},
	}
}

var (
	throughput = figure{"MB/s", higherIsBetter}
	p99        = figure{"p99 ms", lowerIsBetter}
	cpuPerGiB  = figure{costPrefix + " s/GiB", lowerIsBetter}
	cpuPerReq  = figure{costPrefix + " s/million requests", lowerIsBetter}

	cpuPerMessage = figure{costPrefix + " s/million messages", lowerIsBetter}
)

// errUnsupported says that a broker lacks what a tool needs: the row stays, and
// says so.
var errUnsupported = errors.New("not supported by this broker")

// result is what a tool saw: from without, so its own part is in it.
type result struct {
	figures []measured
	bytes   int64 // of values that were moved
	asked   int64 // requests or messages, 0 where the generator does not tell
	unit    figure
}

// onTopic does something with a fresh topic of one partition, which holds l.records if the row reads, and adds what the
// broker spent on it.
func onTopic(filled bool, run func(ctx context.Context, l load, addr, topic string) (result, error)) func(context.Context, load, *broker) ([]measured, error) {
	return func(ctx context.Context, l load, b *broker) (list []measured, err error) {
		topic, err := newTopic(ctx, b.addr, 1)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, deleteTopic(ctx, b.addr, topic)) }()
		if filled {
			batches := (l.records + filling.records() - 1) / filling.records()
			if _, err := filling.pump(ctx, b.addr, topic, (batches+pumps-1)/pumps); err != nil {
				return nil, err
			}
		}
		var got result
		c, err := b.costOf(func() error {
			got, err = run(ctx, l, b.addr, topic)
			return err
		})
		if err != nil {
			return nil, err
		}
		list = got.figures
		if got.bytes > 0 {
			list = append(list, measured{cpuPerGiB, c.perGiB(float64(got.bytes))})
		}
		if got.asked > 0 {
			list = append(list, measured{got.unit, c.perMillion(float64(got.asked))})
		}
		return list, nil
	}
}

// volume is the bytes of values that Kafka's tools move.
func (l load) volume() int64 { return int64(l.records) * recordBytes }

// tool runs one of Kafka's own and returns what it printed.
func (l load) tool(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, toolLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.kafka, append([]string{"tool"}, args...)...)
	cmd.WaitDelay = 5 * time.Second // whatever it has started and left
	out, err := cmd.CombinedOutput()
	switch {
	case strings.Contains(string(out), "UnsupportedVersionException"):
		return "", errUnsupported
	case err != nil:
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

var (
	producerLine = regexp.MustCompile(`records sent, [0-9.]+ records/sec \(([0-9.]+) MB/sec\).* ([0-9]+) ms 99th`)
	requestLine  = regexp.MustCompile(`(?m)^producer-metrics:request-total:.* : ([0-9.]+)$`)
)

// producerPerf is kafka-producer-perf-test with acks=all, the producer's default.
func producerPerf(properties ...string) func(context.Context, load, string, string) (result, error) {
	return func(ctx context.Context, l load, addr, topic string) (result, error) {
		args := []string{"producer-perf-test", "--bootstrap-server", addr, "--topic", topic, "--throughput", "-1",
			"--num-records", strconv.Itoa(l.records), "--record-size", strconv.Itoa(recordBytes), "--print-metrics"}
		if len(properties) > 0 {
			args = append(append(args, "--command-property"), properties...)
		}
		out, err := l.tool(ctx, args...)
		if err != nil {
			return result{}, err
		}
		// The last such line is the sum; the ones before are its progress.
		sums, requests := producerLine.FindAllStringSubmatch(out, -1), requestLine.FindStringSubmatch(out)
		if len(sums) == 0 || requests == nil {
			return result{}, fmt.Errorf("no figures in its output:\n%s", out)
		}
		sum, err := numbers(append(sums[len(sums)-1][1:], requests[1])...)
		if err != nil {
			return result{}, err
		}
		if want := fmt.Sprintf("%d records sent", l.records); !strings.Contains(out, want) {
			return result{}, fmt.Errorf("did not send all:\n%s", out)
		}
		return result{[]measured{{throughput, sum[0]}, {p99, sum[1]}}, l.volume(), int64(sum[2]), cpuPerReq}, nil
	}
}

// consumerPerf is kafka-consumer-perf-test, which joins a group.
func consumerPerf(ctx context.Context, l load, addr, topic string) (result, error) {
	out, err := l.tool(ctx, "consumer-perf-test", "--bootstrap-server", addr, "--topic", topic,
		"--num-records", strconv.Itoa(l.records), "--hide-header")
	if err != nil {
		return result{}, err
	}
	// start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec,
	// rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
	lines := strings.Split(strings.TrimSpace(out), "\n")
	fields := strings.Split(lines[len(lines)-1], ", ")
	if len(fields) != 10 {
		return result{}, fmt.Errorf("no figures in its output:\n%s", out)
	}
	sum, err := numbers(fields[4], fields[8])
	if err != nil {
		return result{}, err
	}
	if int(sum[0]) < l.records {
		return result{}, fmt.Errorf("consumed %v of %d records", sum[0], l.records)
	}
	return result{figures: []measured{{throughput, sum[1]}}, bytes: l.volume()}, nil
}

var (
	averageLine    = regexp.MustCompile(`(?m)^Avg latency: ([0-9.]+) ms`)
	percentileLine = regexp.MustCompile(`(?m)^Percentiles: .*99th = ([0-9]+),`)
)

// endToEndTool is kafka-e2e-latency: the next message goes when the last one has come.
func endToEndTool(ctx context.Context, l load, addr, topic string) (result, error) {
	const messages, size = 3000, 100
	out, err := l.tool(ctx, "e2e-latency", "--bootstrap-server", addr, "--topic", topic, "--num-records", strconv.Itoa(messages),
		"--producer-acks", "all", "--record-size", strconv.Itoa(size))
	if err != nil {
		return result{}, err
	}
	average, percentiles := averageLine.FindStringSubmatch(out), percentileLine.FindStringSubmatch(out)
	if average == nil || percentiles == nil {
		return result{}, fmt.Errorf("no figures in its output:\n%s", out)
	}
	sum, err := numbers(average[1], percentiles[1])
	if err != nil {
		return result{}, err
	}
	return result{figures: []measured{{figure{"mean ms", lowerIsBetter}, sum[0]}, {figure{"p99 ms, whole", lowerIsBetter}, sum[1]}},
		asked: messages, unit: cpuPerMessage}, nil
}

func numbers(texts ...string) ([]float64, error) {
	values := make([]float64, len(texts))
	for i, text := range texts {
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return nil, err
		}
		values[i] = v
	}
	return values, nil
}
