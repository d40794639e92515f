package controller

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// replay turns the store's keys into Images. It is one goroutine's: only the Images that it returns are shared.
//
// Partition and configuration keys of a topic that does not exist (yet) are hidden: kept here until the topic's own key
// makes them visible, which may be in the next event or never.
type replay struct {
	img    *Image
	hidden map[[16]byte]*hiddenTopic
	// report is told of a key that cannot be read. It is skipped: one damaged key must not take the cluster down.
	report func(key string, err error)
}

type hiddenTopic struct {
	partitions []hiddenPartition // by number
	configs    configRecord
}

type hiddenPartition struct {
	number int32
	state  PartitionState
}

// errFormat is returned for a store whose layout is not ours.
var errFormat = errors.New("controller: the metadata was written by a newer version")

// load makes an Image of everything under metaPrefix, sorted by key.
func loadImage(kvs []KV, rev int64, report func(string, error)) (*replay, error) {
	r := &replay{img: &Image{}, hidden: make(map[[16]byte]*hiddenTopic), report: report}
	e := r.edit()
	for _, kv := range kvs {
		if kv.Key == formatKey && string(kv.Value) != formatVersion {
			return nil, fmt.Errorf("%w: format %q, this one reads %q", errFormat, kv.Value, formatVersion)
		}
		e.apply(Event{KV: kv})
	}
	e.finish(rev)
	return r, nil
}

// apply makes the next Image. The batch must not be empty.
func (r *replay) apply(batch []Event) *Image {
	e := r.edit()
	for _, ev := range batch {
		e.apply(ev)
	}
	return e.finish(batch[len(batch)-1].ModRevision)
}

// imageEdit makes one Image from the last.
type imageEdit struct {
	*replay
	next    Image
	topics  *shardsEdit[string, *Topic]
	ids     *shardsEdit[[16]byte, *Topic]
	guards  *shardsEdit[string, string]
	changed map[string]*Topic // topics that this edit owns and may modify; nil: deleted
	ownBrokers,
	ownConfigs bool
}

func (r *replay) edit() *imageEdit {
	return &imageEdit{
		replay:  r,
		next:    *r.img,
		topics:  r.img.topics.edit(),
		ids:     r.img.ids.edit(),
		guards:  r.img.nameGuards.edit(),
		changed: make(map[string]*Topic),
	}
}

func (e *imageEdit) finish(rev int64) *Image {
	img := e.next
	img.revision = rev
	img.topics, img.ids, img.nameGuards = e.topics.shards, e.ids.shards, e.guards.shards
	img.sorted = img.sorted.edit(e.changed)
	e.img = &img
	return &img
}

// apply replays one event. Keys are tried in the order of their rate.
func (e *imageEdit) apply(ev Event) {
	var err error
	switch key := ev.Key; {
	case strings.HasPrefix(key, partitionsPrefix):
		err = e.partition(ev)
	case strings.HasPrefix(key, topicsPrefix):
		err = e.topic(ev)
	case strings.HasPrefix(key, topicConfigsPrefix):
		err = e.topicConfigs(ev)
	case strings.HasPrefix(key, namesPrefix):
		name := key[len(namesPrefix):]
		if ev.Deleted {
			e.guards.delete(nameShard(name), name)
		} else {
			e.guards.set(nameShard(name), name, string(ev.Value))
		}
	case strings.HasPrefix(key, brokersPrefix):
		err = e.broker(ev)
	case key == producerIDsKey:
		e.next.producerIDs, err = decodeProducerIDs(ev.Value)
		e.next.producerRev = ev.ModRevision
	case key == featuresKey:
		var levels map[string]int16
		if levels, err = decodeFeatures(ev.Value); err == nil {
			e.next.features = featureRecord{levels, ev.ModRevision}
		}
	case key == clusterIDKey:
		e.next.clusterID = string(ev.Value)
	default:
		if r, ok := parseNamedConfigKey(key); ok {
			err = e.namedConfigs(r, ev)
		}
	}
	if err != nil {
		e.report(ev.Key, err)
	}
}

