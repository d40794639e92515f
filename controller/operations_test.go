package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
)

var (
	topicT   = ConfigResource{ResourceTopic, "t"}
	broker1  = ConfigResource{ResourceBroker, "1"}
	defaults = ConfigResource{ResourceBroker, ""}
)

func set(key, value string) ConfigOp { return ConfigOp{Key: key, Value: value} }

// configured returns a controller with topic t (cleanup.policy=delete, a=1), and validators: "bad" is no value, list and
// cleanup.policy are lists.
func configured(t *testing.T, store Store) *Controller {
	c := start(t, store, Options{
		ConfigValidator: func(r ConfigResource, key, value string) error {
			if value == "bad" {
				return fmt.Errorf("Invalid value bad for configuration %s", key)
			}
			return nil
		},
		ListDefault: func(r ConfigResource, key string) (value string, isList, known bool) {
			return "x,y", key == "list" || key == "cleanup.policy", key != "nosuch"
		},
	}, oneBroker)
	create(t, c, NewTopic{Name: "t", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"cleanup.policy": "delete", "a": "1"}})
	return c
}

func TestAlterConfigs(t *testing.T) {
	initial := map[string]string{"cleanup.policy": "delete", "a": "1"}
	for _, tt := range []struct {
		name   string
		change ConfigChange
		err    string
		want   map[string]string
	}{
		{"set", ConfigChange{Resource: topicT, Ops: []ConfigOp{set("b", "2"), set("a", "")}}, "NONE", map[string]string{"cleanup.policy": "delete", "a": "", "b": "2"}},
		{"same", ConfigChange{Resource: topicT, Ops: []ConfigOp{set("a", "1")}}, "NONE", initial},
		{"delete", ConfigChange{Resource: topicT, Ops: []ConfigOp{{Kind: ConfigDelete, Key: "a", Null: true}, {Kind: ConfigDelete, Key: "none"}}}, "NONE", map[string]string{"cleanup.policy": "delete"}},
		{"append", ConfigChange{Resource: topicT, Ops: []ConfigOp{{Kind: ConfigAppend, Key: "cleanup.policy", Value: "compact,delete"}}}, "NONE", map[string]string{"cleanup.policy": "delete,compact", "a": "1"}},
		{"append to the default", ConfigChange{Resource: topicT, Ops: []ConfigOp{{Kind: ConfigAppend, Key: "list", Value: "z,x"}}}, "NONE", map[string]string{"cleanup.policy": "delete", "a": "1", "list": "x,y,z"}},
		{"append what comes twice", ConfigChange{Resource: topicT, Ops: []ConfigOp{{Kind: ConfigAppend, Key: "list", Value: "x,z,z"}}}, "NONE", map[string]string{"cleanup.policy": "delete", "a": "1", "list": "x,y,z"}},
		{"subtract what comes twice", ConfigChange{Resource: topicT, Ops: []ConfigOp{{Kind: ConfigSubtract, Key: "list", Value: "y,y"}}}, "NONE", map[string]string{"cleanup.policy": "delete", "a": "1", "list": "x"}},
		{"subtract", ConfigChange{Resource: topicT, Ops: []ConfigOp{{Kind: ConfigSubtract, Key: "list", Value: "x,none"}}}, "NONE", map[string]string{"cleanup.policy": "delete", "a": "1", "list": "y"}},
		{"replace", ConfigChange{Resource: topicT, Replace: true, Ops: []ConfigOp{set("b", "2")}}, "NONE", map[string]string{"b": "2"}},
		{"replace by nothing", ConfigChange{Resource: topicT, Replace: true}, "NONE", nil},
		{"all or nothing", ConfigChange{Resource: topicT, Ops: []ConfigOp{set("b", "2"), set("c", "bad")}}, "INVALID_CONFIG: Invalid value bad for configuration c", initial},
		{"not a list", ConfigChange{Resource: topicT, Ops: []ConfigOp{{Kind: ConfigAppend, Key: "a", Value: "2"}}}, "INVALID_CONFIG: Can't APPEND to key a because its type is not LIST.", initial},
		{"not a list", ConfigChange{Resource: topicT, Ops: []ConfigOp{{Kind: ConfigSubtract, Key: "a", Value: "2"}}}, "INVALID_CONFIG: Can't SUBTRACT to key a because its type is not LIST.", initial},
		{"null", ConfigChange{Resource: topicT, Ops: []ConfigOp{{Key: "b", Null: true}, {Kind: ConfigAppend, Key: "list", Null: true}}}, "INVALID_REQUEST: Null value not supported for : b, list", initial},
		{"key twice", ConfigChange{Resource: topicT, Ops: []ConfigOp{set("b", "2"), set("b", "3")}}, "INVALID_REQUEST: Error due to duplicate config keys", initial},
		{"operation", ConfigChange{Resource: topicT, Ops: []ConfigOp{{Kind: 9, Key: "b"}}}, "INVALID_REQUEST: Unknown operations type 9", initial},
		{"too long", ConfigChange{Resource: topicT, Ops: []ConfigOp{set("b", strings.Repeat("x", 32768))}}, "INVALID_CONFIG: The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.", initial},
		{"no topic", ConfigChange{Resource: ConfigResource{ResourceTopic, "none"}, Ops: []ConfigOp{set("b", "2")}}, "UNKNOWN_TOPIC_OR_PARTITION: The topic 'none' does not exist.", initial},
		{"empty topic", ConfigChange{Resource: ConfigResource{ResourceTopic, ""}}, "INVALID_REQUEST: Default topic resources are not allowed.", initial},
		{"bad topic", ConfigChange{Resource: ConfigResource{ResourceTopic, "/"}}, "INVALID_TOPIC_EXCEPTION: Topic name is invalid: '/' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", initial},
		{"bad topic's list", ConfigChange{Resource: ConfigResource{ResourceTopic, "/"}, Ops: []ConfigOp{{Kind: ConfigAppend, Key: "a", Value: "2"}}}, "INVALID_CONFIG: Can't APPEND to key a because its type is not LIST.", initial},
		{"empty group", ConfigChange{Resource: ConfigResource{ResourceGroup, ""}}, "INVALID_REQUEST: Default group resources are not allowed.", initial},
		{"group's value", ConfigChange{Resource: ConfigResource{ResourceGroup, "g"}, Ops: []ConfigOp{set("b", "bad")}}, "INVALID_CONFIG: Invalid value bad for configuration b", initial},
		{"type", ConfigChange{Resource: ConfigResource{99, "x"}}, "INVALID_REQUEST: Unknown resource type 99", initial},
		{"other broker", ConfigChange{Resource: ConfigResource{ResourceBroker, "2"}}, "INVALID_REQUEST: Unexpected broker id, expected 1, but received 2", initial},
		{"no broker", ConfigChange{Resource: ConfigResource{ResourceBroker, "x"}}, "INVALID_REQUEST: Node id must be an integer, but it is: x", initial},
		{"broker's value", ConfigChange{Resource: broker1, Ops: []ConfigOp{set("b", "bad")}}, "INVALID_REQUEST: Invalid value bad for configuration b", initial},
		{"broker's list", ConfigChange{Resource: broker1, Ops: []ConfigOp{{Kind: ConfigAppend, Key: "b", Value: "x"}}}, "INVALID_CONFIG: Config value append is not allowed for config key: b", initial},
		{"broker's unknown key", ConfigChange{Resource: broker1, Ops: []ConfigOp{{Kind: ConfigAppend, Key: "nosuch", Value: "x"}}}, "INVALID_CONFIG: Unknown config name: nosuch", initial},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := configured(t, NewMemStore())
			for _, validateOnly := range []bool{true, false} {
				errs, rev := c.AlterConfigs(testContext(t), []ConfigChange{tt.change}, validateOnly)
				if got := describe(errs[0]); got != tt.err {
					t.Errorf("%s\nwant %s", got, tt.err)
				}
				want := tt.want
				if validateOnly {
					want = initial
				}
				if got := await(t, c, rev).TopicConfigs("t"); !maps.Equal(got, want) {
					t.Errorf("validate only %v: %v, want %v", validateOnly, got, want)
				}
			}
		})
	}
}

