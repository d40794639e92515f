package batch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Where each field of the header lies. Everything from attributes on is under
// the CRC; base offset, length, leader epoch and magic are not, which is what
// lets a leader stamp a batch without touching the checksum (KIP-98, KIP-101).
const (
	baseOffsetAt      = 0
	lengthAt          = 8
	leaderEpochAt     = 12
	magicAt           = 16
	crcAt             = 17
	attributesAt      = 21
	lastOffsetDeltaAt = 23
	baseTimestampAt   = 27
	maxTimestampAt    = 35
	producerIDAt      = 43
	producerEpochAt   = 51
	baseSequenceAt    = 53
	countAt           = 57

	// HeaderSize is the size in bytes of a batch without records.
	HeaderSize = 61

	// logOverhead is what the length field does not count: the base offset
	// and the length itself.
	logOverhead = 12

	// Magic is the only record format that this broker stores (KIP-98).
	Magic = 2

	// minLegacyLength is the smallest length field that any format ever had
	// (an empty message v0). Below it there is no telling what the bytes are.
	minLegacyLength = 14
)

// Attribute bits, in the low byte of the attributes field.
const (
	codecMask         = 0x07
	logAppendTimeBit  = 0x08
	transactionalBit  = 0x10
	controlBit        = 0x20
	deleteHorizonBit  = 0x40
	attributesLowByte = attributesAt + 1
)

// What the header says where there is nothing to say.
const (
	NoTimestamp     int64 = -1
	NoProducerID    int64 = -1
	NoProducerEpoch int16 = -1
	NoSequence      int32 = -1
	NoLeaderEpoch   int32 = -1
)

// ErrShort says that the bytes end inside a batch: more of them may follow (a
// read that was cut at a size limit) or never will (a torn write).
var ErrShort = errors.New("bytes end inside a record batch")

// castagnoli is built at init, so that no checksum allocates.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Batch is exactly one record batch of format v2: the bytes as they travel and
// as they lie on disk. Its accessors read the header in place and rely on what
// Next established: at least HeaderSize bytes, as many as the length field
// says, magic 2. They say nothing about the truth of those bytes; Validate does.
type Batch []byte

// Next splits the first batch off p. The batch and rest alias p.
//
// Errors: ErrShort if p ends inside the batch (an empty p too);
// kerr.CorruptMessage if the length or the magic can not be; and
// kerr.InvalidRecord for a message of the formats v0 and v1, which Kafka gave
// up with release 4.0 (KIP-724).
func Next(p []byte) (b Batch, rest []byte, err error) {
	if len(p) < logOverhead {
		return nil, p, ErrShort
	}
	length := int32(binary.BigEndian.Uint32(p[lengthAt:]))
	if length < minLegacyLength || length > math.MaxInt32-logOverhead {
		return nil, p, corrupt("Record size %d is less than the minimum record overhead (%d)", length, minLegacyLength)
	}
	if len(p) <= magicAt {
		return nil, p, ErrShort
	}
	switch magic := int8(p[magicAt]); {
	case magic < 0 || magic > Magic:
		return nil, p, corrupt("Invalid magic found in record: %d", magic)
	case magic < Magic:
		return nil, p, fmt.Errorf("message of magic %d, only %d is supported: %w", magic, Magic, kerr.InvalidRecord)
	}
	size := logOverhead + int(length)
	if size < HeaderSize {
		return nil, p, fmt.Errorf("record batch of %d bytes is smaller than its header: %w", size, kerr.CorruptMessage)
	}
	if len(p) < size {
		return nil, p, ErrShort
	}
	return Batch(p[:size:size]), p[size:], nil
}

// corrupt is kerr.CorruptMessage with a text of Kafka's, which producers are shown.
func corrupt(format string, args ...any) error {
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), kerr.CorruptMessage)
}

// SizeOf returns how many bytes the batch that begins at p takes, as its length
// field says, if p holds enough of it (17 bytes, up to the magic) to tell. The
// errors are those of Next.
func SizeOf(p []byte) (int, error) {
	_, _, err := Next(p)
	if err != nil && !(errors.Is(err, ErrShort) && len(p) > magicAt) {
		return 0, err
	}
	return logOverhead + int(binary.BigEndian.Uint32(p[lengthAt:])), nil
}

