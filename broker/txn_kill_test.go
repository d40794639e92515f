package broker

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"blumfeld/broker/config"
	"blumfeld/controller"
	"blumfeld/logstore/vfs"
)

// mortalStore is a store whose broker dies of one write: once armed, the first that concerns a transactional id happens
// and is never heard of, and nothing is written any more.
type mortalStore struct {
	controller.Store
	armed atomic.Bool
	died  chan struct{}
}

func newMortalStore(s controller.Store) *mortalStore {
	return &mortalStore{Store: s, died: make(chan struct{})}
}

func (s *mortalStore) Txn(ctx context.Context, conds []controller.Cond, ops []controller.Op) (int64, bool, error) {
	select {
	case <-s.died:
		return 0, false, errors.New("the process is dead")
	default:
	}
	rev, ok, err := s.Store.Txn(ctx, conds, ops)
	for _, op := range ops {
		if strings.HasPrefix(op.Key, "txns/t/") && s.armed.CompareAndSwap(true, false) {
			close(s.died)
			return 0, false, errors.New("the process is dead")
		}
	}
	return rev, ok, err
}

func (*mortalStore) Close() error { return nil }

// life is a broker that can be killed: what it wrote stays, what it was about to write does not.
type life struct {
	t    *testing.T
	disk *vfs.Mem
	meta controller.Store
	*running
	mortal *mortalStore
}

func born(t *testing.T, properties config.Properties) *life {
	l := &life{t: t, disk: vfs.NewMem(time.Now), meta: lastingStore{controller.NewMemStore()}}
	l.begin(properties)
	return l
}

func (l *life) begin(properties config.Properties) {
	l.t.Helper()
	given := config.Properties{"log.dirs": "/data"}
	for k, v := range properties {
		given[k] = v
	}
	l.mortal = newMortalStore(l.meta)
	var err error
	if l.running, err = tryRun(l.t, l.disk, given, "", l.mortal); err != nil {
		l.t.Fatal(err)
	}
}

// killed waits for the death of an armed broker and leaves its files as they are then; what the ghost still does is not
// seen.
func (l *life) killed() {
	l.t.Helper()
	select {
	case <-l.mortal.died:
	case <-time.After(deadline):
		l.t.Fatal("the broker was not killed")
	}
	l.disk = l.disk.Clone()
	l.end()
}

// TestKilledBetweenPrepareAndComplete: the decision is stored, and the broker dies before it writes a marker or answers.
func TestKilledBetweenPrepareAndComplete(t *testing.T) {
	protocols(t, func(t *testing.T, isNew bool) {
		for _, commit := range []bool{true, false} {
			l := born(t, nil)
			c := l.dial()
			c.createTopic("t", 2)
			p := l.transactional("p", isNew)
			p.mustProduce("t", 0, "x")
			p.mustProduce("t", 1, "y")
			if code := p.sendOffset("g", "t", 3); code != 0 {
				t.Fatalf("TxnOffsetCommit: error %d", code)
			}
			l.mortal.armed.Store(true)
			p.send(p.endRequest(commit))
			l.killed()

			l.begin(nil)
			c = l.dial()
			want, offset := []string(nil), "-1 e0"
			if commit {
				want, offset = []string{"x"}, "3 e0"
			}
			waitFor(t, func() bool { s := c.txnState("p"); return s == "CompleteCommit" || s == "CompleteAbort" })
			c.awaitReadable("t", 0, want...)
			if _, stable := c.committed("t", 1); stable != 2 {
				t.Errorf("the last stable offset is %d, want 2: a record and a marker", stable)
			}
			waitFor(t, func() bool { return c.offsetOf("g", "t", true) == offset })

			// The producer did not hear of it, and asks again.
			p.client = l.dial()
			p.mustEnd(commit)
			p.mustProduce("t", 0, "z")
			p.mustEnd(true)
			c.awaitReadable("t", 0, append(want, "z")...)
		}
	})
}

// TestProducerIsGone: what it has left open is aborted when its time is over, with the broker stopped meanwhile or killed.
func TestProducerIsGone(t *testing.T) {
	soon := config.Properties{"transaction.abort.timed.out.transaction.cleanup.interval.ms": "20"}
	protocols(t, func(t *testing.T, isNew bool) {
		l := born(t, soon)
		c := l.dial()
		c.createTopic("t", 1)
		gone := func(value string) *transactional {
			p := l.transactionalFor("p", isNew, 300*time.Millisecond)
			p.mustProduce("t", 0, value)
			if code := p.sendOffset("g", "t", 3); code != 0 {
				t.Fatalf("TxnOffsetCommit: error %d", code)
			}
			return p
		}
		aborted := func(end int64) {
			t.Helper()
			c = l.dial()
			waitFor(t, func() bool { _, stable := c.committed("t", 0); return stable == end })
			c.readable("t", 0)
			waitFor(t, func() bool { return c.offsetOf("g", "t", true) == "-1 e0" })
		}
		late := gone("while it runs")
		aborted(2)
		if code := late.produce("t", 0, "late"); code == 0 {
			t.Error("a producer goes on with what was aborted")
		}
		gone("over a restart")
		if err := l.end(); err != nil {
			t.Fatal(err)
		}
		l.begin(soon)
		aborted(4)
		gone("killed while it is aborted")
		l.mortal.armed.Store(true)
		l.killed()
		l.begin(soon)
		aborted(6)
	})
}

