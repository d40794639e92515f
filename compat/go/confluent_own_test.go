package clients

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

// confluentOwn are the cases of what confluent-kafka-go's users alone do.
func confluentOwn(t *testing.T, c confluent) {
	for name, f := range map[string]func(*testing.T, confluent){
		"produce_channel":     confluentProduceChannel,
		"events_channel":      confluentEventsChannel,
		"statistics":          confluentStatistics,
		"stored_offsets":      confluentStoredOffsets,
		"positions":           confluentPositions,
		"regex_subscription":  confluentRegex,
		"no_reset":            confluentNoReset,
		"cooperative_sticky":  confluentCooperative,
		"fenced_member":       confluentFenced,
		"transaction_offsets": confluentTransactionOffsets,
		"transaction_codes":   confluentTransactionCodes,
		"admin_cluster":       confluentCluster,
		"admin_topics":        confluentTopics,
		"admin_configs":       confluentConfigs,
		"admin_list_offsets":  confluentListOffsets,
		"admin_groups":        confluentGroups,
		"admin_group_offsets": confluentGroupOffsets,
		"admin_acls":          confluentACLs,
		"admin_answered":      confluentAnswered,
	} {
		run(t, name, func(t *testing.T) { f(t, c) })
	}
}

// code returns the code of an error of librdkafka's, ErrNoError for none.
func code(t *testing.T, err error) kafka.ErrorCode {
	t.Helper()
	switch err := err.(type) {
	case nil:
		return kafka.ErrNoError
	case kafka.Error:
		return err.Code()
	}
	t.Fatal(err)
	panic("unreachable")
}

func confluentProduceChannel(t *testing.T, c confluent) {
	topic := fresh(t)
	c.createTopic(t, topic, 3)
	p := c.producer(t, kafka.ConfigMap{"compression.type": "zstd", "linger.ms": 5, "partitioner": "murmur2_random"})
	const n = 1000
	go func() {
		for i := range n {
			//lint:ignore SA1019 deprecated, and what programs use
			p.ProduceChannel() <- &kafka.Message{
				TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
				Key:            fmt.Append(nil, i), Value: []byte("v"), Opaque: i,
			}
		}
	}()
	delivered := map[int32]int64{}
	for range n {
		m, ok := receive(t, "a delivery report", p.Events()).(*kafka.Message)
		if !ok {
			continue
		}
		must(t, m.TopicPartition.Error)
		delivered[m.TopicPartition.Partition]++
	}
	equal(t, "partitions", len(delivered), 3)
	for partition, count := range delivered {
		low, high, err := p.QueryWatermarkOffsets(topic, partition, 10000)
		must(t, err)
		equal(t, "low watermark", low, 0)
		equal(t, "high watermark", high, count)
	}
	equal(t, "left in the queue", p.Flush(10000), 0)
}

func confluentEventsChannel(t *testing.T, c confluent) {
	topic := written(t, c, writing{}, numbered(10)...)
	consumer := c.consumer(t, kafka.ConfigMap{
		"go.events.channel.enable": true, "go.application.rebalance.enable": true, "enable.partition.eof": true,
	})
	must(t, consumer.Subscribe(topic, nil))
	next := kafka.Offset(0)
	for {
		//lint:ignore SA1019 deprecated, and what programs use
		switch e := receive(t, "an event", consumer.Events()).(type) {
		case kafka.AssignedPartitions:
			equal(t, "assigned", len(e.Partitions), 1)
			must(t, consumer.Assign(e.Partitions))
		case *kafka.Message:
			equal(t, "offset", e.TopicPartition.Offset, next)
			next++
		case kafka.PartitionEOF:
			equal(t, "end", e.Offset, 10)
			equal(t, "records", next, 10)
			return
		case kafka.Error:
			t.Fatal(e)
		}
	}
}

