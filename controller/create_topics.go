package controller

import (
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// NewTopic is a topic to create.
type NewTopic struct {
	Name              string
	Partitions        int32 // -1: num.partitions
	ReplicationFactor int16 // -1: default.replication.factor
	// Assignments place the replicas by hand; Partitions and ReplicationFactor must be -1 then.
	Assignments []ReplicaAssignment
	Configs     map[string]string
	// NullConfigs are keys that the request gave no value; Kafka refuses them.
	NullConfigs []string
	// Internal marks a topic as internal whatever its name; those that Kafka knows as internal are so in any case.
	Internal bool
}

// ReplicaAssignment gives one partition its replicas; the first is the preferred leader.
type ReplicaAssignment struct {
	Partition int32
	Replicas  []int32
}

// TopicResult is the outcome for one topic name.
type TopicResult struct {
	Name  string
	Topic *Topic // what was created, or with validateOnly would have been; nil if Err is not
	Err   error
}

// maxPartitionsPerRequest is Kafka's bound on the records of one user's operation (MAX_RECORDS_PER_USER_OP).
const maxPartitionsPerRequest = 10_000

// maxPartitionsPerTopic bounds what a damaged topic record can make us allocate.
const maxPartitionsPerTopic = 1_000_000

// CreateTopics creates topics, each by itself: one that is refused does not hold up the others. There is one result for
// each name, in the order of the request; names that came more than once are refused and come last. rev is the revision
// that shows all that was created.
//
// Errors: InvalidTopicException, TopicAlreadyExists, InvalidRequest, InvalidReplicaAssignment,
// InvalidReplicationFactor, InvalidPartitions, InvalidConfig, PolicyViolation; RequestTimedOut if ctx ended, and then
// the topic may have been created.
//
// Differs from Kafka: of two names in one request that collide in "." and "_", Kafka creates both.
func (c *Controller) CreateTopics(ctx context.Context, topics []NewTopic, validateOnly bool) (results []TopicResult, rev int64) {
	topics, repeated := once(topics, func(t NewTopic) string { return t.Name })
	results = make([]TopicResult, len(topics), len(topics)+len(repeated))
	rev = c.createTopics(ctx, topics, results, validateOnly)
	for _, name := range repeated {
		results = append(results, TopicResult{Name: name, Err: refuse(kerr.InvalidRequest, "Duplicate topic name.")})
	}
	return results, rev
}

func (c *Controller) createTopics(ctx context.Context, topics []NewTopic, results []TopicResult, validateOnly bool) (rev int64) {
	tooMany := c.tooManyPartitions(topics)
	decide := func(img *Image, i int) (ch *change) {
		r := TopicResult{Name: topics[i].Name, Err: tooMany}
		if tooMany == nil {
			r.Topic, ch, r.Err = c.planTopic(img, topics[i])
		}
		results[i] = r
		return ch
	}
	if validateOnly {
		img := c.Image()
		for i := range topics {
			decide(img, i)
		}
		return img.revision
	}
	return c.settle(ctx, len(topics), decide, func(i int, err error) { results[i].Topic, results[i].Err = nil, err })
}

// tooManyPartitions refuses a whole request, as ReplicationControlManager.validateTotalNumberOfPartitions does.
func (c *Controller) tooManyPartitions(topics []NewTopic) error {
	var n int64
	for _, t := range topics {
		switch {
		case len(t.Assignments) > 0:
			n += int64(len(t.Assignments))
		case t.Partitions == -1:
			n += int64(c.opts.DefaultPartitions)
		case t.Partitions > 0:
			n += int64(t.Partitions)
		}
	}
	if n > maxPartitionsPerRequest {
		return refuse(kerr.PolicyViolation, "Excessively large number of partitions per request.")
	}
	return nil
}

// planTopic decides about one new topic.
func (c *Controller) planTopic(img *Image, t NewTopic) (*Topic, *change, error) {
	if err := c.checkNewTopic(img, t); err != nil {
		return nil, nil, err
	}
	assignments, err := c.assignNewTopic(img, t)
	if err != nil {
		return nil, nil, err
	}
	topic := &Topic{
		Name:       t.Name,
		ID:         c.newID(img),
		Partitions: make([]PartitionState, len(assignments)),
		Configs:    t.Configs,
		Internal:   t.Internal || IsInternalTopic(t.Name),
	}
	for i, replicas := range assignments {
		topic.Partitions[i] = newPartition(img, replicas)
	}
	ch, err := planNewTopic(topic)
	return topic, ch, err
}

// planNewTopic writes a topic that was decided upon.
func planNewTopic(t *Topic) (*change, error) {
	ch := &change{conds: []Cond{IfAbsent(topicKey(t.Name))}}
	parts := make([]Op, len(t.Partitions))
	for i, p := range t.Partitions {
		parts[i] = Put(partitionKey(t.ID, int32(i)), p.encode())
	}
	if len(t.Configs) > 0 {
		op := Put(topicConfigKey(t.ID), encodeConfigs(t.Configs))
		if op.size() > MaxTxnBytes/2 {
			return nil, refuse(kerr.InvalidConfig, "The configuration of topic '%s' is too large.", t.Name)
		}
		ch.ops = append(ch.ops, op)
	}
	if hasCollisionChars(t.Name) {
		ch.conds = append(ch.conds, IfAbsent(nameGuardKey(t.Name)))
		ch.ops = append(ch.ops, Put(nameGuardKey(t.Name), []byte(t.Name)))
	}
	// The key that makes it all visible comes last.
	rec := topicRecord{id: t.ID, partitions: int32(len(t.Partitions)), internal: t.Internal}
	ch.ops = append(ch.ops, Put(topicKey(t.Name), rec.encode()))
	whole := &change{conds: ch.conds, ops: slices.Concat(parts, ch.ops)}
	if whole.fits(0, 0, 0) {
		return whole, nil
	}
	ch.prepare, ch.undo = parts, []Op{DeletePrefix(topicPartitionsPrefix(t.ID))}
	return ch, nil
}

// checkNewTopic follows ReplicationControlManager.createTopics up to the replicas.
func (c *Controller) checkNewTopic(img *Image, t NewTopic) error {
	if t.Name == clusterMetadataTopic {
		return refuse(kerr.InvalidRequest, "Creation of internal topic %s is prohibited.", t.Name)
	}
	if _, exists := img.Topic(t.Name); exists {
		return refuse(kerr.TopicAlreadyExists, "Topic '%s' already exists.", t.Name)
	}
	if reason := ValidateTopicName(t.Name); reason != "" {
		return refuse(kerr.InvalidTopicException, "%s", reason)
	}
	if hasCollisionChars(t.Name) {
		unified := unifyCollisionChars(t.Name)
		if other, taken := img.nameGuards.get(nameShard(unified), unified); taken {
			return refuse(kerr.InvalidTopicException, "Topic '%s' collides with existing topic: %s", t.Name, other)
		}
	}
	if len(t.NullConfigs) > 0 {
		return refuse(kerr.InvalidConfig, "Null value not supported for topic configs: %s", strings.Join(t.NullConfigs, ","))
	}
	return c.validateConfigs(ConfigResource{ResourceTopic, t.Name}, t.Configs)
}

func (c *Controller) assignNewTopic(img *Image, t NewTopic) ([][]int32, error) {
	if len(t.Assignments) > 0 {
		return manualAssignments(img, t)
	}
	if t.ReplicationFactor < -1 || t.ReplicationFactor == 0 {
		return nil, refuse(kerr.InvalidReplicationFactor, "Replication factor must be larger than 0, or -1 to use the default value.")
	}
	if t.Partitions < -1 || t.Partitions == 0 {
		return nil, refuse(kerr.InvalidPartitions, "Number of partitions was set to an invalid non-positive value.")
	}
	partitions, replicas := t.Partitions, t.ReplicationFactor
	if partitions == -1 {
		partitions = c.opts.DefaultPartitions
	}
	if replicas == -1 {
		replicas = c.opts.DefaultReplicationFactor
	}
	placed, err := placeReplicas(img.brokers, int(partitions), replicas, c.draw)
	if refusal, ok := err.(*Error); ok {
		return nil, refuse(refusal.Code, "Unable to replicate the partition %d time(s): %s", replicas, refusal.Message)
	}
	return placed, err
}

func manualAssignments(img *Image, t NewTopic) ([][]int32, error) {
	if t.ReplicationFactor != -1 {
		return nil, refuse(kerr.InvalidRequest, "A manual partition assignment was specified, but replication factor was not set to -1.")
	}
	if t.Partitions != -1 {
		return nil, refuse(kerr.InvalidRequest, "A manual partition assignment was specified, but numPartitions was not set to -1.")
	}
	assigned := make(map[int32][]int32, len(t.Assignments))
	factor := -1
	for _, a := range t.Assignments {
		if _, twice := assigned[a.Partition]; twice {
			return nil, refuse(kerr.InvalidReplicaAssignment, "Found multiple manual partition assignments for partition %d", a.Partition)
		}
		if err := checkManualAssignment(img, a.Partition, a.Replicas, factor); err != nil {
			return nil, err
		}
		factor = len(a.Replicas)
		assigned[a.Partition] = a.Replicas
	}
	list := make([][]int32, len(assigned))
	for i := range list {
		replicas, ok := assigned[int32(i)]
		if !ok {
			return nil, refuse(kerr.InvalidReplicaAssignment, "partitions should be a consecutive 0-based integer sequence")
		}
		list[i] = slices.Clone(replicas)
	}
	return list, nil
}

// checkManualAssignment says whether a new partition may have these replicas. factor is the number of replicas that the
// topic's other partitions have, -1 if this is the first.
func checkManualAssignment(img *Image, partition int32, replicas []int32, factor int) error {
	if err := checkReplicas(img, replicas); err != nil {
		return err
	}
	if factor >= 0 && len(replicas) != factor {
		return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes a partition with %d replica(s), "+
			"but this is not consistent with previous partitions, which have %d replica(s).", len(replicas), factor)
	}
	if !slices.ContainsFunc(replicas, img.active) {
		return refuse(kerr.InvalidReplicaAssignment, "All brokers specified in the manual partition assignment for "+
			"partition %d are fenced or in controlled shutdown.", partition)
	}
	return nil
}

