package logstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// appendTxn appends a transactional batch of one record as its producer's partition leader does.
func appendTxn(t testing.TB, l *Log, producer int64, sequence int32, value string, leaderEpoch int32) {
	t.Helper()
	if err := tryTxn(l, producer, sequence, value, leaderEpoch); err != nil {
		t.Fatal(err)
	}
}

func tryTxn(l *Log, producer int64, sequence int32, value string, leaderEpoch int32) error {
	w := batch.NewBuilder()
	w.ProducerID, w.ProducerEpoch, w.BaseSequence, w.Transactional = producer, 0, sequence, true
	w.Add(batch.Record{Timestamp: startMs, Key: []byte(value), Value: []byte(value)})
	v, _, err := l.BeginVerification(producer, 0, sequence, false)
	if err == nil {
		_, err = l.WriteAsLeader(w.Build(), leaderEpoch, v)
	}
	return err
}

// committed returns the values that a consumer of committed data gets from an offset on.
func committed(t testing.TB, l *Log, from int64) []string {
	t.Helper()
	got, err := tryCommitted(l, from)
	if err != nil {
		t.Fatalf("committed data from %d: %v", from, err)
	}
	return got
}

func tryCommitted(l *Log, from int64) (got []string, err error) {
	for {
		sl, err := l.ReadCommitted(from, math.MaxInt64, 300, true)
		if err != nil {
			return got, err
		}
		p, err := sl.AppendTo(nil)
		aborted := slices.Clone(sl.Aborted)
		sl.Release()
		if err != nil || len(p) == 0 {
			return got, err
		}
		out := map[int64]bool{}
		for len(p) > 0 {
			b, rest, err := batch.Next(p)
			if err != nil {
				return got, err
			}
			aborted = slices.DeleteFunc(aborted, func(a AbortedTxn) bool {
				out[a.ProducerID] = out[a.ProducerID] || a.FirstOffset <= b.LastOffset()
				return a.FirstOffset <= b.LastOffset()
			})
			switch m, _ := readMarker(b); {
			case b.IsControl() && m.kind == batch.Abort:
				delete(out, b.ProducerID())
			case !b.IsControl() && !(b.IsTransactional() && out[b.ProducerID()]):
				for r, err := range b.Records() {
					if err != nil {
						return got, err
					}
					got = append(got, string(r.Value))
				}
			}
			from, p = b.LastOffset()+1, rest
		}
	}
}

// TestKafkasTransactions: a partition that Apache Kafka 4.3.1 wrote, with committed, aborted and open transactions of the
// new protocol. Its consumers get the same of it from us; and the same batches give us the same files.
func TestKafkasTransactions(t *testing.T) {
	const folder = "aborted-0"
	kafkas := os.DirFS("testdata/kafka-4.3.1")
	want := []string{"a1 committed", "a2 committed", "plain committed", "b3 committed"}
	logFile, err := fs.ReadFile(kafkas, folder+"/00000000000000000000.log")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name        string
		imported    bool
		withIndexes bool
	}{{"imported", true, true}, {"imported without indexes", true, false}, {"replicated", false, false}} {
		t.Run(c.name, func(t *testing.T) {
			mem := vfs.NewMem(nil)
			d := openTestDirManual(t, mem, &clock{startMs})
			if c.imported {
				if err := d.CopyIn(kafkas, FoundLog{Topic: "aborted"}, c.withIndexes); err != nil {
					t.Fatal(err)
				}
			}
			l, err := d.Open("aborted", 0, [16]byte{}, DefaultConfig())
			if err != nil {
				t.Fatal(err)
			}
			if !c.imported {
				if err := l.AppendAsFollower(logFile); err != nil {
					t.Fatal(err)
				}
			}
			l.SetHighWatermark(math.MaxInt64)
			if got := committed(t, l, 0); !slices.Equal(got, want) {
				t.Errorf("committed: %q, want %q", got, want)
			}
			if o := l.Offsets(); o.LastStable != o.LogEnd-1 {
				t.Errorf("%+v: the last record is of an open transaction", o)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"00000000000000000000.txnindex", fmt.Sprintf("%020d.snapshot", l.Offsets().LogEnd)} {
				ours, err := vfs.ReadFile(mem, "/data/aborted-0/"+name, 1<<20)
				theirs, err2 := fs.ReadFile(kafkas, folder+"/"+name)
				if err := errors.Join(err, err2); err != nil || !bytes.Equal(ours, theirs) {
					t.Errorf("%s: %v\nours %x\nKafka's %x", name, err, ours, theirs)
				}
			}
		})
	}
	// Markers are Kafka's to the byte.
	markers := 0
	for p := logFile; len(p) > 0; {
		b, rest, err := batch.Next(p)
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := readMarker(b); ok && b.IsControl() {
			markers++
			ours := Marker{ProducerID: b.ProducerID(), Epoch: b.ProducerEpoch(), Commit: m.kind == batch.Commit, CoordinatorEpoch: m.coordinatorEpoch}
			o := ours.batch(b.MaxTimestamp())
			o.Stamp(b.BaseOffset(), b.LeaderEpoch())
			if !bytes.Equal(o, b) {
				t.Errorf("marker at %d: ours %x\nKafka's %x", b.BaseOffset(), []byte(o), []byte(b))
			}
		}
		p = rest
	}
	if markers != 4 {
		t.Errorf("%d markers", markers)
	}
}

