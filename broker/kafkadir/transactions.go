package kafkadir

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol/batch"
)

// transactionsTopic is the topic in which Kafka keeps what it knows of transactional ids.
const transactionsTopic = "__transaction_state"

// TransactionState is Kafka's, with its numbers.
type TransactionState int8

const (
	TransactionEmpty TransactionState = iota
	TransactionOngoing
	TransactionPrepareCommit
	TransactionPrepareAbort
	TransactionCompleteCommit
	TransactionCompleteAbort
	transactionDead
	TransactionPrepareEpochFence
)

// Transaction is a transactional id and the last transaction of its producer. Times are in milliseconds since 1970.
type Transaction struct {
	ID                 string
	ProducerID         int64
	PreviousProducerID int64 // -1: none
	NextProducerID     int64 // -1: none
	Epoch              int16
	TimeoutMs          int32
	State              TransactionState
	Partitions         []TopicPartition // of the transaction
	StartMs            int64            // -1: there was none
	UpdatedMs          int64
	Version            int16 // transaction.version that the producer spoke
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// ReadTransactions reads the transactional ids from the partitions of their topic that lie in any of the directories, in
// order.
func ReadTransactions(dirs ...fs.FS) ([]Transaction, error) {
	known := make(map[string]Transaction)
	err := readPartitions(transactionsTopic, dirs, func() func(batch.Batch) error {
		return func(b batch.Batch) error { return replayTransactions(b, known) }
	})
	if err != nil {
		return nil, err
	}
	list := make([]Transaction, 0, len(known))
	for _, t := range known {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b Transaction) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// readPartitions reads the logs of a topic's partitions, each by a function of its own. A log that is in two of the
// directories is an error: nobody knows which counts.
func readPartitions(topic string, dirs []fs.FS, reader func() func(batch.Batch) error) error {
	read := make(map[string]bool)
	for _, dir := range dirs {
		entries, err := fs.ReadDir(dir, ".")
		if err != nil {
			return err
		}
		for _, e := range entries {
			number, ok := strings.CutPrefix(e.Name(), topic+"-")
			if !ok || !e.IsDir() || strings.Trim(number, "0123456789") != "" {
				continue
			}
			if read[e.Name()] {
				return fmt.Errorf("%s is in two of the directories: move away the one that is not wanted", e.Name())
			}
			read[e.Name()] = true
			if err := ReadLog(dir, e.Name(), reader()); err != nil {
				return err
			}
		}
	}
	return nil
}

func replayTransactions(b batch.Batch, known map[string]Transaction) error {
	for rec, err := range b.Records() {
		if err != nil {
			return err
		}
		if b.IsControl() {
			continue
		}
		if len(rec.Key) < 2 {
			return fmt.Errorf("transactional id at offset %d: %w", rec.Offset, errMalformed)
		}
		if binary.BigEndian.Uint16(rec.Key) != 0 {
			continue // of another kind than transactional ids
		}
		var key kmsg.TxnMetadataKey
		if err := key.ReadFrom(rec.Key); err != nil {
			return fmt.Errorf("transactional id at offset %d: %w", rec.Offset, err)
		}
		if rec.Value == nil {
			delete(known, key.TransactionalID)
			continue
		}
		t, err := decodeTransaction(rec.Value)
		if err != nil {
			return fmt.Errorf("transactional id %q at offset %d: %w", key.TransactionalID, rec.Offset, err)
		}
		if t.ID = key.TransactionalID; t.State == transactionDead {
			delete(known, t.ID)
		} else {
			known[t.ID] = t
		}
	}
	return nil
}

func decodeTransaction(value []byte) (Transaction, error) {
	var v kmsg.TxnMetadataValue
	if len(value) < 2 || binary.BigEndian.Uint16(value) > 1 {
		return Transaction{}, errMalformed
	}
	if err := v.ReadFrom(value); err != nil {
		return Transaction{}, err
	}
	t := Transaction{
		ProducerID: v.ProducerID, PreviousProducerID: v.PreviousProducerID, NextProducerID: v.NextProducerID, Epoch: v.ProducerEpoch,
		TimeoutMs: v.TimeoutMillis, Version: v.ClientTransactionVersion, State: TransactionState(v.State),
		StartMs: v.StartTimestamp, UpdatedMs: v.LastUpdateTimestamp,
	}
	for _, topic := range v.Topics {
		for _, p := range topic.Partitions {
			t.Partitions = append(t.Partitions, TopicPartition{topic.Topic, p})
		}
	}
	if t.ProducerID < 0 || t.Epoch < 0 || t.TimeoutMs <= 0 || t.State < TransactionEmpty || t.State > TransactionPrepareEpochFence {
		return Transaction{}, errMalformed
	}
	return t, nil
}
