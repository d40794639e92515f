package clients

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// kafkaGoOwn are the cases of what kafka-go's users alone do.
func kafkaGoOwn(t *testing.T, c kafkaGo) {
	for name, f := range map[string]func(*testing.T, kafkaGo){
		"conn":                kafkaGoConn,
		"conn_compressed":     kafkaGoConnCompressed,
		"writer_completion":   kafkaGoWriterCompletion,
		"reader_by_time":      kafkaGoReaderByTime,
		"consumer_group":      kafkaGoConsumerGroup,
		"group_round_robin":   kafkaGoRoundRobin,
		"new_partitions":      kafkaGoNewPartitions,
		"client_requests":     kafkaGoClientRequests,
		"client_group":        kafkaGoClientGroup,
		"admin_topics":        kafkaGoTopics,
		"admin_configs":       kafkaGoConfigs,
		"admin_groups":        kafkaGoGroups,
		"admin_group_offsets": kafkaGoGroupOffsets,
		"admin_acls":          kafkaGoACLs,
		"admin_answered":      kafkaGoAnswered,
	} {
		run(t, name, func(t *testing.T) { f(t, c) })
	}
}

// kafkaGoConn is the low level: one connection to a partition's leader.
func kafkaGoConn(t *testing.T, _ kafkaGo) {
	topic := fresh(t)
	plain, err := kafkago.DialContext(within(t), "tcp", address(t))
	must(t, err)
	defer plain.Close()
	controller, err := plain.Controller()
	must(t, err)
	brokers, err := plain.Brokers()
	must(t, err)
	if len(brokers) != 1 || brokers[0].ID != controller.ID {
		t.Errorf("brokers %v, controller %v", brokers, controller)
	}
	versions, err := plain.ApiVersions()
	must(t, err)
	if len(versions) < 20 {
		t.Errorf("%d keys", len(versions))
	}
	must(t, plain.CreateTopics(kafkago.TopicConfig{Topic: topic, NumPartitions: 2, ReplicationFactor: 1}))
	until(t, "the topic is served", func() bool {
		partitions, err := plain.ReadPartitions(topic)
		return err == nil && len(partitions) == 2 && partitions[0].Leader.ID == controller.ID
	})

	conn, err := kafkago.DialLeader(within(t), "tcp", address(t), topic, 1)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(caseLimit)))
	var messages []kafkago.Message
	for _, r := range numbered(100) {
		messages = append(messages, toKafkaGo(r))
	}
	_, err = conn.WriteMessages(messages...)
	must(t, err)
	first, last, err := conn.ReadOffsets()
	must(t, err)
	equal(t, "first offset", first, 0)
	equal(t, "last offset", last, 100)
	_, err = conn.Seek(-10, kafkago.SeekEnd)
	if err != nil { // from the end it counts backwards, in either sign
		_, err = conn.Seek(10, kafkago.SeekEnd)
	}
	must(t, err)
	batch := conn.ReadBatch(1, 1<<20)
	equal(t, "high watermark", batch.HighWaterMark(), 100)
	for i := range 10 {
		m, err := batch.ReadMessage()
		must(t, err)
		equal(t, "offset", m.Offset, int64(90+i))
		equal(t, "value", string(m.Value), string(messages[90+i].Value))
	}
	must(t, batch.Close())
	_, err = conn.Seek(0, kafkago.SeekStart)
	must(t, err)
	m, err := conn.ReadMessage(1 << 20)
	must(t, err)
	equal(t, "offset", m.Offset, 0)
	must(t, plain.DeleteTopics(topic))
}

func kafkaGoConnCompressed(t *testing.T, c kafkaGo) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	conn, err := kafkago.DialLeader(within(t), "tcp", address(t), topic, 0)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(caseLimit)))
	var want []record
	for _, codec := range []kafkago.Compression{kafkago.Gzip, kafkago.Snappy, kafkago.Lz4, kafkago.Zstd} {
		r := record{value: []byte(strings.Repeat(codec.String(), 100))}
		_, partition, offset, _, err := conn.WriteCompressedMessagesAt(codec.Codec(), toKafkaGo(r), toKafkaGo(r))
		must(t, err)
		equal(t, "partition", partition, 0)
		equal(t, "offset", offset, int64(len(want)))
		want = append(want, r, r)
	}
	readBack(t, c, topic, want)
}