// TestEveryFaultOfTransactions fails each operation in turn, once, during the same transactions. After a restart readers
// of committed data get all of the transactions of which the marker was acknowledged, and nothing of the others.
func TestEveryFaultOfTransactions(t *testing.T) {
	type outcome struct {
		committed, aborted, unknown []string
		first                       string // at offset 0
	}
	work := func(fsys vfs.FS) (o outcome, offline bool) {
		d, err := OpenDir(fsys, "/data", DirOptions{NodeID: 1, Now: (&clock{startMs}).now, manual: true})
		if err != nil {
			return o, false
		}
		defer d.Close()
		cfg := smallConfig()
		cfg.SegmentBytes = 400
		l, err := d.Open("t", 0, testTopicID, cfg)
		if err != nil {
			return o, d.Offline() != nil
		}
		var next int32
		for i := range 10 {
			v := fmt.Sprintf("%02d", i)
			if err := tryTxn(l, 1, next, v, 0); err == nil {
				if next++; next == 1 {
					o.first = v
				}
			} else if !errors.Is(err, kerr.KafkaStorageError) {
				t.Errorf("append: %v", err)
			} else {
				continue
			}
			m := Marker{ProducerID: 1, Commit: i%3 == 0}
			_, err := l.AppendMarker(m, 0)
			if err != nil && d.Offline() == nil { // there is room again
				_, err = l.AppendMarker(m, 0)
			}
			switch {
			case err != nil:
				o.unknown = append(o.unknown, v)
			case m.Commit:
				o.committed = append(o.committed, v)
			default:
				o.aborted = append(o.aborted, v)
			}
			if i%4 == 1 {
				_ = l.Flush()
			}
			if i == 6 {
				l.SetHighWatermark(math.MaxInt64)
				_, _ = l.DeleteRecordsBefore(1)
				_, _ = l.Retain(startMs)
				_ = d.Checkpoint()
			}
		}
		return o, d.Offline() != nil
	}
	everyFault(t, work, func(o outcome) bool { return len(o.committed) == 4 && len(o.aborted) == 6 }, func(what string, o outcome, l *Log) {
		l.SetHighWatermark(math.MaxInt64)
		got := committed(t, l, l.Offsets().LogStart)
		got = slices.DeleteFunc(got, func(v string) bool { return slices.Contains(o.unknown, v) })
		if start := l.Offsets().LogStart; start > 0 {
			o.committed = slices.DeleteFunc(o.committed, func(v string) bool { return v == o.first })
		}
		if !slices.Equal(got, o.committed) {
			t.Errorf("%s: committed %v, got %v", what, o.committed, got)
		}
	})
}

// TestReadCommittedWhile has consumers of committed data read all the time while transactions end one way and the other,
// segments roll, compaction removes what was aborted and retention what is old: none of them ever gets what was aborted.
func TestReadCommittedWhile(t *testing.T) {
	d := openTestDir(t, vfs.NewMem(nil), &clock{startMs})
	defer d.Close()
	cfg := compactConfig()
	cfg.Delete, cfg.RetentionBytes, cfg.SegmentBytes, cfg.MinCleanableRatio = true, 20_000, 600, 0
	l := openTestLog(t, d, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var writers, others sync.WaitGroup
	var cleaned atomic.Int64
	for id := range int64(3) {
		writers.Go(func() {
			var sequence int32
			for i := 0; i < 300 || cleaned.Load() == 0 && !t.Failed(); i++ {
				commit := i%3 == 0
				for n := range 1 + i%2 {
					value := fmt.Sprintf("%v %d %d %d", commit, id, i%40, n)
					if err := tryTxn(l, id, sequence, value, 0); err != nil {
						t.Error(err)
						return
					}
					sequence++
				}
				if _, err := l.AppendMarker(Marker{ProducerID: id, Commit: commit}, 0); err != nil {
					t.Error(err)
				}
				l.SetHighWatermark(math.MaxInt64)
			}
		})
	}
	for range 2 {
		others.Go(func() {
			for ctx.Err() == nil {
				from := l.Offsets().LogStart
				got, err := tryCommitted(l, from)
				if err != nil && !errors.Is(err, kerr.OffsetOutOfRange) { // retention was quicker
					t.Error(err)
				}
				for _, v := range got {
					if !strings.HasPrefix(v, "true") {
						t.Errorf("got %q from %d on", v, from)
						return
					}
				}
			}
		})
	}
	cleaner := NewCleaner(d.logger)
	others.Go(func() {
		for ctx.Err() == nil {
			if cleaner.CleanDirtiest(ctx, []*Log{l}, CleanerConfig{DedupeBufferBytes: 24 * 50, LoadFactor: 1, MaxBytesPerSecond: math.MaxFloat64}) {
				cleaned.Add(1)
			}
			if _, err := l.Retain(startMs); err != nil {
				t.Error(err)
			}
			if _, err := l.Roll(startMs); err != nil {
				t.Error(err)
			}
		}
	})
	writers.Wait()
	cancel()
	others.Wait()
}

// TestVerificationsAreBounded: whoever asks about producers that do not exist takes no more memory than for so many.
func TestVerificationsAreBounded(t *testing.T) {
	d := openTestDir(t, vfs.NewMem(nil), &clock{startMs})
	defer d.Close()
	l := openTestLog(t, d, smallConfig())
	for id := range int64(3 * maxVerifications) {
		if _, needed, err := l.BeginVerification(id, 0, 0, true); !needed || err != nil {
			t.Fatal(needed, err)
		}
	}
	if n := len(l.producers.verifications); n > maxVerifications {
		t.Errorf("%d verifications", n)
	}
	appendTxn(t, l, 1, 0, "v", 0)
}
