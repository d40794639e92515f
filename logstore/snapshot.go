package logstore

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
)

// A .snapshot file is the producer state at the offset in its name, as Kafka's ProducerSnapshot, version 1:
//
//	version int16, crc uint32 (Castagnoli, of what follows), number of entries int32, and for each
//	producer id int64, epoch int16, last sequence int32, last offset int64, offset delta int32,
//	timestamp int64, coordinator epoch int32, first offset of the open transaction int64
const (
	snapshotVersion    = 1
	snapshotHeaderSize = 2 + 4 + 4
	snapshotEntrySize  = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8

	// maxSnapshotBytes bounds what is read of such a file: over five million producers.
	maxSnapshotBytes = 256 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func crcOf(p []byte) uint32 { return crc32.Checksum(p, castagnoli) }

type snapshotEntry struct {
	producerID       int64
	epoch            int16
	lastSequence     int32
	lastOffset       int64
	offsetDelta      int32
	timestamp        int64
	coordinatorEpoch int32
	txnStart         int64
}

func formatSnapshot(entries iter.Seq[snapshotEntry]) []byte {
	be := binary.BigEndian
	p := make([]byte, snapshotHeaderSize)
	n := 0
	for e := range entries {
		p = be.AppendUint64(p, uint64(e.producerID))
		p = be.AppendUint16(p, uint16(e.epoch))
		p = be.AppendUint32(p, uint32(e.lastSequence))
		p = be.AppendUint64(p, uint64(e.lastOffset))
		p = be.AppendUint32(p, uint32(e.offsetDelta))
		p = be.AppendUint64(p, uint64(e.timestamp))
		p = be.AppendUint32(p, uint32(e.coordinatorEpoch))
		p = be.AppendUint64(p, uint64(e.txnStart))
		n++
	}
	be.PutUint16(p, snapshotVersion)
	be.PutUint32(p[6:], uint32(n))
	be.PutUint32(p[2:], crcOf(p[6:]))
	return p
}

func parseSnapshot(p []byte) ([]snapshotEntry, error) {
	be := binary.BigEndian
	if len(p) < snapshotHeaderSize {
		return nil, fmt.Errorf("producer snapshot of %d bytes", len(p))
	}
	if v := be.Uint16(p); v != snapshotVersion {
		return nil, fmt.Errorf("producer snapshot of version %d, %d expected", v, snapshotVersion)
	}
	if stored, computed := be.Uint32(p[2:]), crcOf(p[6:]); stored != computed {
		return nil, fmt.Errorf("producer snapshot: crc %08x, computed %08x", stored, computed)
	}
	n := int64(int32(be.Uint32(p[6:])))
	body := p[snapshotHeaderSize:]
	if n < 0 || n*snapshotEntrySize != int64(len(body)) {
		return nil, fmt.Errorf("producer snapshot of %d bytes says %d entries", len(p), n)
	}
	entries := make([]snapshotEntry, n)
	for i := range entries {
		q := body[i*snapshotEntrySize:]
		entries[i] = snapshotEntry{
			producerID:       int64(be.Uint64(q)),
			epoch:            int16(be.Uint16(q[8:])),
			lastSequence:     int32(be.Uint32(q[10:])),
			lastOffset:       int64(be.Uint64(q[14:])),
			offsetDelta:      int32(be.Uint32(q[22:])),
			timestamp:        int64(be.Uint64(q[26:])),
			coordinatorEpoch: int32(be.Uint32(q[34:])),
			txnStart:         int64(be.Uint64(q[38:])),
		}
	}
	return entries, nil
}