// Groups and client metrics subscriptions are configured by name, whether or not there is anything of that name.
func TestAlterNamedConfigs(t *testing.T) {
	store := NewMemStore()
	c := configured(t, store)
	group, metrics := ConfigResource{ResourceGroup, "a/b"}, ConfigResource{ResourceClientMetrics, "a/b"}
	alter := func(r ConfigResource, op ConfigOp) (*Image, int64) {
		t.Helper()
		errs, rev := c.AlterConfigs(testContext(t), []ConfigChange{{Resource: r, Ops: []ConfigOp{op}}}, false)
		if errs[0] != nil {
			t.Fatal(errs[0])
		}
		return await(t, c, rev), rev
	}
	alter(group, set("a", "1"))
	img, rev := alter(metrics, set("a", "2"))
	if got := fmt.Sprint(img.GroupConfigs("a/b"), img.ClientMetricsConfigs("a/b"), img.BrokerConfigs("a/b")); got != "map[a:1] map[a:2] map[]" {
		t.Error(got)
	}
	for _, kind := range []ResourceType{ResourceGroup, ResourceClientMetrics} {
		if got := img.ConfigResources(kind); !slices.Equal(got, []string{"a/b"}) {
			t.Errorf("resources of type %d: %q", kind, got)
		}
	}
	if _, next := alter(metrics, set("a", "2")); next != rev {
		t.Errorf("the same configuration was written again, at revision %d after %d", next, rev)
	}
	// A controller that reads everything anew sees the same.
	again := New(store, Options{NodeID: 1})
	if err := again.Start(testContext(t)); err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got, want := render(again.Image()), render(c.Image()); got != want {
		t.Errorf("read anew:\n%s\nfollowed:\n%s", got, want)
	}
	img, _ = alter(group, ConfigOp{Kind: ConfigDelete, Key: "a"})
	if got := img.ConfigResources(ResourceGroup); got != nil || slices.Contains(dump(t, store, ""), "meta/configs/groups/a/b") {
		t.Errorf("an empty configuration remains: %q", got)
	}
}

