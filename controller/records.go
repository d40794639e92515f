package controller

import (
	"maps"
	"slices"
)

// topicRecord is the value of meta/topics/<name>.
type topicRecord struct {
	id         [16]byte
	partitions int32 // partitions with keys from 0 to this are the topic's; others are orphans
	internal   bool
}

func (r topicRecord) encode() []byte {
	b := make([]byte, 0, 24)
	b = appendBytes(b, 1, r.id[:])
	b = appendInt(b, 2, int64(r.partitions))
	return appendBool(b, 3, r.internal)
}

func decodeTopicRecord(p []byte) (r topicRecord, err error) {
	f := fields{rest: p}
	for f.next() {
		switch f.num {
		case 1:
			r.id = f.id()
		case 2:
			r.partitions = f.int32()
		case 3:
			r.internal = f.bool()
		}
	}
	if r.id == ([16]byte{}) || r.partitions <= 0 || r.partitions > maxPartitionsPerTopic {
		return r, errMalformed
	}
	return r, f.err
}

// encode returns the value of meta/partitions/<id>/<partition>. The ISR is left out while it is all replicas in their
// order, which is the common case.
func (p PartitionState) encode() []byte {
	b := make([]byte, 0, 32)
	b = appendInt(b, 1, int64(p.Leader))
	b = appendInt(b, 2, int64(p.LeaderEpoch))
	b = appendInt(b, 3, int64(p.PartitionEpoch))
	b = appendInts(b, 4, p.Replicas)
	if !slices.Equal(p.ISR, p.Replicas) {
		b = appendInts(b, 5, p.ISR)
	}
	return appendBool(b, 6, p.Recovering)
}

func decodePartitionState(v []byte, rev int64) (p PartitionState, err error) {
	f := fields{rest: v}
	for f.next() {
		switch f.num {
		case 1:
			p.Leader = f.int32()
		case 2:
			p.LeaderEpoch = f.int32()
		case 3:
			p.PartitionEpoch = f.int32()
		case 4:
			p.Replicas = f.ints()
		case 5:
			p.ISR = f.ints()
		case 6:
			p.Recovering = f.bool()
		}
	}
	if p.ISR == nil {
		p.ISR = p.Replicas
	}
	if len(p.Replicas) == 0 {
		return p, errMalformed
	}
	p.ModRevision = rev
	return p, f.err
}

func (b Broker) encode() []byte {
	v := appendInt(nil, 1, int64(b.ID))
	v = appendString(v, 2, b.Rack)
	for _, e := range b.Endpoints {
		m := appendString(nil, 1, e.Listener)
		m = appendString(m, 2, e.Protocol)
		m = appendString(m, 3, e.Host)
		m = appendInt(m, 4, int64(e.Port))
		v = appendBytes(v, 3, m)
	}
	v = appendBytes(v, 4, b.Incarnation[:])
	v = appendInt(v, 5, b.Epoch)
	return appendBool(v, 6, b.Fenced)
}

// decodeBroker: a registration that is just being made cannot know its epoch, and is written with 0: the epoch is the
// revision that it took. Whoever changes a registration writes the epoch down.
func decodeBroker(v []byte, rev int64) (b Broker, err error) {
	f := fields{rest: v}
	for f.next() {
		switch f.num {
		case 1:
			b.ID = f.int32()
		case 2:
			b.Rack = string(f.bytes)
		case 3:
			var e Endpoint
			g := fields{rest: f.bytes}
			for g.next() {
				switch g.num {
				case 1:
					e.Listener = string(g.bytes)
				case 2:
					e.Protocol = string(g.bytes)
				case 3:
					e.Host = string(g.bytes)
				case 4:
					e.Port = g.int32()
				}
			}
			if g.err != nil {
				return b, g.err
			}
			b.Endpoints = append(b.Endpoints, e)
		case 4:
			b.Incarnation = f.id()
		case 5:
			b.Epoch = f.int64()
		case 6:
			b.Fenced = f.bool()
		}
	}
	if b.Epoch == 0 {
		b.Epoch = rev
	}
	b.ModRevision = rev
	return b, f.err
}

// encodeConfigs returns the value of a configuration key, in order of names.
func encodeConfigs(configs map[string]string) []byte {
	var v []byte
	for _, name := range slices.Sorted(maps.Keys(configs)) {
		m := appendString(nil, 1, name)
		m = appendString(m, 2, configs[name])
		v = appendBytes(v, 1, m)
	}
	return v
}

func decodeConfigs(v []byte) (map[string]string, error) {
	configs := make(map[string]string)
	f := fields{rest: v}
	for f.next() {
		if f.num != 1 {
			continue
		}
		var name, value string
		g := fields{rest: f.bytes}
		for g.next() {
			switch g.num {
			case 1:
				name = string(g.bytes)
			case 2:
				value = string(g.bytes)
			}
		}
		if g.err != nil {
			return nil, g.err
		}
		configs[name] = value
	}
	return configs, f.err
}

// producerIDs is the value of meta/producer-ids. Broker and epoch say who took the last block, for people who look.
type producerIDs struct {
	next   int64
	broker int32
	epoch  int64
}

func (p producerIDs) encode() []byte {
	v := appendInt(nil, 1, p.next)
	v = appendInt(v, 2, int64(p.broker))
	return appendInt(v, 3, p.epoch)
}

func decodeProducerIDs(v []byte) (p producerIDs, err error) {
	f := fields{rest: v}
	for f.next() {
		switch f.num {
		case 1:
			p.next = f.int64()
		case 2:
			p.broker = f.int32()
		case 3:
			p.epoch = f.int64()
		}
	}
	if p.next < 0 {
		return p, errMalformed
	}
	return p, f.err
}