// checkReplicas follows ReplicationControlManager.validateManualPartitionAssignment: registered brokers, each once.
func checkReplicas(img *Image, replicas []int32) error {
	if len(replicas) == 0 {
		return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes an empty replica list.")
	}
	sorted := slices.Sorted(slices.Values(replicas))
	for i, id := range sorted {
		if _, ok := img.Broker(id); !ok {
			return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes broker %d, "+
				"but no such broker is registered.", id)
		}
		if i > 0 && id == sorted[i-1] {
			return refuse(kerr.InvalidReplicaAssignment, "The manual partition assignment includes the broker %d more than once.", id)
		}
	}
	return nil
}

// newPartition is the first state of a partition: all active replicas are in sync, the first of them leads. One at
// least is active.
func newPartition(img *Image, replicas []int32) PartitionState {
	isr := replicas
	if !allFunc(replicas, img.active) {
		isr = slices.DeleteFunc(slices.Clone(replicas), func(id int32) bool { return !img.active(id) })
	}
	return PartitionState{Leader: isr[0], Replicas: replicas, ISR: isr}
}

func allFunc[T any](s []T, f func(T) bool) bool {
	return !slices.ContainsFunc(s, func(v T) bool { return !f(v) })
}

// once returns the items whose key comes once, in order, and each key that comes several times, once.
func once[T any, K comparable](items []T, key func(T) K) (single []T, repeated []K) {
	count := make(map[K]int, len(items))
	for _, t := range items {
		count[key(t)]++
	}
	for _, t := range items {
		switch k := key(t); {
		case count[k] == 1:
			single = append(single, t)
		case count[k] > 1:
			repeated = append(repeated, k)
			count[k] = 0
		}
	}
	return single, repeated
}