// FromProduce takes the one batch out of the records of one partition of a
// Produce request of the given version, by the rules of Kafka's ProduceRequest:
// exactly one whole batch of magic 2, and zstd only from version 7 on (KIP-110).
// A torn batch behind it is dropped without a word, as Kafka drops it.
//
// Errors: kerr.InvalidRecord, kerr.UnsupportedCompressionType, kerr.CorruptMessage.
func FromProduce(records []byte, version int16) (Batch, error) {
	b, rest, err := Next(records)
	switch {
	case errors.Is(err, ErrShort):
		return nil, fmt.Errorf("no whole record batch in %d bytes of a partition: %w", len(records), kerr.InvalidRecord)
	case err != nil:
		return nil, err
	case version < 7 && b.Codec() == Zstd:
		return nil, fmt.Errorf("zstd in a Produce request of version %d: %w", version, kerr.UnsupportedCompressionType)
	}
	switch _, _, err := Next(rest); {
	case err == nil:
		return nil, fmt.Errorf("more than one record batch for a partition: %w", kerr.InvalidRecord)
	case !errors.Is(err, ErrShort):
		return nil, err
	}
	return b, nil
}

// BaseOffset is the offset of the first record that was in the batch when it
// was written; compaction keeps it. From a producer it is 0.
func (b Batch) BaseOffset() int64 { return b.int64(baseOffsetAt) }

// LastOffset is the offset of the last record that was ever in the batch.
func (b Batch) LastOffset() int64 { return b.BaseOffset() + int64(b.LastOffsetDelta()) }

// LastOffsetDelta is LastOffset relative to BaseOffset.
func (b Batch) LastOffsetDelta() int32 { return b.int32(lastOffsetDeltaAt) }

// LeaderEpoch is the epoch of the leader that appended the batch (KIP-101).
func (b Batch) LeaderEpoch() int32 { return b.int32(leaderEpochAt) }

// Magic is the record format, 2.
func (b Batch) Magic() int8 { return int8(b[magicAt]) }

// CRC is the checksum that the batch carries.
func (b Batch) CRC() uint32 { return binary.BigEndian.Uint32(b[crcAt:]) }

// BaseTimestamp is the timestamp in ms since the epoch that those of the
// records are relative to, NoTimestamp if it has none. If HasDeleteHorizon it
// is instead the time from which compaction may drop the batch's tombstones.
func (b Batch) BaseTimestamp() int64 { return b.int64(baseTimestampAt) }

// MaxTimestamp is the largest timestamp in ms of the batch's records, or the
// time of the append if LogAppendTime.
func (b Batch) MaxTimestamp() int64 { return b.int64(maxTimestampAt) }

// ProducerID is the id of an idempotent producer or NoProducerID.
func (b Batch) ProducerID() int64 { return b.int64(producerIDAt) }

// HasProducerID says whether an idempotent producer wrote the batch.
func (b Batch) HasProducerID() bool { return b.ProducerID() > NoProducerID }

// ProducerEpoch is the epoch of that producer, which fences its predecessors.
func (b Batch) ProducerEpoch() int16 { return int16(binary.BigEndian.Uint16(b[producerEpochAt:])) }

// BaseSequence is that producer's sequence number of the first record, or NoSequence.
func (b Batch) BaseSequence() int32 { return b.int32(baseSequenceAt) }

// LastSequence is the sequence number of the last record, or NoSequence.
func (b Batch) LastSequence() int32 {
	if b.BaseSequence() == NoSequence {
		return NoSequence
	}
	return AddSequence(b.BaseSequence(), b.LastOffsetDelta())
}

// AddSequence returns the sequence number n after seq. Sequence numbers go on
// with 0 after math.MaxInt32. Both arguments are not negative.
func AddSequence(seq, n int32) int32 {
	return int32((int64(seq) + int64(n)) & math.MaxInt32)
}

// Count is how many records the batch has now: compaction can leave fewer than
// the offsets it spans, and none at all.
func (b Batch) Count() int32 { return b.int32(countAt) }

// Codec is how the records are compressed.
func (b Batch) Codec() Codec { return Codec(b[attributesLowByte] & codecMask) }

// LogAppendTime says that every record's timestamp is MaxTimestamp, set by the
// broker, rather than the producer's.
func (b Batch) LogAppendTime() bool { return b.has(logAppendTimeBit) }

// IsTransactional says whether the batch belongs to a transaction.
func (b Batch) IsTransactional() bool { return b.has(transactionalBit) }

