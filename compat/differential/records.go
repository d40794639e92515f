package main

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"blumfeld/protocol/batch"
)

// call makes bytes:
//
//	batch(n=1 ts=$t0 step=1 pid=-1 epoch=-1 seq=-1 codec=none key=TEXT value=TEXT
//	      header=TEXT txn=true control=true base=0)
//	                   a record batch; damage=crc|magic|count|short|length|attributes
//	                   breaks it
//	hex(00ff)          these bytes
//	concat(A B …)      one after the other
//	i16(-1) str(x) …   one field as it is on the wire, see primitive
func (v value) call(vars variables) ([]byte, error) {
	switch v.text {
	case "batch":
		return makeBatch(v.items, vars)
	case "hex":
		var text string
		for _, it := range v.items {
			text += it.text
		}
		return hex.DecodeString(text)
	case "concat":
		var all []byte
		for _, it := range v.items {
			p, err := it.bytes(vars)
			if err != nil {
				return nil, err
			}
			all = append(all, p...)
		}
		return all, nil
	}
	if len(v.items) != 1 {
		return nil, fmt.Errorf("%s wants one value", v.text)
	}
	text, err := v.items[0].string(vars)
	if err != nil {
		return nil, err
	}
	return primitive(v.text, text)
}

func makeBatch(items []item, vars variables) ([]byte, error) {
	args := map[string]string{"n": "1", "ts": vars["t0"], "step": "1", "pid": "-1", "epoch": "-1", "seq": "-1", "codec": "none", "base": "0", "value": "v"}
	var err error
	for _, it := range items {
		if args[it.name], err = it.string(vars); err != nil {
			return nil, err
		}
	}
	integer := func(name string) int64 {
		n, e := number(args[name], 64)
		err = errors.Join(err, e)
		return n
	}
	codec, codecErr := batch.ParseCodec(args["codec"])
	b := batch.NewBuilder()
	b.Codec = codec
	b.BaseOffset = integer("base")
	b.ProducerID = integer("pid")
	b.ProducerEpoch = int16(integer("epoch"))
	b.BaseSequence = int32(integer("seq"))
	b.Transactional = args["txn"] == "true"
	b.Control = args["control"] == "true"
	n, ts, step := integer("n"), integer("ts"), integer("step")
	for i := range n {
		r := batch.Record{Timestamp: ts + i*step, Value: []byte(args["value"])}
		if key, ok := args["key"]; ok {
			r.Key = []byte(key)
		}
		if args["value"] == "null" {
			r.Value = nil
		}
		if h, ok := args["header"]; ok {
			r.Headers = batch.NewHeaders(batch.Header{Key: h, Value: []byte("h")})
		}
		b.Add(r)
	}
	if err := errors.Join(err, codecErr); err != nil {
		return nil, err
	}
	return damaged(b.Build(), args["damage"])
}

// damaged is b with a fault of that kind. A fault in what the checksum covers
// gets a right checksum: it is the fault itself that a broker has to find.
func damaged(b batch.Batch, kind string) ([]byte, error) {
	const (
		lengthAt, magicAt, crcAt, attributesAt, lastDeltaAt, countAt = 8, 16, 17, 21, 23, 57
	)
	sum := func() {
		binary.BigEndian.PutUint32(b[crcAt:], crc32.Checksum(b[attributesAt:], crc32.MakeTable(crc32.Castagnoli)))
	}
	switch kind {
	case "":
	case "crc":
		b[crcAt] ^= 1
	case "magic0", "magic1", "magic3":
		b[magicAt] = kind[5] - '0'
	case "count":
		binary.BigEndian.PutUint32(b[countAt:], uint32(b.Count()+1))
		sum()
	case "delta":
		binary.BigEndian.PutUint32(b[lastDeltaAt:], uint32(b.LastOffsetDelta()+1))
		sum()
	case "negative":
		countMinusOne := int32(-1)
		binary.BigEndian.PutUint32(b[countAt:], uint32(countMinusOne))
		sum()
	case "codec":
		b[attributesAt+1] |= 7
		sum()
	case "payload":
		b[attributesAt+1] |= 1 // gzip, which it is not
		sum()
	case "logappend":
		b[attributesAt+1] |= 8
		sum()
	case "short":
		return b[:len(b)-1], nil
	case "header":
		return b[:30], nil
	case "length":
		binary.BigEndian.PutUint32(b[lengthAt:], 10)
	case "trailing":
		return append(b, 1, 2, 3), nil
	default:
		return nil, fmt.Errorf("no damage %s", kind)
	}
	return b, nil
}

