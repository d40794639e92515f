package txn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"blumfeld/controller"
)

// A value begins with the version of its format; then numbers are varints, zigzag where they may be negative, and strings
// have a varint length. What a later version appends an older one ignores. A decoder allocates no more than a few times
// what its input is long, and never panics: the store's files can be damaged.
const recordVersion = 1

var errMalformed = errors.New("txn: malformed value")

// partitionBytes is at least what partitions take in a record, in bytes.
func partitionBytes(partitions []TopicPartition) int {
	n := 0
	for i, tp := range partitions {
		if i == 0 || partitions[i-1].Topic != tp.Topic {
			n += len(tp.Topic) + 2*binary.MaxVarintLen32
		}
		n += binary.MaxVarintLen32
	}
	return n
}

func (d *metadata) encode() []byte {
	b := append(make([]byte, 0, 64+partitionBytes(d.partitions)), recordVersion, byte(d.state))
	for _, v := range []int64{d.producerID, d.prevProducerID, d.nextProducerID, int64(d.epoch), int64(d.lastEpoch),
		int64(d.timeoutMs), int64(d.version), d.start, d.updated} {
		b = binary.AppendVarint(b, v)
	}
	topics := 0
	for i, tp := range d.partitions {
		if i == 0 || d.partitions[i-1].Topic != tp.Topic {
			topics++
		}
	}
	b = binary.AppendUvarint(b, uint64(topics))
	for rest := d.partitions; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Topic == rest[0].Topic {
			n++
		}
		b = binary.AppendUvarint(b, uint64(len(rest[0].Topic)))
		b = append(b, rest[0].Topic...)
		b = binary.AppendUvarint(b, uint64(n))
		for _, tp := range rest[:n] {
			b = binary.AppendUvarint(b, uint64(tp.Partition))
		}
		rest = rest[n:]
	}
	return b
}

func decodeMetadata(b []byte) (*metadata, error) {
	r := decoder{rest: b}
	if r.uvarint(math.MaxInt64) != recordVersion {
		return nil, errMalformed
	}
	d := &metadata{state: State(r.uvarint(uint64(Dead) - 1))}
	d.producerID, d.prevProducerID, d.nextProducerID = r.varint(0, math.MaxInt64), r.varint(-1, math.MaxInt64), r.varint(-1, math.MaxInt64)
	d.epoch, d.lastEpoch = int16(r.varint(0, maxEpoch)), int16(r.varint(-1, maxEpoch))
	d.timeoutMs = int32(r.varint(1, math.MaxInt32))
	d.version = int16(r.varint(0, 2))
	d.start, d.updated = r.varint(-1, maxTime), r.varint(0, maxTime)
	for range r.uvarint(uint64(len(r.rest))) {
		topic := r.string()
		for range r.uvarint(uint64(len(r.rest))) {
			tp := TopicPartition{topic, int32(r.uvarint(math.MaxInt32))}
			if n := len(d.partitions); n > 0 && comparePartitions(d.partitions[n-1], tp) >= 0 {
				r.fail()
			}
			if r.err != nil {
				return nil, r.err
			}
			d.partitions = append(d.partitions, tp)
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	return d, nil
}

// maxTime leaves room to add a timeout.
const maxTime = math.MaxInt64 / 4

// decoder reads a value; after a failure everything is zero and err is set.
type decoder struct {
	rest []byte
	err  error
}

func (r *decoder) fail() {
	r.rest, r.err = nil, errMalformed
}

func (r *decoder) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > limit {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *decoder) varint(low, high int64) int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 || v < low || v > high {
		r.fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *decoder) string() string {
	n := r.uvarint(math.MaxInt32)
	if n > uint64(len(r.rest)) {
		r.fail()
		return ""
	}
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func malformed(kv controller.KV) error {
	return fmt.Errorf("%w: key %q, %d bytes", errMalformed, kv.Key, len(kv.Value))
}
