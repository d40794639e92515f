package txn

import (
	"reflect"
	"testing"
)

func FuzzMetadata(f *testing.F) {
	for _, d := range []metadata{
		{producerID: 1, prevProducerID: -1, nextProducerID: -1, lastEpoch: -1, timeoutMs: 1, start: -1},
		{producerID: 1 << 60, prevProducerID: 7, nextProducerID: 9, epoch: maxEpoch, lastEpoch: maxEpoch - 1, timeoutMs: 900_000, state: PrepareCommit,
			version: 2, partitions: []TopicPartition{{"a", 0}, {"a", 7}, {"b", 1 << 30}}, start: 1_700_000_000_000, updated: 1_700_000_000_001},
	} {
		f.Add(d.encode())
	}
	f.Add([]byte{recordVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeMetadata(b)
		if err != nil {
			return
		}
		if len(d.partitions) > len(b) || !d.state.stored() {
			t.Errorf("%d bytes are %+v", len(b), d)
		}
		again, err := decodeMetadata(d.encode())
		if err != nil || !reflect.DeepEqual(d, again) {
			t.Errorf("%+v is written as %+v: %v", d, again, err)
		}
		// Whatever it says, a machine can go on with it.
		p := &play{t: t, cfg: DefaultConfig()}
		m := restore("id", p, d)
		m.resume(0)
		m.step(tickEvent{}, 1)
		m.describe()
	})
}

// TestLaterFormat: fields that a later program appends are passed over; another version is refused.
func TestLaterFormat(t *testing.T) {
	d := metadata{producerID: 1, prevProducerID: -1, nextProducerID: -1, lastEpoch: -1, timeoutMs: 1, start: -1}
	if got, err := decodeMetadata(append(d.encode(), 1, 2, 3)); err != nil || !reflect.DeepEqual(*got, d) {
		t.Errorf("%+v: %v", got, err)
	}
	b := d.encode()
	b[0]++
	if _, err := decodeMetadata(b); err == nil {
		t.Error("another version is read")
	}
	if n := len(d.encode()); n > 40 {
		t.Errorf("a record without partitions takes %d bytes", n)
	}
}
