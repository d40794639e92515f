package logstore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"blumfeld/logstore/vfs"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Suffixes of folders that are no logs (Kafka's UnifiedLog).
const (
	deleteFolderSuffix = "-delete"
	strayFolderSuffix  = "-stray"
)

// DirOptions say how a directory is run. The zero value of each field but NodeID has a meaning, given in brackets.
type DirOptions struct {
	NodeID    int32
	ClusterID string       // which meta.properties has to agree with [whatever is there]
	Logger    *slog.Logger // [discard]
	Now       func() time.Time
	Random    func(n int64) int64 // in [0, n); for segment.jitter.ms [math/rand]

	ProducerIDExpirationMs int64      // producer.id.expiration.ms [86,400,000]
	ReservedBytes          int64      // appends are refused while less is free on the file system [no limit]
	WarmBytes              int64      // how many of the newest bytes the page cache is trusted to hold [256 MiB]
	Files                  *OpenFiles // bounds the open files; several directories may share it [DefaultOpenFiles, DefaultMappings]
	CloseThreads           int        // how many logs Close closes at a time [1]

	// Offline is told, once, that the directory goes offline. It may be called under any lock, and must not wait.
	Offline func(reason error) // [nobody]

	manual bool // tests run the worker's jobs themselves
}

// Dir is one log directory: the logs in it, what is checkpointed about them, and the lock that keeps other processes
// out. All methods are safe for concurrent use.
type Dir struct {
	fs        vfs.FS
	path      string
	o         DirOptions
	logger    *slog.Logger
	lock      io.Closer
	room      room
	warmBytes int64
	clean     bool // the directory was closed in order the last time

	producers producerSettings

	offline atomic.Pointer[error] // why, once it is
	begun   atomic.Bool           // the clean-shutdown marker is gone, durably

	beginMu sync.Mutex // leaf but for syscalls; makes begun true
	metaMu  sync.Mutex // guards meta and its file
	meta    metaProperties

	nameMu     sync.Mutex // held while the folder is synced
	namesDirty atomic.Bool

	checkpointMu sync.Mutex // one checkpoint at a time; guards written
	written      map[string][]byte

	mu     sync.Mutex // guards what follows; never held over anything slow
	logs   map[topicPartition]*opening
	known  map[string]offsetMap // checkpoints as read, for logs that are not open
	closed bool
	// forgotten are logs that known no longer has, and the files may still have; see startOver.
	forgotten map[topicPartition]struct{}

	worker worker
}

// opening is a log, or one that is about to be.
type opening struct {
	done chan struct{}
	log  *Log
	err  error
}

// OpenDir opens a log directory, and makes it if need be. It holds the directory's lock until Close.
//
// Errors: one wrapping vfs.ErrLocked if another process has it; one wrapping ErrNotOurs about meta.properties if the
// directory belongs to another node or cluster; those of the file system.
func OpenDir(fsys vfs.FS, name string, o DirOptions) (*Dir, error) {
	d := newDir(fsys, name, o)
	if err := d.start(); err != nil {
		return nil, err
	}
	return d, nil
}

func newDir(fsys vfs.FS, name string, o DirOptions) *Dir {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Int64N
	}
	if o.ProducerIDExpirationMs == 0 {
		o.ProducerIDExpirationMs = 24 * 3600 * 1000
	}
	if o.WarmBytes == 0 {
		o.WarmBytes = 256 << 20
	}
	if o.Offline == nil {
		o.Offline = func(error) {}
	}
	if o.Files == nil {
		o.Files = NewOpenFiles(DefaultOpenFiles, DefaultMappings)
	}
	d := &Dir{
		fs:        frugalFS{fsys, o.Files},
		path:      name,
		o:         o,
		logger:    o.Logger.With("dir", name),
		room:      room{fs: fsys, path: name, reserved: o.ReservedBytes},
		warmBytes: o.WarmBytes,
		logs:      make(map[topicPartition]*opening),
		known:     make(map[string]offsetMap),
		forgotten: make(map[topicPartition]struct{}),
		written:   make(map[string][]byte),
	}
	d.SetProducerIDExpiration(o.ProducerIDExpirationMs)
	return d
}

