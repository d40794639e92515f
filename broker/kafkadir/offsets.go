package kafkadir

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io/fs"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol/batch"
)

// offsetsTopic is the topic in which Kafka keeps what groups commit.
const offsetsTopic = "__consumer_offsets"

// Commit is how far a group has read a partition.
type Commit struct {
	Group       string
	Topic       string
	Partition   int32
	Offset      int64 // of the next record to read
	LeaderEpoch int32 // -1: not known
	Metadata    string
}

// ReadOffsets reads what groups have committed, from the partitions of the offsets topic that lie in any of the
// directories, in order of group, topic and partition. What a transaction has committed counts if that transaction has;
// for one whose marker is not there, decided says whether it is to have it: it is asked with the producer's id.
func ReadOffsets(decided func(producerID int64) bool, dirs ...fs.FS) ([]Commit, error) {
	committed := make(map[offsetKey]kmsg.OffsetCommitValue)
	var partitions []*offsetsPartition
	err := readPartitions(offsetsTopic, dirs, func() func(batch.Batch) error {
		p := &offsetsPartition{committed: committed, open: make(map[int64][]offsetChange)}
		partitions = append(partitions, p)
		return p.batch
	})
	if err != nil {
		return nil, err
	}
	for _, p := range partitions {
		for producer, changes := range p.open {
			if !decided(producer) {
				continue
			}
			for _, c := range changes {
				p.apply(c)
			}
		}
	}
	var list []Commit
	for k, v := range committed {
		list = append(list, Commit{k.group, k.topic, k.partition, v.Offset, v.LeaderEpoch, v.Metadata})
	}
	slices.SortFunc(list, func(a, b Commit) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return list, nil
}

type offsetKey struct {
	group, topic string
	partition    int32
}

// offsetChange is one record; a value of nil is a tombstone.
type offsetChange struct {
	key   offsetKey
	value *kmsg.OffsetCommitValue
}

// offsetsPartition replays one partition of the offsets topic.
type offsetsPartition struct {
	committed map[offsetKey]kmsg.OffsetCommitValue // of all partitions: a group's lie in one
	open      map[int64][]offsetChange             // by producer id: what awaits its marker
}

// commitMarker is the type of the control record that commits a transaction (Kafka's ControlRecordType).
const commitMarker = 1

// markerType reads a control record's key: version and type, both int16. It is -1 if that cannot be read.
func markerType(key []byte) int16 {
	if len(key) < 4 {
		return -1
	}
	return int16(binary.BigEndian.Uint16(key[2:]))
}

func (p *offsetsPartition) batch(b batch.Batch) error {
	for rec, err := range b.Records() {
		if err != nil {
			return err
		}
		if b.IsControl() {
			p.end(b.ProducerID(), rec.Key)
			continue
		}
		c, ok, err := decodeOffset(rec)
		if err != nil {
			return fmt.Errorf("committed offset at offset %d: %w", rec.Offset, err)
		}
		switch {
		case !ok:
		case b.IsTransactional():
			p.open[b.ProducerID()] = append(p.open[b.ProducerID()], c)
		default:
			p.apply(c)
		}
	}
	return nil
}

// end ends the open transaction of a producer.
func (p *offsetsPartition) end(producer int64, key []byte) {
	if markerType(key) == commitMarker {
		for _, c := range p.open[producer] {
			p.apply(c)
		}
	}
	delete(p.open, producer)
}

func (p *offsetsPartition) apply(c offsetChange) {
	if c.value == nil {
		delete(p.committed, c.key)
		return
	}
	p.committed[c.key] = *c.value
}

// decodeOffset reads a record of the offsets topic; ok is false for those that are no committed offset: the key begins
// with a version, 0 and 1 being an offset's, the others those of groups' metadata.
func decodeOffset(rec batch.Record) (c offsetChange, ok bool, err error) {
	if len(rec.Key) < 2 {
		return c, false, errMalformed
	}
	if version := binary.BigEndian.Uint16(rec.Key); version > 1 {
		return c, false, nil
	}
	var key kmsg.OffsetCommitKey
	if err := key.ReadFrom(rec.Key); err != nil {
		return c, false, err
	}
	c.key = offsetKey{key.Group, key.Topic, key.Partition}
	if rec.Value == nil {
		return c, true, nil
	}
	value := kmsg.NewOffsetCommitValue()
	if err := value.ReadFrom(rec.Value); err != nil {
		return c, false, err
	}
	if value.Version < 3 {
		value.LeaderEpoch = -1
	}
	c.value = &value
	return c, true, nil
}
