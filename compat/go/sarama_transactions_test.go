package clients

import (
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// saramaTransactor speaks the protocol of before KIP-890.
type saramaTransactor struct{ producer sarama.SyncProducer }

func (c saramaClient) transact(t *testing.T, id string, how transacting) transactor {
	t.Helper()
	config := c.config()
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Producer.Transaction.ID = id
	config.Producer.Transaction.Timeout = how.timeoutOr(time.Minute)
	config.Producer.Compression = saramaCodec(how.codec)
	config.Producer.Flush.MaxMessages = 100
	p, err := sarama.NewSyncProducerFromClient(c.dial(t, config))
	must(t, err)
	t.Cleanup(func() { p.Close() })
	return saramaTransactor{p}
}

func (p saramaTransactor) begin(t *testing.T) {
	t.Helper()
	must(t, p.producer.BeginTxn())
}

func (p saramaTransactor) send(t *testing.T, topic string, records ...record) error {
	t.Helper()
	var out []*sarama.ProducerMessage
	for _, r := range records {
		out = append(out, toSarama(topic, r))
	}
	if err := p.producer.SendMessages(out); err != nil {
		return err.(sarama.ProducerErrors)[0].Err
	}
	return nil
}

func (p saramaTransactor) end(_ *testing.T, commit bool) error {
	if commit {
		return p.producer.CommitTxn()
	}
	return p.producer.AbortTxn()
}

func (c saramaClient) readAs(t *testing.T, isolation isolation, topic string, partition int32) reader {
	t.Helper()
	config := c.config()
	if isolation == readCommitted {
		config.Consumer.IsolationLevel = sarama.ReadCommitted
	}
	return c.readWith(t, config, topic, partition, 0)
}

func saramaTransactionOffsets(t *testing.T, c saramaClient) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 1)
	p := c.transact(t, fresh(t), transacting{}).(saramaTransactor)
	offsetsInTransactions(t, p, group, topic, func(offset int64) {
		must(t, p.producer.AddOffsetsToTxn(map[string][]*sarama.PartitionOffsetMetadata{topic: {{Partition: 0, Offset: offset}}}, group))
	})
}
