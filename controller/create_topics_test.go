package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

func assigned(replicas ...[]int32) (as []ReplicaAssignment) {
	for i, r := range replicas {
		as = append(as, ReplicaAssignment{int32(i), r})
	}
	return as
}

// TestCreateTopicErrors: codes and messages are those of Apache Kafka 4.3.1.
func TestCreateTopicErrors(t *testing.T) {
	long := strings.Repeat("x", 250)
	opts := Options{ConfigValidator: func(r ConfigResource, key, value string) error {
		switch {
		case key == "unknown":
			return errors.New("Unknown topic config name: unknown")
		case value == "policy":
			return fmt.Errorf("not here: %w", kerr.PolicyViolation)
		}
		return nil
	}, ConfigsValidator: func(r ConfigResource, configs map[string]string) error {
		if len(configs) > 1 {
			return refuse(kerr.InvalidConfig, "together they are wrong")
		}
		return nil
	}}
	three := append(brokers(3), Broker{ID: 4, Incarnation: [16]byte{4}, Fenced: true})
	c := start(t, NewMemStore(), opts, three...)
	create(t, c, NewTopic{Name: "exists", Partitions: 1, ReplicationFactor: 1})
	create(t, c, NewTopic{Name: "a.b", Partitions: 1, ReplicationFactor: 1})
	for _, tt := range []struct {
		topic NewTopic
		want  string
	}{
		{NewTopic{Name: "ok", Partitions: 2, ReplicationFactor: 3}, "NONE"},
		{NewTopic{Name: "", Partitions: 1, ReplicationFactor: 1}, "INVALID_TOPIC_EXCEPTION: Topic name is invalid: the empty string is not allowed"},
		{NewTopic{Name: ".", Partitions: 1, ReplicationFactor: 1}, "INVALID_TOPIC_EXCEPTION: Topic name is invalid: '.' is not allowed"},
		{NewTopic{Name: "..", Partitions: 1, ReplicationFactor: 1}, "INVALID_TOPIC_EXCEPTION: Topic name is invalid: '..' is not allowed"},
		{NewTopic{Name: long, Partitions: 1, ReplicationFactor: 1}, "INVALID_TOPIC_EXCEPTION: Topic name is invalid: the length of '" + long + "' is longer than the max allowed length 249"},
		{NewTopic{Name: "a b", Partitions: 1, ReplicationFactor: 1}, "INVALID_TOPIC_EXCEPTION: Topic name is invalid: 'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{NewTopic{Name: "ä", Partitions: 1, ReplicationFactor: 1}, "INVALID_TOPIC_EXCEPTION: Topic name is invalid: 'ä' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"},
		{NewTopic{Name: "a_b", Partitions: 1, ReplicationFactor: 1}, "INVALID_TOPIC_EXCEPTION: Topic 'a_b' collides with existing topic: a.b"},
		{NewTopic{Name: "exists", Partitions: 1, ReplicationFactor: 1}, "TOPIC_ALREADY_EXISTS: Topic 'exists' already exists."},
		{NewTopic{Name: "exists", Partitions: 0, ReplicationFactor: 9}, "TOPIC_ALREADY_EXISTS: Topic 'exists' already exists."},
		{NewTopic{Name: "__cluster_metadata", Partitions: 1, ReplicationFactor: 1}, "INVALID_REQUEST: Creation of internal topic __cluster_metadata is prohibited."},
		{NewTopic{Name: "p0", Partitions: 0, ReplicationFactor: 1}, "INVALID_PARTITIONS: Number of partitions was set to an invalid non-positive value."},
		{NewTopic{Name: "p-2", Partitions: -2, ReplicationFactor: 1}, "INVALID_PARTITIONS: Number of partitions was set to an invalid non-positive value."},
		{NewTopic{Name: "r0", Partitions: 0, ReplicationFactor: 0}, "INVALID_REPLICATION_FACTOR: Replication factor must be larger than 0, or -1 to use the default value."},
		{NewTopic{Name: "r-2", Partitions: 1, ReplicationFactor: -2}, "INVALID_REPLICATION_FACTOR: Replication factor must be larger than 0, or -1 to use the default value."},
		{NewTopic{Name: "r5", Partitions: 1, ReplicationFactor: 5}, "INVALID_REPLICATION_FACTOR: Unable to replicate the partition 5 time(s): The target replication factor of 5 cannot be reached because only 4 broker(s) are registered or some brokers have all their log directories cordoned."},
		{NewTopic{Name: "many", Partitions: 10_001, ReplicationFactor: 1}, "POLICY_VIOLATION: Excessively large number of partitions per request."},
		{NewTopic{Name: "m1", Partitions: 1, ReplicationFactor: -1, Assignments: assigned([]int32{1})}, "INVALID_REQUEST: A manual partition assignment was specified, but numPartitions was not set to -1."},
		{NewTopic{Name: "m2", Partitions: -1, ReplicationFactor: 1, Assignments: assigned([]int32{1})}, "INVALID_REQUEST: A manual partition assignment was specified, but replication factor was not set to -1."},
		{NewTopic{Name: "m3", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{1, 2}, []int32{3})}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with previous partitions, which have 2 replica(s)."},
		{NewTopic{Name: "m4", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{1, 1})}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes the broker 1 more than once."},
		{NewTopic{Name: "m5", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{9})}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker 9, but no such broker is registered."},
		{NewTopic{Name: "m6", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{})}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes an empty replica list."},
		{NewTopic{Name: "m7", Partitions: -1, ReplicationFactor: -1, Assignments: []ReplicaAssignment{{0, []int32{1}}, {2, []int32{1}}}}, "INVALID_REPLICA_ASSIGNMENT: partitions should be a consecutive 0-based integer sequence"},
		{NewTopic{Name: "m8", Partitions: -1, ReplicationFactor: -1, Assignments: []ReplicaAssignment{{0, []int32{1}}, {0, []int32{2}}}}, "INVALID_REPLICA_ASSIGNMENT: Found multiple manual partition assignments for partition 0"},
		{NewTopic{Name: "m9", Partitions: -1, ReplicationFactor: -1, Assignments: []ReplicaAssignment{{-1, []int32{1}}}}, "INVALID_REPLICA_ASSIGNMENT: partitions should be a consecutive 0-based integer sequence"},
		{NewTopic{Name: "m10", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{4})}, "INVALID_REPLICA_ASSIGNMENT: All brokers specified in the manual partition assignment for partition 0 are fenced or in controlled shutdown."},
		{NewTopic{Name: "c1", Partitions: 1, ReplicationFactor: 1, NullConfigs: []string{"a", "b"}}, "INVALID_CONFIG: Null value not supported for topic configs: a,b"},
		{NewTopic{Name: "c2", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"unknown": "1"}}, "INVALID_CONFIG: Unknown topic config name: unknown"},
		{NewTopic{Name: "c3", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"a": "policy"}}, "POLICY_VIOLATION: not here"},
		{NewTopic{Name: "c4", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"a": "1", "b": "2"}}, "INVALID_CONFIG: together they are wrong"},
	} {
		for _, validateOnly := range []bool{true, false} {
			results, rev := c.CreateTopics(testContext(t), []NewTopic{tt.topic}, validateOnly)
			if got := describe(results[0].Err); got != tt.want {
				t.Errorf("%q, validate only %v: %s\nwant %s", tt.topic.Name, validateOnly, got, tt.want)
			}
			if (results[0].Topic == nil) != (results[0].Err != nil) {
				t.Errorf("%q: topic %v with error %v", tt.topic.Name, results[0].Topic, results[0].Err)
			}
			img := await(t, c, rev)
			if _, ok := img.Topic("ok"); ok != (tt.want == "NONE" && !validateOnly || tt.topic.Name != "ok") {
				t.Errorf("%q, validate only %v: topic ok exists: %v", tt.topic.Name, validateOnly, ok)
			}
		}
	}
	if n := c.Image().TopicCount(); n != 3 {
		t.Errorf("%d topics, want 3", n)
	}
}

