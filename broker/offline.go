package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"blumfeld/broker/kafkadir"
	"blumfeld/logstore"
)

// This file opens a broker's directories without serving them, for Import, Recover and Restore.

// startOffline opens the log directories, the metadata and the groups. Metadata that is new becomes that of clusterID.
func (b *broker) startOffline(ctx context.Context, clusterID string) error {
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := b.openDirs(logstore.OpenDir); err != nil {
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

// refuseKafkas is an error if the metadata directory is that of an Apache Kafka, by whose server.properties this broker
// was perhaps started: to open it would leave our files among Kafka's, and to open its logs would mark them as in use.
func (b *broker) refuseKafkas() error {
	dir := b.Values.MetadataDir()
	is, err := kafkadir.HasMetadata(os.DirFS(dir))
	if err == nil && is {
		err = fmt.Errorf("%s is Apache Kafka's own: `blumfeld import DIR…` copies what is in it to other directories", filepath.Join(dir, metadataFolder))
	}
	return err
}

// refuseSame is an error if a directory is to be imported into itself, under whatever names.
func (b *broker) refuseSame(from []string) error {
	for _, to := range append(b.Values.LogDirs(), b.Values.MetadataDir()) {
		ours, err := os.Stat(to)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, path := range from {
			if theirs, err := os.Stat(path); err != nil {
				return err
			} else if os.SameFile(ours, theirs) {
				return fmt.Errorf("%s is both what is imported and where to", path)
			}
		}
	}
	return nil
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
