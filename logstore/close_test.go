package logstore

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// What is appended while a log is being closed is refused, or it is in the log as closing leaves it: flushed, with its
// indexes. The clean-shutdown marker says so of all of it.
func TestAppendWhileClosing(t *testing.T) {
	mem, clk := vfs.NewMem(nil), &clock{startMs}
	closing := false
	var l *Log
	var appended error
	d := openTestDirManual(t, vfs.Inject(mem, func(op vfs.Op) error {
		if closing && op.Kind == vfs.OpSync && strings.HasSuffix(op.Path, logSuffix) {
			closing = false
			_, appended = l.AppendAsLeader(records(1, startMs+1000, "late"), 0)
		}
		return nil
	}), clk)
	l = openTestLog(t, d, smallConfig())
	for i := range 5 {
		if _, err := l.AppendAsLeader(records(1, startMs+int64(i), fmt.Sprint(i)), 0); err != nil {
			t.Fatal(err)
		}
	}
	closing = true
	if err := d.Close(); err != nil || closing {
		t.Fatalf("%v, a sync was seen: %t", err, !closing)
	}
	d = openTestDirManual(t, mem, clk)
	defer d.Close()
	l = openTestLog(t, d, smallConfig())
	got, ok, err := l.OffsetForTimestamp(startMs + 1000)
	if err != nil || ok != (appended == nil) {
		t.Errorf("the append: %v; looked up by its time: %+v, %t, %v", appended, got, ok, err)
	}
	if n := len(values(t, l, 0)); (n == 6) != (appended == nil) {
		t.Errorf("the append: %v; %d records", appended, n)
	}
}

// An append that fails for want of descriptors behind its write, at the indexes, leaves nothing behind.
func TestNoDescriptorsForIndexes(t *testing.T) {
	mem, clk := vfs.NewMem(nil), &clock{startMs}
	failing := false
	d := openTestDirManual(t, vfs.Inject(mem, func(op vfs.Op) error {
		if failing && op.Kind == vfs.OpOpen && strings.HasSuffix(op.Path, timeIndexSuffix) {
			return syscall.EMFILE
		}
		return nil
	}), clk)
	defer d.Close()
	l := openTestLog(t, d, smallConfig())
	var want []string
	for i := range 40 {
		if failing = i > 3 && i%3 == 0; failing {
			s := l.active()
			s.mu.Lock()
			_ = s.flushIndexes()
			s.shrink()
			s.mu.Unlock()
		}
		v := fmt.Sprint(i)
		if _, err := l.AppendAsLeader(records(1+i%3, startMs+int64(i), v), 0); err != nil {
			if !errors.Is(err, kerr.KafkaStorageError) {
				t.Fatal(err)
			}
			continue
		}
		for range 1 + i%3 {
			want = append(want, v)
		}
	}
	failing = false
	if err := d.Offline(); err != nil {
		t.Fatal(err)
	}
	if got := values(t, l, 0); !slices.Equal(got, want) {
		t.Errorf("records %v, want %v", got, want)
	}
	for _, s := range *l.segments.Load() {
		s.mu.Lock()
		p, err := s.offsets.all(s.fs)
		s.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		last := offsetEntry{offset: s.base - 1}
		for ; len(p) > 0; p = p[offsetEntryWidth:] {
			e := getOffsetEntry(p, s.base)
			if e.offset <= last.offset || e.pos <= last.pos {
				t.Errorf("%s: entry %+v behind %+v", s.offsets.path, e, last)
			}
			if b, err := l.Read(e.offset, e.offset+1, 1, true); err != nil || b.pos != e.pos {
				t.Errorf("%s: entry %+v, the batch is at %d, %v", s.offsets.path, e, b.pos, err)
			}
			last = e
		}
	}
}
