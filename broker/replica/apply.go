package replica

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"blumfeld/controller"
	"blumfeld/logstore"
)

// Apply brings the partitions here into the state that image describes and then
// publishes it. Images must come in order of revision; one that is not newer is
// ignored. A log that cannot be opened does not fail the image: its partition
// answers KAFKA_STORAGE_ERROR, the others serve.
func (s *Set) Apply(image *controller.Image) {
	s.applying.Lock()
	defer s.applying.Unlock()
	last := s.Image()
	if last != nil && image.Revision() <= last.Revision() {
		return
	}
	if !s.started {
		s.started = true
		s.adopt(image)
	}
	s.remove(image)
	defaultsChanged := last == nil || s.brokerConfigsChanged(last, image)
	var work []opening
	for t := range image.Topics() {
		s.mu.RLock()
		h := s.topics[t.Name]
		s.mu.RUnlock()
		if h != nil && h.source == t && !defaultsChanged {
			continue
		}
		work = append(work, s.plan(image, t, h)...)
	}
	s.open(work, max(s.opts.RecoveryThreads(image), 1))
	s.lead(image, defaultsChanged)
	s.publish(image)
	s.resume()
}

// brokerConfigsChanged says whether the dynamic broker configuration, which
// topics inherit, differs between two images.
func (s *Set) brokerConfigsChanged(a, b *controller.Image) bool {
	own := fmt.Sprint(s.opts.NodeID)
	return !maps.Equal(a.BrokerConfigs(""), b.BrokerConfigs("")) || !maps.Equal(a.BrokerConfigs(own), b.BrokerConfigs(own))
}

// opening is one log to open or create, and where its partition belongs.
type opening struct {
	h         *hosted
	topic     *controller.Topic
	partition int32
	settings  Settings
	dir       *logstore.Dir
}

// plan updates the registry's entry for t and answers the logs still to be
// opened for it.
func (s *Set) plan(image *controller.Image, t *controller.Topic, h *hosted) (work []opening) {
	settings := s.opts.Settings(image, t)
	s.mu.Lock()
	defer s.mu.Unlock()
	if h == nil {
		h = &hosted{id: t.ID}
		s.topics[t.Name] = h
	}
	for n := len(h.partitions); n < len(t.Partitions); n++ {
		h.partitions = append(h.partitions, nil)
		h.failed = append(h.failed, nil)
		h.dirs = append(h.dirs, nil)
	}
	for n, state := range t.Partitions {
		if h.partitions[n] == nil && slices.Contains(state.Replicas, s.opts.NodeID) {
			h.dirs[n] = s.place(t.Name, int32(n))
			work = append(work, opening{h, t, int32(n), settings, h.dirs[n]})
		}
	}
	return work
}

// place chooses the directory of a partition: where its log was found, else of
// those that work the one where the fewest partitions are, as Kafka does.
func (s *Set) place(topic string, partition int32) *logstore.Dir {
	at := place{topic, partition}
	d := s.placed[at]
	if d == nil {
		works := func(d *logstore.Dir) int {
			if d.Offline() != nil {
				return 1
			}
			return 0
		}
		d = slices.MinFunc(s.opts.Dirs, func(a, b *logstore.Dir) int {
			return cmp.Or(works(a)-works(b), s.load[a]-s.load[b])
		})
		s.placed[at] = d
		s.load[d]++
	}
	return d
}

// open opens the logs, so many of each directory at a time, and registers their
// partitions.
func (s *Set) open(work []opening, atATime int) {
	byDir := make(map[*logstore.Dir][]opening)
	for _, o := range work {
		byDir[o.dir] = append(byDir[o.dir], o)
	}
	var wg sync.WaitGroup
	for _, list := range byDir {
		for part := range slices.Chunk(list, (len(list)+atATime-1)/atATime) {
			wg.Go(func() {
				for _, o := range part {
					s.openOne(o)
				}
			})
		}
	}
	wg.Wait()
}

