package controller

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"reflect"
	"testing"
)

func TestRecordsRoundTrip(t *testing.T) {
	for _, p := range []PartitionState{
		{Leader: 1, Replicas: []int32{1}, ISR: []int32{1}},
		{Leader: NoLeader, LeaderEpoch: math.MaxInt32, PartitionEpoch: math.MaxInt32, Replicas: []int32{1, 2, 3}, ISR: []int32{3, 1}, Recovering: true},
		{Leader: math.MaxInt32, Replicas: []int32{math.MaxInt32, 0}, ISR: []int32{}},
	} {
		got, err := decodePartitionState(p.encode(), 7)
		p.ModRevision = 7
		if err != nil || !reflect.DeepEqual(got, p) {
			t.Errorf("%+v, %v, want %+v", got, err, p)
		}
	}
	b := Broker{ID: 3, Rack: "r", Endpoints: []Endpoint{{"A", "PLAINTEXT", "h", 9092}, {"B", "SSL", "::1", 0}}, Incarnation: [16]byte{1, 15: 2}, Fenced: true}
	got, err := decodeBroker(b.encode(), 9)
	b.Epoch, b.ModRevision = 9, 9
	if err != nil || !reflect.DeepEqual(got, b) {
		t.Errorf("%+v, %v, want %+v", got, err, b)
	}
	if got, _ := decodeBroker(b.encode(), 12); got.Epoch != 9 || got.ModRevision != 12 {
		t.Errorf("a changed registration has epoch %d", got.Epoch)
	}
	configs := map[string]string{"a": "", "b": "x,y", "": "z"}
	if got, err := decodeConfigs(encodeConfigs(configs)); err != nil || !maps.Equal(got, configs) {
		t.Errorf("%v, %v", got, err)
	}
	rec := topicRecord{id: [16]byte{1}, partitions: 5, internal: true}
	if got, err := decodeTopicRecord(rec.encode()); err != nil || got != rec {
		t.Errorf("%+v, %v", got, err)
	}
	ids := producerIDs{next: math.MaxInt64 - 1000, broker: 1, epoch: 77}
	if got, err := decodeProducerIDs(ids.encode()); err != nil || got != ids {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestUnknownFields: a decoder passes over what a newer version has added, of every wire type.
func TestUnknownFields(t *testing.T) {
	added := appendInt(nil, 100, 5)
	added = appendBytes(added, 101, "text")
	added = append(appendTag(added, 102, wireFixed8), 1, 2, 3, 4, 5, 6, 7, 8)
	added = append(appendTag(added, 103, wireFixed4), 1, 2, 3, 4)
	p := PartitionState{Leader: 1, Replicas: []int32{1}, ISR: []int32{1}}
	for _, v := range [][]byte{append(p.encode(), added...), append(bytes.Clone(added), p.encode()...)} {
		if got, err := decodePartitionState(v, 0); err != nil || !got.Equal(p) {
			t.Errorf("%+v, %v", got, err)
		}
	}
}

// TestStoredForm pins the bytes: stores that exist hold them.
func TestStoredForm(t *testing.T) {
	id := [16]byte{0xf0, 1: 1, 15: 0xff}
	for _, tt := range []struct{ got, want string }{
		{fmt.Sprintf("%x", PartitionState{Leader: 1, LeaderEpoch: 2, PartitionEpoch: 3, Replicas: []int32{1, 2}, ISR: []int32{1, 2}}.encode()), "080210041806" + "22020204"},
		{fmt.Sprintf("%x", PartitionState{Leader: -1, Replicas: []int32{1, 2}, ISR: []int32{2}, Recovering: true}.encode()), "0801" + "22020204" + "2a0104" + "3002"},
		{fmt.Sprintf("%x", topicRecord{id: id, partitions: 3}.encode()), "0a10f00100000000000000000000000000ff" + "1006"},
		{fmt.Sprintf("%x", encodeConfigs(map[string]string{"a": "b"})), "0a060a0161120162"},
		{fmt.Sprintf("%x", encodeFeatures(map[string]int16{"a": 30})), "0a050a0161103c"},
		{fmt.Sprintf("%x", producerIDs{next: 1000, broker: 1}.encode()), "08d00f1002"},
		{partitionKey(id, 42), "meta/partitions/8AEAAAAAAAAAAAAAAAAA_w/0000000042"},
		{topicConfigKey(id), "meta/configs/topics/8AEAAAAAAAAAAAAAAAAA_w"},
		{topicKey("t"), "meta/topics/t"},
		{nameGuardKey("a.b_c"), "meta/names/a_b_c"},
		{brokerKey(7), "meta/brokers/7"},
		{brokerConfigsPrefix, "meta/configs/brokers/"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s, want %s", tt.got, tt.want)
		}
	}
}

func TestKeysRoundTrip(t *testing.T) {
	id := [16]byte{1, 2, 3}
	for _, n := range []int32{0, 7, 1234567890, math.MaxInt32} {
		if gotID, got, ok := parsePartitionKey(partitionKey(id, n)); !ok || gotID != id || got != n {
			t.Errorf("%x %d %v", gotID, got, ok)
		}
	}
	for _, key := range []string{"", partitionsPrefix, partitionKey(id, 1) + "0", partitionKey(id, 1)[:40], partitionsPrefix + "????????????????????????????????"} {
		if _, _, ok := parsePartitionKey(key); ok {
			t.Errorf("%q is taken for a partition", key)
		}
	}
}

func TestUsableID(t *testing.T) {
	for _, tt := range []struct {
		id   [16]byte
		want bool
	}{
		{[16]byte{}, false},
		{[16]byte{15: 1}, false},
		{[16]byte{15: 2}, true},
		{[16]byte{0xf8}, false}, // "-A..."
		{[16]byte{0xfc}, true},
	} {
		if got := usableID(tt.id); got != tt.want {
			t.Errorf("%x: %v", tt.id, got)
		}
	}
}

// FuzzDecode feeds all decoders, and the replay of events: no panic, and no allocation out of proportion to the input.
func FuzzDecode(f *testing.F) {
	f.Add("topics/t", topicRecord{id: [16]byte{1}, partitions: 2}.encode(), false)
	f.Add("partitions/AQAAAAAAAAAAAAAAAAAAAA/0000000000", PartitionState{Leader: 1, Replicas: []int32{1, 2}, ISR: []int32{1}}.encode(), false)
	f.Add("configs/topics/AQAAAAAAAAAAAAAAAAAAAA", encodeConfigs(map[string]string{"a": "b"}), true)
	f.Add("configs/brokers/1", encodeConfigs(map[string]string{"a": "b"}), false)
	f.Add("brokers/1", oneBroker.encode(), false)
	f.Add("features", encodeFeatures(map[string]int16{"a": 1}), false)
	f.Add("producer-ids", producerIDs{next: 5}.encode(), false)
	f.Add("topics/t", topicRecord{id: [16]byte{1}, partitions: maxPartitionsPerTopic + 1}.encode(), false)
	f.Fuzz(func(t *testing.T, key string, value []byte, deleted bool) {
		decodeTopicRecord(value)
		decodePartitionState(value, 1)
		decodeBroker(value, 1)
		decodeConfigs(value)
		decodeFeatures(value)
		decodeProducerIDs(value)
		if rec, err := decodeTopicRecord(value); err == nil && rec.partitions > 1000 {
			return // legal, and only slow
		}
		kvs, _ := loaded(t, 2, 2)
		r, err := loadImage(append(kvs, KV{Key: metaPrefix + key, Value: value, ModRevision: 100}), 100, func(string, error) {})
		if err != nil {
			return
		}
		checkImage(t, r.img)
		ev := Event{KV: KV{Key: metaPrefix + key, Value: value, ModRevision: 101}, Deleted: deleted}
		if deleted {
			ev.Value = nil
		}
		checkImage(t, r.apply([]Event{ev, {KV: KV{Key: metaPrefix + key, Value: value, ModRevision: 102}}}))
	})
}
