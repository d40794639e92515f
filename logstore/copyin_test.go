package logstore

import (
	"testing"
	"testing/fstest"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"
)

// TestCopyInWithGaps: Kafka's compaction may leave a segment that ends before the next one begins. All of them come
// along, with indexes or without, and stay, kill after kill.
func TestCopyInWithGaps(t *testing.T) {
	at := func(offset int64) []byte {
		w := batch.NewBuilder()
		w.BaseOffset, w.LeaderEpoch = offset, 0
		w.AddAt(batch.Record{Offset: offset, Timestamp: startMs, Key: []byte("k"), Value: []byte("v")})
		return w.Build()
	}
	torn := append(at(60), at(61)[:30]...)
	for _, indexes := range []bool{true, false} {
		from := fstest.MapFS{
			"t-0/00000000000000000000.log": {Data: at(3)},
			"t-0/00000000000000000030.log": {Data: at(35)},
			"t-0/00000000000000000060.log": {Data: torn},
		}
		mem := vfs.NewMem(nil)
		d := openTestDirManual(t, mem, &clock{startMs})
		if err := d.CopyIn(from, FoundLog{Topic: "t"}, indexes); err != nil {
			t.Fatal(err)
		}
		check := func() {
			t.Helper()
			l, err := d.Open("t", 0, [16]byte{}, compactConfig())
			if err != nil {
				t.Fatal(err)
			}
			var offsets []int64
			for _, r := range content(t, l) {
				offsets = append(offsets, r.offset)
			}
			if len(offsets) != 3 || offsets[0] != 3 || offsets[1] != 35 || offsets[2] != 60 || l.Offsets().LogEnd != 61 {
				t.Errorf("indexes %v: offsets %v, end %d", indexes, offsets, l.Offsets().LogEnd)
			}
		}
		check()
		for range 4 {
			if err := d.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			mem = mem.Clone()
			d.Close()
			d = openTestDirManual(t, mem, &clock{startMs})
			check()
		}
		d.Close()
	}
}
