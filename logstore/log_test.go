package logstore

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// clock is a time that only moves when told to.
type clock struct{ ms int64 }

func (c *clock) now() time.Time { return time.UnixMilli(c.ms) }

const startMs = 1_700_000_000_000

func openTestDir(t testing.TB, fsys vfs.FS, c *clock) *Dir {
	t.Helper()
	d, err := OpenDir(fsys, "/data", DirOptions{NodeID: 1, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var testTopicID = [16]byte{1, 2, 3}

func openTestLog(t testing.TB, d *Dir, cfg Config) *Log {
	t.Helper()
	l, err := d.Open("t", 0, testTopicID, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func smallConfig() Config {
	c := DefaultConfig()
	c.SegmentBytes = 1000
	c.IndexIntervalBytes = 100
	c.FileDeleteDelayMs = 0
	return c
}

// records builds a batch of n records with the given value, timestamps ms, ms+1, ….
func records(n int, ms int64, value string) batch.Batch {
	b := batch.NewBuilder()
	for i := range n {
		b.Add(batch.Record{Timestamp: ms + int64(i), Key: []byte("k"), Value: []byte(value)})
	}
	return b.Build()
}

// values reads the values of all records from an offset on, in as many reads as it takes.
func values(t testing.TB, l *Log, from int64) (got []string) {
	t.Helper()
	end := l.Offsets().LogEnd
	for from < end {
		sl, err := l.Read(from, end, 300, true)
		if err != nil {
			t.Fatalf("Read(%d): %v", from, err)
		}
		p, err := sl.AppendTo(nil)
		if err != nil {
			t.Fatalf("AppendTo: %v", err)
		}
		if m, ok := sl.Mapped(); ok && !bytes.Equal(m, p) {
			t.Fatalf("mapping differs from pread at offset %d", from)
		}
		sl.Release()
		if len(p) == 0 {
			t.Fatalf("Read(%d) of a log that ends at %d: nothing", from, end)
		}
		for len(p) > 0 {
			b, rest, err := batch.Next(p)
			if err != nil {
				t.Fatalf("Read(%d): %v", from, err)
			}
			if err := b.Validate(); err != nil {
				t.Fatal(err)
			}
			for r, err := range b.Records() {
				if err != nil {
					t.Fatal(err)
				}
				if r.Offset >= from {
					got = append(got, string(r.Value))
				}
			}
			from = b.LastOffset() + 1
			p = rest
		}
	}
	return got
}

func TestAppendReadReopen(t *testing.T) {
	for _, c := range []struct {
		name  string
		clean bool
	}{{"clean stop", true}, {"killed", false}} {
		t.Run(c.name, func(t *testing.T) {
			mem, clk := vfs.NewMem(nil), &clock{startMs}
			d := openTestDir(t, mem, clk)
			l := openTestLog(t, d, smallConfig())
			var want []string
			for i := range 60 {
				v := string(rune('a'+i%26)) + "-value"
				info, err := l.AppendAsLeader(records(1+i%3, startMs+int64(i), v), 3)
				if err != nil {
					t.Fatal(err)
				}
				if info.BaseOffset != int64(len(want)) {
					t.Fatalf("batch %d got offset %d, want %d", i, info.BaseOffset, len(want))
				}
				for range 1 + i%3 {
					want = append(want, v)
				}
			}
			check := func(l *Log) {
				t.Helper()
				for from := 0; from < len(want); from += 7 {
					got := values(t, l, int64(from))
					if len(got) != len(want)-from {
						t.Fatalf("from %d: %d records, want %d", from, len(got), len(want)-from)
					}
					for i := range got {
						if got[i] != want[from+i] {
							t.Fatalf("from %d: record %d is %q, want %q", from, from+i, got[i], want[from+i])
						}
					}
				}
			}
			check(l)
			if n := len(*l.segments.Load()); n < 3 {
				t.Fatalf("%d segments: rolling was not tested", n)
			}
			after := mem
			if c.clean {
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := l.Read(0, 10, 10, true); !errors.Is(err, ErrClosed) || !errors.Is(err, kerr.KafkaStorageError) {
					t.Errorf("Read of a closed log: %v", err)
				}
			} else {
				after = mem.Clone()
				defer d.Close()
			}
			d2 := openTestDir(t, after, clk)
			defer d2.Close()
			l2 := openTestLog(t, d2, smallConfig())
			if got := l2.Offsets().LogEnd; got != int64(len(want)) {
				t.Fatalf("log ends at %d after reopening, want %d", got, len(want))
			}
			if e, ok := l2.LatestEpoch(); !ok || e != 3 {
				t.Errorf("latest epoch %d, %v", e, ok)
			}
			check(l2)
			if _, err := l2.AppendAsLeader(records(1, startMs+100, "more"), 4); err != nil {
				t.Fatal(err)
			}
			want = append(want, "more")
			check(l2)
		})
	}
}
