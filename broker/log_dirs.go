package broker

import (
	"fmt"
	"slices"
	"strings"

	"blumfeld/logstore"
	"blumfeld/logstore/vfs"
)

// openDirs opens the directories of log.dirs. With logstore.OpenDir all of them
// have to work, with OpenDirOrOffline those that do not are offline.
func (b *broker) openDirs(open func(vfs.FS, string, logstore.DirOptions) (*logstore.Dir, error)) error {
	if err := b.refuseKafkas(); err != nil {
		return err
	}
	files := segmentFiles()
	for _, path := range b.Values.LogDirs() {
		d, err := open(b.FS, path, logstore.DirOptions{
			NodeID:                 b.nodeID,
			CloseThreads:           closersPerThread * b.Values.Int("num.recovery.threads.per.data.dir"),
			ProducerIDExpirationMs: b.Values.Long("producer.id.expiration.ms"),
			ReservedBytes:          reservedBytes,
			Files:                  files,
			Now:                    b.Now,
			Logger:                 b.Logger,
			Offline: func(error) {
				select {
				case b.dirFailed <- struct{}{}:
				default: // whoever takes the one that is there looks at all directories
				}
			},
		})
		if err != nil {
			return err
		}
		b.dirs = append(b.dirs, d)
	}
	return nil
}

// closersPerThread is how many goroutines stand for a thread of Kafka's where logs
// are closed: each waits for the disk nearly all the time, and the more wait, the
// more a file system syncs at once.
const closersPerThread = 32

// segmentFiles bounds what the logs may have open: half of the descriptors that
// the process may have, the others are for connections; and a quarter of the
// mappings, for the Go runtime and etcd have theirs.
func segmentFiles() *logstore.OpenFiles {
	files, mappings := vfs.Limits()
	return logstore.NewOpenFiles(min(files/2, logstore.DefaultOpenFiles), mappings/4)
}

// dropFailedDirs is called when a log directory went offline: who waits for
// something in it is told. It is an error that none is left (as in Kafka, where
// the process halts).
func (b *broker) dropFailedDirs() error {
	var reasons []string
	for _, d := range b.dirs {
		reason := d.Offline()
		if reason == nil {
			continue
		}
		reasons = append(reasons, fmt.Sprintf("%s: %v", d.Path(), reason))
		if b.set != nil {
			b.set.Wake(d)
		}
	}
	if len(reasons) == len(b.dirs) {
		slices.Sort(reasons)
		return fmt.Errorf("all log directories have failed: %s", strings.Join(reasons, "; "))
	}
	return nil
}
