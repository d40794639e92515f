package clients

import (
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// saramaOwn are the cases of what sarama's users alone do.
func saramaOwn(t *testing.T, c saramaClient) {
	run(t, "async_producer", func(t *testing.T) { saramaAsyncProducer(t, c) })
	run(t, "offset_manager", func(t *testing.T) { saramaOffsetManager(t, c) })
	run(t, "static_member", func(t *testing.T) { saramaStaticMember(t, c) })
	run(t, "interrupted_member", func(t *testing.T) { saramaInterruptedMember(t, c) })
	for name, strategy := range map[string]sarama.BalanceStrategy{
		"sticky":             sarama.NewBalanceStrategySticky(),
		"round_robin":        sarama.NewBalanceStrategyRoundRobin(),
		"cooperative_sticky": sarama.NewBalanceStrategyCooperativeSticky(),
	} {
		run(t, "group_"+name, func(t *testing.T) { saramaStrategy(t, c, strategy) })
	}
	// A program says which broker it expects and speaks as to that one: the low versions
	// of Fetch, ListOffsets, OffsetCommit, JoinGroup and their like.
	for _, version := range []sarama.KafkaVersion{
		sarama.V0_11_0_2, sarama.V1_1_1_0, sarama.V2_0_1_0, sarama.V2_1_1_0,
		sarama.V2_3_1_0, sarama.V2_8_2_0, sarama.V3_6_2_0, sarama.V4_0_0_0,
	} {
		run(t, "version_"+version.String(), func(t *testing.T) { saramaVersion(t, saramaClient{version}) })
	}
}

func saramaAsyncProducer(t *testing.T, c saramaClient) {
	topic := fresh(t)
	c.createTopic(t, topic, 4)
	config := c.config()
	config.Producer.Partitioner = sarama.NewHashPartitioner
	config.Producer.Compression = sarama.CompressionSnappy
	config.Producer.Flush.Messages = 50
	config.Producer.Flush.Frequency = 20 * time.Millisecond
	producer, err := sarama.NewAsyncProducerFromClient(c.dial(t, config))
	must(t, err)
	const n = 2000
	go func() {
		for i, r := range numbered(n) {
			m := toSarama(topic, r)
			m.Metadata = i
			producer.Input() <- m
		}
		producer.AsyncClose() // closes both channels once all is answered
	}()
	offsets := make(map[int32][]int64)
	seen := make([]bool, n)
	limit := within(t)
	for open := true; open; {
		select {
		case m, ok := <-producer.Successes():
			if open = ok; ok {
				offsets[m.Partition] = append(offsets[m.Partition], m.Offset)
				seen[m.Metadata.(int)] = true
			}
		case err, ok := <-producer.Errors():
			if ok {
				t.Fatal(err)
			}
		case <-limit.Done():
			t.Fatal("the producer did not end")
		}
	}
	if i := slices.Index(seen, false); i >= 0 {
		t.Errorf("message %d was not answered", i)
	}
	equal(t, "partitions", len(offsets), 4)
	for p, all := range offsets {
		for i, offset := range all {
			if offset != int64(i) {
				t.Fatalf("partition %d: answer %d has offset %d", p, i, offset)
			}
		}
	}
}

// An offset manager commits without being a member of its group.
func saramaOffsetManager(t *testing.T, c saramaClient) {
	topic, group := written(t, c, writing{}, numbered(3)...), fresh(t)
	open := func() (sarama.OffsetManager, sarama.PartitionOffsetManager) {
		manager, err := sarama.NewOffsetManagerFromClient(group, c.dial(t, c.config()))
		must(t, err)
		partition, err := manager.ManagePartition(topic, 0)
		must(t, err)
		return manager, partition
	}
	manager, partition := open()
	next, _ := partition.NextOffset()
	equal(t, "offset before any commit", next, sarama.OffsetOldest)
	partition.MarkOffset(2, "from hand")
	manager.Commit()
	must(t, manager.Close())
	manager, partition = open()
	next, metadata := partition.NextOffset()
	equal(t, "offset", next, 2)
	equal(t, "metadata", metadata, "from hand")
	partition.ResetOffset(1, "back")
	manager.Commit()
	must(t, manager.Close())
	manager, partition = open()
	next, _ = partition.NextOffset()
	equal(t, "offset after a reset", next, 1)
	must(t, manager.Close())
}

// A static member that comes back takes its place in the same generation (KIP-345).
func saramaStaticMember(t *testing.T, c saramaClient) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 4)
	config := func(instance string) *sarama.Config {
		config := c.config()
		config.Consumer.Group.InstanceId = instance
		return config
	}
	one := c.joinWith(t, config("one"), group, topic)
	receive(t, "a session", one.sessions)
	two := c.joinWith(t, config("two"), group, topic)
	before := receive(t, "a session", two.sessions)
	equal(t, "partitions of one", len(receive(t, "a session", one.sessions).Claims()[topic]), 2)
	equal(t, "partitions of two", len(before.Claims()[topic]), 2)
	two.leave(t) // closes, without leaving the group
	two = c.joinWith(t, config("two"), group, topic)
	after := receive(t, "a session", two.sessions)
	equal(t, "generation", after.GenerationID(), before.GenerationID())
	if !slices.Equal(after.Claims()[topic], before.Claims()[topic]) {
		t.Errorf("partitions %v, before %v", after.Claims(), before.Claims())
	}
	select {
	case s := <-one.sessions:
		t.Errorf("the other member got generation %d", s.GenerationID())
	default:
	}
	adm := c.admin(t)
	left, err := adm.RemoveMemberFromConsumerGroup(group, []string{"one", "two"})
	must(t, err)
	equal(t, "removed members", len(left.Members), 2)
	for _, m := range left.Members {
		equal(t, "removal", m.Err, sarama.ErrNoError)
	}
}