// What librdkafka knows of the broker and tells in its statistics.
func confluentStatistics(t *testing.T, c confluent) {
	topic := written(t, c, writing{}, numbered(10)...)
	consumer := c.consumer(t, kafka.ConfigMap{"statistics.interval.ms": 50})
	must(t, consumer.Assign([]kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: 0}}))
	type partition struct {
		HiOffset int64 `json:"hi_offset"`
		LsOffset int64 `json:"ls_offset"`
		Leader   int32 `json:"leader"`
	}
	for {
		e, ok := c.poll(t, consumer).(*kafka.Stats)
		if !ok {
			continue
		}
		var stats struct {
			Brokers map[string]struct {
				NodeID int32            `json:"nodeid"`
				State  string           `json:"state"`
				Req    map[string]int64 `json:"req"`
			} `json:"brokers"`
			Topics map[string]struct {
				Partitions map[string]partition `json:"partitions"`
			} `json:"topics"`
		}
		must(t, json.Unmarshal([]byte(e.String()), &stats))
		p := stats.Topics[topic].Partitions["0"]
		for _, b := range stats.Brokers {
			if b.NodeID >= 0 && b.State == "UP" && b.Req["Fetch"] > 0 && p.HiOffset == 10 && p.LsOffset == 10 && p.Leader == b.NodeID {
				return
			}
		}
	}
}

func confluentStoredOffsets(t *testing.T, c confluent) {
	topic, group := written(t, c, writing{}, numbered(10)...), fresh(t)
	settings := kafka.ConfigMap{
		"group.id": group, "enable.auto.commit": true, "auto.commit.interval.ms": 100, "enable.auto.offset.store": false,
	}
	consumer := c.consumer(t, settings)
	must(t, consumer.Subscribe(topic, nil))
	for n := 0; n < 10; {
		if m, ok := c.poll(t, consumer).(*kafka.Message); ok {
			if n++; n == 6 {
				_, err := consumer.StoreMessage(m) // of the ten that were read, six are done
				must(t, err)
			}
		}
	}
	until(t, "six are committed", func() bool {
		consumer.Poll(0)
		committed, err := consumer.Committed([]kafka.TopicPartition{{Topic: &topic, Partition: 0}}, 5000)
		return err == nil && committed[0].Offset == 6
	})
	must(t, consumer.Close())
	m := c.joinWith(t, group, topic, nil)
	equal(t, "offset", receive(t, "a record", m.records()).offset, 6)
	m.leave(t)
}

func confluentPositions(t *testing.T, c confluent) {
	topic := written(t, c, writing{}, numbered(10)...)
	r := c.read(t, topic, 0, 0).(*confluentReader)
	at := []kafka.TopicPartition{r.at(0, 0)}
	for i := range 4 {
		equal(t, "offset", r.next(t).offset, int64(i))
		position, err := r.consumer.Position(at)
		must(t, err)
		equal(t, "position", position[0].Offset, kafka.Offset(i+1))
	}
	low, high, err := r.consumer.GetWatermarkOffsets(topic, 0)
	must(t, err)
	equal(t, "low watermark", low, 0)
	equal(t, "high watermark", high, 10)
	// The last two, counted from the end.
	_, err = r.consumer.SeekPartitions([]kafka.TopicPartition{r.at(0, kafka.OffsetTail(2))})
	must(t, err)
	equal(t, "offset", r.next(t).offset, 8)
	r.close(t)
}

func confluentRegex(t *testing.T, c confluent) {
	prefix := fresh(t)
	one := prefix + "-one"
	c.createTopic(t, one, 1)
	must(t, c.produce(t, one, writing{}, numbered(1)...))
	consumer := c.consumer(t, kafka.ConfigMap{"topic.metadata.refresh.interval.ms": 100})
	must(t, consumer.Subscribe("^"+prefix+"-.*", nil))
	seen := func(topic string) {
		t.Helper()
		for {
			if m, ok := c.poll(t, consumer).(*kafka.Message); ok && *m.TopicPartition.Topic == topic {
				return
			}
		}
	}
	seen(one)
	two := prefix + "-two"
	c.createTopic(t, two, 1)
	must(t, c.produce(t, two, writing{}, numbered(1)...))
	seen(two)
}

