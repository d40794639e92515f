package clients

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestFranz(t *testing.T) {
	c := franz{}
	common(t, c)
	run(t, "idempotent_producer", func(t *testing.T) { idempotent(t, c) })
	run(t, "pause", func(t *testing.T) { pause(t, c) })
	transactions(t, c)
	run(t, "transact_session", func(t *testing.T) { franzTransactSession(t, c) })
	franzAdmin(t, c)
}

// franz is franz-go; its groups are cooperative ones, as by default.
type franz struct{}

func (franz) dial(t *testing.T, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(address(t)), kgo.FetchMaxWait(500 * time.Millisecond), kgo.MetadataMinAge(50 * time.Millisecond)}, options...)...)
	must(t, err)
	t.Cleanup(cl.Close)
	return cl
}

func (f franz) admin(t *testing.T) *kadm.Client {
	t.Helper()
	return kadm.NewClient(f.dial(t))
}

func (f franz) createTopic(t *testing.T, topic string, partitions int) {
	t.Helper()
	adm := f.admin(t)
	_, err := adm.CreateTopic(within(t), int32(partitions), 1, nil, topic)
	must(t, err)
	until(t, "topic "+topic+" is served", func() bool {
		listed, err := adm.ListTopics(within(t), topic)
		return err == nil && listed.Error() == nil && len(listed[topic].Partitions) == partitions
	})
}

func (f franz) produce(t *testing.T, topic string, how writing, records ...record) error {
	t.Helper()
	options := []kgo.Opt{
		kgo.AllowAutoTopicCreation(), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(franzCodec(how.codec)), kgo.ProducerBatchMaxBytes(5 << 20),
	}
	switch how.acks {
	case "none":
		options = append(options, kgo.RequiredAcks(kgo.NoAck()))
	case "one":
		options = append(options, kgo.RequiredAcks(kgo.LeaderAck()))
	}
	if !how.idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	cl := f.dial(t, options...)
	var out []*kgo.Record
	for _, r := range records {
		k := &kgo.Record{Topic: topic, Partition: r.partition, Key: r.key, Value: r.value, Timestamp: r.time}
		for _, h := range r.headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.key, Value: []byte(h.value)})
		}
		out = append(out, k)
	}
	return cl.ProduceSync(within(t), out...).FirstErr()
}

func franzCodec(name string) kgo.CompressionCodec {
	return map[string]kgo.CompressionCodec{
		"": kgo.NoCompression(), "none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}[name]
}

func fromFranz(r *kgo.Record) record {
	out := record{partition: r.Partition, offset: r.Offset, key: r.Key, value: r.Value, time: r.Timestamp}
	for _, h := range r.Headers {
		out.headers = append(out.headers, header{h.Key, string(h.Value)})
	}
	return out
}

func (franz) offsetAt(t *testing.T, topic string, partition int32, at time.Time) int64 {
	t.Helper()
	listed, err := franz{}.admin(t).ListOffsetsAfterMilli(within(t), at.UnixMilli(), topic)
	must(t, err)
	o, _ := listed.Lookup(topic, partition)
	must(t, o.Err)
	if o.Timestamp < 0 {
		return -1 // kadm puts the end in place of none
	}
	return o.Offset
}

func (f franz) unknownTopic(t *testing.T, topic string) error {
	cl := f.dial(t, kgo.UnknownTopicRetries(0))
	return cl.ProduceSync(within(t), &kgo.Record{Topic: topic, Value: []byte("lost")}).FirstErr()
}

// franzReader reads what ConsumePartitions assigns.
type franzReader struct {
	cl      *kgo.Client
	topic   string
	part    int32
	fetched []*kgo.Record
}

func (f franz) read(t *testing.T, topic string, partition int32, from int64) reader {
	t.Helper()
	return f.readWith(t, topic, partition, from)
}

func (f franz) readWith(t *testing.T, topic string, partition int32, from int64, options ...kgo.Opt) reader {
	t.Helper()
	at := map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}
	cl := f.dial(t, append(options, kgo.ConsumePartitions(at))...)
	return &franzReader{cl: cl, topic: topic, part: partition}
}

func (r *franzReader) next(t *testing.T) record {
	t.Helper()
	ctx := within(t)
	for len(r.fetched) == 0 {
		fetches := r.cl.PollFetches(ctx)
		must(t, fetches.Err0())
		fetches.EachError(func(topic string, p int32, err error) { t.Fatalf("%s %d: %v", topic, p, err) })
		r.fetched = fetches.Records()
	}
	first := r.fetched[0]
	r.fetched = r.fetched[1:]
	return fromFranz(first)
}

func (r *franzReader) seek(t *testing.T, offset int64) {
	t.Helper()
	r.fetched = nil
	r.cl.SetOffsets(map[string]map[int32]kgo.EpochOffset{r.topic: {r.part: {Epoch: -1, Offset: offset}}})
}

func (r *franzReader) close(*testing.T) { r.cl.Close() }

func (r *franzReader) pause(*testing.T) {
	r.cl.PauseFetchPartitions(map[string][]int32{r.topic: {r.part}})
}

func (r *franzReader) resume(*testing.T) {
	r.cl.ResumeFetchPartitions(map[string][]int32{r.topic: {r.part}})
}

func (r *franzReader) also(_ *testing.T, partition int32) {
	r.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: {partition: kgo.NewOffset().AtStart()}})
}

type franzMember struct {
	*pump
	cl *kgo.Client
}

func (f franz) join(t *testing.T, group, topic string) member {
	t.Helper()
	return f.joinWith(t, group, topic)
}

func (f franz) joinWith(t *testing.T, group, topic string, options ...kgo.Opt) *franzMember {
	t.Helper()
	cl := f.dial(t, append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(200 * time.Millisecond),
	}, options...)...)
	m := &franzMember{cl: cl}
	m.pump = newPump(func(ctx context.Context, send func(record) bool) {
		for {
			fetches := cl.PollFetches(ctx)
			if fetches.IsClientClosed() || errors.Is(fetches.Err0(), context.Canceled) {
				return
			}
			for _, r := range fetches.Records() {
				if !send(fromFranz(r)) {
					return
				}
			}
		}
	})
	t.Cleanup(m.end)
	return m
}

func (m *franzMember) commit(t *testing.T, records ...record) {
	t.Helper()
	topic := m.cl.GetConsumeTopics()[0]
	var committed []*kgo.Record
	for _, r := range records {
		committed = append(committed, &kgo.Record{Topic: topic, Partition: r.partition, Offset: r.offset, LeaderEpoch: -1})
	}
	must(t, m.cl.CommitRecords(within(t), committed...))
}

func (m *franzMember) leave(*testing.T) {
	m.end()
	m.cl.Close()
}
