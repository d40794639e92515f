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

// A log whose segments are gone begins anew, and with it what recovery may believe unread.
func TestEmptiedLog(t *testing.T) {
	mem, clk := vfs.NewMem(nil), &clock{startMs}
	d := openTestDirManual(t, mem, clk)
	l := openTestLog(t, d, smallConfig())
	for range 5 {
		if _, err := l.AppendAsLeader(records(1, startMs, "old"), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := d.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	mem = mem.Clone()
	if err := mem.Remove(fileName("/data/t-0", 0, logSuffix)); err != nil {
		t.Fatal(err)
	}
	openTestLog(t, openTestDirManual(t, mem, clk), smallConfig())
	killed := openTestDirManual(t, mem.Clone(), clk)
	if got := killed.known[recoveryPointFile][topicPartition{"t", 0}]; got != 0 {
		t.Errorf("after kill -9 recovery would believe everything below offset %d", got)
	}
}

// A directory that was not closed in order is not marked as if it had been while a log in it was not looked at: what a
// crash has left in that one is for the next start to put right. (An import into such a directory opens only what it
// copies, and the next start believed an index that lacked what had been in memory.)
func TestCloseWithoutRecovery(t *testing.T) {
	mem, clk := vfs.NewMem(nil), &clock{startMs}
	d := openTestDirManual(t, mem, clk)
	l := openTestLog(t, d, smallConfig())
	for i := range 5 {
		if _, err := l.AppendAsLeader(records(1, startMs+int64(i), fmt.Sprint(i)), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Flush(); err != nil { // the index files are there
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := l.AppendAsLeader(records(1, startMs+100+int64(i), fmt.Sprint(i)), 0); err != nil {
			t.Fatal(err)
		}
	}
	mem = mem.Clone() // kill -9
	d = openTestDirManual(t, mem, clk)
	if _, err := d.Open("other", 0, testTopicID, smallConfig()); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = openTestDirManual(t, mem, clk)
	defer d.Close()
	l = openTestLog(t, d, smallConfig())
	if got, ok, err := l.OffsetForTimestamp(startMs + 101); err != nil || !ok || got.Offset != 6 {
		t.Errorf("looked up by time, the sixth record is %+v, %t, %v", got, ok, err)
	}
}
