package protocol

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// AppendFetch appends the whole answer to a Fetch request, as AppendResponse
// would, but for the records: RecordBatches in m are not looked at. size says
// how many bytes of records a partition has, by the index of its topic in m and
// its own in that; records is called where they belong, once for each partition
// in order, and either appends just as many to dst or appends none and notes
// len(dst) as the place where they are to be written in between (a vectored
// write of mapped files). The frame's length counts them either way.
//
// A partition without records gets an empty byte array, not null, as Kafka
// writes it: older clients take null for a broken response.
//
// It panics if records appends anything else, and for versions below 4, whose
// messages are of old formats.
func (r *Request) AppendFetch(dst []byte, m *kmsg.FetchResponse, size func(topic, part int) int, records func(dst []byte, topic, part int) []byte) []byte {
	v := r.Version
	if v < 4 {
		panic(fmt.Sprintf("protocol: Fetch response of version %d", v))
	}
	start := len(dst)
	dst = r.appendResponseHeader(dst, m)
	e := encoder{dst, m.IsFlexible()}
	e.int32(m.ThrottleMillis)
	if v >= 7 {
		e.int16(m.ErrorCode)
		e.int32(m.SessionID)
	}
	elsewhere := 0 // bytes of records that are not in dst
	e.arrayLen(len(m.Topics))
	for i := range m.Topics {
		t := &m.Topics[i]
		if v >= 13 {
			e.dst = append(e.dst, t.TopicID[:]...)
		} else {
			e.string(t.Topic)
		}
		e.arrayLen(len(t.Partitions))
		for j := range t.Partitions {
			p := &t.Partitions[j]
			e.fetchPartition(p, v)
			n := size(i, j)
			e.bytesLen(n)
			before := len(e.dst)
			e.dst = records(e.dst, i, j)
			switch len(e.dst) - before {
			case n:
			case 0:
				elsewhere += n
			default:
				panic(fmt.Sprintf("protocol: %d bytes of records appended, not %d", len(e.dst)-before, n))
			}
			if e.flexible {
				e.fetchPartitionTags(p)
			}
		}
		e.tags(&t.UnknownTags)
	}
	e.fetchTags(m)
	return putFrameSize(e.dst, start, len(e.dst)-start+elsewhere)
}

// fetchPartition appends what precedes the records.
func (e *encoder) fetchPartition(p *kmsg.FetchResponseTopicPartition, v int16) {
	e.int32(p.Partition)
	e.int16(p.ErrorCode)
	e.int64(p.HighWatermark)
	e.int64(p.LastStableOffset)
	if v >= 5 {
		e.int64(p.LogStartOffset)
	}
	if p.AbortedTransactions == nil {
		e.nullArray()
	} else {
		e.arrayLen(len(p.AbortedTransactions))
	}
	for i := range p.AbortedTransactions {
		a := &p.AbortedTransactions[i]
		e.int64(a.ProducerID)
		e.int64(a.FirstOffset)
		e.tags(&a.UnknownTags)
	}
	if v >= 11 {
		e.int32(p.PreferredReadReplica)
	}
}

// fetchPartitionTags appends what follows the records: the tagged fields that
// are not their default. Each is a structure of 12 or 8 bytes and its own,
// empty, tagged fields.
func (e *encoder) fetchPartitionTags(p *kmsg.FetchResponseTopicPartition) {
	d, l, s := &p.DivergingEpoch, &p.CurrentLeader, &p.SnapshotID
	diverging := d.Epoch != -1 || d.EndOffset != -1 || d.UnknownTags.Len() > 0
	leader := l.LeaderID != -1 || l.LeaderEpoch != -1 || l.UnknownTags.Len() > 0
	snapshot := s.EndOffset != -1 || s.Epoch != -1 || s.UnknownTags.Len() > 0
	n := 0
	for _, there := range [...]bool{diverging, leader, snapshot} {
		if there {
			n++
		}
	}
	e.uvarint(n + p.UnknownTags.Len())
	if diverging {
		at := e.beginTag(0)
		e.int32(d.Epoch)
		e.int64(d.EndOffset)
		e.tags(&d.UnknownTags)
		e.endTag(at)
	}
	if leader {
		at := e.beginTag(1)
		e.int32(l.LeaderID)
		e.int32(l.LeaderEpoch)
		e.tags(&l.UnknownTags)
		e.endTag(at)
	}
	if snapshot {
		at := e.beginTag(2)
		e.int64(s.EndOffset)
		e.int32(s.Epoch)
		e.tags(&s.UnknownTags)
		e.endTag(at)
	}
	e.dst = p.UnknownTags.AppendEach(e.dst)
}