func confluentNoReset(t *testing.T, c confluent) {
	topic := written(t, c, writing{}, numbered(3)...)
	consumer := c.consumer(t, kafka.ConfigMap{"auto.offset.reset": "error"})
	must(t, consumer.Assign([]kafka.TopicPartition{{Topic: &topic, Partition: 0, Offset: 1000}}))
	for {
		if e, ok := c.poll(t, consumer).(kafka.Error); ok {
			equal(t, "error", e.Code(), kafka.ErrAutoOffsetReset)
			return
		}
	}
}

// shares are partitions that members have, as their rebalance callbacks say.
type shares struct {
	mu          sync.Mutex
	partitions  map[string]map[int32]bool
	incremental bool // whether an assignment came as a whole or in parts
}

func (s *shares) callback(member string) kafka.RebalanceCb {
	return func(consumer *kafka.Consumer, e kafka.Event) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.incremental = consumer.GetRebalanceProtocol() == "COOPERATIVE"
		if s.partitions[member] == nil {
			s.partitions[member] = map[int32]bool{}
		}
		switch e := e.(type) {
		case kafka.AssignedPartitions:
			for _, p := range e.Partitions {
				s.partitions[member][p.Partition] = true
			}
		case kafka.RevokedPartitions:
			for _, p := range e.Partitions {
				delete(s.partitions[member], p.Partition)
			}
		}
		return nil
	}
}

func (s *shares) count(member string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.partitions[member])
}

func confluentCooperative(t *testing.T, c confluent) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 6)
	s := &shares{partitions: map[string]map[int32]bool{}}
	sticky := kafka.ConfigMap{"partition.assignment.strategy": "cooperative-sticky"}
	one := c.joinWith(t, group, topic, s.callback("one"), sticky)
	until(t, "one has all", func() bool { return s.count("one") == 6 })
	two := c.joinWith(t, group, topic, s.callback("two"), sticky)
	until(t, "each has three", func() bool { return s.count("one") == 3 && s.count("two") == 3 })
	three := c.joinWith(t, group, topic, s.callback("three"), sticky)
	until(t, "each has two", func() bool { return s.count("one") == 2 && s.count("two") == 2 && s.count("three") == 2 })
	one.leave(t)
	until(t, "two and three have it all", func() bool { return s.count("two") == 3 && s.count("three") == 3 })
	if !s.incremental {
		t.Error("not cooperative")
	}
	two.leave(t)
	three.leave(t)
}

// Of two members with one instance id the older is fenced.
func confluentFenced(t *testing.T, c confluent) {
	topic, group := written(t, c, writing{}, numbered(1)...), fresh(t)
	instance := kafka.ConfigMap{"group.id": group, "group.instance.id": "one", "auto.offset.reset": "earliest"}
	// A consumer that was fenced never finishes closing: it goes with the process.
	older, err := kafka.NewConsumer(c.settings(t, instance))
	must(t, err)
	must(t, older.Subscribe(topic, nil))
	for joined := false; !joined; {
		_, joined = c.poll(t, older).(*kafka.Message)
	}
	younger := c.joinWith(t, group, topic, nil, instance)
	receive(t, "a record", younger.records())
	for {
		if e, ok := c.poll(t, older).(kafka.Error); ok && e.IsFatal() {
			equal(t, "error", e.Code(), kafka.ErrFencedInstanceID)
			break
		}
	}
	younger.leave(t)
}

