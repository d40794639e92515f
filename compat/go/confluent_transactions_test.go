package clients

import (
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// confluentTransactor speaks the protocol of before KIP-890.
type confluentTransactor struct{ producer *kafka.Producer }

func (c confluent) transact(t *testing.T, id string, how transacting) transactor {
	t.Helper()
	codec := how.codec
	if codec == "" {
		codec = "none"
	}
	timeout := int(how.timeoutOr(10 * time.Second).Milliseconds())
	p := c.producer(t, kafka.ConfigMap{
		"transactional.id": id, "compression.type": codec, "batch.num.messages": 100,
		"transaction.timeout.ms": timeout, "socket.timeout.ms": timeout, // which may not be the longer one
	})
	must(t, p.InitTransactions(within(t)))
	return confluentTransactor{p}
}

func (p confluentTransactor) begin(t *testing.T) {
	t.Helper()
	must(t, p.producer.BeginTransaction())
}

func (p confluentTransactor) send(t *testing.T, topic string, records ...record) error {
	t.Helper()
	delivered := make(chan kafka.Event, len(records))
	for _, r := range records {
		must(t, p.producer.Produce(&kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: r.partition}, Key: r.key, Value: r.value,
		}, delivered))
	}
	for range records {
		if err := receive(t, "a delivery report", delivered).(*kafka.Message).TopicPartition.Error; err != nil {
			return err
		}
	}
	return nil
}

func (p confluentTransactor) end(t *testing.T, commit bool) error {
	if commit {
		return p.producer.CommitTransaction(within(t))
	}
	return p.producer.AbortTransaction(within(t))
}

// librdkafka reads what is committed unless it is told otherwise.
func (c confluent) readAs(t *testing.T, isolation isolation, topic string, partition int32) reader {
	t.Helper()
	if isolation == readCommitted {
		return c.readWith(t, topic, partition, 0)
	}
	return c.readWith(t, topic, partition, 0, kafka.ConfigMap{"isolation.level": "read_uncommitted"})
}

func confluentTransactionOffsets(t *testing.T, c confluent) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 1)
	p := c.transact(t, fresh(t), transacting{}).(confluentTransactor)
	member, err := kafka.NewTestConsumerGroupMetadata(group) // of no member
	must(t, err)
	offsetsInTransactions(t, p, group, topic, func(offset int64) {
		at := []kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: kafka.Offset(offset)}}
		must(t, p.producer.SendOffsetsToTransaction(within(t), at, member))
	})
}

// The codes that librdkafka's users look at.
func confluentTransactionCodes(t *testing.T, c confluent) {
	topic, id := fresh(t), fresh(t)
	c.createTopic(t, topic, 1)
	first := c.transact(t, id, transacting{}).(confluentTransactor)
	first.begin(t)
	must(t, first.send(t, topic, texts(0, "first")...))
	c.transact(t, id, transacting{})
	err := first.end(t, true)
	equal(t, "code of a fenced commit", code(t, err), kafka.ErrFenced)
	equal(t, "it is fatal", err.(kafka.Error).IsFatal(), true)

	p := c.producer(t, kafka.ConfigMap{"transactional.id": fresh(t), "transaction.timeout.ms": 900_001})
	equal(t, "code of a long timeout", code(t, p.InitTransactions(within(t))), kafka.ErrInvalidTransactionTimeout)
}
