package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"blumfeld/logstore"
)

// This file opens a broker's directories without serving them, for Import, Recover and Restore.

// startOffline opens the log directories, the metadata and the groups. Metadata that is new becomes that of clusterID.
func (b *broker) startOffline(ctx context.Context, clusterID string) error {
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := b.openDirs(); err != nil {
		return err
	}
	if err := b.openStore(ctx); err != nil {
		return err
	}
	if err := b.startController(ctx, clusterID); err != nil {
		return err
	}
	return b.startGroups(ctx)
}

// openLog opens a log with the broker's settings; they matter little, for nothing is written to it. All that it holds
// is committed: it has no other replica.
func (b *broker) openLog(dir *logstore.Dir, found logstore.FoundLog) (*logstore.Log, error) {
	log, err := dir.Open(found.Topic, found.Partition, found.TopicID, logConfig(b.Values.Topic(nil)))
	if err != nil {
		return nil, err
	}
	log.SetHighWatermark(log.Offsets().LogEnd)
	return log, nil
}

// firstEpoch is the lowest leader epoch that the log does not know.
func firstEpoch(log *logstore.Log) int32 {
	if latest, ok := log.LatestEpoch(); ok {
		return latest + 1
	}
	return 0
}

// refuseRunning is an error if another process has the log directory. Kafka locks its .lock by fcntl, which this asks
// without taking it; we lock by flock.
func refuseRunning(path string) error {
	inUse := fmt.Errorf("log directory %s is in use by a broker: stop it first", path)
	file, err := os.Open(filepath.Join(path, ".lock"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &lock); err != nil {
		return fmt.Errorf("%s: %w", file.Name(), err)
	}
	if lock.Type != unix.F_UNLCK {
		return inUse
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return inUse
	}
	return err
}