func (s *Set) openOne(o opening) {
	log, err := o.dir.Open(o.topic.Name, o.partition, o.topic.ID, o.settings.Log)
	if err != nil && !errors.Is(err, logstore.ErrOffline) { // of those offline enough was said
		s.opts.Logger.Error("a log cannot be opened; its partition is offline",
			"topic", o.topic.Name, "partition", o.partition, "dir", o.dir.Path(), "err", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o.h.failed[o.partition] = err
	if err == nil {
		o.h.partitions[o.partition] = newPartition(s.opts.NodeID, o.topic.Name, o.partition, log, o.settings.MinInsyncReplicas)
	}
}

// lead hands every changed topic's states and configuration to its partitions.
func (s *Set) lead(image *controller.Image, defaultsChanged bool) {
	for t := range image.Topics() {
		s.mu.RLock()
		h := s.topics[t.Name]
		s.mu.RUnlock()
		if h.source == t && !defaultsChanged {
			continue
		}
		settings := s.opts.Settings(image, t)
		for n, p := range h.partitions {
			if p == nil {
				continue
			}
			p.configure(settings.Log, settings.MinInsyncReplicas)
			if err := p.Apply(t.Partitions[n]); err != nil && !errors.Is(err, logstore.ErrOffline) {
				s.opts.Logger.Error("a partition cannot take its role", "topic", t.Name, "partition", n, "err", err)
			}
		}
		s.mu.Lock()
		h.source = t
		s.mu.Unlock()
	}
}

// remove deletes what the image no longer has: topics that are gone, and those
// whose name now belongs to another id.
func (s *Set) remove(image *controller.Image) {
	var gone []*hosted
	var moves []*move
	s.mu.Lock()
	for name, h := range s.topics {
		if t, ok := image.Topic(name); !ok || t.ID != h.id {
			gone = append(gone, h)
			delete(s.topics, name)
			for n := range h.partitions {
				at := place{name, int32(n)}
				if m := s.moves[at]; m != nil {
					moves = append(moves, m)
				}
				if d := s.placed[at]; d != nil {
					s.load[d]--
					delete(s.placed, at)
				}
			}
		}
	}
	s.mu.Unlock()
	for _, m := range moves {
		m.end()
	}
	for _, h := range gone {
		for _, p := range h.partitions {
			if p == nil {
				continue
			}
			p.stop()
			log := p.Log()
			if err := log.Dir().Delete(log); err != nil {
				s.opts.Logger.Error("a deleted partition's log cannot be removed",
					"topic", p.topic, "partition", p.id, "dir", log.Dir().Path(), "err", err)
			}
		}
	}
}

// adopt records where the logs lie that the directories already hold, and sets
// those aside that no topic claims: a topic deleted while this broker was down,
// or recreated under the same name (Kafka's stray logs).
func (s *Set) adopt(image *controller.Image) {
	for _, d := range s.opts.Dirs {
		for _, found := range d.Logs() {
			at := place{found.Topic, found.Partition}
			t, ok := image.Topic(found.Topic)
			switch {
			case !ok || t.ID != found.TopicID || int(found.Partition) >= len(t.Partitions):
				s.opts.Logger.Warn("a log that no topic claims is set aside",
					"topic", found.Topic, "partition", found.Partition, "dir", d.Path())
				if err := d.Stray(found.Topic, found.Partition); err != nil {
					s.opts.Logger.Error("a stray log cannot be renamed", "topic", found.Topic, "partition", found.Partition, "err", err)
				}
			case s.placed[at] != nil:
				s.replacePlaced(at, s.opts.Settings(image, t).Log, t, d)
			default:
				s.placed[at] = d
				s.load[d]++
			}
		}
	}
	s.adoptFutures(image)
	s.placeLost(image)
}

// placeLost gives the partitions whose logs were not found to a directory that is
// offline, if there is one: they may lie there, and an empty log elsewhere would
// take their place for good. (Kafka's LogManager.getOrCreateLog.) Without such a
// directory they are new.
func (s *Set) placeLost(image *controller.Image) {
	i := slices.IndexFunc(s.opts.Dirs, func(d *logstore.Dir) bool { return d.Offline() != nil })
	if i < 0 {
		return
	}
	offline, lost := s.opts.Dirs[i], 0
	for t := range image.Topics() {
		for n, state := range t.Partitions {
			at := place{t.Name, int32(n)}
			if s.placed[at] == nil && slices.Contains(state.Replicas, s.opts.NodeID) {
				s.placed[at] = offline
				s.load[offline]++
				lost++
			}
		}
	}
	if lost > 0 {
		s.opts.Logger.Error("partitions are offline: their logs are in no directory that works", "partitions", lost)
	}
}