// recordFields shows record bytes as fields, one list element for each batch.
// The checksum is left to the others: what it covers is all there.
func recordFields(p []byte, s *symbols) *field {
	list := &field{kind: listField}
	for len(p) > 0 {
		b, rest, err := batch.Next(p)
		if err != nil {
			// A fetch may end inside a batch: how far it came is part of the answer.
			list.add(leaf("Cut", fmt.Sprintf("%d bytes", len(p))))
			break
		}
		p = rest
		o := &field{kind: objectField}
		o.add(leaf("BaseOffset", fmt.Sprint(b.BaseOffset())))
		o.add(leaf("LeaderEpoch", fmt.Sprint(b.LeaderEpoch())))
		o.add(leaf("Magic", fmt.Sprint(b.Magic())))
		o.add(leaf("Codec", b.Codec().String()))
		o.add(leaf("Flags", flags(b)))
		o.add(leaf("LastOffsetDelta", fmt.Sprint(b.LastOffsetDelta())))
		o.add(leaf("BaseTimestamp", s.time(b.BaseTimestamp())))
		o.add(leaf("MaxTimestamp", s.time(b.MaxTimestamp())))
		o.add(leaf("ProducerID", s.producer(b.ProducerID())))
		o.add(leaf("ProducerEpoch", fmt.Sprint(b.ProducerEpoch())))
		o.add(leaf("BaseSequence", fmt.Sprint(b.BaseSequence())))
		o.add(leaf("Count", fmt.Sprint(b.Count())))
		o.add(leaf("Bytes", fmt.Sprint(len(b))))
		if err := b.Validate(); err != nil {
			o.add(leaf("Invalid", "yes"))
		}
		if b.IsControl() {
			o.children = append(o.children, controlFields(b)...)
		} else if b.Count() <= 10 {
			var records []string
			for r, err := range b.Records() {
				if err != nil {
					records = append(records, "damaged")
					break
				}
				records = append(records, fmt.Sprintf("%d@%s %q=%q+%d", r.Offset, s.time(r.Timestamp), r.Key, r.Value, r.Headers.Len()))
			}
			o.add(leaf("Records", strings.Join(records, " ")))
		}
		list.children = append(list.children, o)
	}
	return list
}

// controlFields shows what a control batch says: the key is a version and a type;
// the value of a transaction's marker a version and the coordinator's epoch.
func controlFields(b batch.Batch) []*field {
	var all []*field
	for r, err := range b.Records() {
		if err != nil {
			return append(all, leaf("Control", "damaged"))
		}
		value := r.Value
		part := func(n int) []byte {
			n = min(n, len(value))
			p := value[:n]
			value = value[n:]
			return p
		}
		all = append(all, leaf("ControlKey", fmt.Sprintf("%x", r.Key)), leaf("ControlVersion", fmt.Sprintf("%x", part(2))),
			leaf("CoordinatorEpoch", fmt.Sprintf("%x", part(4))), leaf("ControlRest", fmt.Sprintf("%x+%d", value, r.Headers.Len())))
	}
	return all
}

func flags(b batch.Batch) string {
	var on []string
	for _, f := range []struct {
		set  bool
		name string
	}{{b.LogAppendTime(), "log-append-time"}, {b.IsTransactional(), "transactional"}, {b.IsControl(), "control"}} {
		if f.set {
			on = append(on, f.name)
		}
	}
	return strings.Join(on, "+")
}
