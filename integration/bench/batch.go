package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"time"

	"github.com/pierrec/lz4/v4"
)

// payload is what the records of a row hold.
type payload int

const (
	noise payload = iota // cannot be compressed
	prose                // compresses to a third or so, as logs and JSON do
)

// values returns n values of size bytes, different from each other.
func (p payload) values(n, size int) [][]byte {
	random := rand.New(rand.NewPCG(1, 2))
	list := make([][]byte, n)
	for i := range list {
		v := make([]byte, 0, size)
		for len(v) < size {
			if p == noise {
				v = binary.BigEndian.AppendUint64(v, random.Uint64())
				continue
			}
			v = fmt.Appendf(v, `{"order":%d,"customer":"%08x","state":%q,"amount":%d},`, random.IntN(1e6), random.Uint32(),
				[]string{"open", "paid", "sent", "returned"}[random.IntN(4)], random.IntN(1e4))
		}
		list[i] = v[:size]
	}
	return list
}

const (
	batchHead  = 61 // bytes of a record batch before its records
	crcAt      = 17
	crcFrom    = 21
	lz4Codec   = 3
	noProducer = -1
)

// encodeBatch makes a record batch (magic 2) of one producer's records, without keys, of no producer id: it may be sent
// any number of times.
func encodeBatch(values [][]byte, compress bool) []byte {
	var records []byte
	for i, v := range values {
		r := []byte{0} // attributes
		r = binary.AppendVarint(r, 0)
		r = binary.AppendVarint(r, int64(i))
		r = binary.AppendVarint(r, -1) // no key
		r = binary.AppendVarint(r, int64(len(v)))
		r = append(r, v...)
		r = binary.AppendVarint(r, 0) // no headers
		records = binary.AppendVarint(records, int64(len(r)))
		records = append(records, r...)
	}
	attributes := uint16(0)
	if compress {
		var packed bytes.Buffer
		w := lz4.NewWriter(&packed)
		w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false)) // as Kafka's clients
		w.Write(records)                                                       // a Buffer takes everything
		w.Close()
		records, attributes = packed.Bytes(), lz4Codec
	}
	now := uint64(time.Now().UnixMilli())
	none := int64(noProducer)
	b := make([]byte, 0, batchHead+len(records))
	b = binary.BigEndian.AppendUint64(b, 0) // base offset
	b = binary.BigEndian.AppendUint32(b, uint32(batchHead-12+len(records)))
	b = binary.BigEndian.AppendUint32(b, 0) // leader epoch
	b = append(b, 2)                        // magic
	b = binary.BigEndian.AppendUint32(b, 0) // CRC
	b = binary.BigEndian.AppendUint16(b, attributes)
	b = binary.BigEndian.AppendUint32(b, uint32(len(values)-1))
	b = binary.BigEndian.AppendUint64(b, now)
	b = binary.BigEndian.AppendUint64(b, now)
	b = binary.BigEndian.AppendUint64(b, uint64(none))
	b = binary.BigEndian.AppendUint16(b, uint16(none))
	b = binary.BigEndian.AppendUint32(b, uint32(none))
	b = binary.BigEndian.AppendUint32(b, uint32(len(values)))
	b = append(b, records...)
	stamp(b)
	return b
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli) // immutable

// stamp sets a batch's checksum.
func stamp(b []byte) {
	binary.BigEndian.PutUint32(b[crcAt:], crc32.Checksum(b[crcFrom:], castagnoli))
}

// size writes a number of bytes as people do.
func size(n int) string {
	for _, u := range []struct {
		n    int
		name string
	}{{1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.n && n%u.n == 0 {
			return fmt.Sprint(n/u.n, " ", u.name)
		}
	}
	return fmt.Sprint(n, " B")
}

// count writes how many of something there are.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return show(float64(n)) + " " + what
}
