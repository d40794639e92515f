package logstore

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"
)

// openMany opens n logs in a directory that may have so many files open.
func openMany(t testing.TB, fsys vfs.FS, files *OpenFiles, n int) (*Dir, []*Log) {
	t.Helper()
	d, err := OpenDir(fsys, "/data", DirOptions{NodeID: 1, Now: (&clock{startMs}).now, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	logs := make([]*Log, n)
	for i := range logs {
		if logs[i], err = d.Open("t", int32(i), testTopicID, smallConfig()); err != nil {
			t.Fatal(err)
		}
	}
	return d, logs
}

// Many logs are written, read, rolled and truncated with few files open, and lose nothing.
func TestOpenFilesBound(t *testing.T) {
	const (
		most    = 16
		inFlush = 3 // held by the worker, which flushes what was rolled
	)
	files := NewOpenFiles(most, 4)
	d, logs := openMany(t, vfs.NewMem(time.Now), files, 50)
	r := rand.New(rand.NewPCG(1, 2))
	want := make([][]string, len(logs))
	for step := range 5000 {
		i := r.IntN(len(logs))
		switch l := logs[i]; r.IntN(10) {
		case 0:
			cut := r.IntN(len(want[i]) + 1)
			if err := l.TruncateTo(int64(cut)); err != nil {
				t.Fatal(err)
			}
			want[i] = want[i][:cut]
		case 1, 2:
			if got := values(t, l, 0); fmt.Sprint(got) != fmt.Sprint(want[i]) {
				t.Fatalf("step %d: log %d has %v, not %v", step, i, got, want[i])
			}
		default:
			value := fmt.Sprint(step)
			if _, err := l.AppendAsLeader(records(1, startMs, value), 0); err != nil {
				t.Fatal(err)
			}
			want[i] = append(want[i], value)
		}
		if n, mappings := files.Open(); n > most+inFlush || mappings > 4 {
			t.Fatalf("step %d: %d files open, %d mappings", step, n, mappings)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n, mappings := files.Open(); n != 0 || mappings != 0 || len(files.circle) != 0 {
		t.Errorf("%d files and %d mappings after Close, %d segments known", n, mappings, len(files.circle))
	}
}

// What a reader holds stays open and as it was, also if its log is truncated after others have needed the descriptor.
func TestOpenFilesHeldByReaders(t *testing.T) {
	files := NewOpenFiles(4, 4)
	_, logs := openMany(t, vfs.NewMem(time.Now), files, 20)
	var held []Slice
	for i, l := range logs {
		if _, err := l.AppendAsLeader(records(1, startMs, fmt.Sprint("first ", i)), 0); err != nil {
			t.Fatal(err)
		}
		s, err := l.Read(0, 1, 1000, true)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, s)
	}
	for i, l := range logs {
		if err := l.TruncateTo(0); err != nil {
			t.Fatal(err)
		}
		if _, err := l.AppendAsLeader(records(1, startMs, fmt.Sprint("other ", i)), 0); err != nil {
			t.Fatal(err)
		}
	}
	for i := range held {
		p, err := held[i].AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		for r := range batch.Batch(p).Records() {
			if string(r.Value) != fmt.Sprint("first ", i) {
				t.Errorf("slice %d has become %q", i, r.Value)
			}
		}
		held[i].Release()
	}
	if n, _ := files.Open(); n > 20+4 {
		t.Errorf("%d files open", n)
	}
	if _, err := logs[0].AppendAsLeader(records(1, startMs, "x"), 0); err != nil {
		t.Fatal(err)
	}
	for i, l := range logs {
		if got := values(t, l, 0); got[0] != fmt.Sprint("other ", i) {
			t.Errorf("log %d has %v", i, got)
		}
	}
	if n, _ := files.Open(); n > 4 {
		t.Errorf("%d files open when nobody reads", n)
	}
}

// An answer that holds slices of many logs does not hold their files.
func TestOpenFilesOfManySlices(t *testing.T) {
	const most = 8
	files := NewOpenFiles(most, 8)
	_, logs := openMany(t, vfs.NewMem(time.Now), files, 100)
	var held []Slice
	for i, l := range logs {
		if _, err := l.AppendAsLeader(records(1, startMs, fmt.Sprint(i)), 0); err != nil {
			t.Fatal(err)
		}
		s, err := l.Read(0, 1, 1000, true)
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, s)
		if n, _ := files.Open(); n > most+most/2 {
			t.Fatalf("%d files open with %d slices", n, len(held))
		}
	}
	for i, s := range held {
		whole, err := s.AppendTo(nil)
		if err != nil {
			t.Fatal(err)
		}
		for r := range batch.Batch(whole).Records() {
			if string(r.Value) != fmt.Sprint(i) {
				t.Errorf("slice %d has %q", i, r.Value)
			}
		}
		p := make([]byte, s.Len())
		if n, err := s.ReadAt(p, 10); n != s.Len()-10 || err != io.EOF || string(p[:n]) != string(whole[10:]) {
			t.Errorf("slice %d: ReadAt: %d bytes, %v", i, n, err)
		}
		s.Release()
	}
}

// A process without descriptors frees its own.
func TestOpenFilesOutOfDescriptors(t *testing.T) {
	var files *OpenFiles
	fsys := vfs.Inject(vfs.NewMem(time.Now), func(op vfs.Op) error {
		switch op.Kind {
		case vfs.OpOpen, vfs.OpCreate, vfs.OpSyncDir:
			if n, _ := files.Open(); n > 40 {
				return syscall.EMFILE
			}
		}
		return nil
	})
	files = NewOpenFiles(1000, 1000)
	d, logs := openMany(t, fsys, files, 30)
	for i, l := range logs {
		for range 20 {
			if _, err := l.AppendAsLeader(records(1, startMs, "v"), 0); err != nil {
				t.Fatalf("log %d: %v", i, err)
			}
		}
	}
	for i, l := range logs {
		if _, err := l.Roll(startMs); err != nil {
			t.Errorf("log %d: %v", i, err)
		}
		if err := errors.Join(l.Flush(), l.TruncateTo(5), d.Checkpoint()); err != nil {
			t.Errorf("log %d: %v", i, err)
		}
	}
	if err := d.Offline(); err != nil {
		t.Error(err)
	}
}

// An idle log has no file and no mapping after a while, and is written to again.
func TestOpenFilesSweep(t *testing.T) {
	files := NewOpenFiles(1000, 1000)
	_, logs := openMany(t, vfs.NewMem(time.Now), files, 10)
	read := func() {
		for _, l := range logs {
			s, err := l.Read(0, 1, 1000, true)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := s.Mapped(); !ok {
				t.Fatal("what was just written is not mapped")
			}
			s.Release()
		}
	}
	for _, l := range logs {
		if _, err := l.AppendAsLeader(records(1, startMs, "v"), 0); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Unix(1000, 0)
	for round := range 3 {
		read()
		files.sweep(now, time.Minute)
		if n, mappings := files.Open(); n < 10 || mappings != 10 {
			t.Fatalf("round %d: %d files and %d mappings left of those that were just used", round, n, mappings)
		}
		files.sweep(now.Add(time.Second), time.Minute) // too early
		if n, _ := files.Open(); n < 10 {
			t.Fatalf("round %d: %d files left after a sweep that was too early", round, n)
		}
		now = now.Add(time.Minute)
		files.sweep(now, time.Minute)
		if n, mappings := files.Open(); n != 0 || mappings != 0 {
			t.Fatalf("round %d: %d files and %d mappings left of idle logs", round, n, mappings)
		}
		now = now.Add(time.Minute)
	}
}

// Readers and writers of many logs take each other's descriptors all the time.
func TestOpenFilesConcurrently(t *testing.T) {
	files := NewOpenFiles(6, 2)
	d, logs := openMany(t, vfs.NewMem(time.Now), files, 12)
	var running sync.WaitGroup
	for worker := range 4 {
		running.Go(func() {
			r := rand.New(rand.NewPCG(uint64(worker), 3))
			for range 300 {
				l := logs[r.IntN(len(logs))]
				if _, err := l.AppendAsLeader(records(1, startMs, "v"), 0); err != nil {
					t.Error(err)
					return
				}
				end := l.Offsets().LogEnd
				s, err := l.Read(r.Int64N(end), end, 500, true)
				if err != nil {
					t.Error(err)
					return
				}
				p, err := s.AppendTo(nil)
				if err != nil || len(p) == 0 {
					t.Errorf("%d bytes, %v", len(p), err)
				}
				if m, ok := s.Mapped(); ok && string(m) != string(p) {
					t.Error("mapping differs from pread")
				}
				s.Release()
			}
		})
	}
	running.Go(func() {
		for i := range 100 {
			files.sweep(time.Unix(int64(i)*100, 0), time.Minute)
		}
	})
	running.Wait()
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n, mappings := files.Open(); n != 0 || mappings != 0 {
		t.Errorf("%d files and %d mappings after Close", n, mappings)
	}
}
