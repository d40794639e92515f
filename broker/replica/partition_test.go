package replica

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
	"blumfeld/logstore"
	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"
)

const self = 1

// openDir opens the log directory of a file system; the caller closes it.
func openDir(t *testing.T, fs vfs.FS) *logstore.Dir {
	t.Helper()
	d, err := logstore.OpenDir(fs, "/data", logstore.DirOptions{NodeID: self, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// replicaOf opens one partition's log, without a role yet.
func replicaOf(t *testing.T, d *logstore.Dir, c logstore.Config) *Partition {
	t.Helper()
	log, err := d.Open("t", 0, TopicID{1}, c)
	if err != nil {
		t.Fatal(err)
	}
	return newPartition(self, "t", 0, log, 1)
}

// testPartition is one in a directory of its own, led here by the given in-sync
// replicas in epoch 0.
func testPartition(t *testing.T, c logstore.Config, isr ...int32) *Partition {
	t.Helper()
	d := openDir(t, vfs.NewMem(time.Now))
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	p := replicaOf(t, d, c)
	apply(t, p, state(self, 0, isr...))
	return p
}

func state(leader, epoch int32, isr ...int32) controller.PartitionState {
	return controller.PartitionState{Leader: leader, LeaderEpoch: epoch, Replicas: isr, ISR: isr}
}

func apply(t *testing.T, p *Partition, s controller.PartitionState) {
	t.Helper()
	if err := p.Apply(s); err != nil {
		t.Fatal(err)
	}
}

func oneRecord() batch.Batch {
	return batch.NewBuilder().Add(batch.Record{Timestamp: 1, Value: make([]byte, 100)}).Build()
}

func mustAppend(t *testing.T, p *Partition) Appended {
	t.Helper()
	a, err := p.Append(oneRecord(), -1, Verification{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestLeadingAgainChangesNothing holds that a log which is only opened and led,
// as before, stays closed cleanly; and that the first append after that is a
// change, which a crash must not hide.
func TestLeadingAgainChangesNothing(t *testing.T) {
	fs := vfs.NewMem(time.Now)
	clean := func() bool {
		_, err := fs.Open("/data/.kafka_cleanshutdown")
		return err == nil
	}
	d := openDir(t, fs)
	p := replicaOf(t, d, logstore.DefaultConfig())
	apply(t, p, state(self, 0, self))
	mustAppend(t, p)
	if err := d.Close(); err != nil || !clean() {
		t.Fatalf("no clean shutdown: %v", err)
	}
	d = openDir(t, fs)
	p = replicaOf(t, d, logstore.DefaultConfig())
	apply(t, p, state(self, 0, self))
	if !clean() {
		t.Error("leading in the same epoch again changed the directory")
	}
	mustAppend(t, p)
	if clean() {
		t.Error("the directory counts as closed cleanly after an append")
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestAppendsSideBySideAreAllCounted has the later of two appends be the first to
// move the high watermark.
func TestAppendsSideBySideAreAllCounted(t *testing.T) {
	p := testPartition(t, logstore.DefaultConfig(), self)
	w := NewWaiter(100)
	p.Register(w)
	defer p.Unregister(w)
	for range 2 {
		if _, err := p.Log().AppendAsLeader(oneRecord(), 0); err != nil {
			t.Fatal(err)
		}
	}
	p.advance(60)
	p.advance(60)
	if !ready(w) {
		t.Fatal("120 bytes became visible, and 100 were waited for")
	}
}

// TestAnotherLeadersRecordsAreNotTheBatch loses leadership and the batch, and
// commits something else at its offset.
func TestAnotherLeadersRecordsAreNotTheBatch(t *testing.T) {
	p := testPartition(t, logstore.DefaultConfig(), self, 2)
	lost := mustAppend(t, p)
	if p.Committed(lost) {
		t.Fatal("committed without the other replica")
	}
	apply(t, p, state(2, 1, self, 2))
	if err := p.Log().TruncateTo(0); err != nil {
		t.Fatal(err)
	}
	apply(t, p, state(self, 2, self))
	if other := mustAppend(t, p); other.BaseOffset != lost.BaseOffset || !p.Committed(other) {
		t.Fatalf("%+v is not committed in place of %+v", other, lost)
	}
	if err := p.WaitCommitted(t.Context(), lost); !errors.Is(err, kerr.NotLeaderForPartition) {
		t.Fatalf("the lost batch: %v", err)
	}
}

// TestTimedOutWaitIsForgotten holds that retries against a partition that cannot
// commit do not pile up.
func TestTimedOutWaitIsForgotten(t *testing.T) {
	p := testPartition(t, logstore.DefaultConfig(), self, 2)
	a := mustAppend(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.WaitCommitted(ctx, a); !errors.Is(err, kerr.RequestTimedOut) {
		t.Fatal(err)
	}
	if n := len(p.commits.waiting); n != 0 {
		t.Fatalf("%d entries left", n)
	}
}

// TestFetchBelowTheStart answers OFFSET_OUT_OF_RANGE whatever the fetcher's last
// epoch is: it could truncate as it likes and would not be in the log.
func TestFetchBelowTheStart(t *testing.T) {
	p := testPartition(t, logstore.DefaultConfig(), self)
	for range 5 {
		mustAppend(t, p)
	}
	apply(t, p, state(self, 4, self))
	if _, err := p.Log().DeleteRecordsBefore(3); err != nil {
		t.Fatal(err)
	}
	for _, epoch := range []int32{-1, 0, 2} {
		r, err := p.Fetch(FetchParams{Offset: 1, MaxBytes: 1000, AtLeastOne: true, ReplicaID: -1, CurrentLeaderEpoch: -1, LastFetchedEpoch: epoch})
		if !errors.Is(err, kerr.OffsetOutOfRange) {
			t.Errorf("last epoch %d: %+v, %v", epoch, r, err)
		}
		r.Slice.Release()
	}
}

// TestAvailable looks at two segments of a few batches each.
func TestAvailable(t *testing.T) {
	size := len(oneRecord())
	c := logstore.DefaultConfig()
	c.SegmentBytes = 3*size + 10
	p := testPartition(t, c, self)
	for range 5 {
		mustAppend(t, p)
	}
	for offset, want := range []struct {
		batches int
		more    bool
	}{{3, true}, {2, true}, {1, true}, {2, false}, {1, false}, {0, false}, {0, false}} {
		bytes, more := p.Available(FetchParams{Offset: int64(offset), ReplicaID: -1})
		if bytes != want.batches*size || more != want.more {
			t.Errorf("from offset %d: %d bytes, more %v; want %d batches, more %v", offset, bytes, more, want.batches, want.more)
		}
	}
}