func confluentCluster(t *testing.T, c confluent) {
	adm := c.admin(t)
	cluster, err := adm.DescribeCluster(within(t), kafka.SetAdminOptionIncludeAuthorizedOperations(true))
	must(t, err)
	if cluster.ClusterID == nil || *cluster.ClusterID == "" || cluster.Controller == nil || len(cluster.Nodes) != 1 || cluster.Nodes[0].ID != cluster.Controller.ID {
		t.Errorf("cluster %+v", cluster)
	}
	if len(cluster.AuthorizedOperations) == 0 {
		t.Error("no authorized operations")
	}
	id, err := adm.ClusterID(within(t))
	must(t, err)
	equal(t, "cluster id", id, *cluster.ClusterID)
	controller, err := adm.ControllerID(within(t))
	must(t, err)
	equal(t, "controller", int(controller), cluster.Controller.ID)
}

func confluentTopics(t *testing.T, c confluent) {
	topic := fresh(t)
	adm := c.admin(t)
	create := func(spec kafka.TopicSpecification, options ...kafka.CreateTopicsAdminOption) kafka.ErrorCode {
		t.Helper()
		created, err := adm.CreateTopics(within(t), []kafka.TopicSpecification{spec}, options...)
		must(t, err)
		return created[0].Error.Code()
	}
	good := kafka.TopicSpecification{Topic: topic, NumPartitions: 2, ReplicationFactor: 1, Config: map[string]string{"retention.ms": "3600000"}}
	equal(t, "validate", create(good, kafka.SetAdminValidateOnly(true)), kafka.ErrNoError)
	equal(t, "create", create(good), kafka.ErrNoError)
	equal(t, "again", create(good), kafka.ErrTopicAlreadyExists)
	equal(t, "replicas", create(kafka.TopicSpecification{Topic: topic + "-3", NumPartitions: 1, ReplicationFactor: 3}), kafka.ErrInvalidReplicationFactor)
	equal(t, "configuration", create(kafka.TopicSpecification{Topic: topic + "-c", NumPartitions: 1, ReplicationFactor: 1, Config: map[string]string{"no.such": "1"}}), kafka.ErrInvalidConfig)
	grown, err := adm.CreatePartitions(within(t), []kafka.PartitionsSpecification{{Topic: topic, IncreaseTo: 4}})
	must(t, err)
	equal(t, "grow", grown[0].Error.Code(), kafka.ErrNoError)
	until(t, "four partitions", func() bool {
		described, err := adm.DescribeTopics(within(t), kafka.NewTopicCollectionOfTopicNames([]string{topic}), kafka.SetAdminOptionIncludeAuthorizedOperations(true))
		must(t, err)
		d := described.TopicDescriptions[0]
		equal(t, "internal", d.IsInternal, false)
		return d.Error.Code() == kafka.ErrNoError && len(d.Partitions) == 4 && len(d.Partitions[3].Isr) == 1 && len(d.AuthorizedOperations) > 0
	})
	remove := func() kafka.ErrorCode {
		t.Helper()
		deleted, err := adm.DeleteTopics(within(t), []string{topic})
		must(t, err)
		return deleted[0].Error.Code()
	}
	equal(t, "delete", remove(), kafka.ErrNoError)
	until(t, "the topic is gone", func() bool { return remove() == kafka.ErrUnknownTopicOrPart })
}

