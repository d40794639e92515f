package logstore

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// writtenFiles are the files of a log of a few segments and, with ../ before them, those of its directory, as a clean
// stop leaves them but for the marker.
func writtenFiles(t testing.TB, withTxns bool) map[string][]byte {
	mem := vfs.NewMem(nil)
	d := openTestDir(t, mem, &clock{startMs})
	cfg := smallConfig()
	l := openTestLog(t, d, cfg)
	for i := range 20 {
		w := batch.NewBuilder()
		w.ProducerID, w.ProducerEpoch, w.BaseSequence = 1, 0, int32(i)
		w.Add(batch.Record{Timestamp: startMs + int64(i), Value: []byte("some value")})
		if _, err := l.AppendAsLeader(w.Build(), int32(i/7)); err != nil {
			t.Fatal(err)
		}
		if withTxns && i%3 == 0 {
			appendTxn(t, l, 2, int32(i/3), "aborted", int32(i/7))
			if _, err := l.AppendMarker(Marker{ProducerID: 2}, int32(i/7)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, prefix := range []string{"", "../"} {
		entries, err := mem.ReadDir("/data/t-0/" + prefix)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir || e.Name == lockFile || e.Name == cleanShutdownFile {
				continue
			}
			if files[prefix+e.Name], err = vfs.ReadFile(mem, "/data/t-0/"+prefix+e.Name, 1<<20); err != nil {
				t.Fatal(err)
			}
		}
	}
	return files
}

// putFile makes a file of a log's folder, or with ../ before its name of its directory.
func putFile(t testing.TB, mem *vfs.Mem, name string, p []byte) {
	f, err := mem.Create("/data/t-0/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(p, 0); err != nil {
		t.Fatal(err)
	}
}

// exercise opens a log made of arbitrary files, asks it everything, appends, and opens it once more. Nothing may
// panic; what is served after an unclean start has right checksums; and what is appended is found again.
func exercise(t *testing.T, files map[string][]byte, clean bool) {
	mem := vfs.NewMem(nil)
	if err := mem.MkdirAll("/data/t-0"); err != nil {
		t.Fatal(err)
	}
	for name, p := range files {
		putFile(t, mem, name, p)
	}
	if clean {
		putFile(t, mem, "../"+cleanShutdownFile, []byte(cleanShutdown))
	}
	cfg := compactConfig()
	cfg.Delete = true
	clk := &clock{startMs}
	for round := range 2 {
		d, err := OpenDir(mem, "/data", DirOptions{NodeID: 1, Now: clk.now, manual: true})
		if err != nil {
			if round > 0 {
				t.Fatalf("opened once, and not again: %v", err)
			}
			return // meta.properties may be anything too
		}
		l, err := d.Open("t", 0, [16]byte{}, cfg)
		if err != nil {
			var code *kerr.Error
			if !errors.As(err, &code) {
				t.Fatalf("error without a code: %v", err)
			}
			d.Close()
			return
		}
		o := l.Offsets()
		if o.LogStart < 0 || o.LogStart > o.LogEnd {
			t.Fatalf("offsets %+v", o)
		}
		for _, at := range []int64{o.LogStart, (o.LogStart + o.LogEnd) / 2, o.LogEnd} {
			if sl, err := l.ReadCommitted(at, o.LogEnd, 1<<16, true); err == nil {
				sl.Release()
			}
			sl, err := l.Read(at, o.LogEnd, 1<<16, true)
			if err != nil {
				continue
			}
			p, err := sl.AppendTo(nil)
			sl.Release()
			for err == nil && len(p) > 0 {
				var b batch.Batch
				if b, p, err = batch.Next(p); err == nil && !clean {
					if err := b.Validate(); err != nil {
						t.Fatalf("served after recovery: %v", err)
					}
				}
			}
		}
		l.OffsetForTimestamp(startMs + 5)
		l.MaxTimestampOffset()
		l.EndOffsetForEpoch(1)
		l.Producers()
		l.SetHighWatermark(o.LogEnd)
		info, err := l.AppendAsLeader(records(1, startMs, "new"), 1<<30)
		if err == nil {
			sl, err := l.Read(info.BaseOffset, info.LastOffset+1, 1<<16, true)
			if err != nil || sl.Len() == 0 {
				t.Fatalf("round %d: what was appended at %d cannot be read: %d bytes, %v", round, info.BaseOffset, sl.Len(), err)
			}
			sl.Release()
		}
		l.Roll(clk.ms)
		NewCleaner(l.logger).Clean(t.Context(), l, anyCleaner)
		l.TruncateTo((o.LogStart + o.LogEnd) / 2)
		l.Retain(startMs + 1<<40)
		if err := d.Close(); err != nil && d.Offline() == nil {
			t.Fatalf("close: %v", err)
		}
	}
}

// FuzzOpenArbitraryFiles opens logs of which some files are anything.
func FuzzOpenArbitraryFiles(f *testing.F) {
	files := writtenFiles(f, false)
	// What a crash or Apache Kafka may leave beside them.
	const first = "00000000000000000000"
	names := []string{first + txnIndexSuffix, first + logSuffix + swapSuffix, first + indexSuffix + swapSuffix, first + timeIndexSuffix + swapSuffix,
		first + logSuffix + cleanedSuffix, first + logSuffix + deletedSuffix, leaderEpochFile + ".tmp", "00000000000000000009" + logSuffix,
		"99999999999999999999" + logSuffix, "00000000000000000005" + snapshotSuffix}
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		f.Add(uint8(i), files[name], uint8(i), files[name], true)
		f.Add(uint8(i), files[name][:len(files[name])/2], uint8(i+1), []byte{}, false)
	}
	f.Fuzz(func(t *testing.T, i uint8, p []byte, j uint8, q []byte, clean bool) {
		changed := map[string][]byte{}
		for name, p := range files {
			changed[name] = p
		}
		changed[names[int(i)%len(names)]] = p
		changed[names[int(j)%len(names)]] = q
		exercise(t, changed, clean)
	})
}

// FuzzIndexRecovery puts anything into the indexes of a segment, below the recovery point and not. The batches are
// all there, so after a crash, where nothing but them counts, all of them must be found.
func FuzzIndexRecovery(f *testing.F) {
	files := writtenFiles(f, false)
	const index, times = "00000000000000000000.index", "00000000000000000000.timeindex"
	f.Add(files[index], files[times], uint8(0))
	f.Add(files[index][:5], files[times][:13], uint8(9))
	f.Add(slices.Concat(files[index], make([]byte, 40)), slices.Concat(files[times], make([]byte, 40)), uint8(30))
	f.Fuzz(func(t *testing.T, offsets, timestamps []byte, point uint8) {
		mem := vfs.NewMem(nil)
		if err := mem.MkdirAll("/data/t-0"); err != nil {
			t.Fatal(err)
		}
		for name, p := range files {
			putFile(t, mem, name, p)
		}
		putFile(t, mem, index, offsets)
		putFile(t, mem, times, timestamps)
		putFile(t, mem, "../"+recoveryPointFile, offsetMap{{"t", 0}: int64(point)}.format())
		d := openTestDir(t, mem, &clock{startMs})
		defer d.Close()
		l := openTestLog(t, d, smallConfig())
		if end := l.Offsets().LogEnd; end != 20 {
			t.Fatalf("log ends at %d", end)
		}
		for from := range int64(20) {
			if got := len(values(t, l, from)); got != int(20-from) {
				t.Fatalf("%d records from offset %d on", got, from)
			}
		}
		l.OffsetForTimestamp(startMs + 3)
		l.MaxTimestampOffset()
	})
}

// FuzzProducerSnapshot: whatever parses means the same when it is written again.
func FuzzProducerSnapshot(f *testing.F) {
	for name, p := range writtenFiles(f, false) {
		if _, ok := parseFileName(name, snapshotSuffix); ok {
			f.Add(p, true)
		}
	}
	f.Add(formatSnapshot(func(func(snapshotEntry) bool) {}), true)
	f.Fuzz(func(t *testing.T, p []byte, fixCRC bool) {
		if fixCRC && len(p) >= snapshotHeaderSize {
			p = slices.Clone(p)
			binary.BigEndian.PutUint32(p[2:], crcOf(p[6:]))
		}
		entries, err := parseSnapshot(p)
		if err != nil {
			return
		}
		var never producerSettings
		never.expirationMs.Store(1 << 62)
		s := newProducerState(&never)
		s.restore(entries, 100, startMs)
		again, err := parseSnapshot(formatSnapshot(s.entries()))
		if err != nil || len(again) != len(s.producers) {
			t.Fatalf("%d producers came back as %d, %v", len(s.producers), len(again), err)
		}
		w := batch.NewBuilder()
		w.ProducerID, w.ProducerEpoch, w.BaseSequence = 1, 2, 3
		w.Add(batch.Record{})
		if _, _, err := s.check(w.Build(), Verification{}); err == nil {
			s.apply(w.Build())
		}
	})
}

// FuzzTxnIndex: a log whose transaction index holds anything opens, whether it was closed in order or not; what is listed
// then is of the segment, and in order.
func FuzzTxnIndex(f *testing.F) {
	files := writtenFiles(f, true)
	name := ""
	for n := range files {
		if strings.HasSuffix(n, txnIndexSuffix) && n > name {
			name = n
		}
	}
	good := files[name]
	if len(good) == 0 {
		f.Fatal("no transaction index")
	}
	f.Add(good, true)
	f.Add(good[:len(good)-1], false)
	f.Add(append(slices.Clone(good), good...), true)
	f.Add(make([]byte, 3*txnEntryWidth), false)
	f.Fuzz(func(t *testing.T, p []byte, clean bool) {
		mem := vfs.NewMem(nil)
		if err := mem.MkdirAll("/data/t-0"); err != nil {
			t.Fatal(err)
		}
		for n, contents := range files {
			putFile(t, mem, n, contents)
		}
		putFile(t, mem, name, p)
		if clean {
			putFile(t, mem, "../"+cleanShutdownFile, []byte(cleanShutdown))
		}
		d, err := OpenDir(mem, "/data", DirOptions{NodeID: 1, Now: (&clock{startMs}).now, manual: true})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		l := openTestLog(t, d, smallConfig())
		last := int64(-1)
		err = eachAborted(*l.segments.Load(), 0, math.MaxInt64, func(e txnEntry) {
			if e.last <= last || e.last >= l.Offsets().LogEnd {
				t.Errorf("%+v behind %d in a log that ends at %d", e, last, l.Offsets().LogEnd)
			}
			last = e.last
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// FuzzTextFiles: checkpoints, meta.properties, partition.metadata.
func FuzzTextFiles(f *testing.F) {
	f.Add(offsetMap{{"t", 0}: 5, {"a-b", 12}: 1 << 40}.format())
	f.Add([]byte("0\n2\n0 0\n5 100\n"))
	f.Add(metaProperties{clusterID: "c", nodeID: 1, directoryID: newUUID()}.format())
	f.Add(formatPartitionMetadata(newUUID()))
	f.Fuzz(func(t *testing.T, p []byte) {
		if m, err := parseOffsetMap(p); err == nil {
			if again, err := parseOffsetMap(m.format()); err != nil || len(again) != len(m) {
				t.Fatalf("%v came back as %v, %v", m, again, err)
			}
		}
		var c epochCache
		if err := c.load(p); err == nil {
			for i := 1; i < len(c.entries); i++ {
				if c.entries[i-1].epoch >= c.entries[i].epoch || c.entries[i-1].start >= c.entries[i].start {
					t.Fatalf("epochs do not ascend: %v", c.entries)
				}
			}
		}
		if m, err := parseMetaProperties(p); err == nil {
			if again, err := parseMetaProperties(m.format()); err != nil || again != m {
				t.Fatalf("%+v came back as %+v, %v", m, again, err)
			}
		}
		if id, err := parsePartitionMetadata(p); err == nil {
			if again, err := parsePartitionMetadata(formatPartitionMetadata(id)); err != nil || again != id {
				t.Fatalf("%s came back as %s, %v", id, again, err)
			}
		}
	})
}
