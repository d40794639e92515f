package kafkadir

import (
	"errors"
	"reflect"
	"testing"
	"testing/fstest"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol/batch"
)

// transactional is a record of the topic of transactional ids, as Kafka writes it from transaction.version 1 on.
func transactional(id string, t Transaction) batch.Record {
	key := kmsg.TxnMetadataKey{TransactionalID: id}
	v := kmsg.NewTxnMetadataValue()
	v.Version, v.ProducerID, v.ProducerEpoch, v.TimeoutMillis = 1, t.ProducerID, t.Epoch, t.TimeoutMs
	v.State, v.StartTimestamp, v.LastUpdateTimestamp = kmsg.TransactionState(t.State), t.StartMs, t.UpdatedMs
	for _, p := range t.Partitions {
		v.Topics = append(v.Topics, kmsg.TxnMetadataValueTopic{Topic: p.Topic, Partitions: []int32{p.Partition}})
	}
	v.PreviousProducerID, v.NextProducerID, v.ClientTransactionVersion = t.PreviousProducerID, t.NextProducerID, t.Version
	return batch.Record{Key: key.AppendTo(nil), Value: v.AppendTo(nil)}
}

func TestTransactions(t *testing.T) {
	idle := Transaction{ID: "idle", ProducerID: 5, PreviousProducerID: -1, NextProducerID: -1, Epoch: 3, TimeoutMs: 60000, State: TransactionCompleteCommit, StartMs: 7, UpdatedMs: 9}
	open := Transaction{ID: "open", ProducerID: 6, PreviousProducerID: 6, NextProducerID: 8, Epoch: 32766, TimeoutMs: 1, State: TransactionOngoing, StartMs: 7, UpdatedMs: 9,
		Version: 2, Partitions: []TopicPartition{{"a", 1}, {"b", 0}}}
	before := idle
	before.State, before.Epoch = TransactionEmpty, 0
	plain := idle
	plain.ID = "version 0"
	old := transactional("version 0", plain)
	v := kmsg.NewTxnMetadataValue()
	v.Version, v.ProducerID, v.ProducerEpoch, v.TimeoutMillis, v.State, v.StartTimestamp, v.LastUpdateTimestamp = 0, 5, 3, 60000, 4, 7, 9
	old.Value = v.AppendTo(nil)
	dead := transactional("dead", idle)
	tombstone := dead
	tombstone.Value = nil
	one := fstest.MapFS{"__transaction_state-7/00000000000000000000.log": file(
		records(0, transactional("idle", before), dead, old),
		records(3, transactional("idle", idle), tombstone),
	)}
	two := fstest.MapFS{
		"__transaction_state-8/00000000000000000000.log":     file(records(0, transactional("open", open))),
		"__transaction_state-9.x-delete/00000000000000.log":  file(records(0, transactional("deleted", open))),
		"__transaction_state-9/00000000000000000000.deleted": file(records(0, transactional("deleted", open))),
	}
	got, err := ReadTransactions(one, two)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Transaction{idle, open, plain}; !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func TestDamagedTransactions(t *testing.T) {
	sound := Transaction{ProducerID: 5, Epoch: 3, TimeoutMs: 60000, PreviousProducerID: 2, NextProducerID: -1}
	for name, change := range map[string]func(*Transaction){
		"no producer id": func(t *Transaction) { t.ProducerID = -1 },
		"no epoch":       func(t *Transaction) { t.Epoch = -1 },
		"no time":        func(t *Transaction) { t.TimeoutMs = 0 },
		"state":          func(t *Transaction) { t.State = 8 },
		"negative state": func(t *Transaction) { t.State = -1 },
	} {
		damaged := sound
		change(&damaged)
		_, err := ReadTransactions(fstest.MapFS{"__transaction_state-0/00000000000000000000.log": file(records(0, transactional("x", damaged)))})
		if !errors.Is(err, errMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	future := transactional("x", sound)
	future.Value[1] = 2
	_, err := ReadTransactions(fstest.MapFS{"__transaction_state-0/00000000000000000000.log": file(records(0, future))})
	if !errors.Is(err, errMalformed) {
		t.Errorf("a version of the future: %v", err)
	}
}

// FuzzTransactions: no keys and values of the topic of transactional ids make the reader panic.
func FuzzTransactions(f *testing.F) {
	r := transactional("id", Transaction{ProducerID: 5, PreviousProducerID: 4, NextProducerID: 6, TimeoutMs: 1, Version: 2, Partitions: []TopicPartition{{"a", 1}}})
	f.Add(r.Key, r.Value)
	f.Add(r.Key, []byte(nil))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		got, err := ReadTransactions(fstest.MapFS{"__transaction_state-0/00000000000000000000.log": file(records(0, batch.Record{Key: key, Value: value}))})
		for _, tx := range got {
			if err != nil || tx.ProducerID < 0 || tx.State == transactionDead {
				t.Fatalf("%+v, error %v", tx, err)
			}
		}
	})
}
