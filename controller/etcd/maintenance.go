package etcd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/server/v3/storage/datadir"

	"blumfeld/controller"
)

// maintenance compacts the database, deletes segments of the log that are not needed any more, and makes room when the
// quota is reached. One goroutine does all of it; it ends with the store's life.
type maintenance struct {
	s         *Store
	due       chan struct{} // capacity 1: revisions have passed
	latest    atomic.Int64  // the newest revision that we know
	next      atomic.Int64  // compaction is due from this revision on
	full      chan chan error
	done      sync.WaitGroup
	compacted int64
}

func startMaintenance(s *Store) *maintenance {
	m := &maintenance{s: s, due: make(chan struct{}, 1), full: make(chan chan error)}
	rev := s.server.KV().Rev()
	m.latest.Store(rev)
	m.compacted = s.server.KV().FirstRev()
	m.next.Store(max(m.compacted+compactKeep, 0) + compactEvery)
	m.done.Go(m.run)
	m.at(rev)
	return m
}

func (m *maintenance) wait() { m.done.Wait() }

// at notes that the store is at revision rev.
func (m *maintenance) at(rev int64) {
	for {
		known := m.latest.Load()
		if rev <= known || m.latest.CompareAndSwap(known, rev) {
			break
		}
	}
	if rev >= m.next.Load() {
		select {
		case m.due <- struct{}{}:
		default:
		}
	}
}

func (m *maintenance) run() {
	m.purge() // a crash may have left some
	for {
		select {
		case <-m.due:
			m.tidy()
		case answer := <-m.full:
			answer <- m.room()
		case <-m.s.life.Done():
			return
		}
	}
}

// tidy compacts up to compactKeep revisions before the newest, and purges. Of several members the leader compacts.
func (m *maintenance) tidy() {
	rev := m.latest.Load()
	if rev < m.next.Load() {
		return
	}
	m.next.Store(rev + compactEvery)
	if m.s.server.Leader() == m.s.server.MemberID() {
		if err := m.s.compact(m.s.life, rev-compactKeep, false); err != nil && m.s.life.Err() == nil {
			m.s.opts.Logger.Warn("metadata cannot be compacted, will retry", "revision", rev-compactKeep, "error", err)
			m.next.Store(rev + compactEvery/10)
		}
	}
	m.purge()
}

func (m *maintenance) purge() {
	if err := purgeLog(datadir.ToWALDir(m.s.opts.Dir)); err != nil {
		m.s.opts.Logger.Warn("old segments of the metadata log cannot be deleted", "error", err)
	}
}

// purgeLog deletes segments that etcd has released: it holds a lock on those that it needs for a restart.
func purgeLog(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var segments []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".wal") {
			segments = append(segments, e.Name())
		}
	}
	slices.Sort(segments) // by sequence number, in hexadecimal of fixed width
	for _, name := range segments[:max(0, len(segments)-1)] {
		path := filepath.Join(dir, name)
		lock, err := fileutil.TryLockFile(path, os.O_WRONLY, fileutil.PrivateFileMode)
		if errors.Is(err, fileutil.ErrLocked) {
			return nil // this one and all that follow are needed
		}
		if err != nil {
			return err
		}
		err = cmp.Or(os.Remove(path), lock.Close())
		if err != nil {
			return err
		}
	}
	return nil
}

// makeRoom is called when the quota is reached. It returns nil if it is worth trying again.
func (m *maintenance) makeRoom(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case m.full <- answer:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// room compacts everything, gives free pages back to the file system, and takes back the alarm that makes etcd refuse
// writes.
func (m *maintenance) room() error {
	s := m.s
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(s.life, patience)
	defer cancel()
	before := s.server.Backend().Size()
	if before >= s.opts.QuotaBytes/10*9 { // else another call has just made room
		if rev := s.server.KV().Rev(); rev > m.compacted {
			if err := s.compact(ctx, rev, true); err != nil {
				return fmt.Errorf("%w: compaction: %w", controller.ErrNoSpace, err)
			}
			m.compacted = rev
			m.next.Store(rev + compactEvery)
		}
		if err := s.server.Defragment(); err != nil {
			return fmt.Errorf("%w: defragmentation: %w", controller.ErrNoSpace, err)
		}
	}
	after := s.server.Backend().Size()
	if after >= s.opts.QuotaBytes/10*9 {
		s.opts.Logger.Error("metadata store is full", "bytes", after, "quota", s.opts.QuotaBytes)
		return fmt.Errorf("%w: %d bytes of %d", controller.ErrNoSpace, after, s.opts.QuotaBytes)
	}
	for _, a := range s.server.Alarms() {
		req := &pb.AlarmRequest{Action: pb.AlarmRequest_DEACTIVATE, MemberID: a.MemberID, Alarm: a.Alarm}
		if a.Alarm != pb.AlarmType_NOSPACE {
			continue
		}
		if _, err := s.server.Alarm(ctx, req); err != nil {
			return fmt.Errorf("%w: alarm: %w", controller.ErrNoSpace, err)
		}
	}
	s.opts.Logger.Warn("metadata store was full, made room", "bytes_before", before, "bytes", after)
	return nil
}
