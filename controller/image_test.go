package controller

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestImageFollows: whatever the operations, the Image that grew from events says what one that is read anew says, and
// earlier Images have not changed.
func TestImageFollows(t *testing.T) {
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		store := NewMemStore()
		c := start(t, store, Options{Rand: rand.New(rand.NewPCG(seed, 1))}, brokers(3)...)
		type kept struct {
			img  *Image
			text string
		}
		var history []kept
		name := func() string { return fmt.Sprintf("t%d", rnd.IntN(300)) }
		for range 60 {
			rev := int64(0)
			switch rnd.IntN(6) {
			case 0, 1:
				var topics []NewTopic
				for range 1 + rnd.IntN(200) {
					topics = append(topics, NewTopic{Name: name(), Partitions: 1 + rnd.Int32N(4), ReplicationFactor: 1 + int16(rnd.IntN(3)),
						Configs: map[string]string{"k": fmt.Sprint(rnd.IntN(10))}})
				}
				_, rev = c.CreateTopics(testContext(t), topics, false)
			case 2:
				var refs []TopicRef
				for range 1 + rnd.IntN(100) {
					refs = append(refs, TopicRef{Name: name()})
				}
				_, rev = c.DeleteTopics(testContext(t), refs)
			case 3:
				_, rev = c.CreatePartitions(testContext(t), []NewPartitions{{Topic: name(), Count: 2 + rnd.Int32N(300)}}, false)
			case 4:
				_, rev = c.AlterConfigs(testContext(t), []ConfigChange{
					{Resource: ConfigResource{ResourceTopic, name()}, Ops: []ConfigOp{{Key: "k", Value: fmt.Sprint(rnd.IntN(10))}}},
					{Resource: ConfigResource{ResourceTopic, name()}, Ops: []ConfigOp{{Kind: ConfigDelete, Key: "k"}}},
					{Resource: ConfigResource{ResourceBroker, ""}, Ops: []ConfigOp{{Key: "b", Value: fmt.Sprint(rnd.IntN(10))}}},
					{Resource: ConfigResource{ResourceGroup, fmt.Sprint(rnd.IntN(3))}, Ops: []ConfigOp{{Kind: ConfigOpKind(rnd.IntN(2)), Key: "b", Value: "1"}}},
				}, false)
			case 5:
				img := c.Image()
				for topic := range img.TopicsFrom(name()) {
					p := topic.Partitions[0]
					if p.Leader == 1 && len(p.Replicas) > 1 {
						isr := p.Replicas[:1+rnd.IntN(len(p.Replicas))]
						if !slices.Contains(isr, 1) {
							break
						}
						next, err := c.AlterPartition(testContext(t), topic.Name, 0, p, isr)
						if err != nil {
							t.Fatal(err)
						}
						rev = next.ModRevision
						break
					}
				}
			}
			img := await(t, c, rev)
			fresh, err := c.load(testContext(t))
			if err != nil {
				t.Fatal(err)
			}
			text := render(img)
			if want := render(fresh.img); text != want {
				t.Fatalf("seed %d: Image\n%s\nread anew\n%s", seed, text, want)
			}
			checkImage(t, img)
			history = append(history, kept{img, text})
		}
		for _, k := range history {
			if render(k.img) != k.text {
				t.Fatalf("seed %d: the Image of revision %d has changed", seed, k.img.revision)
			}
		}
	}
}

func render(i *Image) string {
	var b strings.Builder
	fmt.Fprintln(&b, i.clusterID, i.partitions, i.producerIDs, i.producerRev, i.brokers)
	for _, kind := range []ResourceType{ResourceBroker, ResourceClientMetrics, ResourceGroup} {
		for _, name := range i.ConfigResources(kind) {
			fmt.Fprintln(&b, kind, name, i.configs[ConfigResource{kind, name}])
		}
	}
	for t := range i.Topics() {
		fmt.Fprintf(&b, "%s %x %v %d %d %v\n", t.Name, t.ID, t.Internal, t.ModRevision, t.ConfigRevision, t.Configs)
		for _, p := range t.Partitions {
			fmt.Fprintf(&b, " %+v\n", p)
		}
	}
	return b.String()
}

// checkImage: the ways to a topic agree.
func checkImage(t *testing.T, i *Image) {
	t.Helper()
	n, partitions := 0, 0
	last := ""
	for topic := range i.Topics() {
		n++
		partitions += len(topic.Partitions)
		if topic.Name <= last {
			t.Fatalf("%q follows %q", topic.Name, last)
		}
		last = topic.Name
		byName, _ := i.Topic(topic.Name)
		byID, _ := i.TopicByID(topic.ID)
		if byName != topic || byID != topic {
			t.Fatalf("%q: %p in order, %p by name, %p by id", topic.Name, topic, byName, byID)
		}
	}
	if n != i.TopicCount() || n != i.ids.n || partitions != i.PartitionCount() {
		t.Fatalf("%d topics and %d partitions in order; counts are %d, %d, %d", n, partitions, i.TopicCount(), i.ids.n, i.PartitionCount())
	}
	for _, chunk := range i.sorted {
		if len(chunk) == 0 || len(chunk) > topicChunk {
			t.Fatalf("a chunk of %d topics", len(chunk))
		}
	}
}