func confluentConfigs(t *testing.T, c confluent) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	adm := c.admin(t)
	shows := func(key, value string, source kafka.ConfigSource) {
		t.Helper()
		until(t, key+"="+value, func() bool {
			described, err := adm.DescribeConfigs(within(t), []kafka.ConfigResource{{Type: kafka.ResourceTopic, Name: topic}})
			must(t, err)
			equal(t, "describe", described[0].Error.Code(), kafka.ErrNoError)
			entry := described[0].Config[key]
			return entry.Value == value && entry.Source == source
		})
	}
	alter := func(key, value string, op kafka.AlterConfigOpType) kafka.ErrorCode {
		t.Helper()
		altered, err := adm.IncrementalAlterConfigs(within(t), []kafka.ConfigResource{{
			Type: kafka.ResourceTopic, Name: topic, Config: []kafka.ConfigEntry{{Name: key, Value: value, IncrementalOperation: op}},
		}})
		must(t, err)
		return altered[0].Error.Code()
	}
	shows("retention.ms", "604800000", kafka.ConfigSourceDefault)
	equal(t, "set", alter("retention.ms", "60000", kafka.AlterConfigOpTypeSet), kafka.ErrNoError)
	shows("retention.ms", "60000", kafka.ConfigSourceDynamicTopic)
	equal(t, "append", alter("cleanup.policy", "compact", kafka.AlterConfigOpTypeAppend), kafka.ErrNoError)
	shows("cleanup.policy", "delete,compact", kafka.ConfigSourceDynamicTopic)
	equal(t, "delete", alter("retention.ms", "", kafka.AlterConfigOpTypeDelete), kafka.ErrNoError)
	shows("retention.ms", "604800000", kafka.ConfigSourceDefault)
	equal(t, "no number", alter("retention.ms", "soon", kafka.AlterConfigOpTypeSet), kafka.ErrInvalidConfig)
}

func confluentListOffsets(t *testing.T, c confluent) {
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	records := numbered(10)
	for i := range records {
		records[i].time = at.Add(time.Duration(i) * time.Second)
	}
	records[6].time = at.Add(time.Minute)
	topic := written(t, c, writing{}, records...)
	adm := c.admin(t)
	tp := kafka.TopicPartition{Topic: &topic, Partition: 0}
	for spec, want := range map[kafka.OffsetSpec]kafka.Offset{
		kafka.EarliestOffsetSpec: 0, kafka.LatestOffsetSpec: 10, kafka.MaxTimestampOffsetSpec: 6,
		kafka.NewOffsetSpecForTimestamp(at.UnixMilli() + 3000): 3,
	} {
		listed, err := adm.ListOffsets(within(t), map[kafka.TopicPartition]kafka.OffsetSpec{tp: spec},
			kafka.SetAdminIsolationLevel(kafka.IsolationLevelReadCommitted))
		must(t, err)
		for _, info := range listed.ResultInfos {
			equal(t, "list", info.Error.Code(), kafka.ErrNoError)
			equal(t, "offset", info.Offset, want)
		}
	}
	tp.Offset = 4
	deleted, err := adm.DeleteRecords(within(t), []kafka.TopicPartition{tp})
	must(t, err)
	result := deleted.DeleteRecordsResults[0]
	must(t, result.TopicPartition.Error)
	equal(t, "low watermark", result.DeletedRecords.LowWatermark, 4)
	tp.Offset = 11
	deleted, err = adm.DeleteRecords(within(t), []kafka.TopicPartition{tp})
	must(t, err)
	equal(t, "delete more than there is", code(t, deleted.DeleteRecordsResults[0].TopicPartition.Error), kafka.ErrOffsetOutOfRange)
}

func confluentGroups(t *testing.T, c confluent) {
	topic, group := written(t, c, writing{}, numbered(3)...), fresh(t)
	m := c.joinWith(t, group, topic, nil, kafka.ConfigMap{"client.id": "the-client"})
	receive(t, "a record", m.records())
	adm := c.admin(t)
	listed, err := adm.ListConsumerGroups(within(t), kafka.SetAdminMatchConsumerGroupStates([]kafka.ConsumerGroupState{kafka.ConsumerGroupStateStable}))
	must(t, err)
	found := 0
	for _, g := range listed.Valid {
		if g.GroupID == group && g.State == kafka.ConsumerGroupStateStable && !g.IsSimpleConsumerGroup {
			found++
		}
	}
	equal(t, "listed", found, 1)
	described, err := adm.DescribeConsumerGroups(within(t), []string{group}, kafka.SetAdminOptionIncludeAuthorizedOperations(true))
	must(t, err)
	d := described.ConsumerGroupDescriptions[0]
	equal(t, "describe", d.Error.Code(), kafka.ErrNoError)
	if d.State != kafka.ConsumerGroupStateStable || d.PartitionAssignor != "range" || len(d.Members) != 1 || len(d.AuthorizedOperations) == 0 {
		t.Fatalf("described %+v", d)
	}
	equal(t, "client id", d.Members[0].ClientID, "the-client")
	equal(t, "assigned", len(d.Members[0].Assignment.TopicPartitions), 1)
	remove := func() kafka.ErrorCode {
		t.Helper()
		deleted, err := adm.DeleteConsumerGroups(within(t), []string{group}, kafka.SetAdminRequestTimeout(10*time.Second))
		must(t, err)
		return deleted.ConsumerGroupResults[0].Error.Code()
	}
	equal(t, "delete with a member", remove(), kafka.ErrNonEmptyGroup)
	m.leave(t)
	until(t, "the group can be deleted", func() bool { return remove() == kafka.ErrNoError })
	equal(t, "delete again", remove(), kafka.ErrGroupIDNotFound)
}