// TestTransactionOverDeletedTopics ends where a part of what it wrote to is gone, and so are the group's offsets of it.
func TestTransactionOverDeletedTopics(t *testing.T) {
	protocols(t, func(t *testing.T, isNew bool) {
		for _, restart := range []bool{false, true} {
			l := born(t, nil)
			c := l.dial()
			c.createTopic("kept", 1)
			c.createTopic("deleted", 1)
			p := l.transactional("p", isNew)
			p.mustProduce("deleted", 0, "x")
			p.forget()
			p.mustProduce("kept", 0, "y")
			if code := p.sendOffset("g", "deleted", 3); code != 0 {
				t.Fatalf("TxnOffsetCommit: error %d", code)
			}
			c.deleteTopic("deleted")
			if restart {
				if err := l.end(); err != nil {
					t.Fatal(err)
				}
				l.begin(nil)
				c, p.client = l.dial(), l.dial()
			}
			p.mustEnd(true)
			waitFor(t, func() bool { return c.txnState("p") == "CompleteCommit" })
			c.readable("kept", 0, "y")
			c.createTopic("deleted", 1)
			waitFor(t, func() bool { return c.offsetOf("g", "deleted", true) == "-1 e0" })
			p.forget()
			p.mustProduce("deleted", 0, "z")
			p.mustEnd(true)
			c.awaitReadable("deleted", 0, "z")
		}
	})
}

// TestMarkerIsLost: power goes when the store knows that a transaction is over, and a marker of it is not on disk yet.
func TestMarkerIsLost(t *testing.T) {
	protocols(t, func(t *testing.T, isNew bool) {
		for _, commit := range []bool{true, false} {
			l := born(t, nil)
			c := l.dial()
			c.createTopic("t", 1)
			p := l.transactional("p", isNew)
			p.mustProduce("t", 0, "x")
			before := l.disk.Clone()
			p.mustEnd(commit)
			decided := l.revisionOf("txns/t/p")
			waitFor(t, func() bool { return l.revisionOf("txns/t/p") > decided })
			l.end()

			l.disk = before
			l.begin(nil)
			var want []string
			if commit {
				want = []string{"x"}
			}
			c = l.dial()
			c.readable("t", 0, want...)
			if _, stable := c.committed("t", 0); stable != 2 {
				t.Errorf("the last stable offset is %d, want 2: a record and a marker", stable)
			}
			p.client = l.dial()
			p.forget()
			if !isNew {
				p.seq[0] = 1
			}
			p.mustProduce("t", 0, "y")
			p.mustEnd(true)
			c.awaitReadable("t", 0, append(want, "y")...)
		}
	})
}

func (l *life) revisionOf(key string) int64 {
	l.t.Helper()
	kvs, _, err := l.meta.Range(l.t.Context(), key)
	if err != nil || len(kvs) != 1 {
		l.t.Fatalf("%d keys of %s, error %v", len(kvs), key, err)
	}
	return kvs[0].ModRevision
}

// offline is the configuration of a life for what works on a stopped broker.
func (l *life) offline() Config {
	l.t.Helper()
	c := offlineConfig(l.t, "/data", l.meta)
	c.LogLevel, c.FS = new(slog.LevelVar), l.disk
	return c
}

// TestTransactionsOfLostMetadata: what logs have open, nobody knows any more. Recover leaves the next start to end it.
func TestTransactionsOfLostMetadata(t *testing.T) {
	l := born(t, nil)
	c := l.dial()
	c.createTopic("t", 1)
	p := l.transactional("p", true)
	p.mustProduce("t", 0, "x")
	p.mustEnd(true)
	c.awaitReadable("t", 0, "x")
	p.mustProduce("t", 0, "y")
	l.mortal.armed.Store(true)
	p.send(p.endRequest(true))
	l.killed()

	l.meta = lastingStore{controller.NewMemStore()}
	if err := Recover(t.Context(), l.offline(), io.Discard); err != nil {
		t.Fatal(err)
	}
	l.begin(nil)
	c = l.dial()
	c.readable("t", 0, "x")
	if _, stable := c.committed("t", 0); stable != 4 {
		t.Errorf("the last stable offset is %d, want 4", stable)
	}
	again := l.transactional("p", true)
	again.mustProduce("t", 0, "z")
	again.mustEnd(true)
	c.awaitReadable("t", 0, "x", "z")
}

// TestTransactionsOfAnOldBackup: the metadata comes back as it was some transactions ago. What is open in the logs is
// ended, and the producer gets an epoch that it did not have.
func TestTransactionsOfAnOldBackup(t *testing.T) {
	l := born(t, nil)
	c := l.dial()
	c.createTopic("t", 1)
	p := l.transactional("p", true)
	p.mustProduce("t", 0, "x")
	file := filepath.Join(t.TempDir(), "backup")
	var backup bytes.Buffer
	if err := controller.WriteBackup(t.Context(), l.meta, &backup); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, backup.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	p.mustEnd(true)
	for range 3 {
		p.mustProduce("t", 0, "y")
		p.mustEnd(true)
	}
	c.awaitReadable("t", 0, "x", "y", "y", "y")
	p.mustProduce("t", 0, "z")
	l.mortal.armed.Store(true)
	p.send(p.endRequest(true))
	l.killed()

	l.meta = lastingStore{controller.NewMemStore()}
	if err := Restore(t.Context(), l.offline(), file, io.Discard); err != nil {
		t.Fatal(err)
	}
	l.begin(nil)
	c = l.dial()
	c.readable("t", 0, "x", "y", "y", "y")
	if _, stable := c.committed("t", 0); stable != 10 {
		t.Errorf("the last stable offset is %d, want 10", stable)
	}
	again := l.transactional("p", true)
	if again.pid != p.pid || again.epoch <= p.epoch {
		t.Errorf("producer %d, epoch %d after %d, %d", again.pid, again.epoch, p.pid, p.epoch)
	}
	again.mustProduce("t", 0, "more")
	again.mustEnd(true)
	c.awaitReadable("t", 0, "x", "y", "y", "y", "more")
}