// start takes the directory into service.
func (d *Dir) start() error {
	if err := makeDir(d.fs, d.path); err != nil {
		return err
	}
	lock, err := d.fs.Lock(path.Join(d.path, lockFile))
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("log directory %s is in use by another broker: %w", d.path, err)
	}
	if err != nil {
		return err
	}
	if err := d.load(); err != nil {
		lock.Close()
		return fmt.Errorf("log directory %s: %w", d.path, err)
	}
	d.lock = lock
	if !d.o.manual {
		d.worker.start()
		d.after(sweepInterval.Milliseconds(), d.sweepFiles)
	}
	return nil
}

// makeDir makes the directory if it is not there, so that it still is after a crash.
func makeDir(fsys vfs.FS, name string) error {
	_, err := fsys.Stat(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := fsys.MkdirAll(name); err != nil {
		return err
	}
	return fsys.SyncDir(path.Dir(name))
}

func (d *Dir) load() error {
	if err := d.loadMeta(); err != nil {
		return err
	}
	clean, err := WasClosedInOrder(d.fs, d.path)
	if err != nil {
		return err
	}
	d.clean = clean
	d.begun.Store(!clean) // there is no marker to remove
	if err := d.loadCheckpoints(); err != nil {
		return err
	}
	return d.sweep()
}

// sweep removes, in the background, what was deleted before the last stop, and copies that were cut off: those under
// another name, since their own may be needed.
func (d *Dir) sweep() error {
	entries, err := d.fs.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name, copyFolderSuffix); ok && e.IsDir {
			tp, ok := parseLogFolder(name)
			if !ok {
				continue
			}
			gone := suffixedFolder(tp, deleteFolderSuffix)
			if err := d.fs.Rename(d.file(e.Name), d.file(gone)); err != nil {
				return err
			}
			e.Name = gone
		}
		if e.IsDir && strings.HasSuffix(e.Name, deleteFolderSuffix) {
			d.after(0, func() { d.removeFolder(e.Name) })
		}
	}
	return nil
}

func (d *Dir) removeFolder(name string) {
	if err := d.fs.RemoveAll(d.file(name)); err != nil {
		d.logger.Warn("removing a deleted log", "folder", name, "error", err)
	}
}

func (d *Dir) loadMeta() error {
	p, err := vfs.ReadFile(d.fs, d.file(metaPropertiesFile), maxMetaBytes)
	if errors.Is(err, fs.ErrNotExist) {
		d.meta = metaProperties{nodeID: d.o.NodeID, clusterID: d.o.ClusterID, directoryID: newUUID()}
		return vfs.WriteFileAtomic(d.fs, d.path, d.file(metaPropertiesFile), d.meta.format())
	}
	if err != nil {
		return err
	}
	m, err := parseMetaProperties(p)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", metaPropertiesFile, err, ErrNotOurs)
	}
	if m.nodeID != d.o.NodeID {
		return fmt.Errorf("%s is of node.id %d, this broker is %d: %w", metaPropertiesFile, m.nodeID, d.o.NodeID, ErrNotOurs)
	}
	d.meta = m
	if d.o.ClusterID != "" {
		return d.SetClusterID(d.o.ClusterID)
	}
	return nil
}

// ClusterID is the cluster that the directory belongs to; "" if that was never said.
func (d *Dir) ClusterID() string {
	d.metaMu.Lock()
	defer d.metaMu.Unlock()
	return d.meta.clusterID
}

// DirectoryID identifies the directory in its cluster (KIP-858); zero if a Kafka that had no such ids made it.
func (d *Dir) DirectoryID() [16]byte {
	d.metaMu.Lock()
	defer d.metaMu.Unlock()
	return d.meta.directoryID
}