func kafkaGoWriterCompletion(t *testing.T, c kafkaGo) {
	topic := fresh(t)
	c.createTopic(t, topic, 3)
	w := c.writer(t, topic)
	w.Async = true
	w.Balancer = &kafkago.RoundRobin{}
	w.BatchSize = 10
	var answered, failed atomic.Int64
	w.Completion = func(messages []kafkago.Message, err error) {
		if err != nil {
			failed.Add(1)
		}
		for i, m := range messages {
			if m.Offset != messages[0].Offset+int64(i) {
				failed.Add(1)
			}
		}
		answered.Add(int64(len(messages)))
	}
	for _, r := range numbered(300) {
		must(t, w.WriteMessages(within(t), toKafkaGo(r)))
	}
	must(t, w.Close())
	equal(t, "answered", answered.Load(), 300)
	equal(t, "failed", failed.Load(), 0)
}

func kafkaGoReaderByTime(t *testing.T, c kafkaGo) {
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	records := numbered(10)
	for i := range records {
		records[i].time = at.Add(time.Duration(i) * time.Minute)
	}
	topic := written(t, c, writing{}, records...)
	r := c.read(t, topic, 0, 0).(kafkaGoReader)
	must(t, r.SetOffsetAt(within(t), at.Add(6*time.Minute)))
	equal(t, "offset", r.next(t).offset, 6)
	lag, err := r.ReadLag(within(t))
	must(t, err)
	equal(t, "lag", lag, 3)
	r.seek(t, kafkago.LastOffset)
	must(t, c.produce(t, topic, writing{}, numbered(1)...))
	r.seek(t, kafkago.FirstOffset)
	equal(t, "offset", r.next(t).offset, 0)
	r.close(t)
}

// kafkaGoConsumerGroup are generations without a Reader.
func kafkaGoConsumerGroup(t *testing.T, c kafkaGo) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 4)
	open := func() *kafkago.ConsumerGroup {
		cg, err := kafkago.NewConsumerGroup(kafkago.ConsumerGroupConfig{
			ID: group, Brokers: []string{address(t)}, Topics: []string{topic}, HeartbeatInterval: 200 * time.Millisecond,
			JoinGroupBackoff: 100 * time.Millisecond, StartOffset: kafkago.FirstOffset,
		})
		must(t, err)
		t.Cleanup(func() { cg.Close() })
		return cg
	}
	first := open()
	generation, err := first.Next(within(t))
	must(t, err)
	equal(t, "partitions", len(generation.Assignments[topic]), 4)
	must(t, generation.CommitOffsets(map[string]map[int]int64{topic: {0: 5, 1: 6, 2: 7, 3: 8}}))
	ended := make(chan struct{})
	generation.Start(func(ctx context.Context) { <-ctx.Done(); close(ended) })

	second := open()
	generations := make(chan *kafkago.Generation)
	limit := within(t)
	go func() {
		for range 2 {
			if g, err := second.Next(limit); err == nil {
				generations <- g
			}
		}
	}()
	receive(t, "the end of the first generation", closed(ended))
	next, err := first.Next(within(t))
	must(t, err)
	other := receive(t, "the second member's generation", generations)
	equal(t, "generation", next.ID, other.ID)
	if next.ID <= generation.ID {
		t.Errorf("generation %d after %d", next.ID, generation.ID)
	}
	all := slices.Concat(next.Assignments[topic], other.Assignments[topic])
	equal(t, "partitions", len(all), 4)
	equal(t, "partitions of one", len(next.Assignments[topic]), 2)
	for _, p := range all {
		equal(t, "committed", p.Offset, int64(5+p.ID))
	}
	other.Start(func(ctx context.Context) { <-ctx.Done() })
	must(t, first.Close())
	alone := receive(t, "a generation without the first member", generations)
	equal(t, "partitions", len(alone.Assignments[topic]), 4)
}