// own returns the topic for modification. Its partitions are a copy too.
func (e *imageEdit) own(t *Topic) *Topic {
	if mine := e.changed[t.Name]; mine != nil {
		return mine
	}
	c := *t
	c.Partitions = slices.Clone(t.Partitions)
	e.insert(&c)
	return &c
}

func (e *imageEdit) insert(t *Topic) {
	e.topics.set(nameShard(t.Name), t.Name, t)
	e.ids.set(idShard(t.ID), t.ID, t)
	e.changed[t.Name] = t
}

func (e *imageEdit) remove(t *Topic) {
	e.topics.delete(nameShard(t.Name), t.Name)
	e.ids.delete(idShard(t.ID), t.ID)
	e.changed[t.Name] = nil
	e.next.partitions -= len(t.Partitions)
}

func (e *imageEdit) topic(ev Event) error {
	name := ev.Key[len(topicsPrefix):]
	old, exists := e.topics.get(nameShard(name), name)
	if ev.Deleted {
		if exists {
			e.remove(old)
		}
		return nil
	}
	rec, err := decodeTopicRecord(ev.Value)
	if err != nil {
		return err
	}
	if reason := ValidateTopicName(name); reason != "" {
		return errors.New(reason) // it would become the name of a directory
	}
	if exists && old.ID != rec.id {
		e.remove(old)
		exists = false
	}
	var t *Topic
	if exists {
		t = e.own(old)
	} else {
		t = &Topic{Name: name, ID: rec.id}
		e.insert(t)
	}
	t.Internal = rec.internal
	t.ModRevision = ev.ModRevision
	e.next.partitions += int(rec.partitions) - len(t.Partitions)
	return e.reveal(t, int(rec.partitions))
}

// reveal gives a topic the hidden keys that now belong to it.
func (e *imageEdit) reveal(t *Topic, count int) error {
	had := len(t.Partitions)
	t.Partitions = slices.Grow(t.Partitions, max(0, count-had))[:min(had, count)]
	h := e.hidden[t.ID]
	if h == nil {
		h = &hiddenTopic{}
	}
	delete(e.hidden, t.ID)
	if h.configs.rev > t.ConfigRevision {
		t.Configs, t.ConfigRevision = h.configs.values, h.configs.rev
	}
	var missing error
	for _, p := range h.partitions {
		if int(p.number) < had || int(p.number) >= count {
			continue
		}
		missing = errors.Join(missing, e.fill(t, int(p.number)))
		t.Partitions = append(t.Partitions, p.state)
	}
	return errors.Join(missing, e.fill(t, count))
}

// fill appends offline partitions up to n: their keys are lost or damaged.
func (e *imageEdit) fill(t *Topic, n int) error {
	if len(t.Partitions) == n {
		return nil
	}
	err := fmt.Errorf("partitions %d to %d of topic %q have no readable state", len(t.Partitions), n-1, t.Name)
	for len(t.Partitions) < n {
		t.Partitions = append(t.Partitions, PartitionState{Leader: NoLeader})
	}
	return err
}

func (e *imageEdit) hide(id [16]byte) *hiddenTopic {
	h := e.hidden[id]
	if h == nil {
		h = &hiddenTopic{}
		e.hidden[id] = h
	}
	return h
}