// fetchTags appends the tagged fields of the response: where the new leaders
// are that partitions name (KIP-951).
func (e *encoder) fetchTags(m *kmsg.FetchResponse) {
	if !e.flexible {
		return
	}
	if len(m.Brokers) == 0 {
		e.tags(&m.UnknownTags)
		return
	}
	e.uvarint(1 + m.UnknownTags.Len())
	at := e.beginTag(0)
	e.arrayLen(len(m.Brokers))
	for i := range m.Brokers {
		b := &m.Brokers[i]
		e.int32(b.NodeID)
		e.string(b.Host)
		e.int32(b.Port)
		e.nullableString(b.Rack)
		e.tags(&b.UnknownTags)
	}
	e.endTag(at)
	e.dst = m.UnknownTags.AppendEach(e.dst)
}

// encoder appends fields to dst, in the flexible encoding (KIP-482) or the one
// before it.
type encoder struct {
	dst      []byte
	flexible bool
}

func (e *encoder) int16(v int16) { e.dst = binary.BigEndian.AppendUint16(e.dst, uint16(v)) }
func (e *encoder) int32(v int32) { e.dst = binary.BigEndian.AppendUint32(e.dst, uint32(v)) }
func (e *encoder) int64(v int64) { e.dst = binary.BigEndian.AppendUint64(e.dst, uint64(v)) }
func (e *encoder) uvarint(n int) { e.dst = binary.AppendUvarint(e.dst, uint64(n)) }

// arrayLen and bytesLen append a length: in the flexible encoding n+1, 0 being null.
func (e *encoder) arrayLen(n int) { e.bytesLen(n) }

func (e *encoder) bytesLen(n int) {
	if e.flexible {
		e.uvarint(n + 1)
	} else {
		e.int32(int32(n))
	}
}

func (e *encoder) nullArray() { e.bytesLen(-1) }

func (e *encoder) string(s string) {
	if e.flexible {
		e.uvarint(len(s) + 1)
	} else {
		e.int16(int16(len(s)))
	}
	e.dst = append(e.dst, s...)
}

func (e *encoder) nullableString(s *string) {
	switch {
	case s != nil:
		e.string(*s)
	case e.flexible:
		e.uvarint(0)
	default:
		e.int16(-1)
	}
}

// tags ends a structure that has no tagged fields but those that nobody knows.
func (e *encoder) tags(unknown *kmsg.Tags) {
	if e.flexible {
		e.uvarint(unknown.Len())
		e.dst = unknown.AppendEach(e.dst)
	}
}

// beginTag and endTag enclose a tagged field. Its length comes first and is not
// known: room for one byte is left, and more is made if that is too little.
func (e *encoder) beginTag(tag int) (at int) {
	e.uvarint(tag)
	e.dst = append(e.dst, 0)
	return len(e.dst)
}

func (e *encoder) endTag(at int) {
	n := len(e.dst) - at
	if n < 0x80 {
		e.dst[at-1] = byte(n)
		return
	}
	var size [binary.MaxVarintLen32]byte
	w := binary.PutUvarint(size[:], uint64(n))
	e.dst = append(e.dst, size[:w-1]...)
	copy(e.dst[at-1+w:], e.dst[at:at+n])
	copy(e.dst[at-1:], size[:w])
}
