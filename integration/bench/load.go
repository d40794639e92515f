package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const recordBytes = 1 << 10

// load is what the rows have in common.
type load struct {
	records int    // of recordBytes each
	kafka   string // the launcher, for Kafka's tools
}

// result is what one generator saw: from without, so the client's part is in it.
type result struct {
	figures  []measured
	requests int64 // produce or fetch requests, 0 where the generator does not tell
}

type measured struct {
	figure
	value float64
}

// row is one line of comparisons.
type row struct {
	name   string
	filled bool // the topic is filled before the measurement begins
	run    func(ctx context.Context, l load, addr, topic string) (result, error)
}

var rows = []row{
	{"producer-perf-test, 1 KiB, default batches", false, producerPerf()},
	{"producer-perf-test, 1 KiB, 128 KiB batches", false, producerPerf("batch.size=131072", "linger.ms=20")},
	{"consumer-perf-test, catch-up", true, consumerPerf},
	{"Go client without a group, catch-up", true, goConsumer},
}

var (
	throughput = figure{"MB/s", higherIsBetter}
	p99        = figure{"p99 ms", lowerIsBetter}
	cpuPerGiB  = figure{"broker CPU s/GiB", lowerIsBetter}
	cpuPerReq  = figure{"broker CPU s/million requests", lowerIsBetter}
)

// errUnsupported says that a broker lacks what a tool needs: the row stays, and
// says so.
var errUnsupported = errors.New("not supported by this broker")

// measure does a row once on a broker.
func measure(ctx context.Context, t *table, r row, b *broker, l load) error {
	topic, err := newTopic(ctx, b.addr)
	if err != nil {
		return err
	}
	if r.filled {
		if _, err := producerPerf("batch.size=131072", "linger.ms=20")(ctx, l, b.addr, topic); err != nil {
			return err
		}
	}
	before, err := b.usage()
	if err != nil {
		return err
	}
	got, err := r.run(ctx, l, b.addr, topic)
	if errors.Is(err, errUnsupported) {
		t.unsupported(r.name, b.name)
		return deleteTopic(ctx, b.addr, topic)
	}
	if err != nil {
		return err
	}
	after, err := b.usage()
	if err != nil {
		return err
	}
	cpu := (after.CPU - before.CPU).Seconds()
	for _, m := range got.figures {
		t.add(r.name, b.name, m.figure, m.value)
	}
	t.add(r.name, b.name, cpuPerGiB, cpu/(float64(l.records)*recordBytes/(1<<30)))
	if got.requests > 0 {
		t.add(r.name, b.name, cpuPerReq, cpu/(float64(got.requests)/1e6))
	}
	return deleteTopic(ctx, b.addr, topic)
}

// warmUp does the rows' work once, unmeasured.
func warmUp(ctx context.Context, brokers []*broker, l load) error {
	for _, b := range brokers {
		if err := measure(ctx, newTable(), rows[0], b, l); err != nil {
			return err
		}
	}
	return nil
}

// memory adds what the brokers hold after all rows.
func memory(t *table, b *broker) error {
	u, err := b.usage()
	if err != nil {
		return err
	}
	const row = "memory after all rows"
	t.add(row, b.name, figure{"RssAnon MiB", lowerIsBetter}, float64(u.RSSAnon)/(1<<20))
	t.add(row, b.name, figure{"peak RSS MiB", lowerIsBetter}, float64(u.PeakRSS)/(1<<20))
	return nil
}

// tool runs one of Kafka's own and returns what it printed.
func (l load) tool(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.kafka, append([]string{"tool"}, args...)...)
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
		return result{[]measured{{throughput, sum[0]}, {p99, sum[1]}}, int64(sum[2])}, nil
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
	return result{[]measured{{throughput, sum[1]}}, 0}, nil
}

// goConsumer reads the topic's one partition from its beginning, with the Java
// consumer's fetch size.
func goConsumer(ctx context.Context, l load, addr, topic string) (result, error) {
	var fetches fetchCounter
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.WithHooks(&fetches), kgo.FetchMaxPartitionBytes(1<<20),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return result{}, err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	began := time.Now()
	for n := 0; n < l.records; {
		f := cl.PollFetches(ctx)
		if err := f.Err(); err != nil {
			return result{}, fmt.Errorf("after %d records: %w", n, err)
		}
		n += f.NumRecords()
	}
	mb := float64(l.records) * recordBytes / (1 << 20)
	return result{[]measured{{throughput, mb / time.Since(began).Seconds()}}, fetches.n.Load()}, nil
}

// fetchCounter counts the fetch requests of a client.
type fetchCounter struct{ n atomic.Int64 }

// OnBrokerWrite implements kgo.HookBrokerWrite.
func (c *fetchCounter) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, err error) {
	if key == int16(kmsg.Fetch) && err == nil {
		c.n.Add(1)
	}
}

var _ kgo.HookBrokerWrite = (*fetchCounter)(nil)

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

// newTopic creates a topic of one partition.
func newTopic(ctx context.Context, addr string) (string, error) {
	name := "bench-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	return name, createTopic(ctx, addr, name, 1)
}

func createTopic(ctx context.Context, addr, name string, partitions int32) error {
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, topic)
	return request(ctx, addr, func(ctx context.Context, cl *kgo.Client) (int16, error) {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return 0, err
		}
		return resp.Topics[0].ErrorCode, nil
	})
}

func deleteTopic(ctx context.Context, addr, name string) error {
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = &name
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics, req.TopicNames = append(req.Topics, topic), []string{name}
	return request(ctx, addr, func(ctx context.Context, cl *kgo.Client) (int16, error) {
		resp, err := req.RequestWith(ctx, cl)
		if err != nil {
			return 0, err
		}
		return resp.Topics[0].ErrorCode, nil
	})
}

func request(ctx context.Context, addr string, do func(context.Context, *kgo.Client) (int16, error)) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return err
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	code, err := do(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(code)
}
