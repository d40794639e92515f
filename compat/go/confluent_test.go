package clients

import (
	"context"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

func TestConfluent(t *testing.T) {
	c := confluent{}
	common(t, c)
	run(t, "idempotent_producer", func(t *testing.T) { idempotent(t, c) })
	run(t, "pause", func(t *testing.T) { pause(t, c) })
	transactions(t, c)
	confluentOwn(t, c)
}

// confluent is confluent-kafka-go, a face of librdkafka.
type confluent struct{}

// settings merges maps of librdkafka's properties.
func (confluent) settings(t *testing.T, maps ...kafka.ConfigMap) *kafka.ConfigMap {
	t.Helper()
	all := kafka.ConfigMap{"bootstrap.servers": address(t), "socket.timeout.ms": 10000}
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return &all
}

func (c confluent) producer(t *testing.T, settings ...kafka.ConfigMap) *kafka.Producer {
	t.Helper()
	own := kafka.ConfigMap{"message.max.bytes": 5 << 20, "linger.ms": 1}
	p, err := kafka.NewProducer(c.settings(t, append([]kafka.ConfigMap{own}, settings...)...))
	must(t, err)
	t.Cleanup(p.Close)
	return p
}

func (c confluent) consumer(t *testing.T, settings ...kafka.ConfigMap) *kafka.Consumer {
	t.Helper()
	own := kafka.ConfigMap{
		"auto.offset.reset": "earliest", "fetch.wait.max.ms": 200, "enable.auto.commit": false, "heartbeat.interval.ms": 200,
		"session.timeout.ms": 10000, "message.max.bytes": 5 << 20, "group.id": fresh(t),
	}
	consumer, err := kafka.NewConsumer(c.settings(t, append([]kafka.ConfigMap{own}, settings...)...))
	must(t, err)
	t.Cleanup(func() {
		if !consumer.IsClosed() {
			consumer.Close()
		}
	})
	return consumer
}

func (c confluent) admin(t *testing.T) *kafka.AdminClient {
	t.Helper()
	adm, err := kafka.NewAdminClient(c.settings(t))
	must(t, err)
	t.Cleanup(adm.Close)
	return adm
}

func (c confluent) createTopic(t *testing.T, topic string, partitions int) {
	t.Helper()
	adm := c.admin(t)
	results, err := adm.CreateTopics(within(t), []kafka.TopicSpecification{{Topic: topic, NumPartitions: partitions, ReplicationFactor: 1}})
	must(t, err)
	if results[0].Error.Code() != kafka.ErrNoError {
		t.Fatal(results[0].Error)
	}
	until(t, "topic "+topic+" is served", func() bool {
		meta, err := adm.GetMetadata(&topic, false, 5000)
		if err != nil || meta.Topics[topic].Error.Code() != kafka.ErrNoError {
			return false
		}
		for _, p := range meta.Topics[topic].Partitions {
			if p.Error.Code() != kafka.ErrNoError {
				return false
			}
		}
		return len(meta.Topics[topic].Partitions) == partitions
	})
}

func (c confluent) produce(t *testing.T, topic string, how writing, records ...record) error {
	t.Helper()
	settings := kafka.ConfigMap{"enable.idempotence": how.idempotent}
	if how.codec != "" {
		settings["compression.type"] = how.codec
	}
	if how.acks != "" {
		settings["acks"] = map[string]int{"all": -1, "one": 1, "none": 0}[how.acks]
	}
	p := c.producer(t, settings)
	delivered := make(chan kafka.Event, len(records))
	for _, r := range records {
		m := &kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: r.partition},
			Key:            r.key, Value: r.value, Timestamp: r.time,
		}
		for _, h := range r.headers {
			m.Headers = append(m.Headers, kafka.Header{Key: h.key, Value: []byte(h.value)})
		}
		must(t, p.Produce(m, delivered))
	}
	for range records {
		m := receive(t, "a delivery report", delivered).(*kafka.Message)
		if m.TopicPartition.Error != nil {
			return m.TopicPartition.Error
		}
	}
	return nil
}

func fromConfluent(m *kafka.Message) record {
	r := record{
		partition: m.TopicPartition.Partition, offset: int64(m.TopicPartition.Offset),
		key: m.Key, value: m.Value, time: m.Timestamp,
	}
	for _, h := range m.Headers {
		r.headers = append(r.headers, header{h.Key, string(h.Value)})
	}
	return r
}