func TestAlterSeveralConfigs(t *testing.T) {
	store := NewMemStore()
	c := configured(t, store)
	errs, rev := c.AlterConfigs(testContext(t), []ConfigChange{
		{Resource: topicT, Ops: []ConfigOp{set("b", "2")}},
		{Resource: broker1, Ops: []ConfigOp{set("b", "bad")}},
		{Resource: defaults, Ops: []ConfigOp{set("log.retention.ms", "5"), set("x", "y")}},
		{Resource: ConfigResource{ResourceTopic, "twice"}},
		{Resource: ConfigResource{ResourceTopic, "twice"}},
	}, false)
	var got []string
	for _, err := range errs {
		code, _, _ := strings.Cut(describe(err), ":")
		got = append(got, code)
	}
	if fmt.Sprint(got) != "[NONE INVALID_REQUEST NONE INVALID_REQUEST INVALID_REQUEST]" {
		t.Errorf("%v", errs)
	}
	img := await(t, c, rev)
	if img.TopicConfigs("t")["b"] != "2" || img.BrokerConfigs("")["log.retention.ms"] != "5" || img.BrokerConfigs("1") != nil {
		t.Errorf("%v %v %v", img.TopicConfigs("t"), img.BrokerConfigs(""), img.BrokerConfigs("1"))
	}
	// A broker's configuration is written again though it stays the same; that of a topic is not.
	again := func(r ConfigResource, op ConfigOp) int64 {
		_, rev := c.AlterConfigs(testContext(t), []ConfigChange{{Resource: r, Ops: []ConfigOp{op}}}, false)
		return rev
	}
	if next := again(topicT, set("b", "2")); next != rev {
		t.Errorf("revision %d after %d", next, rev)
	}
	if next := again(defaults, set("x", "y")); next != rev+1 {
		t.Errorf("revision %d after %d", next, rev)
	}
	rev = again(broker1, set("own", "1"))
	if got := fmt.Sprintf("%q", await(t, c, rev).ConfigResources(ResourceBroker)); got != `["" "1"]` {
		t.Error(got)
	}
	// The last key that goes takes the store's key with it.
	rev = again(broker1, ConfigOp{Kind: ConfigDelete, Key: "own"})
	if img := await(t, c, rev); img.BrokerConfigs("1") != nil || slices.Contains(dump(t, store, ""), "meta/configs/brokers/1") {
		t.Error("an empty configuration remains")
	}
}

