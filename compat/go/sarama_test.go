package clients

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func TestSarama(t *testing.T) {
	c := saramaClient{version: sarama.MaxVersion}
	common(t, c)
	run(t, "idempotent_producer", func(t *testing.T) { idempotent(t, c) })
	run(t, "pause", func(t *testing.T) { pause(t, c) })
	transactions(t, c)
	run(t, "transaction_offsets", func(t *testing.T) { saramaTransactionOffsets(t, c) })
	saramaOwn(t, c)
	saramaAdmin(t, c)
}

// saramaClient is sarama, which speaks the versions of the broker that it is told
// to expect.
type saramaClient struct{ version sarama.KafkaVersion }

func (c saramaClient) config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = c.version
	config.Metadata.Retry.Backoff = 50 * time.Millisecond
	config.Metadata.AllowAutoTopicCreation = false
	config.Consumer.Retry.Backoff = 100 * time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Heartbeat.Interval = 200 * time.Millisecond
	config.Consumer.Group.Rebalance.Retry.Backoff = 100 * time.Millisecond
	config.Producer.Return.Successes = true
	config.Producer.Retry.Backoff = 50 * time.Millisecond
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.MaxMessageBytes = 5 << 20
	return config
}

func (c saramaClient) dial(t *testing.T, config *sarama.Config) sarama.Client {
	t.Helper()
	cl, err := sarama.NewClient([]string{address(t)}, config)
	must(t, err)
	t.Cleanup(func() {
		if !cl.Closed() {
			cl.Close()
		}
	})
	return cl
}

func (c saramaClient) admin(t *testing.T) sarama.ClusterAdmin {
	t.Helper()
	adm, err := sarama.NewClusterAdminFromClient(c.dial(t, c.config()))
	must(t, err)
	return adm
}

func (c saramaClient) createTopic(t *testing.T, topic string, partitions int) {
	t.Helper()
	adm := c.admin(t)
	must(t, adm.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: int32(partitions), ReplicationFactor: 1}, false))
	until(t, "topic "+topic+" is served", func() bool {
		described, err := adm.DescribeTopics([]string{topic})
		if err != nil || described[0].Err != sarama.ErrNoError {
			return false
		}
		for _, p := range described[0].Partitions {
			if p.Err != sarama.ErrNoError {
				return false
			}
		}
		return len(described[0].Partitions) == partitions
	})
}

func saramaCodec(name string) sarama.CompressionCodec {
	return map[string]sarama.CompressionCodec{
		"": sarama.CompressionNone, "none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
		"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD,
	}[name]
}

func toSarama(topic string, r record) *sarama.ProducerMessage {
	m := &sarama.ProducerMessage{Topic: topic, Partition: r.partition, Timestamp: r.time}
	if r.key != nil {
		m.Key = sarama.ByteEncoder(r.key)
	}
	if r.value != nil {
		m.Value = sarama.ByteEncoder(r.value)
	}
	for _, h := range r.headers {
		m.Headers = append(m.Headers, sarama.RecordHeader{Key: []byte(h.key), Value: []byte(h.value)})
	}
	return m
}

func fromSarama(m *sarama.ConsumerMessage) record {
	r := record{partition: m.Partition, offset: m.Offset, key: m.Key, value: m.Value, time: m.Timestamp}
	for _, h := range m.Headers {
		r.headers = append(r.headers, header{string(h.Key), string(h.Value)})
	}
	return r
}

func (c saramaClient) produce(t *testing.T, topic string, how writing, records ...record) error {
	t.Helper()
	config := c.config()
	config.Metadata.AllowAutoTopicCreation = true
	config.Producer.RequiredAcks = map[string]sarama.RequiredAcks{
		"": sarama.WaitForAll, "all": sarama.WaitForAll, "one": sarama.WaitForLocal, "none": sarama.NoResponse,
	}[how.acks]
	config.Producer.Compression = saramaCodec(how.codec)
	if how.idempotent {
		config.Producer.Idempotent = true
		config.Net.MaxOpenRequests = 1 // sarama insists
	}
	producer, err := sarama.NewSyncProducerFromClient(c.dial(t, config))
	must(t, err)
	defer producer.Close()
	var out []*sarama.ProducerMessage
	for _, r := range records {
		out = append(out, toSarama(topic, r))
	}
	if err := producer.SendMessages(out); err != nil {
		return err.(sarama.ProducerErrors)[0].Err
	}
	return nil
}

func (c saramaClient) offsetAt(t *testing.T, topic string, partition int32, at time.Time) int64 {
	t.Helper()
	offset, err := c.dial(t, c.config()).GetOffset(topic, partition, at.UnixMilli())
	must(t, err)
	return offset
}

