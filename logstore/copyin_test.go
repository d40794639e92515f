package logstore

import (
	"fmt"
	"strings"
	"syscall"
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

// TestCopyInCutOff: what a copy that was cut off has left goes at the next start, and no sooner is there one again.
func TestCopyInCutOff(t *testing.T) {
	mem := vfs.NewMem(nil)
	var cut bool
	d := openTestDirManual(t, vfs.Inject(mem, func(op vfs.Op) error {
		if cut = cut || op.Kind == vfs.OpSync && strings.Contains(op.Path, copyFolderSuffix); cut {
			return syscall.EIO
		}
		return nil
	}), &clock{startMs})
	from := fstest.MapFS{"t-0/00000000000000000000.log": {Data: records(1, startMs, "v")}}
	if err := d.CopyIn(from, FoundLog{Topic: "t"}, true); err == nil {
		t.Fatal("copied")
	}
	for _, name := range []string{"/data/t-1-importing", "/data/somebody-s-importing"} {
		if err := mem.MkdirAll(name); err != nil {
			t.Fatal(err)
		}
	}
	d = openTestDirManual(t, mem.Clone(), &clock{startMs})
	defer d.Close()
	if err := d.CopyIn(from, FoundLog{Topic: "t"}, true); err != nil {
		t.Fatal(err)
	}
	inBackground(d)
	entries, err := d.fs.ReadDir("/data")
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, e := range entries {
		if e.IsDir {
			folders = append(folders, e.Name)
		}
	}
	if got := strings.Join(folders, " "); got != "somebody-s-importing t-0" {
		t.Errorf("folders %s", got)
	}
}

// TestCheckEpochs: leader epochs that a checkpoint does not know, or knows elsewhere, are those of the batches.
func TestCheckEpochs(t *testing.T) {
	for name, c := range map[string]struct {
		checkpoint string // "": none
		start      int64
		want       string
		rebuilt    bool
	}{
		"right":                {"0\n3\n0 0\n2 2\n5 4\n", 0, "0@0 2@2 5@4", false},
		"missing":              {"", 0, "0@0 2@2 5@4", true},
		"damaged":              {"0\n7\nx", 0, "0@0 2@2 5@4", true},
		"older":                {"0\n1\n0 0\n", 0, "0@0 2@2 5@4", true},
		"one lost":             {"0\n2\n0 0\n5 4\n", 0, "0@0 2@2 5@4", true},
		"begins too late":      {"0\n3\n0 0\n2 3\n5 4\n", 0, "0@0 2@2 5@4", true},
		"knows what has gone":  {"0\n4\n0 0\n1 1\n2 2\n5 4\n", 0, "0@0 1@1 2@2 5@4", false},
		"behind the start":     {"0\n2\n2 3\n5 4\n", 3, "2@3 5@4", false},
		"missing, and deleted": {"", 2, "2@2 5@4", true},
	} {
		t.Run(name, func(t *testing.T) {
			from := fstest.MapFS{}
			var runs []EpochRun
			for i, epoch := range []int32{0, 2, 2, 5} {
				at := []int64{0, 2, 3, 4}[i]
				w := batch.NewBuilder()
				w.BaseOffset, w.LeaderEpoch = at, epoch
				w.Add(batch.Record{Timestamp: startMs, Value: []byte("v")})
				from[fmt.Sprintf("t-0/%020d.log", at)] = &fstest.MapFile{Data: w.Build()}
				runs = AppendEpochRun(runs, w.Build())
			}
			if c.checkpoint != "" {
				from["t-0/leader-epoch-checkpoint"] = &fstest.MapFile{Data: []byte(c.checkpoint)}
			}
			mem := vfs.NewMem(nil)
			d := openTestDirManual(t, mem, &clock{startMs})
			if err := d.CopyIn(from, FoundLog{Topic: "t"}, true); err != nil {
				t.Fatal(err)
			}
			l, err := d.Open("t", 0, [16]byte{}, compactConfig())
			if err != nil {
				t.Fatal(err)
			}
			l.SetHighWatermark(5)
			if _, err := l.DeleteRecordsBefore(c.start); err != nil {
				t.Fatal(err)
			}
			if rebuilt, err := l.CheckEpochs(runs); err != nil || rebuilt != c.rebuilt {
				t.Errorf("rebuilt %t, %v", rebuilt, err)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			d = openTestDirManual(t, mem, &clock{startMs})
			defer d.Close()
			if l, err = d.Open("t", 0, [16]byte{}, compactConfig()); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range l.epochs.entries {
				got = append(got, fmt.Sprintf("%d@%d", e.epoch, e.start))
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("epochs %s, not %s", s, c.want)
			}
		})
	}
}