// closed makes a channel that is closed one that a value comes from.
func closed(c <-chan struct{}) <-chan struct{} {
	out := make(chan struct{}, 1)
	go func() { <-c; out <- struct{}{} }()
	return out
}

func kafkaGoRoundRobin(t *testing.T, c kafkaGo) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 1)
	m := c.joinWith(t, kafkago.ReaderConfig{
		GroupID: group, GroupTopics: []string{topic},
		GroupBalancers: []kafkago.GroupBalancer{kafkago.RoundRobinGroupBalancer{}}, CommitInterval: 50 * time.Millisecond,
	})
	must(t, c.produce(t, topic, writing{}, numbered(5)...))
	for i := range 5 {
		r := receive(t, "a record", m.records())
		equal(t, "offset", r.offset, int64(i))
		m.commit(t, r) // in the background, at the interval
	}
	cl := c.dial(t)
	until(t, "the offset is committed", func() bool {
		offsets, err := cl.ConsumerOffsets(within(t), kafkago.TopicAndGroup{Topic: topic, GroupId: group})
		return err == nil && offsets[0] == 5
	})
	m.leave(t)
}

func kafkaGoNewPartitions(t *testing.T, c kafkaGo) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 1)
	m := c.joinWith(t, kafkago.ReaderConfig{
		GroupID: group, GroupTopics: []string{topic}, WatchPartitionChanges: true, PartitionWatchInterval: 100 * time.Millisecond,
	})
	must(t, c.produce(t, topic, writing{}, numbered(1)...))
	receive(t, "a record", m.records())
	more, err := c.dial(t).CreatePartitions(within(t), &kafkago.CreatePartitionsRequest{Topics: []kafkago.TopicPartitionsConfig{{Name: topic, Count: 2}}})
	must(t, err)
	must(t, more.Errors[topic])
	until(t, "the new partition is served", func() bool {
		meta, err := c.dial(t).Metadata(within(t), &kafkago.MetadataRequest{Topics: []string{topic}})
		return err == nil && len(meta.Topics) == 1 && len(meta.Topics[0].Partitions) == 2
	})
	must(t, c.produce(t, topic, writing{}, record{partition: 1, value: []byte("new")}))
	for receive(t, "a record", m.records()).partition != 1 {
	}
	m.leave(t)
}

