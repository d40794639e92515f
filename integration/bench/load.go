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

// produceRows and consumeRows are load from Kafka's own tools, as users would put it on, and from a Go client.
func produceRows() []row {
	return []row{
		{set: "produce", name: "producer-perf-test, 1 KiB, default batches", run: onTopic(false, producerPerf())},
		{set: "produce", name: "producer-perf-test, 1 KiB, 128 KiB batches", run: onTopic(false, producerPerf(largeBatches...))},
	}
}

func consumeRows() []row {
	return []row{
		{set: "consume", name: "consumer-perf-test, catch-up", run: onTopic(true, consumerPerf)},
		{set: "consume", name: "Go client without a group, catch-up", run: onTopic(true, goConsumer)},
	}
}

var largeBatches = []string{"batch.size=131072", "linger.ms=20"}

// result is what one generator saw: from without, so the client's part is in it.
type result struct {
	figures  []measured
	requests int64 // produce or fetch requests, 0 where the generator does not tell
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

// onTopic moves l.records records through a fresh topic of one partition, filled before if the row reads, and adds what
// the broker spent on it.
func onTopic(filled bool, run func(ctx context.Context, l load, addr, topic string) (result, error)) func(context.Context, load, *broker) ([]measured, error) {
	return func(ctx context.Context, l load, b *broker) ([]measured, error) {
		topic, err := newTopic(ctx, b.addr, 1)
		if err != nil {
			return nil, err
		}
		if filled {
			if _, err := producerPerf(largeBatches...)(ctx, l, b.addr, topic); err != nil {
				return nil, err
			}
		}
		before, err := b.usage()
		if err != nil {
			return nil, err
		}
		got, err := run(ctx, l, b.addr, topic)
		if err != nil {
			return nil, errors.Join(err, deleteTopic(ctx, b.addr, topic))
		}
		after, err := b.usage()
		if err != nil {
			return nil, err
		}
		cpu := (after.CPU - before.CPU).Seconds()
		list := append(got.figures, measured{cpuPerGiB, cpu / (float64(l.records) * recordBytes / (1 << 30))})
		if got.requests > 0 {
			list = append(list, measured{cpuPerReq, cpu / (float64(got.requests) / 1e6)})
		}
		return list, deleteTopic(ctx, b.addr, topic)
	}
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

// newTopic creates a topic of a name of its own.
func newTopic(ctx context.Context, addr string, partitions int32) (string, error) {
	name := "bench-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	if err := createTopic(ctx, addr, name, partitions); err != nil {
		return "", err
	}
	return name, served(ctx, addr, name, partitions)
}

// served waits until every partition has a leader that serves it: Kafka acknowledges the creation of a topic, and even
// tells of its leaders, before.
func served(ctx context.Context, addr, topic string, partitions int32) error {
	w, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer w.Close()
	req := kmsg.NewPtrListOffsetsRequest()
	req.Version, req.ReplicaID = 6, -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	for i := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition, p.Timestamp = i, -1
		t.Partitions = append(t.Partitions, p)
	}
	req.Topics = append(req.Topics, t)
	for ready := int32(0); ready < partitions; {
		if err := ctx.Err(); err != nil {
			return err
		}
		resp := kmsg.NewPtrListOffsetsResponse()
		if err := w.ask(req, resp); err != nil {
			return err
		}
		ready = 0
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if p.ErrorCode == 0 {
					ready++
				}
			}
		}
	}
	return nil
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
