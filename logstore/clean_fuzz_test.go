package logstore

import (
	"errors"
	"slices"
	"testing"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// FuzzClean cleans a log of which one file is anything, or stands beside its own leftover of a swap. Nothing panics, and
// unless the files were to be believed unread, what is served afterwards is the same after a kill.
func FuzzClean(f *testing.F) {
	mem := vfs.NewMem(nil)
	d := openTestDirManual(f, mem, &clock{startMs})
	l := openTestLog(f, d, compactConfig())
	fillKeys(f, l, 20, 7)
	if err := d.Close(); err != nil {
		f.Fatal(err)
	}
	files := map[string][]byte{}
	var names []string
	entries, err := mem.ReadDir("/data/t-0")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		if files[e.Name], err = vfs.ReadFile(mem, "/data/t-0/"+e.Name, 1<<20); err != nil {
			f.Fatal(err)
		}
		names = append(names, e.Name)
	}
	slices.Sort(names)
	suffixes := []string{"", swapSuffix, cleanedSuffix, deletedSuffix}
	for i, name := range names {
		for j := range suffixes {
			f.Add(uint8(i), uint8(j), files[name], uint8(50), true)
			f.Add(uint8(i), uint8(j), files[name][:len(files[name])/2], uint8(1), false)
		}
	}
	f.Fuzz(func(t *testing.T, i, suffix uint8, p []byte, keys uint8, closed bool) {
		mem := vfs.NewMem(nil)
		put := func(name string, p []byte) {
			if err := mem.MkdirAll("/data/t-0"); err != nil {
				t.Fatal(err)
			}
			file, err := mem.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			file.WriteAt(p, 0)
			file.Close()
		}
		for name, p := range files {
			put("/data/t-0/"+name, p)
		}
		name := names[int(i)%len(names)] + suffixes[int(suffix)%len(suffixes)]
		_ = mem.Remove("/data/t-0/" + name) // it may be shorter now
		put("/data/t-0/"+name, p)
		if closed {
			put("/data/"+cleanShutdownFile, []byte(cleanShutdown))
		}
		d := openTestDirManual(t, mem, &clock{startMs})
		l, err := d.Open("t", 0, [16]byte{}, compactConfig())
		var code *kerr.Error
		if err != nil {
			if !errors.As(err, &code) {
				t.Fatalf("error without a code: %v", err)
			}
			d.Close()
			return
		}
		l.SetHighWatermark(l.Offsets().LogEnd)
		o := anyCleaner
		o.DedupeBufferBytes = 24 * int64(keys)
		_, err = NewCleaner(l.logger).Clean(t.Context(), l, o)
		if err != nil && err != errCleanedElsewhere && !errors.As(err, &code) {
			t.Fatalf("clean: error without a code: %v", err)
		}
		if err != nil {
			d.Close()
			return
		}
		got := served(t, l)
		next := mem.Clone()
		d.Close()
		d = openTestDirManual(t, next, &clock{startMs})
		if l, err = d.Open("t", 0, [16]byte{}, compactConfig()); err != nil {
			t.Fatalf("open after cleaning: %v", err)
		}
		if again := served(t, l); !closed && !slices.Equal(got, again) {
			t.Fatalf("%d records after cleaning, %d after a kill", len(got), len(again))
		}
		d.Close()
	})
}

// served reads all records from the start of the log, as far as they can be read.
func served(t *testing.T, l *Log) (got []keyed) {
	o := l.Offsets()
	for from := o.LogStart; from < o.LogEnd; {
		sl, err := l.Read(from, o.LogEnd, 1<<16, true)
		if err != nil {
			return got
		}
		p, err := sl.AppendTo(nil)
		sl.Release()
		if err != nil || len(p) == 0 {
			return got
		}
		for len(p) > 0 {
			b, rest, err := batch.Next(p)
			if err != nil {
				return got
			}
			if b.Validate() != nil || b.LastOffset() < from {
				return got
			}
			for r, err := range b.Records() {
				if err != nil {
					return got
				}
				got = append(got, keyed{r.Offset, string(r.Key), string(r.Value)})
			}
			from, p = b.LastOffset()+1, rest
		}
	}
	return got
}