func TestAlterPartition(t *testing.T) {
	c := start(t, NewMemStore(), Options{}, append(brokers(3), Broker{ID: 4, Incarnation: [16]byte{4}, Fenced: true})...)
	topic := create(t, c, NewTopic{Name: "t", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{1, 2, 3, 4}, []int32{2, 1, 3, 4})})
	from := topic.Partitions[0]
	if fmt.Sprint(from.ISR) != "[1 2 3]" {
		t.Fatalf("%+v", from)
	}
	// Three changes in a row, each from what the last returned, without waiting for the Image.
	state := from
	for _, isr := range [][]int32{{1, 3}, {1}, {1, 2}} {
		next, err := c.AlterPartition(testContext(t), "t", 0, state, isr)
		if err != nil {
			t.Fatal(err)
		}
		if next.PartitionEpoch != state.PartitionEpoch+1 || next.LeaderEpoch != 0 || !slices.Equal(next.ISR, isr) || next.ModRevision <= state.ModRevision {
			t.Errorf("%+v follows %+v", next, state)
		}
		state = next
	}
	img := await(t, c, state.ModRevision)
	if now, _ := img.Topic("t"); !now.Partitions[0].Equal(state) || !now.Partitions[1].Equal(topic.Partitions[1]) {
		t.Errorf("%+v, want %+v", now.Partitions, state)
	}
	// The same again: nothing to do, and no error.
	if next, err := c.AlterPartition(testContext(t), "t", 0, state, []int32{1, 2}); err != nil || !next.Equal(state) || next.ModRevision != state.ModRevision {
		t.Errorf("%+v, %v", next, err)
	}
	with := func(f func(*PartitionState)) PartitionState { p := state; f(&p); return p }
	for _, tt := range []struct {
		name      string
		topic     string
		partition int32
		from      PartitionState
		isr       []int32
		want      *kerr.Error
	}{
		{"unknown topic", "none", 0, state, []int32{1}, kerr.UnknownTopicOrPartition},
		{"unknown partition", "t", 2, state, []int32{1}, kerr.UnknownTopicOrPartition},
		{"negative partition", "t", -1, state, []int32{1}, kerr.UnknownTopicOrPartition},
		{"stale", "t", 0, from, []int32{1}, kerr.InvalidUpdateVersion},
		{"ahead", "t", 0, with(func(p *PartitionState) { p.PartitionEpoch++ }), []int32{1}, kerr.NotController},
		{"leader epoch ahead", "t", 0, with(func(p *PartitionState) { p.LeaderEpoch++ }), []int32{1}, kerr.NotController},
		{"leader epoch stale", "t", 0, with(func(p *PartitionState) { p.LeaderEpoch-- }), []int32{1}, kerr.FencedLeaderEpoch},
		{"not the leader", "t", 1, topic.Partitions[1], []int32{2}, kerr.InvalidRequest},
		{"without the leader", "t", 0, state, []int32{2}, kerr.InvalidRequest},
		{"empty", "t", 0, state, nil, kerr.InvalidRequest},
		{"twice the same", "t", 0, state, []int32{1, 1}, kerr.InvalidRequest},
		{"not a replica", "t", 0, state, []int32{1, 9}, kerr.InvalidRequest},
		{"fenced replica", "t", 0, state, []int32{1, 4}, kerr.IneligibleReplica},
		{"recovering for no reason", "t", 0, with(func(p *PartitionState) { p.Recovering = true }), []int32{1}, kerr.InvalidRequest},
	} {
		if _, err := c.AlterPartition(testContext(t), tt.topic, tt.partition, tt.from, tt.isr); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
}

// TestConcurrentISR: of two changes from one state one is made.
func TestConcurrentISR(t *testing.T) {
	c := start(t, NewMemStore(), Options{}, brokers(3)...)
	topic := create(t, c, NewTopic{Name: "t", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{1, 2, 3})})
	errs := make(chan error, 2)
	for _, isr := range [][]int32{{1, 2}, {1, 3}} {
		go func() {
			_, err := c.AlterPartition(context.Background(), "t", 0, topic.Partitions[0], isr)
			errs <- err
		}()
	}
	if a, b := <-errs, <-errs; (a == nil) == (b == nil) || !errors.Is(errors.Join(a, b), kerr.InvalidUpdateVersion) {
		t.Errorf("%v, %v", a, b)
	}
}

