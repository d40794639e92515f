package replica

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
	"blumfeld/logstore"
)

// TopicID is a topic's uuid.
type TopicID = [16]byte

// Settings is what a topic's effective configuration means for its partitions.
type Settings struct {
	Log               logstore.Config
	MinInsyncReplicas int
}

// SetOptions configures a Set.
type SetOptions struct {
	NodeID int32
	Dirs   []*logstore.Dir // at least one; a new partition goes where the fewest are, of those that work
	// Settings computes a topic's effective configuration from the image.
	Settings func(*controller.Image, *controller.Topic) Settings
	// RecoveryThreads is how many logs of one directory are opened at a time
	// (num.recovery.threads.per.data.dir), as of an image.
	RecoveryThreads func(*controller.Image) int
	// MoveRate is how many bytes a second are copied at most, in all, while
	// replicas move to other directories, as of an image [no limit]
	// (replica.alter.log.dirs.io.max.bytes.per.second).
	MoveRate func(*controller.Image) int64
	Logger   *slog.Logger
}

// Set is the registry of the partitions that this broker hosts, and the last
// metadata image they all serve.
type Set struct {
	opts SetOptions

	// applying makes Apply run alone; it is taken before mu and held while logs
	// are opened, which mu must not be.
	applying sync.Mutex
	placed   map[place]*logstore.Dir // where a log was found at start or put since; guarded by mu
	load     map[*logstore.Dir]int   // partitions in each directory; guarded by mu
	started  bool
	// unfinished are the moves that the last stop interrupted: where to.
	unfinished map[place]*logstore.Dir

	moving sync.Mutex // held while a move is begun or ended; taken before mu
	pace   pace
	moved  sync.WaitGroup
	ctx    context.Context // of the moves
	cancel context.CancelFunc

	mu      sync.RWMutex
	moves   map[place]*move
	topics  map[string]*hosted
	image   *controller.Image
	changed chan struct{} // closed and replaced whenever image is published
}

type place struct {
	topic     string
	partition int32
}

// hosted is one topic's partitions on this broker.
type hosted struct {
	id         TopicID
	source     *controller.Topic // the image's topic that was last applied
	partitions []*Partition      // by number; nil: not here, or see failed
	failed     []error           // by number: why a partition that belongs here is not served
	dirs       []*logstore.Dir   // by number
}

// NewSet returns an empty set; Apply fills it.
func NewSet(o SetOptions) *Set {
	s := &Set{
		opts:       o,
		placed:     make(map[place]*logstore.Dir),
		load:       make(map[*logstore.Dir]int),
		topics:     make(map[string]*hosted),
		changed:    make(chan struct{}),
		moves:      make(map[place]*move),
		unfinished: make(map[place]*logstore.Dir),
		pace:       newPace(len(o.Dirs)),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Dirs are the log directories, in the order of log.dirs.
func (s *Set) Dirs() []*logstore.Dir { return s.opts.Dirs }

// Get answers the partition, or UNKNOWN_TOPIC_OR_PARTITION if the image has
// none such, NOT_LEADER_OR_FOLLOWER if it lives on other brokers only, and
// KAFKA_STORAGE_ERROR if its log could not be opened or its directory is offline.
func (s *Set) Get(topic string, partition int32) (*Partition, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := s.topics[topic]
	if h == nil || partition < 0 || int(partition) >= len(h.partitions) {
		return nil, kerr.UnknownTopicOrPartition
	}
	if p := h.partitions[partition]; p != nil {
		if err := h.dirs[partition].Offline(); err != nil {
			return nil, fmt.Errorf("%w: %s is offline: %w", kerr.KafkaStorageError, h.dirs[partition].Path(), err)
		}
		return p, nil
	}
	if err := h.failed[partition]; err != nil {
		return nil, fmt.Errorf("%w: %w", kerr.KafkaStorageError, err)
	}
	return nil, kerr.NotLeaderForPartition
}

// DirOf answers the log directory in which a partition lies; errors are Get's.
func (s *Set) DirOf(topic string, partition int32) (*logstore.Dir, error) {
	if _, err := s.Get(topic, partition); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := s.topics[topic]
	if h == nil || int(partition) >= len(h.dirs) || h.dirs[partition] == nil {
		return nil, kerr.UnknownTopicOrPartition // it was deleted meanwhile
	}
	return h.dirs[partition], nil
}

// GetByID is Get for a topic that is known by id, and by the name that it had
// when that was looked up: UNKNOWN_TOPIC_ID if the name has gone to another topic
// since, or will in the image that is being applied.
func (s *Set) GetByID(id TopicID, topic string, partition int32) (*Partition, error) {
	s.mu.RLock()
	h := s.topics[topic]
	s.mu.RUnlock()
	if h == nil || h.id != id {
		return nil, kerr.UnknownTopicID
	}
	p, err := s.Get(topic, partition)
	if p != nil && p.Log().TopicID() != id {
		return nil, kerr.UnknownTopicID
	}
	return p, err
}

// All yields every partition that is served here, in no particular order.
func (s *Set) All() iter.Seq[*Partition] {
	return s.where(func(d *logstore.Dir) bool { return d.Offline() == nil })
}

// InDir yields the partitions whose logs lie in d, whether it works or not.
func (s *Set) InDir(d *logstore.Dir) iter.Seq[*Partition] {
	return s.where(func(other *logstore.Dir) bool { return other == d })
}

// where yields the partitions whose logs were opened in certain directories.
func (s *Set) where(in func(*logstore.Dir) bool) iter.Seq[*Partition] {
	return func(yield func(*Partition) bool) {
		s.mu.RLock()
		var all []*Partition
		for _, h := range s.topics {
			for i, p := range h.partitions {
				if p != nil && in(h.dirs[i]) {
					all = append(all, p)
				}
			}
		}
		s.mu.RUnlock()
		for _, p := range all {
			if !yield(p) {
				return
			}
		}
	}
}

// Wake has everybody who waits for something in a directory look again: it went
// offline, and they find that out.
func (s *Set) Wake(d *logstore.Dir) {
	for p := range s.InDir(d) {
		p.wake()
	}
}

// Image is the newest metadata of which every partition is served.
func (s *Set) Image() *controller.Image {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.image
}

// Await waits until an image of at least this revision is served.
func (s *Set) Await(ctx context.Context, revision int64) error {
	for {
		s.mu.RLock()
		image, changed := s.image, s.changed
		s.mu.RUnlock()
		if image != nil && image.Revision() >= revision {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// publish makes image the one that is served.
func (s *Set) publish(image *controller.Image) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.image = image
	close(s.changed)
	s.changed = make(chan struct{})
}

// Stop ends moves, and the service of every partition. The logs stay open: the
// directories close them.
func (s *Set) Stop() {
	s.cancel()
	s.moved.Wait()
	for p := range s.where(func(*logstore.Dir) bool { return true }) {
		p.stop()
	}
}
