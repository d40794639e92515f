package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// stopped is a file system with a log of some batches of one record each, which was closed in order, and where the
// batches of its first segment lie.
func stopped(t *testing.T, fsys vfs.FS, path string, batches int) (segment string, positions []int64) {
	t.Helper()
	d, err := OpenDir(fsys, path, DirOptions{NodeID: 1})
	if err != nil {
		t.Fatal(err)
	}
	l := openTestLog(t, d, smallConfig())
	for i := range batches {
		if segments := *l.segments.Load(); len(segments) == 1 {
			if size, _ := segments[0].extent(); size+100 < 1000 {
				positions = append(positions, size)
			}
		}
		if _, err := l.AppendAsLeader(records(1, startMs, fmt.Sprintf("value %02d", i)), 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(*l.segments.Load()) < 3 {
		t.Fatal("fewer than three segments")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	return path + "/t-0/" + fmt.Sprintf("%020d", 0) + logSuffix, positions
}

func openQuiet(t *testing.T, fsys vfs.FS, path string, log *bytes.Buffer) (*Dir, *Log) {
	t.Helper()
	d, err := OpenDir(fsys, path, DirOptions{NodeID: 1, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, openTestLog(t, d, smallConfig())
}

// readAll reads the whole log as a client does that goes on behind what it cannot have.
func readAll(t *testing.T, l *Log) (offsets []int64, refused []int64) {
	t.Helper()
	end := l.Offsets().LogEnd
	for from := int64(0); from < end; {
		sl, err := l.Read(from, end, 300, true)
		if errors.Is(err, kerr.CorruptMessage) {
			refused = append(refused, from)
			from++
			continue
		}
		if err != nil {
			t.Fatalf("Read(%d): %v", from, err)
		}
		p, err := sl.AppendTo(nil)
		sl.Release()
		if err != nil {
			t.Fatal(err)
		}
		for len(p) > 0 {
			b, rest, err := batch.Next(p)
			if err == nil {
				err = b.Validate()
			}
			if err != nil {
				t.Fatalf("served from offset %d: %v", from, err)
			}
			for r, err := range b.Records() {
				if err != nil || string(r.Value) != fmt.Sprintf("value %02d", r.Offset) {
					t.Fatalf("offset %d is %q, %v", r.Offset, r.Value, err)
				}
				offsets = append(offsets, r.Offset)
			}
			from, p = b.LastOffset()+1, rest
		}
	}
	return offsets, refused
}

// TestFlippedBit flips every bit of an old segment in turn. Its batch is not served, the others are, and the log says
// once where it is. Not so for a bit of the leader epoch, which no checksum covers.
func TestFlippedBit(t *testing.T) {
	const batches = 40
	mem := vfs.NewMem(nil)
	segment, positions := stopped(t, mem, "/data", batches)
	const victim = 4
	from, to := positions[victim], positions[victim+1]
	for bit := 8 * from; bit < 8*to; bit++ {
		at := bit / 8
		if field := at - from; field >= 12 && field < 16 {
			continue // the leader epoch
		}
		fsys := mem.Clone()
		f, err := fsys.Open(segment)
		if err != nil {
			t.Fatal(err)
		}
		var p [1]byte
		if _, err := f.ReadAt(p[:], at); err != nil {
			t.Fatal(err)
		}
		p[0] ^= 1 << (bit % 8)
		if _, err := f.WriteAt(p[:], at); err != nil {
			t.Fatal(err)
		}
		f.Close()
		var log bytes.Buffer
		d, l := openQuiet(t, fsys, "/data", &log)
		said := 0
		for round := range 3 {
			offsets, refused := readAll(t, l)
			if len(offsets)+len(refused) != batches || len(refused) == 0 {
				t.Fatalf("bit %d of byte %d: %d served, refused %v", bit%8, at, len(offsets), refused)
			}
			// A header that cannot be followed hides what lies behind it, up to where the index points. Of two batches
			// that are out of order neither is served.
			if refused[0] < victim-1 || refused[0] > victim || refused[len(refused)-1] > victim+3 {
				t.Errorf("bit %d of byte %d: refused %v", bit%8, at, refused)
			}
			if round == 0 {
				said = log.Len()
			}
		}
		if log.Len() != said {
			t.Errorf("bit %d of byte %d: said more than once:\n%s", bit%8, at, &log)
		}
		where := fmt.Sprintf("segment=%s position=%d ", segment, from)
		before := fmt.Sprintf("segment=%s position=%d ", segment, positions[victim-1])
		if !strings.Contains(log.String(), where) && !strings.Contains(log.String(), before) {
			t.Errorf("bit %d of byte %d: want %s:\n%s", bit%8, at, where, &log)
		}
		if d.Offline() != nil {
			t.Errorf("a flipped bit took the directory offline: %v", d.Offline())
		}
	}
}

// TestVerifiedOnce: old records are read for their checksum once, however they are read; one's own never.
func TestVerifiedOnce(t *testing.T) {
	mem := vfs.NewMem(nil)
	segment, _ := stopped(t, mem, "/data", 200)
	var reads atomic.Int64
	fsys := vfs.Inject(mem, func(op vfs.Op) error {
		if op.Kind == vfs.OpRead && strings.HasSuffix(op.Path, logSuffix) && op.Len > cursorFirst {
			reads.Add(op.Len)
		}
		return nil
	})
	var log bytes.Buffer
	_, l := openQuiet(t, fsys, "/data", &log)
	locate := func(from int64, bytes int) {
		t.Helper()
		sl, err := l.Read(from, l.Offsets().LogEnd, bytes, true)
		if err != nil {
			t.Fatal(err)
		}
		sl.Release()
	}
	reads.Store(0)
	locate(0, 1000)
	first := reads.Load()
	if first < 900 || first > 1000 {
		t.Errorf("%d bytes of %s read to check it", first, segment)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		locate(rng.Int64N(9), rng.IntN(1000))
	}
	if more := reads.Load() - first; more != 0 {
		t.Errorf("%d bytes checked again", more)
	}
	reads.Store(0)
	end := l.Offsets().LogEnd
	for range 100 {
		if _, err := l.AppendAsLeader(records(1, startMs, "new"), 0); err != nil {
			t.Fatal(err)
		}
	}
	_, size := end, reads.Load()
	for from := end + 20; from < l.Offsets().LogEnd; from += 7 {
		locate(from, 500)
	}
	if more := reads.Load() - size; more != 0 {
		t.Errorf("%d bytes of what was just appended were checked", more)
	}
	if log.Len() > 0 && strings.Contains(log.String(), "damaged") {
		t.Error(log.String())
	}
}

// TestShortenedFile cuts a segment under a running log, before and while a slice of it is held: that is an error.
func TestShortenedFile(t *testing.T) {
	root := t.TempDir()
	segment, positions := stopped(t, vfs.OS{}, root, 40)
	cut := positions[6] + 10
	for _, held := range []bool{false, true} {
		var log bytes.Buffer
		d, l := openQuiet(t, vfs.OS{}, root, &log)
		whole, err := os.ReadFile(segment)
		if err != nil {
			t.Fatal(err)
		}
		if held {
			sl, err := l.Read(5, l.Offsets().LogEnd, 1000, true)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(segment, cut); err != nil {
				t.Fatal(err)
			}
			if _, err := sl.AppendTo(nil); !errors.Is(err, kerr.CorruptMessage) {
				t.Errorf("a slice of a file that was cut: %v", err)
			}
			sl.Release()
		} else if err := os.Truncate(segment, cut); err != nil {
			t.Fatal(err)
		}
		sl, err := l.Read(3, l.Offsets().LogEnd, 1000, true)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := sl.Len(), positions[6]-positions[3]; int64(got) != want {
			t.Errorf("held %v: %d bytes of a file that was cut, %d are left", held, got, want)
		}
		sl.Release()
		if _, err := l.Read(6, l.Offsets().LogEnd, 1000, true); !errors.Is(err, kerr.CorruptMessage) {
			t.Errorf("held %v: behind the cut: %v", held, err)
		}
		if !strings.Contains(log.String(), filepath.Base(segment)) {
			t.Errorf("held %v: nothing was said of it: %s", held, &log)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if err := os.WriteFile(segment, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestShortenedOwnFile is the same for what this process has just written, which readers get through a mapping.
func TestShortenedOwnFile(t *testing.T) {
	root := t.TempDir()
	var log bytes.Buffer
	d, l := openQuiet(t, vfs.OS{}, root, &log)
	cfg := smallConfig()
	cfg.SegmentBytes = 1 << 20
	l.SetConfig(cfg)
	for range 40 {
		if _, err := l.AppendAsLeader(records(1, startMs, strings.Repeat("x", 5000)), 0); err != nil {
			t.Fatal(err)
		}
	}
	sl, err := l.Read(10, l.Offsets().LogEnd, 100_000, true)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := sl.Mapped(); !ok || len(p) != sl.Len() {
		t.Fatal("what was just written is not mapped")
	}
	if err := os.Truncate(filepath.Join(root, "t-0", filepath.Base(fileName("", 0, logSuffix))), 60_000); err != nil {
		t.Fatal(err)
	}
	if _, ok := sl.Mapped(); ok {
		t.Error("a mapping beyond the end of the file was handed out")
	}
	if _, err := sl.ReadAt(make([]byte, sl.Len()), 0); !errors.Is(err, kerr.CorruptMessage) {
		t.Errorf("ReadAt: %v", err)
	}
	sl.Release()
	if sl, err = l.Read(10, l.Offsets().LogEnd, 100_000, true); err != nil || sl.Len() > 10_000 || sl.Len() < 5000 {
		t.Errorf("%d bytes, %v", sl.Len(), err)
	}
	sl.Release()
	if d.Offline() != nil {
		t.Error(d.Offline())
	}
}

// TestSliceOffline: a disk that fails under a slice takes the directory offline.
func TestSliceOffline(t *testing.T) {
	var bad atomic.Bool
	fsys := vfs.Inject(vfs.NewMem(nil), func(op vfs.Op) error {
		if bad.Load() && op.Kind == vfs.OpRead {
			return syscall.EIO
		}
		return nil
	})
	read := map[string]func(Slice) error{
		"AppendTo": func(s Slice) error { return second(s.AppendTo(nil)) },
		"ReadAt":   func(s Slice) error { return second(s.ReadAt(make([]byte, 10), 0)) },
	}
	for name, read := range read {
		bad.Store(false)
		var log bytes.Buffer
		d, l := openQuiet(t, fsys, "/"+name, &log)
		if _, err := l.AppendAsLeader(records(1, startMs, "v"), 0); err != nil {
			t.Fatal(err)
		}
		sl, err := l.Read(0, 1, 1000, true)
		if err != nil {
			t.Fatal(err)
		}
		bad.Store(true)
		if err := read(sl); !errors.Is(err, kerr.KafkaStorageError) {
			t.Errorf("%s: %v", name, err)
		}
		sl.Release()
		if d.Offline() == nil {
			t.Errorf("%s: the directory is not offline", name)
		}
	}
}

// TestSpans holds the set against one of single bytes.
func TestSpans(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var v spans
		var model [200]bool
		for range 50 {
			from := rng.Int64N(200)
			to := from + rng.Int64N(200-from+1)
			switch rng.IntN(8) {
			case 0:
				v.cut(from)
				clear(model[from:])
			case 1, 2:
				v.add(span{from, min(to, from+20)})
				for i := from; i < min(to, from+20); i++ {
					model[i] = true
				}
			}
			want, found := span{from, from}, false
			for i := from; i < to && !found; i++ {
				if !model[i] {
					for want = (span{i, i}); want.to < to && !model[want.to]; {
						want.to++
					}
					found = true
				}
			}
			if got, ok := v.gap(from, to); ok != found || ok && got != want {
				t.Fatalf("gap in [%d, %d) of %v is %v %v, want %v %v", from, to, v, got, ok, want, found)
			}
			for i := 1; i < len(v); i++ {
				if v[i-1].to >= v[i].from {
					t.Fatalf("%v", v)
				}
			}
		}
	}
	var v spans
	for i := range int64(1000) {
		v.add(span{10 * i, 10*i + 1 + i%9})
	}
	if len(v) != maxSpans {
		t.Errorf("%d spans", len(v))
	}
}