func TestRegisterBroker(t *testing.T) {
	alive := true
	store := NewMemStore()
	c := start(t, store, Options{SessionAlive: func(Broker) bool { return alive }})
	first, err := c.RegisterBroker(testContext(t), oneBroker)
	if err != nil || first.Epoch == 0 || first.Endpoints[0] != oneBroker.Endpoints[0] {
		t.Fatalf("%+v, %v", first, err)
	}
	// The same process again, with another listener: the same epoch.
	changed := oneBroker
	changed.Endpoints = []Endpoint{{"PLAINTEXT", "PLAINTEXT", "example.org", 1}}
	again, err := c.RegisterBroker(testContext(t), changed)
	if err != nil || again.Epoch != first.Epoch || again.Endpoints[0].Host != "example.org" {
		t.Errorf("%+v, %v, first %+v", again, err, first)
	}
	other := oneBroker
	other.Incarnation = [16]byte{2}
	if _, err := c.RegisterBroker(testContext(t), other); !errors.Is(err, kerr.DuplicateBrokerRegistration) {
		t.Errorf("%v", err)
	}
	alive = false
	second, err := c.RegisterBroker(testContext(t), other)
	if err != nil || second.Epoch <= again.Epoch {
		t.Errorf("%+v, %v", second, err)
	}
	if img := c.Image(); img.ControllerID() != 1 || len(img.Brokers()) != 1 {
		t.Errorf("controller %d of %v", img.ControllerID(), img.Brokers())
	}
}

func TestControllerID(t *testing.T) {
	c := start(t, NewMemStore(), Options{})
	if got := c.Image().ControllerID(); got != -1 {
		t.Error(got)
	}
	for _, b := range []Broker{{ID: 5}, {ID: 2, Fenced: true}, {ID: 3}} {
		if _, err := c.RegisterBroker(testContext(t), b); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.Image().ControllerID(); got != 3 {
		t.Error(got)
	}
}

// TestProducerIDs: many at once, on two controllers, over restarts, and with answers lost: no id twice.
func TestProducerIDs(t *testing.T) {
	var mu sync.Mutex
	n := 0
	store := NewFaultyMemStore(Faults{AfterTxn: func(_ context.Context, _ []Cond, ops []Op) error {
		mu.Lock()
		defer mu.Unlock()
		if n++; ops[0].Key == producerIDsKey && n%5 == 0 {
			return errors.New("answer lost")
		}
		return nil
	}})
	seen := make(map[int64]bool)
	for range 3 {
		a, b := start(t, store, Options{}), start(t, store, Options{NodeID: 2})
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				c := a
				if i%2 == 0 {
					c = b
				}
				first, count, err := c.AllocateProducerIDs(context.Background())
				if err != nil {
					return // that block is lost
				}
				mu.Lock()
				defer mu.Unlock()
				if count != 1000 || first%1000 != 0 || seen[first] {
					t.Errorf("block %d of %d, seen before: %v", first, count, seen[first])
				}
				seen[first] = true
			})
		}
		wg.Wait()
		a.Close()
		b.Close()
	}
	// How many were lost with their answers is up to the schedule.
	if len(seen) == 0 {
		t.Error("no block was handed out")
	}
}

func TestProducerIDsExhausted(t *testing.T) {
	store := NewMemStore()
	store.Txn(t.Context(), nil, []Op{Put(producerIDsKey, producerIDs{next: math.MaxInt64 - 999}.encode())})
	c := start(t, store, Options{})
	if _, _, err := c.AllocateProducerIDs(testContext(t)); !errors.Is(err, kerr.UnknownServerError) {
		t.Error(err)
	}
}

func TestReelectLeaders(t *testing.T) {
	c := start(t, NewMemStore(), Options{}, brokers(2)...)
	create(t, c, NewTopic{Name: "mine", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{1, 2}, []int32{1, 2})})
	create(t, c, NewTopic{Name: "other", Partitions: -1, ReplicationFactor: -1, Assignments: assigned([]int32{2, 1})})
	n, rev, err := c.ReelectLeaders(testContext(t))
	if n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	img := await(t, c, rev)
	mine, _ := img.Topic("mine")
	other, _ := img.Topic("other")
	for _, p := range mine.Partitions {
		if p.Leader != 1 || p.LeaderEpoch != 1 || p.PartitionEpoch != 1 || fmt.Sprint(p.ISR) != "[1 2]" {
			t.Errorf("%+v", p)
		}
	}
	if p := other.Partitions[0]; p.LeaderEpoch != 0 {
		t.Errorf("%+v", p)
	}
}