func (c saramaClient) unknownTopic(t *testing.T, topic string) error {
	consumer, err := sarama.NewConsumerFromClient(c.dial(t, c.config()))
	must(t, err)
	_, err = consumer.ConsumePartition(topic, 0, sarama.OffsetOldest)
	return err
}

// saramaReader is a consumer of single partitions.
type saramaReader struct {
	consumer sarama.Consumer
	topic    string
	part     int32
	pc       sarama.PartitionConsumer
	other    sarama.PartitionConsumer // nil without a second partition
	others   <-chan *sarama.ConsumerMessage
}

func (c saramaClient) read(t *testing.T, topic string, partition int32, from int64) reader {
	t.Helper()
	return c.readWith(t, c.config(), topic, partition, from)
}

func (c saramaClient) readWith(t *testing.T, config *sarama.Config, topic string, partition int32, from int64) reader {
	t.Helper()
	consumer, err := sarama.NewConsumerFromClient(c.dial(t, config))
	must(t, err)
	r := &saramaReader{consumer: consumer, topic: topic, part: partition}
	r.pc, err = consumer.ConsumePartition(topic, partition, from)
	must(t, err)
	return r
}

func (r *saramaReader) next(t *testing.T) record {
	t.Helper()
	select {
	case m := <-r.pc.Messages():
		return fromSarama(m)
	case m := <-r.others:
		return fromSarama(m)
	case <-within(t).Done():
		t.Fatal("in vain: a message")
		panic("unreachable")
	}
}

// seek opens the partition anew, which is how sarama seeks.
func (r *saramaReader) seek(t *testing.T, offset int64) {
	t.Helper()
	must(t, r.pc.Close())
	pc, err := r.consumer.ConsumePartition(r.topic, r.part, offset)
	must(t, err)
	r.pc = pc
}

func (r *saramaReader) close(t *testing.T) {
	t.Helper()
	if r.other != nil {
		must(t, r.other.Close())
	}
	must(t, r.pc.Close())
	must(t, r.consumer.Close())
}

func (r *saramaReader) pause(t *testing.T) {
	t.Helper()
	r.pc.Pause()
	if !r.pc.IsPaused() {
		t.Fatal("not paused")
	}
}
func (r *saramaReader) resume(*testing.T) { r.pc.Resume() }

func (r *saramaReader) also(t *testing.T, partition int32) {
	t.Helper()
	pc, err := r.consumer.ConsumePartition(r.topic, partition, sarama.OffsetOldest)
	must(t, err)
	r.other = pc
	r.others = pc.Messages()
}

// saramaMember is a member of a consumer group, and the handler of its sessions.
type saramaMember struct {
	*pump
	topic    string
	group    sarama.ConsumerGroup
	session  atomic.Pointer[sarama.ConsumerGroupSession]
	sessions chan sarama.ConsumerGroupSession // each that began, for who asks
}

func (c saramaClient) join(t *testing.T, group, topic string) member {
	t.Helper()
	return c.joinWith(t, c.config(), group, topic)
}

func (c saramaClient) joinWith(t *testing.T, config *sarama.Config, group, topic string) *saramaMember {
	t.Helper()
	cg, err := sarama.NewConsumerGroup([]string{address(t)}, group, config)
	must(t, err)
	m := &saramaMember{topic: topic, group: cg, sessions: make(chan sarama.ConsumerGroupSession, 100)}
	m.pump = newPump(func(ctx context.Context, _ func(record) bool) {
		for ctx.Err() == nil {
			// It returns at each rebalance; an error that stays ends the case in vain.
			_ = cg.Consume(ctx, []string{topic}, m)
		}
	})
	t.Cleanup(func() { m.end(); cg.Close() })
	return m
}

func (m *saramaMember) Setup(s sarama.ConsumerGroupSession) error {
	m.session.Store(&s)
	m.sessions <- s
	return nil
}

func (m *saramaMember) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (m *saramaMember) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			select {
			case m.out <- fromSarama(message):
			case <-s.Context().Done():
				return nil
			}
		case <-s.Context().Done():
			return nil
		}
	}
}

func (m *saramaMember) commit(_ *testing.T, records ...record) {
	s := *m.session.Load()
	for _, r := range records {
		s.MarkOffset(m.topic, r.partition, r.offset+1, "")
	}
	s.Commit() // an error goes to Errors(); that it is taken, the next member shows
}

func (m *saramaMember) leave(t *testing.T) {
	t.Helper()
	m.end()
	must(t, m.group.Close())
}
