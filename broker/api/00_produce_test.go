package api

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol/batch"
)

// produceTo is a request with these records for partition 0 of the topic.
func produceTo(topic string, id [16]byte, version, acks int16, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = version, acks, 1000
	t := kmsg.NewProduceRequestTopic()
	t.Topic, t.TopicID = topic, id
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = records
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func threeRecords() *batch.Builder {
	b := batch.NewBuilder()
	for range 3 {
		b.Add(batch.Record{Timestamp: 1_700_000_000_000, Key: []byte("key"), Value: []byte(strings.Repeat("value ", 20))})
	}
	return b
}

func TestProduceInEveryVersion(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("t", 1)
	next := int64(0)
	f.versions(kmsg.NewPtrProduceRequest(), func(version int16) {
		for _, acks := range []int16{1, -1} {
			got := ask[*kmsg.ProduceResponse](f, produceTo("t", topic.ID, version, acks, threeRecords().Build())).Topics[0].Partitions[0]
			if got.ErrorCode != 0 || got.BaseOffset != next || got.LogAppendTime != -1 {
				t.Fatalf("version %d, acks %d: %+v, want base offset %d", version, acks, got, next)
			}
			next += 3
		}
	})
}

// TestProduceRefuses sends what must not reach the log: the Kafka error is the
// answer, and the log stays empty.
func TestProduceRefuses(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("t", 1)
	good := func() batch.Batch { return threeRecords().Build() }
	// resealed is a batch with a change that its checksum does not betray.
	resealed := func(b batch.Batch, change func(batch.Batch)) []byte {
		change(b)
		binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
		return b
	}
	compressed := func(c batch.Codec) batch.Batch {
		b := threeRecords()
		b.Codec = c
		return b.Build()
	}
	for _, tc := range []struct {
		name    string
		records []byte
		want    *kerr.Error
	}{
		{"no records", nil, kerr.InvalidRecord},
		{"empty records", []byte{}, kerr.InvalidRecord},
		{"half a batch", good()[:80], kerr.InvalidRecord},
		{"a wrong checksum", func() []byte { b := good(); b[len(b)-1] ^= 1; return b }(), kerr.CorruptMessage},
		{"an old magic", resealed(good(), func(b batch.Batch) { b[16] = 1 }), kerr.InvalidRecord},
		{"a magic of the future", resealed(good(), func(b batch.Batch) { b[16] = 3 }), kerr.CorruptMessage},
		{"more records than there are", resealed(good(), func(b batch.Batch) { b[60], b[26] = 4, 3 }), kerr.InvalidRecord},
		{"fewer records than there are", resealed(good(), func(b batch.Batch) { b[60], b[26] = 2, 1 }), kerr.InvalidRecord},
		{"a negative count", resealed(good(), func(b batch.Batch) { binary.BigEndian.PutUint32(b[57:], 0xffffffff) }), kerr.InvalidRecord},
		{"two batches", append(good(), good()...), kerr.InvalidRecord},
		{"a control batch", func() []byte { b := threeRecords(); b.Control = true; return b.Build() }(), kerr.InvalidRecord},
		{"gzip that does not decompress", resealed(compressed(batch.Gzip), func(b batch.Batch) { clear(b[70:]) }), kerr.InvalidRecord},
		{"zstd that does not decompress", resealed(compressed(batch.Zstd), func(b batch.Batch) { clear(b[61:]) }), kerr.InvalidRecord},
		{"an unknown codec", resealed(good(), func(b batch.Batch) { b[22] |= 7 }), kerr.UnsupportedCompressionType},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ask[*kmsg.ProduceResponse](f, produceTo("t", topic.ID, 9, -1, tc.records)).Topics[0].Partitions[0]
			if got.ErrorCode != tc.want.Code {
				t.Errorf("answered %v, want %v", kerr.ErrorForCode(got.ErrorCode), tc.want)
			}
			if got.BaseOffset != -1 {
				t.Errorf("base offset %d in a refusal", got.BaseOffset)
			}
		})
	}
	if at := f.partition("t", 0).Log().Offsets(); at.LogEnd != 0 {
		t.Fatalf("the log ends at %d: something of it was appended", at.LogEnd)
	}
}

func TestProduceErrorsByTopic(t *testing.T) {
	f := newFixture(t)
	small := f.topic("small", 1, "max.message.bytes", "100")
	compacted := f.topic("compacted", 1, "cleanup.policy", "compact")
	if err := func() error { _, e := f.Partitions.Get("small", 0); return e }(); err != nil {
		t.Fatal(err)
	}
	keyless := batch.NewBuilder().Add(batch.Record{Timestamp: 1, Value: []byte("v")}).Build()
	for _, tc := range []struct {
		name string
		req  *kmsg.ProduceRequest
		want *kerr.Error
	}{
		{"unknown topic", produceTo("nowhere", [16]byte{}, 9, 1, threeRecords().Build()), kerr.UnknownTopicOrPartition},
		{"unknown topic id", produceTo("", [16]byte{1, 2, 3}, 13, 1, threeRecords().Build()), kerr.UnknownTopicID},
		{"an internal topic", produceTo("__consumer_offsets", [16]byte{}, 9, 1, threeRecords().Build()), kerr.InvalidTopicException},
		{"acks that do not exist", produceTo("small", small.ID, 9, 2, threeRecords().Build()), kerr.InvalidRequiredAcks},
		{"no key in a compacted topic", produceTo("compacted", compacted.ID, 9, 1, keyless), kerr.InvalidRecord},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := ask[*kmsg.ProduceResponse](f, tc.req).Topics[0].Partitions[0]
			if got.ErrorCode != tc.want.Code {
				t.Errorf("answered %v, want %v", kerr.ErrorForCode(got.ErrorCode), tc.want)
			}
		})
	}
	refused := ask[*kmsg.ProduceResponse](f, produceTo("compacted", compacted.ID, 9, 1, keyless)).Topics[0].Partitions[0]
	if len(refused.ErrorRecords) != 1 || refused.ErrorMessage == nil {
		t.Errorf("the refused record is not named: %+v", refused)
	}
}