// TestStoreErrors: what a client is told when the store fails, and that the cause can be found.
func TestStoreErrors(t *testing.T) {
	var fail error
	c := start(t, NewFaultyMemStore(Faults{BeforeTxn: func(context.Context, []Cond, []Op) error { return fail }}), Options{}, oneBroker)
	cause := errors.New("cause")
	for _, tt := range []struct {
		err  error
		want *kerr.Error
	}{
		{context.DeadlineExceeded, kerr.RequestTimedOut},
		{fmt.Errorf("%w: %w", ErrNoSpace, cause), kerr.KafkaStorageError},
		{ErrClosed, kerr.NotController},
		{cause, kerr.UnknownServerError},
	} {
		fail = tt.err
		results, _ := c.CreateTopics(testContext(t), []NewTopic{{Name: "t", Partitions: 1, ReplicationFactor: 1}}, false)
		if err := results[0].Err; !errors.Is(err, tt.want) || !errors.Is(err, tt.err) {
			t.Errorf("%v: %v", tt.err, err)
		}
		if refusal, ok := errors.AsType[*Error](results[0].Err); !ok || refusal.Message == "" {
			t.Errorf("%v: no message for the client", tt.err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.WaitRevision(ctx, 1<<40); !errors.Is(err, kerr.RequestTimedOut) {
		t.Error(err)
	}
}

// TestPlacement holds what StripedReplicaPlacer promises, over many random clusters.
func TestPlacement(t *testing.T) {
	c := New(NewMemStore(), Options{})
	for range 300 {
		var cluster []Broker
		racks := 1 + c.draw(4)
		perRack := 1 + c.draw(3)
		for id := range racks * perRack {
			cluster = append(cluster, Broker{ID: int32(id), Rack: fmt.Sprint("r", id%racks), Fenced: id > 0 && c.draw(5) == 0})
		}
		replicas := 1 + c.draw(len(cluster))
		const partitions = 120
		placed, err := placeReplicas(cluster, partitions, int16(replicas), c.draw)
		if err != nil {
			t.Fatal(err)
		}
		fenced := 0
		for _, b := range cluster {
			if b.Fenced {
				fenced++
			}
		}
		leads := make(map[int32]int)
		for _, p := range placed {
			leads[p[0]]++
			if len(p) != replicas || len(slices.Compact(slices.Sorted(slices.Values(p)))) != replicas {
				t.Fatalf("replicas %v", p)
			}
			if cluster[p[0]].Fenced {
				t.Fatalf("a fenced broker leads %v", p)
			}
			perRack := make(map[string]int)
			for _, id := range p {
				perRack[cluster[id].Rack]++
			}
			// A rack whose brokers are all fenced cannot have the leader, so its turn may come later.
			if fenced == 0 {
				lo, hi := slices.Min(slices.Collect(maps.Values(perRack))), slices.Max(slices.Collect(maps.Values(perRack)))
				if len(perRack) != min(replicas, racks) || hi-lo > 1 {
					t.Fatalf("%d racks, replicas %v: %v", racks, p, perRack)
				}
			}
		}
		// With several racks of a size that the number of racks divides, turns coincide, and a broker of each rack
		// leads for a whole round: that is Kafka's way too.
		if fenced == 0 && racks == 1 {
			for id, n := range leads {
				if fair := partitions / len(cluster); n < fair-1 || n > fair+1 {
					t.Errorf("%d brokers: broker %d leads %d of %d partitions", len(cluster), id, n, partitions)
				}
			}
		}
	}
	if _, err := placeReplicas([]Broker{{ID: 1, Fenced: true}}, 1, 1, c.draw); describe(err) != "INVALID_REPLICATION_FACTOR: All brokers are currently fenced." {
		t.Error(err)
	}
	if _, err := placeReplicas(nil, 1, 0, c.draw); describe(err) != "INVALID_REPLICATION_FACTOR: Invalid replication factor 0: the replication factor must be positive." {
		t.Error(err)
	}
}