func TestCreateTopicsRequest(t *testing.T) {
	c := start(t, NewMemStore(), Options{DefaultPartitions: 2}, brokers(3)...)
	results, rev := c.CreateTopics(testContext(t), []NewTopic{
		{Name: "twice", Partitions: 1, ReplicationFactor: 1},
		{Name: "default", Partitions: -1, ReplicationFactor: -1},
		{Name: "bad name", Partitions: 1, ReplicationFactor: 1},
		{Name: "twice", Partitions: 1, ReplicationFactor: 1},
		{Name: "a_b", Partitions: 1, ReplicationFactor: 1},
		{Name: "a.b", Partitions: 1, ReplicationFactor: 1},
		{Name: "__consumer_offsets", Partitions: 1, ReplicationFactor: 1},
		{Name: "own", Partitions: 1, ReplicationFactor: 1, Internal: true},
		{Name: "manual", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{2, 1}, []int32{3, 2})},
	}, false)
	var got []string
	for _, r := range results {
		got = append(got, r.Name+" "+describe(r.Err))
	}
	want := []string{
		"default NONE",
		"bad name INVALID_TOPIC_EXCEPTION: Topic name is invalid: 'bad name' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
		"a_b NONE",
		"a.b INVALID_TOPIC_EXCEPTION: Topic 'a.b' collides with existing topic: a_b",
		"__consumer_offsets NONE", "own NONE", "manual NONE",
		"twice INVALID_REQUEST: Duplicate topic name.",
	}
	if !slices.Equal(got, want) {
		t.Errorf("results\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	img := await(t, c, rev)
	for _, r := range results {
		topic, ok := img.Topic(r.Name)
		if ok != (r.Err == nil) {
			t.Errorf("%s exists: %v", r.Name, ok)
		}
		if !ok {
			continue
		}
		if topic.ID != r.Topic.ID || topic.Internal != r.Topic.Internal || len(topic.Partitions) != len(r.Topic.Partitions) {
			t.Errorf("%s: result %+v, Image %+v", r.Name, r.Topic, topic)
		}
		for i := range topic.Partitions {
			if !topic.Partitions[i].Equal(r.Topic.Partitions[i]) {
				t.Errorf("%s-%d: result %+v, Image %+v", r.Name, i, r.Topic.Partitions[i], topic.Partitions[i])
			}
		}
		if topic.Internal != (r.Name == "own" || r.Name == "__consumer_offsets") {
			t.Errorf("%s: internal %v", r.Name, topic.Internal)
		}
		if v4 := topic.ID[6]>>4 == 4 && topic.ID[8]>>6 == 2; !v4 || !usableID(topic.ID) {
			t.Errorf("%s: id %x", r.Name, topic.ID)
		}
	}
	manual, _ := img.Topic("manual")
	if got := fmt.Sprint(manual.Partitions[0].Replicas, manual.Partitions[0].Leader, manual.Partitions[1].Replicas, manual.Partitions[1].Leader); got != "[2 1] 2 [3 2] 3" {
		t.Error(got)
	}
}

// TestLargeTopic: more partitions than a transaction holds, and all appear at once.
func TestLargeTopic(t *testing.T) {
	seen := make(chan int, 10_000)
	store := NewFaultyMemStore(Faults{})
	c := start(t, store, Options{}, oneBroker)
	stop := make(chan struct{})
	go func() {
		defer close(seen)
		for {
			ch := c.Changed()
			if topic, ok := c.Image().Topic("large"); ok {
				seen <- len(topic.Partitions)
			}
			select {
			case <-ch:
			case <-stop:
				return
			}
		}
	}()
	topic := create(t, c, NewTopic{Name: "large", Partitions: 5000, ReplicationFactor: 1, Configs: map[string]string{"a": "b"}})
	if len(topic.Partitions) != 5000 || topic.Configs["a"] != "b" || c.Image().PartitionCount() != 5000 {
		t.Errorf("%d partitions, %v, %d in all", len(topic.Partitions), topic.Configs, c.Image().PartitionCount())
	}
	results, rev := c.CreatePartitions(testContext(t), []NewPartitions{{Topic: "large", Count: 9000}}, false)
	if results[0].Err != nil {
		t.Fatal(results[0].Err)
	}
	img := await(t, c, rev)
	close(stop)
	for n := range seen {
		if n != 5000 && n != 9000 {
			t.Errorf("%d partitions were visible", n)
		}
	}
	for i, p := range topic.Partitions {
		if p.Leader != 1 {
			t.Fatalf("partition %d: %+v", i, p)
		}
	}
	if topic, _ = img.Topic("large"); len(topic.Partitions) != 9000 {
		t.Errorf("%d partitions", len(topic.Partitions))
	}
	if _, rev := c.DeleteTopics(testContext(t), []TopicRef{{Name: "large"}}); await(t, c, rev).PartitionCount() != 0 {
		t.Error("partitions remain")
	}
	if got := dump(t, store, partitionsPrefix); len(got) != 0 {
		t.Errorf("%d keys remain", len(got))
	}
}

// TestInterruptedCreation stops the creation of a large topic after each of its transactions, as a crash would, and
// starts again: the topic is there as a whole or not at all, and nothing else is left.
func TestInterruptedCreation(t *testing.T) {
	const partitions = 2*MaxTxnOps + MaxTxnOps/2
	crashed := errors.New("crashed")
	for stop := range 5 { // 3 chunks of partitions, the topic, and one more that is never reached
		n := 0
		dead := false
		store := NewFaultyMemStore(Faults{BeforeTxn: func(_ context.Context, _ []Cond, ops []Op) error {
			for _, op := range ops {
				if dead || strings.HasPrefix(op.Key, partitionsPrefix) || strings.HasPrefix(op.Key, topicsPrefix) {
					n++
					dead = dead || n > stop
					break
				}
			}
			if dead {
				return crashed
			}
			return nil
		}})
		c := start(t, store, Options{}, oneBroker)
		results, _ := c.CreateTopics(testContext(t), []NewTopic{{Name: "t", Partitions: partitions, ReplicationFactor: 1, Configs: map[string]string{"a": "b"}}}, false)
		created := results[0].Err == nil
		if created != (stop >= 4) {
			t.Errorf("stopped after %d transactions: %v", stop, results[0].Err)
		}
		c.Close()
		dead, n = false, -1000
		c = start(t, store, Options{})
		topic, ok := c.Image().Topic("t")
		if ok != created || ok && len(topic.Partitions) != partitions {
			t.Errorf("stopped after %d transactions: topic exists: %v", stop, ok)
		}
		if keys := dump(t, store, ""); !created && fmt.Sprint(keys) != "[meta/brokers/1 meta/cluster-id meta/features meta/format]" {
			t.Errorf("stopped after %d transactions: keys %v", stop, keys)
		}
	}
}

// TestRacingControllers: two controllers create and delete the same topics on one store.
func TestRacingControllers(t *testing.T) {
	store := NewMemStore()
	a := start(t, store, Options{}, oneBroker)
	b := start(t, store, Options{NodeID: 2, Rand: rand.New(rand.NewPCG(3, 4))}) // topics of their own ids
	type outcome struct {
		created, exists int
	}
	run := func(c *Controller, done chan<- outcome) {
		var o outcome
		var topics []NewTopic
		for i := range 100 {
			topics = append(topics, NewTopic{Name: fmt.Sprintf("t.%d", i), Partitions: 3, ReplicationFactor: 1})
		}
		results, _ := c.CreateTopics(testContext(t), topics, false)
		for _, r := range results {
			switch {
			case r.Err == nil:
				o.created++
			case errors.Is(r.Err, kerr.TopicAlreadyExists):
				o.exists++
			default:
				t.Error(r.Err)
			}
		}
		done <- o
	}
	done := make(chan outcome, 2)
	go run(a, done)
	go run(b, done)
	x, y := <-done, <-done
	if x.created+y.created != 100 || x.exists+y.exists != 100 {
		t.Errorf("%+v %+v", x, y)
	}
	if keys := dump(t, store, partitionsPrefix); len(keys) != 300 {
		t.Errorf("%d partition keys", len(keys))
	}
}

func TestDeleteTopics(t *testing.T) {
	c := start(t, NewMemStore(), Options{}, oneBroker)
	ids := make(map[string][16]byte)
	for _, name := range []string{"a", "b", "c.d", "e"} {
		ids[name] = create(t, c, NewTopic{Name: name, Partitions: 1, ReplicationFactor: 1}).ID
	}
	results, rev := c.DeleteTopics(testContext(t), []TopicRef{
		{Name: "a"}, {ID: ids["b"]}, {}, {Name: "c.d", ID: ids["c.d"]}, {Name: "none"}, {ID: [16]byte{9}},
		{Name: "twice"}, {Name: "twice"}, {ID: [16]byte{8}}, {ID: [16]byte{8}}, {Name: "e"}, {ID: ids["e"]},
	})
	got := make(map[string]string)
	for _, r := range results {
		got[fmt.Sprintf("%s/%x", r.Name, r.ID[:2])] += describe(r.Err)
	}
	id := func(name string) string { i := ids[name]; return fmt.Sprintf("%s/%x", name, i[:2]) }
	want := map[string]string{
		id("a"):      "NONE",
		id("b"):      "NONE",
		"/0000":      "INVALID_REQUEST: Neither topic name nor id were specified.",
		id("c.d"):    "INVALID_REQUEST: You may not specify both topic name and topic id.",
		"none/0000":  "UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition.",
		"/0900":      "UNKNOWN_TOPIC_ID: This server does not host this topic ID.",
		"twice/0000": "INVALID_REQUEST: Duplicate topic name.",
		"/0800":      "INVALID_REQUEST: Duplicate topic id.",
		id("e"):      "INVALID_REQUEST: The provided topic name maps to an ID that was already supplied.",
	}
	if !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	img := await(t, c, rev)
	var left []string
	for topic := range img.Topics() {
		left = append(left, topic.Name)
	}
	if fmt.Sprint(left) != "[c.d e]" {
		t.Errorf("%v remain", left)
	}
}

func TestCreatePartitions(t *testing.T) {
	c := start(t, NewMemStore(), Options{}, append(brokers(3), Broker{ID: 4, Incarnation: [16]byte{4}, Fenced: true})...)
	create(t, c, NewTopic{Name: "t", Partitions: 2, ReplicationFactor: 2})
	for _, tt := range []struct {
		n    NewPartitions
		want string
	}{
		{NewPartitions{Topic: "none", Count: 3}, "UNKNOWN_TOPIC_OR_PARTITION: This server does not host this topic-partition."},
		{NewPartitions{Topic: "t", Count: 2}, "INVALID_PARTITIONS: Topic already has 2 partition(s)."},
		{NewPartitions{Topic: "t", Count: 1}, "INVALID_PARTITIONS: The topic t currently has 2 partition(s); 1 would not be an increase."},
		{NewPartitions{Topic: "t", Count: -1}, "INVALID_PARTITIONS: The topic t currently has 2 partition(s); -1 would not be an increase."},
		{NewPartitions{Topic: "t", Count: 1 << 30}, "POLICY_VIOLATION: Unable to perform excessively large batch operation."},
		{NewPartitions{Topic: "t", Count: 4, Assignments: [][]int32{{1, 2}}}, "INVALID_REPLICA_ASSIGNMENT: Attempted to add 2 additional partition(s), but only 1 assignment(s) were specified."},
		{NewPartitions{Topic: "t", Count: 3, Assignments: [][]int32{{1}}}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes a partition with 1 replica(s), but this is not consistent with previous partitions, which have 2 replica(s)."},
		{NewPartitions{Topic: "t", Count: 3, Assignments: [][]int32{{1, 7}}}, "INVALID_REPLICA_ASSIGNMENT: The manual partition assignment includes broker 7, but no such broker is registered."},
	} {
		results, _ := c.CreatePartitions(testContext(t), []NewPartitions{tt.n}, false)
		got := describe(results[0].Err)
		if strings.HasPrefix(got, "UNKNOWN_TOPIC_OR_PARTITION") {
			got = tt.want // its message is null, which Error shows as the code's description
		}
		if got != tt.want {
			t.Errorf("%+v: %s\nwant %s", tt.n, got, tt.want)
		}
	}
	before, _ := c.Image().Topic("t")
	if results, _ := c.CreatePartitions(testContext(t), []NewPartitions{{Topic: "t", Count: 3}}, true); results[0].Err != nil || len(results[0].Topic.Partitions) != 3 {
		t.Errorf("validate only: %+v", results[0])
	}
	results, rev := c.CreatePartitions(testContext(t), []NewPartitions{
		{Topic: "t", Count: 4, Assignments: [][]int32{{3, 4}, {4, 1}}}, {Topic: "x", Count: 1}, {Topic: "x", Count: 1},
	}, false)
	if results[0].Err != nil || len(results) != 2 || describe(results[1].Err) != "INVALID_REQUEST: Duplicate topic name." {
		t.Fatalf("%+v", results)
	}
	after, _ := await(t, c, rev).Topic("t")
	if len(before.Partitions) != 2 || len(after.Partitions) != 4 || !after.Partitions[0].Equal(before.Partitions[0]) {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
	if p, q := after.Partitions[2], after.Partitions[3]; fmt.Sprint(p.Leader, p.ISR, q.Leader, q.ISR, q.Replicas) != "3 [3] 1 [1] [4 1]" {
		t.Errorf("%+v %+v", p, q)
	}
}