// SetClusterID writes the cluster's id to meta.properties, for a directory that has none yet. If it has another, the
// directory belongs to another cluster, and ErrNotOurs is the error; others take the directory offline.
func (d *Dir) SetClusterID(id string) error {
	d.metaMu.Lock()
	defer d.metaMu.Unlock()
	switch d.meta.clusterID {
	case id:
		return nil
	case "":
	default:
		return fmt.Errorf("%s is of cluster.id %s, this broker is of %s: %w", metaPropertiesFile, d.meta.clusterID, id, ErrNotOurs)
	}
	m := d.meta
	m.clusterID = id
	if err := vfs.WriteFileAtomic(d.fs, d.path, d.file(metaPropertiesFile), m.format()); err != nil {
		if !isTransient(err) {
			d.fail(err)
		}
		return err
	}
	d.meta = m
	return nil
}

// Path is where the directory is.
func (d *Dir) Path() string { return d.path }

// FreeBytes is how many bytes the file system still takes.
func (d *Dir) FreeBytes() (int64, error) {
	s, err := d.Space()
	return s.Available, err
}

// Space is the room on the directory's file system.
func (d *Dir) Space() (vfs.Space, error) {
	s, err := d.fs.Space(d.path)
	if err != nil {
		return s, fmt.Errorf("%s: %w: %w", d.path, err, kerr.KafkaStorageError)
	}
	return s, nil
}

// Logs lists the logs in the directory by topic and partition, open or not. Nothing is recovered. A directory that
// cannot be listed goes offline and has none.
func (d *Dir) Logs() []FoundLog {
	if d.Offline() != nil {
		return nil
	}
	found, err := List(d.fs, d.path)
	if err != nil {
		d.fail(err)
		return nil
	}
	return found
}

// metadataFolder looks like a log's, and holds the cluster's metadata: none of ours.
const metadataFolder = "__cluster_metadata-0"

// Open opens a log, or creates it. The zero topicID takes whatever the folder says.
// If it is open already, that Log is returned, with its configuration as it is.
//
// Errors: kerr.InconsistentTopicID if the folder is of another topic of that name; kerr.InvalidTopicException;
// kerr.KafkaStorageError.
func (d *Dir) Open(topic string, partition int32, topicID [16]byte, cfg Config) (*Log, error) {
	if err := d.usable(); err != nil {
		return nil, err
	}
	tp := topicPartition{topic, partition}
	if !validTopic(topic) || partition < 0 || tp.name() == metadataFolder {
		return nil, fmt.Errorf("log %q: %w", tp.name(), kerr.InvalidTopicException)
	}
	return d.openIn(tp.name(), tp, topicID, cfg)
}

// openIn opens the log that has that folder.
func (d *Dir) openIn(folder string, tp topicPartition, topicID [16]byte, cfg Config) (*Log, error) {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil, errClosed(d.path)
	}
	o := d.logs[tp]
	if o == nil {
		o = &opening{done: make(chan struct{})}
		d.logs[tp] = o
		d.mu.Unlock()
		o.log, o.err = d.open(folder, tp, topicID, cfg)
		if o.err != nil {
			d.mu.Lock()
			delete(d.logs, tp)
			d.mu.Unlock()
		}
		close(o.done)
	} else {
		d.mu.Unlock()
		<-o.done
	}
	if o.err != nil {
		return nil, o.err
	}
	if topicID != [16]byte{} && o.log.topicID != topicID {
		return nil, fmt.Errorf("%s is open with topic id %s, not %s: %w", tp.name(), uuid(o.log.topicID), uuid(topicID), kerr.InconsistentTopicID)
	}
	return o.log, nil
}

func (d *Dir) open(folder string, tp topicPartition, topicID [16]byte, cfg Config) (*Log, error) {
	l := &Log{
		dir:       d,
		tp:        tp,
		topicID:   topicID,
		path:      d.file(folder),
		logger:    d.logger.With("topic", tp.topic, "partition", tp.partition),
		producers: newProducerState(&d.producers),
	}
	l.cfg.Store(&cfg)
	l.lastFlush.Store(d.nowMs())
	l.undecided.Store(math.MaxInt64)
	l.unreplicated.Store(math.MaxInt64)
	d.recall(l)
	if err := l.load(d.clean); err != nil {
		return nil, l.failed("open", err)
	}
	return l, nil
}