func TestTopicsFrom(t *testing.T) {
	_, r := loaded(t, 1000, 1)
	for _, from := range []string{"", "a", "topic-00500", "topic-00500x", "topic-00999", "z"} {
		var got []string
		for topic := range r.img.TopicsFrom(from) {
			got = append(got, topic.Name)
		}
		var want []string
		for i := range 1000 {
			if name := fmt.Sprintf("topic-%05d", i); name >= from {
				want = append(want, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("from %q: %d topics, want %d", from, len(got), len(want))
		}
	}
}

// loaded returns the keys of a cluster, and the Image of them.
func loaded(tb testing.TB, topics, partitions int) ([]KV, *replay) {
	var kvs []KV
	add := func(key string, value []byte) {
		kvs = append(kvs, KV{Key: key, Value: value, ModRevision: int64(len(kvs) + 2)})
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range topics {
		var id [16]byte
		for j := range id {
			id[j] = byte(rnd.Uint32())
		}
		add(topicConfigKey(id), encodeConfigs(map[string]string{"retention.ms": "86400000"}))
		for p := range partitions {
			add(partitionKey(id, int32(p)), PartitionState{Leader: 1, Replicas: []int32{1}, ISR: []int32{1}}.encode())
		}
		add(topicKey(fmt.Sprintf("topic-%05d", i)), topicRecord{id: id, partitions: int32(partitions)}.encode())
	}
	slices.SortFunc(kvs, func(a, b KV) int { return strings.Compare(a.Key, b.Key) })
	r, err := loadImage(kvs, int64(len(kvs)+1), func(key string, err error) { tb.Errorf("%s: %v", key, err) })
	if err != nil {
		tb.Fatal(err)
	}
	return kvs, r
}

// TestSharing: a change to one of 10,000 topics allocates for that one, not for all.
func TestSharing(t *testing.T) {
	_, r := loaded(t, 10_000, 1)
	before := r.img
	topic, _ := before.Topic("topic-05000")
	n := int64(0)
	change := func() {
		n++
		p := PartitionState{Leader: 1, LeaderEpoch: int32(n), Replicas: []int32{1}, ISR: []int32{1}}
		r.apply([]Event{{KV: KV{Key: partitionKey(topic.ID, 0), Value: p.encode(), ModRevision: before.revision + n}}})
	}
	const most = 64 << 10
	if bytes := allocated(change); bytes > most {
		t.Errorf("one change allocates %d bytes", bytes)
	}
	same, changed := 0, 0
	for old := range before.Topics() {
		if now, _ := r.img.Topic(old.Name); now == old {
			same++
		} else {
			changed++
		}
	}
	if same != 9999 || changed != 1 {
		t.Errorf("%d topics are shared, %d are not", same, changed)
	}
}

// allocated returns the bytes that f allocates, on average.
func allocated(f func()) uint64 {
	const runs = 200
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}

// TestDamagedKeys: keys that cannot be read are reported and passed over.
func TestDamagedKeys(t *testing.T) {
	kvs, _ := loaded(t, 3, 2)
	id, _, _ := parsePartitionKey(kvs[slices.IndexFunc(kvs, func(kv KV) bool { return strings.HasPrefix(kv.Key, partitionsPrefix) })].Key)
	junk := []byte{0xff, 0xff, 0xff}
	for i := range kvs {
		if kvs[i].Key == partitionKey(id, 0) {
			kvs[i].Value = junk
		}
	}
	kvs = append(kvs,
		KV{Key: topicKey("junk"), Value: junk, ModRevision: 1000},
		KV{Key: topicKey("huge"), Value: topicRecord{id: [16]byte{1}, partitions: 1 << 30}.encode(), ModRevision: 1001},
		KV{Key: partitionsPrefix + "what", Value: nil, ModRevision: 1002},
		KV{Key: brokersPrefix + "x", ModRevision: 1003},
		KV{Key: brokersPrefix + "7", Value: junk, ModRevision: 1003},
		KV{Key: producerIDsKey, Value: junk, ModRevision: 1004},
		KV{Key: topicConfigsPrefix + "?", ModRevision: 1005},
		KV{Key: brokerConfigsPrefix, Value: junk, ModRevision: 1005},
	)
	var reported []string
	r, err := loadImage(kvs, 2000, func(key string, err error) { reported = append(reported, key) })
	if err != nil {
		t.Fatal(err)
	}
	checkImage(t, r.img)
	topic, ok := r.img.TopicByID(id)
	if !ok || len(topic.Partitions) != 2 || topic.Partitions[0].Leader != NoLeader || topic.Partitions[1].Leader != 1 {
		t.Errorf("%+v", topic)
	}
	if len(reported) != 10 || r.img.TopicCount() != 3 { // the partition is reported as such and as missing in its topic
		t.Errorf("%d reported: %v; %d topics", len(reported), reported, r.img.TopicCount())
	}
}

func TestNewerFormat(t *testing.T) {
	store := NewMemStore()
	store.Txn(t.Context(), nil, []Op{Put(formatKey, []byte("2"))})
	if err := New(store, Options{}).Start(t.Context()); !errors.Is(err, errFormat) {
		t.Errorf("%v", err)
	}
}

// TestWatchLost: the Image catches up when the watch breaks off, when what it needs was compacted, and when reading
// anew fails for a while.
func TestWatchLost(t *testing.T) {
	var cut, failing atomic.Bool
	store := NewFaultyMemStore(Faults{
		BeforeDeliver: func(context.Context, []Event) error {
			if cut.Swap(false) {
				return errors.New("cut")
			}
			return nil
		},
		BeforeRange: func(context.Context, string) error {
			if failing.Load() {
				return errors.New("not now")
			}
			return nil
		},
	})
	c := start(t, store, Options{}, oneBroker)
	for i := range 20 {
		cut.Store(true)
		failing.Store(i%2 == 0)
		if i%3 == 0 {
			_, rev, _ := store.Range(t.Context(), "none")
			store.Compact(t.Context(), rev)
		}
		results, rev := c.CreateTopics(testContext(t), []NewTopic{{Name: fmt.Sprint("t", i), Partitions: 1, ReplicationFactor: 1}}, false)
		if results[0].Err != nil {
			t.Fatal(results[0].Err)
		}
		if i%2 == 0 {
			time.AfterFunc(5*time.Millisecond, func() { failing.Store(false) })
		}
		if img := await(t, c, rev); img.TopicCount() != i+1 {
			t.Fatalf("%d topics, want %d", img.TopicCount(), i+1)
		}
	}
}

// TestSlowWatch: operations that decide on an old Image are refused by the store and decided again; nothing is lost or
// done twice.
func TestSlowWatch(t *testing.T) {
	store := NewFaultyMemStore(Faults{BeforeDeliver: func(context.Context, []Event) error {
		time.Sleep(2 * time.Millisecond)
		return nil
	}})
	c := start(t, store, Options{}, oneBroker)
	create(t, c, NewTopic{Name: "t", Partitions: 1, ReplicationFactor: 1})
	done := make(chan error, 20)
	for i := range 20 {
		go func() {
			errs, _ := c.AlterConfigs(context.Background(), []ConfigChange{{Resource: ConfigResource{ResourceTopic, "t"},
				Ops: []ConfigOp{{Key: fmt.Sprintf("k%02d", i), Value: "v"}}}}, false)
			done <- errs[0]
		}()
	}
	for range 20 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	_, rev, _ := store.Range(t.Context(), "none")
	if topic, _ := await(t, c, rev).Topic("t"); len(topic.Configs) != 20 {
		t.Errorf("%d of 20 keys: %v", len(topic.Configs), slices.Sorted(maps.Keys(topic.Configs)))
	}
}

func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		kvs, _ := loaded(b, n, 1)
		b.Run(fmt.Sprintf("%d topics of one partition", n), func(b *testing.B) { benchmarkLoad(b, kvs) })
		kvs, _ = loaded(b, 1, n)
		b.Run(fmt.Sprintf("one topic of %d partitions", n), func(b *testing.B) { benchmarkLoad(b, kvs) })
	}
}

func benchmarkLoad(b *testing.B, kvs []KV) {
	b.ReportAllocs()
	for b.Loop() {
		loadImage(kvs, 1, func(string, error) {})
	}
}

func BenchmarkApply(b *testing.B) {
	_, r := loaded(b, 10_000, 1)
	topic, _ := r.img.Topic("topic-05000")
	value := PartitionState{Leader: 1, Replicas: []int32{1}, ISR: []int32{1}}.encode()
	b.ReportAllocs()
	for b.Loop() {
		r.apply([]Event{{KV: KV{Key: partitionKey(topic.ID, 0), Value: value, ModRevision: r.img.revision + 1}}})
	}
}

func BenchmarkTopic(b *testing.B) {
	_, r := loaded(b, 10_000, 1)
	for b.Loop() {
		r.img.Topic("topic-05000")
	}
}