// A member that goes without a word is missed after its session timeout.
func saramaInterruptedMember(t *testing.T, c saramaClient) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 2)
	config := c.config()
	config.Consumer.Group.Session.Timeout = 6 * time.Second // the broker's minimum
	config.Consumer.Group.InstanceId = "vanishes"           // does not leave when it closes
	first := c.joinWith(t, config, group, topic)
	receive(t, "a session", first.sessions)
	first.leave(t)
	second := c.join(t, group, topic).(*saramaMember)
	for {
		if s := receive(t, "a session", second.sessions); len(s.Claims()[topic]) == 2 {
			break
		}
	}
	second.leave(t)
}

// saramaStrategy lets members come and go; the leader's strategy shares the
// partitions out each time.
func saramaStrategy(t *testing.T, c saramaClient, strategy sarama.BalanceStrategy) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 6)
	config := c.config()
	config.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{strategy}
	var members []*saramaMember
	claims := map[*saramaMember][]int32{}
	// shared waits until each member has its share of the partitions and none is had twice.
	shared := func() {
		t.Helper()
		until(t, "the partitions are shared out", func() bool {
			var all []int32
			for _, m := range members {
				if s := m.session.Load(); s != nil {
					claims[m] = (*s).Claims()[topic]
				}
				if len(claims[m]) != 6/len(members) {
					return false
				}
				all = append(all, claims[m]...)
			}
			slices.Sort(all)
			return slices.Equal(all, []int32{0, 1, 2, 3, 4, 5})
		})
	}
	for range 3 {
		members = append(members, c.joinWith(t, config, group, topic))
		shared()
	}
	members[0].leave(t)
	members = members[1:]
	shared()
	described, err := c.admin(t).DescribeConsumerGroups([]string{group})
	must(t, err)
	equal(t, "state", described[0].State, "Stable")
	equal(t, "protocol", described[0].Protocol, strategy.Name())
	equal(t, "members", len(described[0].Members), 2)
	for _, m := range members {
		m.leave(t)
	}
}

func saramaVersion(t *testing.T, c saramaClient) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	at := time.Now().Truncate(time.Millisecond)
	records := numbered(30)
	for i := range records {
		records[i].time = at.Add(time.Duration(i) * time.Second)
	}
	must(t, c.produce(t, topic, writing{codec: "gzip"}, records[:10]...))
	must(t, c.produce(t, topic, writing{codec: "lz4"}, records[10:20]...))
	must(t, c.produce(t, topic, writing{acks: "one"}, records[20:]...))
	readBack(t, c, topic, records)
	equal(t, "offset by time", c.offsetAt(t, topic, 0, at.Add(15*time.Second)), 15)
	group := fresh(t)
	for round := range 2 {
		m := c.join(t, group, topic)
		var last record
		for i := range 15 {
			last = receive(t, "a record", m.records())
			equal(t, "offset", last.offset, int64(round*15+i))
		}
		m.commit(t, last)
		m.leave(t)
	}
	adm := c.admin(t)
	groups, err := adm.ListConsumerGroups()
	must(t, err)
	equal(t, "type of the group", groups[group], "consumer")
	offsets, err := adm.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
	must(t, err)
	equal(t, "committed", offsets.GetBlock(topic, 0).Offset, 30)
	must(t, adm.DeleteTopic(topic))
}