// Delete takes a log out of service and its folder out of the way; its files go file.delete.delay.ms later. Readers
// that hold slices of it go on until they are done.
func (d *Dir) Delete(l *Log) error {
	return d.remove(l, suffixedFolder(l.tp, deleteFolderSuffix), l.cfg.Load().FileDeleteDelayMs)
}

// Stray takes the folder of a log that no topic claims out of the way, and keeps it for somebody to look at. The log
// must not be open.
func (d *Dir) Stray(topic string, partition int32) error {
	tp := topicPartition{topic, partition}
	if err := errors.Join(d.usable(), d.begin()); err != nil {
		return err
	}
	d.forget(tp)
	d.logger.Warn("log is stray", "topic", topic, "partition", partition)
	if err := d.fs.Rename(d.file(tp.name()), d.file(suffixedFolder(tp, strayFolderSuffix))); err != nil {
		return fmt.Errorf("stray %s: %w: %w", tp.name(), err, kerr.KafkaStorageError)
	}
	d.namesChanged()
	return d.syncNames()
}

func (d *Dir) remove(l *Log, folder string, delayMs int64) error {
	if err := l.touch(); err != nil {
		return err
	}
	l.stopCleaning()
	defer l.cleanMu.Unlock()
	// No flush may be under way: it would not find the files again.
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	l.mu.Lock()
	if l.closed.Load() {
		l.mu.Unlock()
		return errClosed(l.tp.name())
	}
	l.closed.Store(true)
	for _, s := range *l.segments.Load() {
		s.retire()
	}
	l.mu.Unlock()
	d.forget(l.tp)
	if err := d.fs.Rename(l.path, d.file(folder)); err != nil {
		return l.failed("delete", err)
	}
	d.namesChanged()
	if err := d.syncNames(); err != nil {
		return l.failed("delete", err)
	}
	if delayMs != keepForever {
		d.after(delayMs, func() { d.removeFolder(folder) })
	}
	return nil
}

// keepForever is the delay of what is not removed.
const keepForever = -1

// forget drops what is known of a log.
func (d *Dir) forget(tp topicPartition) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.logs, tp)
	d.forgetCheckpoints(tp)
}

// openLogs lists the logs that are open now. Those that are just being opened come along if it may wait.
func (d *Dir) openLogs(wait bool) []*Log {
	if wait {
		d.mu.Lock()
		pending := slices.Collect(maps.Values(d.logs))
		d.mu.Unlock()
		for _, o := range pending {
			<-o.done
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	logs := make([]*Log, 0, len(d.logs))
	for _, o := range d.logs {
		select {
		case <-o.done:
			if o.err == nil {
				logs = append(logs, o.log)
			}
		default:
		}
	}
	return logs
}

// Close closes all logs, flushes what is not on disk, checkpoints, and leaves the marker that lets the next start
// believe the files, unless a log was not recovered that has to be. A directory that is offline is only let go of.
func (d *Dir) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return nil
	}
	d.closed = true
	d.mu.Unlock()
	d.worker.stop()
	known := d.Offline() != nil
	err := d.close()
	if known {
		err = nil // it was said when the directory went offline
	}
	if d.lock == nil {
		return err
	}
	return errors.Join(err, d.lock.Close())
}

func (d *Dir) close() error {
	if err := d.closeLogs(); err != nil {
		return err
	}
	if err := d.Checkpoint(); err != nil {
		return err
	}
	if !d.begun.Load() {
		return nil // nothing was changed, and the marker is there
	}
	if err := d.syncNames(); err != nil {
		return err
	}
	if left, err := d.unrecovered(); err != nil || left != "" {
		d.logger.Info("not marked as closed in order: a log was not recovered", "folder", left)
		return err
	}
	return vfs.WriteFileAtomic(d.fs, d.path, d.file(cleanShutdownFile), []byte(cleanShutdown))
}

