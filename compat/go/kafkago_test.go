package clients

import (
	"context"
	"errors"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// kafka-go has no idempotent producer, and no way to pause a partition.
func TestKafkaGo(t *testing.T) {
	c := kafkaGo{}
	common(t, c)
	kafkaGoOwn(t, c)
}

// kafkaGo is segmentio/kafka-go.
type kafkaGo struct{}

func (kafkaGo) dial(t *testing.T) *kafkago.Client {
	t.Helper()
	transport := &kafkago.Transport{MetadataTTL: 2 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafkago.Client{Addr: kafkago.TCP(address(t)), Timeout: 10 * time.Second, Transport: transport}
}

func (c kafkaGo) createTopic(t *testing.T, topic string, partitions int) {
	t.Helper()
	cl := c.dial(t)
	created, err := cl.CreateTopics(within(t), &kafkago.CreateTopicsRequest{
		Topics: []kafkago.TopicConfig{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}},
	})
	must(t, err)
	must(t, created.Errors[topic])
	until(t, "topic "+topic+" is served", func() bool {
		meta, err := cl.Metadata(within(t), &kafkago.MetadataRequest{Topics: []string{topic}})
		if err != nil || meta.Topics[0].Error != nil {
			return false
		}
		for _, p := range meta.Topics[0].Partitions {
			if p.Error != nil {
				return false
			}
		}
		return len(meta.Topics[0].Partitions) == partitions
	})
}

// toItsPartition is a balancer that leaves the choice to the message.
func toItsPartition(m kafkago.Message, _ ...int) int { return m.Partition }

func (c kafkaGo) writer(t *testing.T, topic string) *kafkago.Writer {
	t.Helper()
	w := &kafkago.Writer{
		Addr: kafkago.TCP(address(t)), Topic: topic, Balancer: kafkago.BalancerFunc(toItsPartition),
		RequiredAcks: kafkago.RequireAll, BatchBytes: 5 << 20, BatchTimeout: time.Millisecond,
		WriteBackoffMin: 20 * time.Millisecond, AllowAutoTopicCreation: true, Transport: c.dial(t).Transport,
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func toKafkaGo(r record) kafkago.Message {
	m := kafkago.Message{Partition: int(r.partition), Key: r.key, Value: r.value, Time: r.time}
	for _, h := range r.headers {
		m.Headers = append(m.Headers, kafkago.Header{Key: h.key, Value: []byte(h.value)})
	}
	return m
}

func fromKafkaGo(m kafkago.Message) record {
	r := record{partition: int32(m.Partition), offset: m.Offset, key: m.Key, value: m.Value, time: m.Time}
	for _, h := range m.Headers {
		r.headers = append(r.headers, header{h.Key, string(h.Value)})
	}
	return r
}

func (c kafkaGo) produce(t *testing.T, topic string, how writing, records ...record) error {
	t.Helper()
	w := c.writer(t, topic)
	switch how.acks {
	case "none":
		w.RequiredAcks = kafkago.RequireNone
	case "one":
		w.RequiredAcks = kafkago.RequireOne
	}
	switch how.codec {
	case "gzip":
		w.Compression = kafkago.Gzip
	case "snappy":
		w.Compression = kafkago.Snappy
	case "lz4":
		w.Compression = kafkago.Lz4
	case "zstd":
		w.Compression = kafkago.Zstd
	}
	var out []kafkago.Message
	for _, r := range records {
		out = append(out, toKafkaGo(r))
	}
	// The writer leaves it to its users to write again when the topic did not exist.
	var err error
	until(t, "topic "+topic+" is created", func() bool {
		err = w.WriteMessages(within(t), out...)
		return !errors.Is(err, kafkago.UnknownTopicOrPartition) && !errors.Is(err, kafkago.LeaderNotAvailable)
	})
	if several := (kafkago.WriteErrors)(nil); errors.As(err, &several) {
		return several[0]
	}
	return err
}

func (c kafkaGo) offsetAt(t *testing.T, topic string, partition int32, at time.Time) int64 {
	t.Helper()
	conn, err := kafkago.DialLeader(within(t), "tcp", address(t), topic, int(partition))
	must(t, err)
	defer conn.Close()
	offset, err := conn.ReadOffset(at)
	must(t, err)
	return offset
}

func (c kafkaGo) unknownTopic(t *testing.T, topic string) error {
	w := c.writer(t, topic)
	w.AllowAutoTopicCreation = false
	return w.WriteMessages(within(t), kafkago.Message{Value: []byte("lost")})
}

type kafkaGoReader struct{ *kafkago.Reader }

func (c kafkaGo) read(t *testing.T, topic string, partition int32, from int64) reader {
	t.Helper()
	r := kafkago.NewReader(kafkago.ReaderConfig{
		Brokers: []string{address(t)}, Topic: topic, Partition: int(partition),
		MaxWait: 500 * time.Millisecond, ReadBackoffMin: 10 * time.Millisecond, ReadBackoffMax: 50 * time.Millisecond, MaxBytes: 5 << 20,
	})
	t.Cleanup(func() { r.Close() })
	must(t, r.SetOffset(from))
	return kafkaGoReader{r}
}

func (r kafkaGoReader) next(t *testing.T) record {
	t.Helper()
	m, err := r.ReadMessage(within(t))
	must(t, err)
	return fromKafkaGo(m)
}

func (r kafkaGoReader) seek(t *testing.T, offset int64) {
	t.Helper()
	must(t, r.SetOffset(offset))
}

func (r kafkaGoReader) close(t *testing.T) {
	t.Helper()
	must(t, r.Close())
}

type kafkaGoMember struct {
	*pump
	topic  string
	reader *kafkago.Reader
}

func (c kafkaGo) join(t *testing.T, group, topic string) member {
	t.Helper()
	return c.joinWith(t, kafkago.ReaderConfig{GroupID: group, GroupTopics: []string{topic}})
}

func (c kafkaGo) joinWith(t *testing.T, config kafkago.ReaderConfig) *kafkaGoMember {
	t.Helper()
	config.Brokers = []string{address(t)}
	config.StartOffset = kafkago.FirstOffset
	config.HeartbeatInterval = 200 * time.Millisecond
	config.JoinGroupBackoff = 100 * time.Millisecond
	config.MaxWait = 500 * time.Millisecond
	config.ReadBackoffMin, config.ReadBackoffMax = 10*time.Millisecond, 50*time.Millisecond
	m := &kafkaGoMember{topic: config.GroupTopics[0], reader: kafkago.NewReader(config)}
	m.pump = newPump(func(ctx context.Context, send func(record) bool) {
		for {
			message, err := m.reader.FetchMessage(ctx)
			if err != nil || !send(fromKafkaGo(message)) {
				return
			}
		}
	})
	t.Cleanup(func() { m.end(); m.reader.Close() })
	return m
}

func (m *kafkaGoMember) commit(t *testing.T, records ...record) {
	t.Helper()
	for _, r := range records {
		must(t, m.reader.CommitMessages(within(t), kafkago.Message{Topic: m.topic, Partition: int(r.partition), Offset: r.offset}))
	}
}

func (m *kafkaGoMember) leave(t *testing.T) {
	t.Helper()
	m.end()
	must(t, m.reader.Close())
}