// TestIdempotentProduce retries and skips sequences.
func TestIdempotentProduce(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("t", 1)
	send := func(epoch int16, sequence int32) kmsg.ProduceResponseTopicPartition {
		b := threeRecords()
		b.ProducerID, b.ProducerEpoch, b.BaseSequence = 1000, epoch, sequence
		return ask[*kmsg.ProduceResponse](f, produceTo("t", topic.ID, 9, -1, b.Build())).Topics[0].Partitions[0]
	}
	for _, step := range []struct {
		epoch    int16
		sequence int32
		code     int16
		offset   int64
	}{
		{0, 0, 0, 0},
		{0, 3, 0, 3},
		{0, 0, 0, 0}, // sent again: the offsets of the first time
		{0, 3, 0, 3},
		{0, 9, kerr.OutOfOrderSequenceNumber.Code, -1},
		{0, 6, 0, 6},
		{1, 0, 0, 9},
		{0, 9, kerr.InvalidProducerEpoch.Code, -1},
	} {
		got := send(step.epoch, step.sequence)
		if got.ErrorCode != step.code || got.BaseOffset != step.offset {
			t.Fatalf("epoch %d sequence %d: %v at %d, want code %d at %d",
				step.epoch, step.sequence, kerr.ErrorForCode(got.ErrorCode), got.BaseOffset, step.code, step.offset)
		}
	}
	if end := f.partition("t", 0).Log().Offsets().LogEnd; end != 12 {
		t.Fatalf("the log ends at %d, want 12", end)
	}
}

// What compat/differential found: which refusals tell where the log begins, and
// what is refused or left out whole.
func TestProduceRefusalsAsKafkaShowsThem(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("t", 1)
	f.versions(kmsg.NewPtrProduceRequest(), func(version int16) {
		refused := func(records []byte) kmsg.ProduceResponseTopicPartition {
			return ask[*kmsg.ProduceResponse](f, produceTo("t", topic.ID, version, -1, records)).Topics[0].Partitions[0]
		}
		control := threeRecords()
		control.Control = true
		if got := refused(control.Build()); got.ErrorCode != kerr.InvalidRecord.Code || version >= 5 && got.LogStartOffset != 0 {
			t.Errorf("version %d, a control batch: %+v, want log start offset 0", version, got)
		}
		corrupt := threeRecords().Build()
		corrupt[len(corrupt)-1] ^= 1
		if got := refused(corrupt); got.ErrorCode != kerr.CorruptMessage.Code || got.LogStartOffset != -1 {
			t.Errorf("version %d, a wrong checksum: %+v, want log start offset -1", version, got)
		}
		strange := threeRecords().Build()
		strange[16] = 3
		if got := refused(strange); version >= 8 && (got.ErrorMessage == nil || *got.ErrorMessage != "Invalid magic found in record: 3") {
			t.Errorf("version %d, magic 3: %+v", version, got)
		}
		transactional := threeRecords()
		transactional.Transactional = true
		if got := refused(transactional.Build()); got.ErrorCode != kerr.TransactionalIDAuthorizationFailed.Code {
			t.Errorf("version %d, transactional without an id: %+v", version, got)
		}
		empty := produceTo("t", topic.ID, version, -1, nil)
		empty.Topics[0].Partitions = nil
		if got := ask[*kmsg.ProduceResponse](f, empty); len(got.Topics) != 0 {
			t.Errorf("version %d, a topic without partitions: %+v", version, got)
		}
	})
}

// A request has one transaction: the answer for every partition of one with two says what is wrong.
func TestProduceOfTwoTransactions(t *testing.T) {
	f := newFixture(t)
	topic := f.topic("a", 2)
	p := f.producer("t")
	equal(t, "AddPartitionsToTxn", p.add(3, "a", 0, 1), []int16{0, 0})
	f.versions(kmsg.NewPtrProduceRequest(), func(v int16) {
		req := produceTo("a", topic.ID, v, -1, nil)
		req.TransactionID = &p.txnID
		req.Topics[0].Partitions = nil
		for i, id := range []int64{p.id, p.id + 1000} {
			b := threeRecords()
			b.Transactional, b.ProducerID, b.ProducerEpoch, b.BaseSequence = true, id, p.epoch, 0
			one := kmsg.NewProduceRequestTopicPartition()
			one.Partition, one.Records = int32(i), b.Build()
			req.Topics[0].Partitions = append(req.Topics[0].Partitions, one)
		}
		want := fmt.Sprint(kerr.InvalidProducerIDMapping.Code, " ")
		if v >= 8 {
			want += "Transactional records contained more than one producer ID"
		} else {
			want += "null"
		}
		for _, o := range ask[*kmsg.ProduceResponse](f, req).Topics[0].Partitions {
			equal(t, fmt.Sprint("version ", v), fmt.Sprint(o.ErrorCode, " ", text(o.ErrorMessage)), want)
		}
	})
}