func kafkaGoClientRequests(t *testing.T, c kafkaGo) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	cl := c.dial(t)
	produced, err := cl.Produce(within(t), &kafkago.ProduceRequest{
		Topic: topic, RequiredAcks: kafkago.RequireAll, Compression: kafkago.Zstd,
		Records: kafkago.NewRecordReader(
			kafkago.Record{Time: time.Now(), Value: kafkago.NewBytes([]byte("one"))},
			kafkago.Record{Time: time.Now(), Value: kafkago.NewBytes([]byte("two"))},
		),
	})
	must(t, err)
	must(t, produced.Error)
	equal(t, "base offset", produced.BaseOffset, 0)
	fetched, err := cl.Fetch(within(t), &kafkago.FetchRequest{Topic: topic, Offset: 1, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
	must(t, err)
	must(t, fetched.Error)
	equal(t, "high watermark", fetched.HighWatermark, 2)
	var values []string
	for {
		r, err := fetched.Records.ReadRecord()
		if err == io.EOF {
			break
		}
		must(t, err)
		value, err := kafkago.ReadAll(r.Value)
		must(t, err)
		values = append(values, string(value))
	}
	if len(values) == 0 || values[len(values)-1] != "two" {
		t.Errorf("fetched %q", values)
	}
	listed, err := cl.ListOffsets(within(t), &kafkago.ListOffsetsRequest{Topics: map[string][]kafkago.OffsetRequest{
		topic: {kafkago.FirstOffsetOf(0), kafkago.LastOffsetOf(0)},
	}})
	must(t, err)
	for _, p := range listed.Topics[topic] {
		must(t, p.Error)
		equal(t, "first offset", p.FirstOffset, 0)
		equal(t, "last offset", p.LastOffset, 2)
	}
	past, err := cl.Fetch(within(t), &kafkago.FetchRequest{Topic: topic, Offset: 1000, MinBytes: 1, MaxBytes: 1 << 20, MaxWait: time.Second})
	must(t, err)
	is(t, "fetch past the end", past.Error, kafkago.OffsetOutOfRange)
	id, err := cl.InitProducerID(within(t), &kafkago.InitProducerIDRequest{TransactionTimeoutMs: 30000})
	must(t, err)
	must(t, id.Error)
	if id.Producer.ProducerID < 0 || id.Producer.ProducerEpoch != 0 {
		t.Errorf("producer %+v", id.Producer)
	}
}

// kafkaGoClientGroup goes through a member's life request by request.
func kafkaGoClientGroup(t *testing.T, c kafkaGo) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 1)
	cl := c.dial(t)
	until(t, "there is a coordinator", func() bool {
		found, err := cl.FindCoordinator(within(t), &kafkago.FindCoordinatorRequest{Key: group, KeyType: kafkago.CoordinatorKeyTypeConsumer})
		return err == nil && found.Error == nil && found.Coordinator != nil
	})
	join := func(member string) (*kafkago.JoinGroupResponse, error) {
		return cl.JoinGroup(within(t), &kafkago.JoinGroupRequest{
			GroupID: group, MemberID: member, SessionTimeout: 10 * time.Second, RebalanceTimeout: 10 * time.Second, ProtocolType: "consumer",
			Protocols: []kafkago.GroupProtocol{{Name: "range", Metadata: kafkago.GroupProtocolSubscription{Topics: []string{topic}}}},
		})
	}
	var joined *kafkago.JoinGroupResponse
	until(t, "the member is in", func() bool {
		var err error
		member := ""
		if joined != nil {
			member = joined.MemberID
		}
		joined, err = join(member)
		must(t, err)
		return joined.Error == nil
	})
	equal(t, "leader", joined.LeaderID, joined.MemberID)
	equal(t, "members", len(joined.Members), 1)
	synced, err := cl.SyncGroup(within(t), &kafkago.SyncGroupRequest{
		GroupID: group, GenerationID: joined.GenerationID, MemberID: joined.MemberID, ProtocolType: "consumer", ProtocolName: "range",
		Assignments: []kafkago.SyncGroupRequestAssignment{{
			MemberID: joined.MemberID, Assignment: kafkago.GroupProtocolAssignment{AssignedPartitions: map[string][]int{topic: {0}}},
		}},
	})
	must(t, err)
	must(t, synced.Error)
	if got := synced.Assignment.AssignedPartitions[topic]; !slices.Equal(got, []int{0}) {
		t.Errorf("assigned %v", got)
	}
	beat := func(generation int, member string) error {
		r, err := cl.Heartbeat(within(t), &kafkago.HeartbeatRequest{GroupID: group, GenerationID: int32(generation), MemberID: member})
		must(t, err)
		return r.Error
	}
	is(t, "heartbeat", beat(joined.GenerationID, joined.MemberID), nil)
	commit := func(generation int) error {
		r, err := cl.OffsetCommit(within(t), &kafkago.OffsetCommitRequest{
			GroupID: group, GenerationID: generation, MemberID: joined.MemberID,
			Topics: map[string][]kafkago.OffsetCommit{topic: {{Partition: 0, Offset: 3}}},
		})
		must(t, err)
		return r.Topics[topic][0].Error
	}
	is(t, "commit", commit(joined.GenerationID), nil)
	is(t, "commit of another generation", commit(joined.GenerationID+1), kafkago.IllegalGeneration)
	left, err := cl.LeaveGroup(within(t), &kafkago.LeaveGroupRequest{GroupID: group, Members: []kafkago.LeaveGroupRequestMember{{ID: joined.MemberID}}})
	must(t, err)
	is(t, "leave", left.Error, nil)
	is(t, "commit of who has left", commit(joined.GenerationID), kafkago.UnknownMemberId)
}