func (c confluent) offsetAt(t *testing.T, topic string, partition int32, at time.Time) int64 {
	t.Helper()
	asked := kafka.TopicPartition{Topic: &topic, Partition: partition, Offset: kafka.Offset(at.UnixMilli())}
	found, err := c.consumer(t).OffsetsForTimes([]kafka.TopicPartition{asked}, 10000)
	must(t, err)
	must(t, found[0].Error)
	return int64(found[0].Offset) // OffsetEnd is -1
}

func (c confluent) unknownTopic(t *testing.T, topic string) error {
	consumer := c.consumer(t)
	must(t, consumer.Subscribe(topic, nil))
	for {
		switch e := c.poll(t, consumer).(type) {
		case kafka.Error:
			return e
		case *kafka.Message:
			return e.TopicPartition.Error
		}
	}
}

// poll returns the next event.
func (confluent) poll(t *testing.T, consumer *kafka.Consumer) kafka.Event {
	t.Helper()
	for ctx := within(t); ctx.Err() == nil; {
		if e := consumer.Poll(100); e != nil {
			return e
		}
	}
	t.Fatal("in vain: an event")
	panic("unreachable")
}

// confluentReader reads what Assign gives it.
type confluentReader struct {
	confluent
	consumer *kafka.Consumer
	topic    string
	part     int32
}

func (c confluent) read(t *testing.T, topic string, partition int32, from int64) reader {
	t.Helper()
	return c.readWith(t, topic, partition, from)
}

func (c confluent) readWith(t *testing.T, topic string, partition int32, from int64, settings ...kafka.ConfigMap) reader {
	t.Helper()
	r := &confluentReader{consumer: c.consumer(t, settings...), topic: topic, part: partition}
	must(t, r.consumer.Assign([]kafka.TopicPartition{r.at(partition, kafka.Offset(from))}))
	return r
}

func (r *confluentReader) at(partition int32, offset kafka.Offset) kafka.TopicPartition {
	return kafka.TopicPartition{Topic: &r.topic, Partition: partition, Offset: offset}
}

func (r *confluentReader) next(t *testing.T) record {
	t.Helper()
	for {
		switch e := r.poll(t, r.consumer).(type) {
		case *kafka.Message:
			must(t, e.TopicPartition.Error)
			return fromConfluent(e)
		case kafka.Error:
			t.Fatal(e)
		}
	}
}

func (r *confluentReader) seek(t *testing.T, offset int64) {
	t.Helper()
	must(t, r.consumer.Seek(r.at(r.part, kafka.Offset(offset)), 0))
}

func (r *confluentReader) close(t *testing.T) {
	t.Helper()
	must(t, r.consumer.Close())
}

func (r *confluentReader) pause(t *testing.T) {
	t.Helper()
	must(t, r.consumer.Pause([]kafka.TopicPartition{r.at(r.part, 0)}))
}

func (r *confluentReader) resume(t *testing.T) {
	t.Helper()
	must(t, r.consumer.Resume([]kafka.TopicPartition{r.at(r.part, 0)}))
}

func (r *confluentReader) also(t *testing.T, partition int32) {
	t.Helper()
	must(t, r.consumer.IncrementalAssign([]kafka.TopicPartition{r.at(partition, 0)}))
}

type confluentMember struct {
	*pump
	topic    string
	consumer *kafka.Consumer
}

func (c confluent) join(t *testing.T, group, topic string) member {
	t.Helper()
	return c.joinWith(t, group, topic, nil)
}

func (c confluent) joinWith(t *testing.T, group, topic string, rebalanced kafka.RebalanceCb, settings ...kafka.ConfigMap) *confluentMember {
	t.Helper()
	m := &confluentMember{topic: topic}
	m.consumer = c.consumer(t, append([]kafka.ConfigMap{{"group.id": group}}, settings...)...)
	must(t, m.consumer.Subscribe(topic, rebalanced))
	m.pump = newPump(func(ctx context.Context, send func(record) bool) {
		for ctx.Err() == nil {
			if e, ok := m.consumer.Poll(50).(*kafka.Message); ok && !send(fromConfluent(e)) {
				return
			}
		}
	})
	t.Cleanup(m.end)
	return m
}

func (m *confluentMember) commit(t *testing.T, records ...record) {
	t.Helper()
	var offsets []kafka.TopicPartition
	for _, r := range records {
		offsets = append(offsets, kafka.TopicPartition{Topic: &m.topic, Partition: r.partition, Offset: kafka.Offset(r.offset + 1)})
	}
	committed, err := m.consumer.CommitOffsets(offsets)
	must(t, err)
	for _, c := range committed {
		must(t, c.Error)
	}
}

func (m *confluentMember) leave(t *testing.T) {
	t.Helper()
	m.end()
	must(t, m.consumer.Close())
}
