package api

import (
	"container/list"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// Epochs with a meaning of their own (KIP-227).
const (
	initialEpoch = 0  // a full request that would like a session
	finalEpoch   = -1 // a full request that wants none, and ends the one it names
)

// minEvictionAge is how long a session must have been idle before a new one may
// take its place (Kafka's MIN_INCREMENTAL_FETCH_SESSION_EVICTION_MS).
const minEvictionAge = 2 * time.Minute

// maxCachedPartitions bounds the memory of all sessions together, whatever
// clients name in their requests: about 250 bytes each. The name of a topic that
// cannot exist may be long; it counts as one more for each nameUnit bytes.
const (
	maxCachedPartitions = 1 << 20
	nameUnit            = 250
)

// FetchSessions remembers what each fetching client asked for and was told, so
// that its requests and answers can leave out what did not change (KIP-227). A
// client whose session was evicted or refused falls back to full requests.
type FetchSessions struct {
	slots int // max.incremental.fetch.session.cache.slots
	now   func() time.Time

	limit int // maxCachedPartitions

	// mu guards all below. It is taken below a session's mu.
	mu         sync.Mutex
	sessions   map[int32]*fetchSession
	partitions int // over all sessions, as counted in them
}

// NewFetchSessions keeps at most so many sessions.
func NewFetchSessions(slots int, now func() time.Time) *FetchSessions {
	return &FetchSessions{slots: slots, now: now, limit: maxCachedPartitions, sessions: make(map[int32]*fetchSession)}
}

// fetchSession is one client's session. Its requests come one after the other
// on one connection, but nothing makes a client keep to that: mu does.
type fetchSession struct {
	id       int32
	usesIDs  bool
	lastUsed time.Time // guarded by FetchSessions.mu
	counted  int       // of FetchSessions.partitions; guarded by its mu

	mu    sync.Mutex
	epoch int32 // that the next request must carry
	// order holds *cachedPartition: those that gave records last come last, so
	// that each gets its turn when responses fill up.
	order *list.List
	byKey map[sessionKey]*list.Element
	size  int // partitions, long names counted for more
	// full: the response to come must tell everything.
	full bool
}

// size is what a cached partition counts towards maxCachedPartitions.
func (k *sessionKey) size() int { return 1 + len(k.topic)/nameUnit }

// sessionKey names a partition as the client does: by id from version 13 on,
// by name before.
type sessionKey struct {
	topic     string
	topicID   [16]byte
	partition int32
}

// fetchPartition is one partition of a request, its topic resolved.
type fetchPartition struct {
	topic     string
	topicID   [16]byte
	partition int32
	fetchFrom
	err    error            // the topic cannot be resolved
	cached *cachedPartition // in a session
}

func (w *fetchPartition) sameTopic(t *kmsg.FetchResponseTopic) bool {
	return w.topic == t.Topic && w.topicID == t.TopicID
}

// cachedPartition is what a session asks for and has been told of a partition.
type cachedPartition struct {
	key           sessionKey
	want          fetchFrom
	highWatermark int64
	logStart      int64
	failed        bool // the last answer was an error: the next must say that it ended
}

// fetchFrom is what a request says of a partition. It holds nothing of the
// request's memory, which is the connection's read buffer.
type fetchFrom struct {
	offset             int64
	maxBytes           int32
	currentLeaderEpoch int32
	lastFetchedEpoch   int32
}

func fetchFromOf(p *kmsg.FetchRequestTopicPartition) fetchFrom {
	// An epoch below 0, whichever, is none.
	return fetchFrom{p.FetchOffset, p.PartitionMaxBytes, max(p.CurrentLeaderEpoch, -1), p.LastFetchedEpoch}
}

// changed says whether the client must hear of p.
func (c *cachedPartition) changed(p *kmsg.FetchResponseTopicPartition, bytes int) bool {
	return bytes > 0 || p.ErrorCode != 0 || c.failed || p.DivergingEpoch.Epoch >= 0 ||
		p.HighWatermark != c.highWatermark || p.LogStartOffset != c.logStart
}

func (c *cachedPartition) told(p *kmsg.FetchResponseTopicPartition) {
	c.highWatermark, c.logStart, c.failed = p.HighWatermark, p.LogStartOffset, p.ErrorCode != 0
}

// begin finds the request's session, or opens one, and answers every partition
// that the request stands for. The session is nil where there is none. Errors:
// FETCH_SESSION_ID_NOT_FOUND, INVALID_FETCH_SESSION_EPOCH,
// FETCH_SESSION_TOPIC_ID_ERROR.
func (c *FetchSessions) begin(in *kmsg.FetchRequest, image *controller.Image) (*fetchSession, []fetchPartition, error) {
	if in.Version < 7 {
		return nil, resolve(in, image), nil
	}
	if in.SessionEpoch == initialEpoch || in.SessionEpoch == finalEpoch {
		c.drop(in.SessionID)
		if in.SessionEpoch == finalEpoch {
			return nil, resolve(in, image), nil
		}
		if s := c.open(in); s != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s, s.wanted(image), nil
		}
		return nil, resolve(in, image), nil
	}
	c.mu.Lock()
	s := c.sessions[in.SessionID]
	c.mu.Unlock()
	if s == nil {
		return nil, nil, kerr.FetchSessionIDNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.epoch != in.SessionEpoch:
		return nil, nil, kerr.InvalidFetchSessionEpoch
	case s.usesIDs != (in.Version >= 13):
		return nil, nil, kerr.FetchSessionTopicIDError
	}
	s.epoch = nextEpoch(s.epoch)
	s.update(in)
	if s.order.Len() == 0 {
		// Nothing is left of it: the answer says so, and the slot is free.
		c.drop(s.id)
		return nil, nil, nil
	}
	if !c.used(s) {
		return nil, nil, kerr.FetchSessionIDNotFound
	}
	return s, s.wanted(image), nil
}