func confluentGroupOffsets(t *testing.T, c confluent) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 2)
	adm := c.admin(t)
	note := "by hand"
	altered, err := adm.AlterConsumerGroupOffsets(within(t), []kafka.ConsumerGroupTopicPartitions{{Group: group, Partitions: []kafka.TopicPartition{
		{Topic: &topic, Partition: 0, Offset: 5, Metadata: &note}, {Topic: &topic, Partition: 1, Offset: 7},
	}}})
	must(t, err)
	for _, p := range altered.ConsumerGroupsTopicPartitions[0].Partitions {
		must(t, p.Error)
	}
	listed, err := adm.ListConsumerGroupOffsets(within(t), []kafka.ConsumerGroupTopicPartitions{{Group: group}}, kafka.SetAdminRequireStableOffsets(true))
	must(t, err)
	offsets := map[int32]kafka.TopicPartition{}
	for _, p := range listed.ConsumerGroupsTopicPartitions[0].Partitions {
		offsets[p.Partition] = p
	}
	equal(t, "offsets", len(offsets), 2)
	equal(t, "offset", offsets[0].Offset, 5)
	equal(t, "metadata", *offsets[0].Metadata, note)
	equal(t, "offset", offsets[1].Offset, 7)
}

func confluentACLs(t *testing.T, c confluent) {
	adm := c.admin(t)
	binding := kafka.ACLBinding{
		Type: kafka.ResourceTopic, Name: "t", ResourcePatternType: kafka.ResourcePatternTypeLiteral,
		Principal: "User:alice", Host: "*", Operation: kafka.ACLOperationRead, PermissionType: kafka.ACLPermissionTypeAllow,
	}
	described, err := adm.DescribeACLs(within(t), binding)
	must(t, err)
	equal(t, "described", len(described.ACLBindings), 0) // the client drops the error
	created, err := adm.CreateACLs(within(t), kafka.ACLBindings{binding})
	must(t, err)
	equal(t, "create", created[0].Error.Code(), kafka.ErrSecurityDisabled)
	deleted, err := adm.DeleteACLs(within(t), kafka.ACLBindingFilters{binding})
	must(t, err)
	equal(t, "delete", deleted[0].Error.Code(), kafka.ErrSecurityDisabled)
}

// What one broker without users answers.
func confluentAnswered(t *testing.T, c confluent) {
	topic := written(t, c, writing{}, numbered(1)...)
	adm := c.admin(t)
	elected, err := adm.ElectLeaders(within(t), kafka.NewElectLeadersRequest(kafka.ElectionTypePreferred, []kafka.TopicPartition{{Topic: &topic, Partition: 0}}))
	must(t, err)
	equal(t, "election", code(t, elected.TopicPartitions[0].Error), kafka.ErrElectionNotNeeded)
	nobody := fresh(t)
	users, err := adm.DescribeUserScramCredentials(within(t), []string{nobody})
	must(t, err)
	equal(t, "user", users.Descriptions[nobody].Error.Code(), kafka.ErrResourceNotFound)
}
