package group

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"blumfeld/controller"
)

// Values begin with the version of their format; then integers are varints (zigzag where they may be negative) and
// strings and bytes have a varint length. What a later version appends an older one ignores. A decoder allocates no more
// than its input is long, and never panics: the store's files can be damaged.
const recordVersion = 1

var errMalformed = errors.New("group: malformed value")

type storedMember struct {
	generation int32
	memberRecord
}

func appendBytes[T []byte | string](dst []byte, v T) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(v)))
	return append(dst, v...)
}

func (s *snapshot) encodeHead() []byte {
	b := []byte{recordVersion}
	b = binary.AppendVarint(b, int64(s.generation))
	b = binary.AppendVarint(b, s.since.UnixMilli())
	b = appendBytes(b, s.protocolType)
	b = appendBytes(b, s.protocol)
	return appendBytes(b, s.leader)
}

func decodeHead(b []byte) (*snapshot, error) {
	d := decoder{rest: b}
	d.version()
	s := &snapshot{generation: d.int32(), since: time.UnixMilli(d.varint()), protocolType: d.string(), protocol: d.string(), leader: d.string()}
	return s, d.err
}

// encode leaves the id to the key. order keeps the members in the order in which they joined.
func (m *memberRecord) encode(generation int32, order int) []byte {
	n := 64
	for _, p := range m.protocols {
		n += len(p.Name) + len(p.Metadata) + 8
	}
	b := append(make([]byte, 0, n+len(m.assignment)), recordVersion)
	b = binary.AppendVarint(b, int64(generation))
	b = binary.AppendVarint(b, int64(order))
	if m.instanceID == nil {
		b = append(b, 0)
	} else {
		b = appendBytes(append(b, 1), *m.instanceID)
	}
	b = appendBytes(b, m.clientID)
	b = appendBytes(b, m.clientHost)
	b = binary.AppendVarint(b, int64(m.rebalanceMs))
	b = binary.AppendVarint(b, int64(m.sessionMs))
	b = appendBytes(b, m.assignment)
	b = binary.AppendUvarint(b, uint64(len(m.protocols)))
	for _, p := range m.protocols {
		b = appendBytes(b, p.Name)
		b = appendBytes(b, p.Metadata)
	}
	return b
}

func decodeMember(id string, b []byte) (m storedMember, order int32, err error) {
	d := decoder{rest: b}
	d.version()
	m.id = id
	m.generation, order = d.int32(), d.int32()
	if d.uvarint() != 0 {
		m.instanceID = new(d.string())
	}
	m.clientID, m.clientHost = d.string(), d.string()
	m.rebalanceMs, m.sessionMs = d.int32(), d.int32()
	m.assignment = d.bytes()
	n := d.uvarint()
	if n > uint64(len(d.rest)/2) {
		return m, 0, errMalformed
	}
	for range n {
		m.protocols = append(m.protocols, Protocol{d.string(), d.bytes()})
	}
	return m, order, d.err
}

// committed is the position of a group in one partition.
type committed struct {
	offset      int64
	leaderEpoch int32 // -1: not known
	slot        uint8 // partition % blockSize
	time        int64 // of the commit, ms
	metadata    string
}

// encodeBlock takes the offsets of one block in the order of their slots. The first time is stored whole, the others as
// differences: those of one commit cost a byte.
func encodeBlock(block []committed) []byte {
	n := 16
	for _, c := range block {
		n += 12 + len(c.metadata)
	}
	b := append(make([]byte, 0, n), recordVersion)
	b = binary.AppendUvarint(b, uint64(len(block)))
	var last int64
	for _, c := range block {
		b, last = c.append(b, last)
	}
	return b
}

func (c *committed) append(b []byte, last int64) (_ []byte, time int64) {
	b = append(b, c.slot)
	b = binary.AppendVarint(b, c.offset)
	b = binary.AppendVarint(b, int64(c.leaderEpoch))
	b = binary.AppendVarint(b, c.time-last)
	return appendBytes(b, c.metadata), c.time
}

func decodeBlock(b []byte) ([]committed, error) {
	d := decoder{rest: b}
	d.version()
	n := d.uvarint()
	if d.err != nil || n > blockSize {
		return nil, errMalformed
	}
	block := make([]committed, 0, n)
	var last int64
	for i := range int(n) {
		c := d.committed(last)
		if d.err != nil || c.slot >= blockSize || i > 0 && c.slot <= block[i-1].slot {
			return nil, errMalformed
		}
		last = c.time
		block = append(block, c)
	}
	return block, d.err
}

// encodePending takes the pending offsets of one block in the order of their slots. In front of them is what is known of
// the producer.
func encodePending(t *openTxn, block pendingBlock) []byte {
	n := 32
	for _, o := range block {
		n += 16 + len(o.metadata)
	}
	b := append(make([]byte, 0, n), recordVersion)
	b = binary.AppendVarint(b, int64(t.epoch))
	b = binary.AppendVarint(b, int64(t.coordinatorEpoch))
	b = binary.AppendUvarint(b, uint64(len(block)))
	var time, sequence int64
	for _, o := range block {
		b, time = o.append(b, time)
		b = binary.AppendVarint(b, o.sequence-sequence)
		sequence = o.sequence
		flags := byte(0)
		if o.overtaken {
			flags = overtakenFlag
		}
		b = append(b, flags)
	}
	return b
}

const overtakenFlag = 1

// decodePending returns a transaction without its blocks, and one of them.
func decodePending(b []byte) (t openTxn, block pendingBlock, err error) {
	d := decoder{rest: b}
	d.version()
	t.epoch, t.coordinatorEpoch = d.int16(), d.int32()
	n := d.uvarint()
	if d.err != nil || n == 0 || n > blockSize || t.epoch < 0 {
		return openTxn{}, nil, errMalformed
	}
	block = make(pendingBlock, 0, n)
	var time, sequence int64
	for i := range int(n) {
		o := pendingOffset{committed: d.committed(time)}
		o.sequence = d.varint() + sequence
		o.overtaken = d.byte() == overtakenFlag
		if d.err != nil || o.slot >= blockSize || i > 0 && o.slot <= block[i-1].slot || o.sequence < 0 {
			return openTxn{}, nil, errMalformed
		}
		time, sequence = o.time, o.sequence
		block = append(block, o)
	}
	return t, block, nil
}

// decoder reads a value; after a failure everything is zero and err is set.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail() {
	d.rest, d.err = nil, errMalformed
}

func (d *decoder) version() {
	if v := d.uvarint(); v != recordVersion {
		d.fail()
	}
}

func (d *decoder) byte() uint8 {
	if len(d.rest) == 0 {
		d.fail()
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) int32() int32 {
	v := d.varint()
	if int64(int32(v)) != v {
		d.fail()
		return 0
	}
	return int32(v)
}

func (d *decoder) int16() int16 {
	v := d.varint()
	if int64(int16(v)) != v {
		d.fail()
		return 0
	}
	return int16(v)
}

// committed reads an offset; its time is stored as the difference to another.
func (d *decoder) committed(last int64) committed {
	return committed{slot: d.byte(), offset: d.varint(), leaderEpoch: d.int32(), time: d.varint() + last, metadata: d.string()}
}

// bytes returns a copy: the value belongs to the store.
func (d *decoder) bytes() []byte { return []byte(d.string()) }

func (d *decoder) string() string {
	n := d.uvarint()
	if n > uint64(len(d.rest)) {
		d.fail()
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func malformed(kv controller.KV) error {
	return fmt.Errorf("%w: key %q, %d bytes", errMalformed, kv.Key, len(kv.Value))
}