func (e *imageEdit) partition(ev Event) error {
	id, n, ok := parsePartitionKey(ev.Key)
	if !ok {
		return errMalformed
	}
	t, visible := e.ids.get(idShard(id), id)
	visible = visible && int(n) < len(t.Partitions)
	if ev.Deleted {
		// A visible partition goes with its topic and in no other way.
		if h := e.hidden[id]; h != nil && !visible {
			h.partitions = slices.DeleteFunc(h.partitions, func(p hiddenPartition) bool { return p.number == n })
			if len(h.partitions) == 0 && h.configs.rev == 0 {
				delete(e.hidden, id)
			}
		}
		return nil
	}
	state, err := decodePartitionState(ev.Value, ev.ModRevision)
	if err != nil {
		return err
	}
	if visible {
		e.own(t).Partitions[n] = state
		return nil
	}
	h := e.hide(id)
	at, found := len(h.partitions), false
	if at > 0 && h.partitions[at-1].number >= n { // mostly they come in order
		at, found = slices.BinarySearchFunc(h.partitions, n, func(p hiddenPartition, n int32) int { return int(p.number - n) })
	}
	if found {
		h.partitions[at].state = state
	} else {
		h.partitions = slices.Insert(h.partitions, at, hiddenPartition{n, state})
	}
	return nil
}

func (e *imageEdit) topicConfigs(ev Event) error {
	id, ok := ParseID(ev.Key[len(topicConfigsPrefix):])
	if !ok {
		return errMalformed
	}
	rec, err := decodeConfigEvent(ev)
	if err != nil {
		return err
	}
	if t, ok := e.ids.get(idShard(id), id); ok {
		t = e.own(t)
		t.Configs, t.ConfigRevision = rec.values, rec.rev
	} else if !ev.Deleted {
		e.hide(id).configs = rec
	} else if h := e.hidden[id]; h != nil {
		h.configs = configRecord{}
		if len(h.partitions) == 0 {
			delete(e.hidden, id)
		}
	}
	return nil
}

func (e *imageEdit) namedConfigs(r ConfigResource, ev Event) error {
	rec, err := decodeConfigEvent(ev)
	if err != nil {
		return err
	}
	if !e.ownConfigs {
		e.next.configs, e.ownConfigs = maps.Clone(e.next.configs), true
		if e.next.configs == nil {
			e.next.configs = make(map[ConfigResource]configRecord)
		}
	}
	if ev.Deleted {
		delete(e.next.configs, r)
	} else {
		e.next.configs[r] = rec
	}
	return nil
}

func decodeConfigEvent(ev Event) (configRecord, error) {
	if ev.Deleted {
		return configRecord{}, nil
	}
	values, err := decodeConfigs(ev.Value)
	return configRecord{values, ev.ModRevision}, err
}

func (e *imageEdit) broker(ev Event) error {
	id, ok := parseBrokerKey(ev.Key)
	if !ok {
		return errMalformed
	}
	if !e.ownBrokers {
		e.next.brokers, e.ownBrokers = slices.Clone(e.next.brokers), true
	}
	at, found := slices.BinarySearchFunc(e.next.brokers, id, func(b Broker, id int32) int { return int(b.ID) - int(id) })
	if ev.Deleted {
		if found {
			e.next.brokers = slices.Delete(e.next.brokers, at, at+1)
		}
		return nil
	}
	b, err := decodeBroker(ev.Value, ev.ModRevision)
	if err != nil {
		return err
	}
	b.ID = id
	if found {
		e.next.brokers[at] = b
	} else {
		e.next.brokers = slices.Insert(e.next.brokers, at, b)
	}
	return nil
}

// orphans returns the operations that remove the hidden keys, which after a load are what an interrupted creation left.
func (r *replay) orphans() []Op {
	var ops []Op
	for id, h := range r.hidden {
		if _, exists := r.img.TopicByID(id); exists {
			for _, p := range h.partitions { // of a CreatePartitions that did not come to its end
				ops = append(ops, Delete(partitionKey(id, p.number)))
			}
			continue
		}
		if len(h.partitions) > 0 {
			ops = append(ops, DeletePrefix(topicPartitionsPrefix(id)))
		}
		if h.configs.rev != 0 {
			ops = append(ops, Delete(topicConfigKey(id)))
		}
	}
	return ops
}