// IsControl says whether the batch holds control records (commit and abort
// markers, leader changes), which consumers never show.
func (b Batch) IsControl() bool { return b.has(controlBit) }

// HasDeleteHorizon says whether BaseTimestamp is a delete horizon (KIP-534).
func (b Batch) HasDeleteHorizon() bool { return b.has(deleteHorizonBit) }

// Payload is the records as they lie in the batch, compressed if Codec says so.
func (b Batch) Payload() []byte { return b[HeaderSize:] }

// Validate holds the header against the bytes: magic, length, CRC-32C, and that
// counts, offsets and attributes can be. It holds for every batch, from a
// producer, a leader or a disk; what only producers are held to is in
// ValidateRecords. It does not look at records and allocates nothing.
//
// Errors: kerr.CorruptMessage where the bytes are not what was written, which a
// client may cure by sending them again; kerr.InvalidRecord where they are, and
// make no sense; kerr.UnsupportedCompressionType for a codec nobody knows.
func (b Batch) Validate() error {
	if len(b) < HeaderSize {
		return fmt.Errorf("record batch of %d bytes is smaller than its header: %w", len(b), kerr.CorruptMessage)
	}
	if length := b.int32(lengthAt); int64(length)+logOverhead != int64(len(b)) {
		return fmt.Errorf("record batch of %d bytes has length %d: %w", len(b), length, kerr.CorruptMessage)
	}
	if b.Magic() != Magic {
		return fmt.Errorf("record batch of magic %d: %w", b.Magic(), kerr.CorruptMessage)
	}
	if crc := b.computeCRC(); crc != b.CRC() {
		return fmt.Errorf("record batch at offset %d: crc %08x, computed %08x: %w", b.BaseOffset(), b.CRC(), crc, kerr.CorruptMessage)
	}
	// From here on the bytes are as their writer meant them.
	base, delta, count := b.BaseOffset(), b.LastOffsetDelta(), b.Count()
	if base < 0 || delta < 0 || base > math.MaxInt64-int64(delta) {
		return fmt.Errorf("record batch of base offset %d and last offset delta %d: %w", base, delta, kerr.InvalidRecord)
	}
	if count < 0 || int64(count) > int64(delta)+1 {
		return fmt.Errorf("record batch at offset %d: %d records in %d offsets: %w", base, count, int64(delta)+1, kerr.InvalidRecord)
	}
	if !b.Codec().known() {
		return fmt.Errorf("record batch at offset %d: compression codec %d: %w", base, b.Codec(), kerr.UnsupportedCompressionType)
	}
	return nil
}

// Stamp sets the two fields that a leader assigns. Both lie outside the CRC.
func (b Batch) Stamp(baseOffset int64, leaderEpoch int32) {
	binary.BigEndian.PutUint64(b[baseOffsetAt:], uint64(baseOffset))
	binary.BigEndian.PutUint32(b[leaderEpochAt:], uint32(leaderEpoch))
}

// StampLogAppendTime makes ms the timestamp of every record, as
// message.timestamp.type=LogAppendTime asks for. This lies inside the CRC, which
// is computed anew.
func (b Batch) StampLogAppendTime(ms int64) {
	b[attributesLowByte] |= logAppendTimeBit
	b.putMaxTimestamp(ms)
}

// StampCreateTime makes ms, the largest timestamp of the records, the batch's
// maximum, and the records' timestamps their own: a producer may have got either
// wrong, and Kafka corrects both on append. The CRC is computed anew if anything
// changes.
func (b Batch) StampCreateTime(ms int64) {
	if b.MaxTimestamp() != ms || b.LogAppendTime() {
		b[attributesLowByte] &^= logAppendTimeBit
		b.putMaxTimestamp(ms)
	}
}

func (b Batch) putMaxTimestamp(ms int64) {
	binary.BigEndian.PutUint64(b[maxTimestampAt:], uint64(ms))
	b.putCRC()
}

func (b Batch) putCRC()            { binary.BigEndian.PutUint32(b[crcAt:], b.computeCRC()) }
func (b Batch) computeCRC() uint32 { return crc32.Checksum(b[attributesAt:], castagnoli) }

func (b Batch) has(bit byte) bool  { return b[attributesLowByte]&bit != 0 }
func (b Batch) int32(at int) int32 { return int32(binary.BigEndian.Uint32(b[at:])) }
func (b Batch) int64(at int) int64 { return int64(binary.BigEndian.Uint64(b[at:])) }
