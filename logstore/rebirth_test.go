package logstore

import (
	"fmt"
	"testing"

	"blumfeld/logstore/vfs"
)

// What a log has said in the checkpoints before it was deleted is not said of the next of its name: not after a crash that
// comes before they are written again. (It was: a start took the new log, which ended below where the old one began, for
// what is left of something deleted, and began anew.)
func TestLogOfTheSameName(t *testing.T) {
	for _, restarted := range []bool{false, true} {
		t.Run(fmt.Sprintf("restarted=%t", restarted), func(t *testing.T) {
			mem, clk := vfs.NewMem(nil), &clock{startMs}
			d := openTestDirManual(t, mem, clk)
			l := openTestLog(t, d, smallConfig())
			for range 100 {
				if _, err := l.AppendAsLeader(records(1, startMs, "old"), 0); err != nil {
					t.Fatal(err)
				}
			}
			l.SetHighWatermark(100)
			if _, err := l.DeleteRecordsBefore(50); err != nil {
				t.Fatal(err)
			}
			if err := l.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := d.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			if err := d.Delete(l); err != nil {
				t.Fatal(err)
			}
			if restarted {
				mem = mem.Clone()
				d = openTestDirManual(t, mem, clk)
			}
			l = openTestLog(t, d, smallConfig())
			for range 10 {
				if _, err := l.AppendAsLeader(records(1, startMs, "new"), 0); err != nil {
					t.Fatal(err)
				}
			}
			killed := openTestDirManual(t, mem.Clone(), clk)
			defer killed.Close()
			l = openTestLog(t, killed, smallConfig())
			if got := l.Offsets(); got.LogStart != 0 || got.LogEnd != 10 || got.HighWatermark != 0 {
				t.Errorf("after kill -9 the log stands at %+v; it has offsets 0 to 10, of which none was known to be committed", got)
			}
			if got := values(t, l, 0); len(got) != 10 {
				t.Errorf("after kill -9 the log has %q", got)
			}
		})
	}
}