// unrecovered is the folder of a log of which nobody knows whether its files can be believed: the directory was not
// closed in order, and this process has not opened that one. "" if there is none.
func (d *Dir) unrecovered() (folder string, err error) {
	if d.clean {
		return "", nil
	}
	entries, err := d.fs.ReadDir(d.path)
	if err != nil {
		return "", err
	}
	opened := make(map[string]bool)
	for _, l := range d.openLogs(false) {
		opened[l.path] = true
	}
	for _, e := range entries {
		_, log := parseLogFolder(e.Name)
		_, future := parseFutureFolder(e.Name)
		if e.IsDir && (log || future) && e.Name != metadataFolder && !opened[d.file(e.Name)] {
			return e.Name, nil
		}
	}
	return "", nil
}

// closeLogs closes what is open, some logs at a time: each may have to wait for the disk. It returns one of the errors.
func (d *Dir) closeLogs() error {
	logs := d.openLogs(true)
	var next atomic.Int64
	var first atomic.Pointer[error]
	var running sync.WaitGroup
	for range min(max(d.o.CloseThreads, 1), len(logs)) {
		running.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(logs)); i = next.Add(1) - 1 {
				if err := logs[i].close(); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	running.Wait()
	if err := first.Load(); err != nil {
		return *err
	}
	return nil
}

// close seals and flushes the log if it was changed since it was opened. Readers keep what they hold.
func (l *Log) close() error {
	l.stopCleaning()
	defer l.cleanMu.Unlock()
	l.flushMu.Lock()
	defer l.flushMu.Unlock()
	l.mu.Lock()
	if l.closed.Load() {
		l.mu.Unlock()
		return nil
	}
	err := l.usable()
	if err == nil && l.dirty.Load() {
		if err = l.active().seal(); err == nil {
			err = l.writeSnapshot()
		}
	}
	l.closed.Store(true) // what would be appended from here on would not be sealed
	l.mu.Unlock()
	if err == nil && l.dirty.Load() {
		err = l.flushLocked()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range *l.segments.Load() {
		s.retire()
	}
	return l.failed("close", err)
}

// begin is called before the first change in the directory: from here on a stop without Close is a crash, and the
// next start must know. Nothing is synced for a directory that is only read.
func (d *Dir) begin() error {
	if d.begun.Load() {
		return nil
	}
	d.beginMu.Lock()
	defer d.beginMu.Unlock()
	if d.begun.Load() {
		return nil
	}
	err := d.removeIfExists(d.file(cleanShutdownFile))
	if err == nil {
		err = d.syncFolder(d.path)
	}
	if err != nil {
		if !isTransient(err) {
			d.fail(err)
		}
		return fmt.Errorf("%s: %w: %w", d.path, err, kerr.KafkaStorageError)
	}
	d.begun.Store(true)
	return nil
}

// ClosedInOrder says whether the directory was closed in order before it was opened now. If not, records that had been
// acknowledged may be gone, and others may take their offsets.
func (d *Dir) ClosedInOrder() bool { return d.clean }

func (d *Dir) file(name string) string { return path.Join(d.path, name) }
func (d *Dir) nowMs() int64            { return d.o.Now().UnixMilli() }
func (d *Dir) random(n int64) int64    { return d.o.Random(n) }

// namesChanged notes that folders were made or renamed.
func (d *Dir) namesChanged() { d.namesDirty.Store(true) }

// syncNames makes the folders' names durable if they are not. Whoever needs that waits, also for who is at it.
func (d *Dir) syncNames() error {
	d.nameMu.Lock()
	defer d.nameMu.Unlock()
	if !d.namesDirty.Swap(false) {
		return nil
	}
	if err := d.syncFolder(d.path); err != nil {
		d.namesDirty.Store(true)
		return err
	}
	return nil
}

func (d *Dir) syncFile(name string) error {
	f, err := d.fs.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return syncFile(f)
}

func (d *Dir) removeIfExists(name string) error {
	if err := d.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d *Dir) renameIfExists(oldName, newName string) (bool, error) {
	err := d.fs.Rename(oldName, newName)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// later has the worker do something soon; after, in so many ms.
func (d *Dir) later(do func()) { d.after(0, do) }
func (d *Dir) after(delayMs int64, do func()) {
	d.worker.add(time.Duration(delayMs)*time.Millisecond, do)
}
