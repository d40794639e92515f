package main

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// patch is where a number stands in an encoded request, so that the next request is made by writing another one there.
type patch []int

func (p patch) put(request []byte, v int64) {
	for _, at := range p {
		binary.BigEndian.PutUint64(request[at:], uint64(v))
	}
}

// mark is a number that is not likely to stand anywhere by chance.
const mark = 0x1122334455667788

// find returns where the mark stands, which has to be in so many places.
func find(request []byte, places int) (p patch, err error) {
	sign := binary.BigEndian.AppendUint64(nil, mark)
	for at := 0; ; at += len(sign) {
		next := bytes.Index(request[at:], sign)
		if next < 0 {
			break
		}
		at += next
		p = append(p, at)
	}
	if len(p) != places {
		return nil, fmt.Errorf("the mark stands in %d places of the request, want %d", len(p), places)
	}
	return p, nil
}

// marks finds the fetch offset of a request that encoded is of.
func marks(req *kmsg.FetchRequest, encoded []byte, w *wire) (patch, error) {
	at := &req.Topics[0].Partitions[0].FetchOffset
	offset := *at
	*at = mark
	p, err := find(w.encode(req), 1)
	*at = offset
	return p, err
}

// wholeBatches returns the size of the batches that are there whole, and how many records they hold. Kafka may send a
// piece of one more.
func wholeBatches(p []byte) (size int, records int64) {
	for len(p)-size >= batchHead {
		b := p[size:]
		n := 12 + int(binary.BigEndian.Uint32(b[8:]))
		if n > len(b) {
			break
		}
		records += int64(binary.BigEndian.Uint32(b[23:])) + 1 // last offset delta
		size += n
	}
	return size, records
}
