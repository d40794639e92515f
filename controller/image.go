package controller

import (
	"iter"
	"maps"
	"slices"
)

// Image is the cluster's metadata at one revision. It never changes: a reader may keep it as long as it likes, and two
// reads from one Image agree with each other. Images share what did not change between them, so that a pointer to a
// Topic that is the same in two Images means that the topic is.
type Image struct {
	revision    int64
	clusterID   string
	topics      shards[string, *Topic]
	ids         shards[[16]byte, *Topic]
	sorted      topicList
	nameGuards  shards[string, string] // unified name -> topic; only of names that could collide
	partitions  int
	brokers     []Broker                        // by id
	configs     map[ConfigResource]configRecord // of everything but topics, which have theirs in Topic
	producerIDs producerIDs
	producerRev int64
	features    featureRecord
}

// configRecord is the dynamic configuration of one resource.
type configRecord struct {
	values map[string]string
	rev    int64
}

// Revision is the store's revision that this Image shows.
func (i *Image) Revision() int64 { return i.revision }

// ClusterID is the cluster's id, in text.
func (i *Image) ClusterID() string { return i.clusterID }

// Features are the features that are on, in order of names.
func (i *Image) Features() []FeatureLevel {
	levels := make([]FeatureLevel, 0, len(i.features.levels))
	for _, name := range slices.Sorted(maps.Keys(i.features.levels)) {
		levels = append(levels, FeatureLevel{name, i.features.levels[name]})
	}
	return levels
}

// FeatureLevel is the level of a feature; 0: it is off.
func (i *Image) FeatureLevel(name string) int16 { return i.features.levels[name] }

// FeaturesEpoch grows with every change of Features: the store's revision that made it.
func (i *Image) FeaturesEpoch() int64 { return i.features.rev }

// ControllerID is the broker that clients are told is the controller: the lowest that is not fenced, -1 if there is
// none. Any broker decides for itself, so it is only a matter of all giving the same answer.
func (i *Image) ControllerID() int32 {
	for _, b := range i.brokers {
		if !b.Fenced {
			return b.ID
		}
	}
	return -1
}

// Topic returns the topic of that name.
func (i *Image) Topic(name string) (*Topic, bool) { return i.topics.get(nameShard(name), name) }

// TopicByID returns the topic with that id.
func (i *Image) TopicByID(id [16]byte) (*Topic, bool) { return i.ids.get(idShard(id), id) }

// Topics iterates over all topics in order of names.
func (i *Image) Topics() iter.Seq[*Topic] { return i.TopicsFrom("") }

// TopicsFrom iterates over the topics in order of names, beginning with the first that is not before name.
func (i *Image) TopicsFrom(name string) iter.Seq[*Topic] {
	return func(yield func(*Topic) bool) {
		c, at, _ := i.sorted.find(name)
		for ; c < len(i.sorted); c++ {
			for _, t := range i.sorted[c][at:] {
				if !yield(t) {
					return
				}
			}
			at = 0
		}
	}
}

// TopicCount is the number of topics.
func (i *Image) TopicCount() int { return i.topics.n }

// PartitionCount is the number of partitions of all topics.
func (i *Image) PartitionCount() int { return i.partitions }

// Brokers returns all registered brokers by id, fenced ones too. Do not modify it.
func (i *Image) Brokers() []Broker { return i.brokers }

// Broker returns the registration of one broker.
func (i *Image) Broker(id int32) (Broker, bool) {
	at, ok := slices.BinarySearchFunc(i.brokers, id, func(b Broker, id int32) int { return int(b.ID) - int(id) })
	if !ok {
		return Broker{}, false
	}
	return i.brokers[at], true
}

// active says whether a broker may lead and be in sync: registered and not fenced.
func (i *Image) active(id int32) bool {
	b, ok := i.Broker(id)
	return ok && !b.Fenced
}

// BrokerConfigs returns the dynamic configuration of a broker (its id in decimal), or, for "", the default of all
// brokers. nil if there is none. Do not modify it.
func (i *Image) BrokerConfigs(id string) map[string]string {
	return i.configs[ConfigResource{ResourceBroker, id}].values
}

// GroupConfigs returns the dynamic configuration of a group, nil if there is none. Do not modify it.
func (i *Image) GroupConfigs(group string) map[string]string {
	return i.configs[ConfigResource{ResourceGroup, group}].values
}

// ClientMetricsConfigs returns what a client metrics subscription says, nil if there is none. Do not modify it.
func (i *Image) ClientMetricsConfigs(subscription string) map[string]string {
	return i.configs[ConfigResource{ResourceClientMetrics, subscription}].values
}

// TopicConfigs returns the dynamic configuration of a topic, nil if there is none or no such topic. Do not modify it.
func (i *Image) TopicConfigs(name string) map[string]string {
	if t, ok := i.Topic(name); ok {
		return t.Configs
	}
	return nil
}

// ConfigResources returns the names of the resources of a type that have a dynamic configuration, in ascending order.
// Topics are not among them.
func (i *Image) ConfigResources(kind ResourceType) []string {
	var names []string
	for r := range i.configs {
		if r.Type == kind {
			names = append(names, r.Name)
		}
	}
	slices.Sort(names)
	return names
}
