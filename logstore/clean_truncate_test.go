package logstore

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"blumfeld/logstore/vfs"
)

// TestTruncationAtTheEndOfCleaning has a log cut in the moment in which a cleaning is done with its segments: what is
// appended instead of what was cut is dirty, whichever of the two was first.
func TestTruncationAtTheEndOfCleaning(t *testing.T) {
	for range 40 {
		truncateAsCleaned(t, func(l *Log) (int64, error) { return 5, l.TruncateTo(5) })
		truncateAsCleaned(t, func(l *Log) (int64, error) { return 0, l.TruncateFullyAndStartAt(3) })
	}
}

func truncateAsCleaned(t *testing.T, truncate func(*Log) (dirty int64, err error)) {
	t.Helper()
	var l *Log
	var wg sync.WaitGroup
	var once sync.Once
	var dirty int64
	swapped := false
	d := openTestDirManual(t, vfs.Inject(vfs.NewMem(nil), func(op vfs.Op) error {
		if op.Kind == vfs.OpRename && strings.HasSuffix(op.Path, "0.log") {
			swapped = true // only the syncing of the folder comes yet
		}
		if swapped && op.Kind == vfs.OpSyncDir {
			once.Do(func() {
				wg.Go(func() {
					var err error
					if dirty, err = truncate(l); err != nil {
						t.Error(err)
					}
				})
			})
		}
		return nil
	}), &clock{startMs})
	defer d.Close()
	l = cleanable(t, d)
	done, err := NewCleaner(l.logger).Clean(t.Context(), l, anyCleaner)
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if at := l.cleaned.Load(); at > dirty {
		t.Fatalf("cleaned up to %d, then cut to %d: the dirty part begins at %d", done.To, dirty, at)
	}
}

// TestCleanedEndIsLost has a start find less than was cleaned, since a file was cut: what is appended instead is dirty,
// also after a crash that comes before anything else is checkpointed.
func TestCleanedEndIsLost(t *testing.T) {
	for name, lose := range map[string]func(*vfs.Mem) error{
		"an end": func(mem *vfs.Mem) error {
			f, err := mem.Open(fileName("/data/t-0", 0, logSuffix))
			if err != nil {
				return err
			}
			size, err := f.Size()
			return errors.Join(err, f.Truncate(size/2), f.Close(), mem.Remove(fileName("/data/t-0", 18, logSuffix)))
		},
		"all": func(mem *vfs.Mem) error {
			return errors.Join(mem.Remove(fileName("/data/t-0", 0, logSuffix)), mem.Remove(fileName("/data/t-0", 18, logSuffix)))
		},
	} {
		t.Run(name, func(t *testing.T) {
			mem, clk := vfs.NewMem(nil), &clock{startMs}
			l := cleanable(t, openTestDirManual(t, mem, clk))
			if _, err := NewCleaner(l.logger).Clean(t.Context(), l, anyCleaner); err != nil {
				t.Fatal(err)
			}
			mem = mem.Clone()
			if err := lose(mem); err != nil {
				t.Fatal(err)
			}
			l = openTestLog(t, openTestDirManual(t, mem, clk), compactConfig())
			left := l.Offsets().LogEnd
			if left >= 18 {
				t.Fatalf("the log ends at %d", left)
			}
			fillKeys(t, l, 20, 3)
			if at := l.cleaned.Load(); at > left {
				t.Errorf("the log ended at %d, its dirty part begins at %d", left, at)
			}
			d := openTestDirManual(t, mem.Clone(), clk)
			defer d.Close()
			l = openTestLog(t, d, compactConfig())
			if at := l.cleaned.Load(); at > left {
				t.Errorf("after kill -9: the log ended at %d, its dirty part begins at %d", left, at)
			}
		})
	}
}

// cleanable is a log of which offsets 0 to 18, in two segments, can become one.
func cleanable(t *testing.T, d *Dir) *Log {
	t.Helper()
	cfg := compactConfig()
	cfg.SegmentBytes = 20_000
	l := openTestLog(t, d, cfg)
	for range 2 {
		fillKeys(t, l, 6, 100)
		if _, err := l.Roll(startMs); err != nil {
			t.Fatal(err)
		}
	}
	return l
}
