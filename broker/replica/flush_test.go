package replica

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"blumfeld/logstore"
	"blumfeld/logstore/vfs"
)

// While an append waits for the disk, others append, read, and leadership changes: no lock is held over the sync.
func TestNoLockOverSync(t *testing.T) {
	syncing, disk := make(chan struct{}, 100), make(chan struct{})
	var slow atomic.Bool
	fs := vfs.Inject(vfs.NewMem(time.Now), func(op vfs.Op) error {
		if slow.Load() && op.Kind == vfs.OpSync && strings.HasSuffix(op.Path, ".log") {
			syncing <- struct{}{}
			<-disk
		}
		return nil
	})
	d := openDir(t, fs)
	c := logstore.DefaultConfig()
	c.FlushMessages = 1
	p := replicaOf(t, d, c)
	apply(t, p, state(self, 0, self))
	slow.Store(true)
	first := mustAppend(t, p)
	if !first.FlushDue {
		t.Fatal("the flush is not due")
	}
	var waiting sync.WaitGroup
	wait := func(a Appended) {
		waiting.Go(func() {
			if err := p.WaitFlushed(a); err != nil {
				t.Error(err)
			}
		})
	}
	wait(first)
	<-syncing
	wait(mustAppend(t, p))
	wait(mustAppend(t, p))
	if r, err := p.Fetch(FetchParams{MaxBytes: 1000, ReplicaID: -1, CurrentLeaderEpoch: -1, LastFetchedEpoch: -1}); err != nil || r.Slice.Len() == 0 {
		t.Errorf("fetch: %d bytes, %v", r.Slice.Len(), err)
	} else {
		r.Slice.Release()
	}
	apply(t, p, state(self, 1, self))
	close(disk)
	waiting.Wait()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