func nextEpoch(e int32) int32 {
	if e == math.MaxInt32 {
		return 1
	}
	return e + 1
}

// used notes that s was used, and counts what it has grown or shrunk by; s.mu is
// held. A session that has become too large, or was removed meanwhile, is none
// any more: the client falls back to full requests.
func (c *FetchSessions) used(s *fetchSession) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sessions[s.id] != s {
		return false
	}
	if c.partitions+s.size-s.counted > c.limit && s.size > s.counted {
		c.remove(s)
		return false
	}
	c.partitions += s.size - s.counted
	s.counted, s.lastUsed = s.size, c.now()
	return true
}

func (c *FetchSessions) drop(id int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(c.sessions[id])
}

// remove forgets s; mu is held. Requests of s under way go on.
func (c *FetchSessions) remove(s *fetchSession) {
	if s == nil {
		return
	}
	delete(c.sessions, s.id)
	c.partitions -= s.counted
}

// open makes a session for a full request, or answers nil where there is no
// room: every slot is taken by one used within minEvictionAge.
func (c *FetchSessions) open(in *kmsg.FetchRequest) *fetchSession {
	s := &fetchSession{
		usesIDs: in.Version >= 13, epoch: initialEpoch + 1, full: true,
		order: list.New(), byKey: make(map[sessionKey]*list.Element),
	}
	s.update(in)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if s.size == 0 || c.slots <= 0 {
		return nil
	}
	full := func() bool { return len(c.sessions) >= c.slots || c.partitions+s.size > c.limit }
	if full() {
		c.evict(now)
	}
	if full() {
		return nil
	}
	for s.id == 0 || c.sessions[s.id] != nil {
		s.id = rand.Int32N(math.MaxInt32) + 1
	}
	s.lastUsed, s.counted = now, s.size
	c.sessions[s.id] = s
	c.partitions += s.size
	return s
}

// evict drops the session that has been idle longest, if long enough.
func (c *FetchSessions) evict(now time.Time) {
	var oldest *fetchSession
	for _, s := range c.sessions {
		if oldest == nil || s.lastUsed.Before(oldest.lastUsed) {
			oldest = s
		}
	}
	if oldest != nil && now.Sub(oldest.lastUsed) >= minEvictionAge {
		c.remove(oldest)
	}
}

// update takes over what a request adds, changes and forgets. mu is held, or s
// is not yet shared.
func (s *fetchSession) update(in *kmsg.FetchRequest) {
	for i := range in.Topics {
		t := &in.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			key := sessionKey{t.Topic, t.TopicID, p.Partition}
			if e := s.byKey[key]; e != nil {
				e.Value.(*cachedPartition).want = fetchFromOf(p)
				continue
			}
			s.byKey[key] = s.order.PushBack(&cachedPartition{key: key, want: fetchFromOf(p), highWatermark: -1, logStart: -1})
			s.size += key.size()
		}
	}
	for _, t := range in.ForgottenTopics {
		for _, p := range t.Partitions {
			key := sessionKey{t.Topic, t.TopicID, p}
			if e := s.byKey[key]; e != nil {
				s.order.Remove(e)
				delete(s.byKey, key)
				s.size -= key.size()
			}
		}
	}
}

// wanted lists the session's partitions in their present order. mu is held.
func (s *fetchSession) wanted(image *controller.Image) []fetchPartition {
	out := make([]fetchPartition, 0, s.order.Len())
	for e := s.order.Front(); e != nil; e = e.Next() {
		c := e.Value.(*cachedPartition)
		w := want(c.key.topic, c.key.topicID, s.usesIDs, c.key.partition, c.want, image)
		w.cached = c
		out = append(out, w)
	}
	return out
}

// responseID is the session id that the response carries; 0: no session.
func (s *fetchSession) responseID() int32 {
	if s == nil {
		return 0
	}
	return s.id
}

// respond runs build with the session locked, telling it whether what the client
// already knows may be left out.
func (s *fetchSession) respond(build func(incremental bool)) {
	if s == nil {
		build(false)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	build(!s.full)
	s.full = false
}

// served moves a partition that gave records behind the others. mu is held.
func (s *fetchSession) served(c *cachedPartition) {
	if e := s.byKey[c.key]; e != nil {
		s.order.MoveToBack(e)
	}
}

// resolve lists the partitions of a request without session.
func resolve(in *kmsg.FetchRequest, image *controller.Image) []fetchPartition {
	n := 0
	for i := range in.Topics {
		n += len(in.Topics[i].Partitions)
	}
	out := make([]fetchPartition, 0, n)
	for i := range in.Topics {
		t := &in.Topics[i]
		for j := range t.Partitions {
			p := &t.Partitions[j]
			out = append(out, want(t.Topic, t.TopicID, in.Version >= 13, p.Partition, fetchFromOf(p), image))
		}
	}
	return out
}

func want(topic string, id [16]byte, byID bool, partition int32, asked fetchFrom, image *controller.Image) fetchPartition {
	w := fetchPartition{topic: topic, topicID: id, partition: partition, fetchFrom: asked}
	if byID {
		t, ok := image.TopicByID(id)
		if !ok {
			w.err = kerr.UnknownTopicID
			return w
		}
		w.topic = t.Name
	}
	return w
}
