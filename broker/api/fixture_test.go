package api

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/broker/markers"
	"blumfeld/broker/replica"
	"blumfeld/controller"
	"blumfeld/controller/group"
	"blumfeld/controller/txn"
	"blumfeld/logstore"
	"blumfeld/logstore/vfs"
	"blumfeld/protocol"
	"blumfeld/protocol/batch"
)

// fixture is a broker without sockets: real partitions over logs in memory, a
// real controller over the store in memory.
type fixture struct {
	*testing.T
	*Deps
	table Index
	log   *logLines // what Logger was told
	// broken is a log directory whose disk is gone; nil: none is.
	broken *atomic.Pointer[string]
	// moveRate is how fast replicas move to other directories, in bytes a second.
	moveRate *atomic.Int64
	marked   *markedLeaders // what the transaction coordinator has leaders write
}

const (
	testNode     = 1
	testListener = "PLAINTEXT"
)

// newFixture starts one with these broker properties, given as key, value, ….
func newFixture(t *testing.T, properties ...string) *fixture {
	t.Helper()
	given := config.Properties{}
	for i := 0; i < len(properties); i += 2 {
		given[properties[i]] = properties[i+1]
	}
	values, _, err := config.Parse(given)
	if err != nil {
		t.Fatal(err)
	}
	lines, level := &logLines{}, new(slog.LevelVar)
	logger := slog.New(slog.NewTextHandler(lines, &slog.HandlerOptions{Level: level}))
	paths := []string{"/data"}
	if given["log.dirs"] != "" {
		paths = values.LogDirs()
	}
	broken, moveRate := new(atomic.Pointer[string]), new(atomic.Int64)
	moveRate.Store(1 << 62)
	disk := vfs.Inject(vfs.NewMem(time.Now), func(op vfs.Op) error {
		if dir := broken.Load(); dir != nil && strings.HasPrefix(op.Path, *dir) {
			return errors.New("the disk is gone")
		}
		return nil
	})
	var dirs []*logstore.Dir
	for _, path := range paths {
		dir, err := logstore.OpenDir(disk, path, logstore.DirOptions{NodeID: testNode, Now: time.Now, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, dir)
	}
	var c *controller.Controller
	validate, listDefault := ConfigRules(values, testNode, func() *controller.Image { return c.Image() })
	store := controller.NewMemStore()
	c = controller.New(store, controller.Options{
		NodeID: testNode, ConfigsValidator: validate, ListDefault: listDefault,
		MinInsyncReplicas: int32(values.Int("min.insync.replicas")), Logger: logger,
	})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = c.RegisterBroker(t.Context(), controller.Broker{ID: testNode, Endpoints: []controller.Endpoint{
		{Listener: testListener, Protocol: "PLAINTEXT", Host: "here", Port: 9092},
	}})
	if err != nil {
		t.Fatal(err)
	}
	set := replica.NewSet(replica.SetOptions{
		NodeID: testNode, Dirs: dirs, RecoveryThreads: func(*controller.Image) int { return 1 }, Logger: logger,
		MoveRate: func(*controller.Image) int64 { return moveRate.Load() },
		Settings: func(_ *controller.Image, topic *controller.Topic) replica.Settings {
			effective := values.Topic(topic.Configs)
			log := logstore.DefaultConfig()
			log.Compact, log.Delete = effective.Compact, effective.Delete
			log.SegmentBytes = effective.SegmentBytes
			return replica.Settings{Log: log, MinInsyncReplicas: 1}
		},
	})
	set.Apply(c.Image())
	ctx, cancel := context.WithCancel(context.Background())
	var applying sync.WaitGroup
	applying.Go(func() {
		for ctx.Err() == nil {
			changed := c.Changed()
			set.Apply(c.Image())
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	})
	rules := group.DefaultConfig()
	rules.InitialRebalanceDelayMs = 0
	groups := group.New(group.Options{Store: store, Config: rules, Logger: logger})
	if err := groups.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	producers := NewProducerIDs(c)
	writer := markers.New(set, groups)
	marked := &markedLeaders{Writer: writer}
	txns := txn.New(txn.Options{Store: store, Config: txn.DefaultConfig(), Markers: marked, NextProducerID: producers.Next, Logger: logger})
	if err := txns.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, table: NewIndex(Table()), log: lines, broken: broken, moveRate: moveRate, marked: marked, Deps: &Deps{
		NodeID: testNode, Config: values, Controller: c, Partitions: set,
		Sessions:      NewFetchSessions(10, time.Now),
		FetchMaxBytes: 1 << 20, AnswerMaxBytes: DefaultAnswerMaxBytes,
		Producers: producers,
		Groups:    groups,
		Txns:      txns,
		Markers:   writer,
		Logger:    logger, LogLevel: level, Now: time.Now,
	}}
	t.Cleanup(func() {
		txns.Close()
		writer.Close()
		f.Producers.Close()
		cancel()
		applying.Wait()
		groups.Close()
		set.Stop()
		c.Close()
		for _, dir := range dirs {
			if err := dir.Close(); err != nil && dir.Offline() == nil {
				t.Error(err)
			}
		}
	})
	return f
}

// logLines keeps what is logged.
type logLines struct {
	mu    sync.Mutex
	lines strings.Builder
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

// take answers the lines that contain text, from msg= on, and forgets all lines.
func (l *logLines) take(text string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.lines.String()) {
		if strings.Contains(line, text) {
			_, line, _ = strings.Cut(strings.TrimSpace(line), "msg=")
			found = append(found, line)
		}
	}
	l.lines.Reset()
	return found
}

// send hands a request to its handler and returns the response as a client
// decodes it.
func (f *fixture) send(req kmsg.Request) kmsg.Response {
	f.Helper()
	a := f.table.Lookup(req.Key())
	if a == nil {
		f.Fatalf("no handler for key %d", req.Key())
	}
	reply := a.Handle(f.Context(), f.Deps, f.request(req))
	for reply.Wait != nil {
		reply = reply.Wait(f.Context())
	}
	if reply.Response == nil {
		f.Fatalf("key %d: no response", req.Key())
	}
	if got := reply.Response.GetVersion(); got != req.GetVersion() {
		f.Errorf("key %d: response of version %d to a request of version %d", req.Key(), got, req.GetVersion())
	}
	out := req.ResponseKind()
	if err := out.ReadFrom(reply.Response.AppendTo(nil)); err != nil {
		f.Fatalf("key %d: response cannot be decoded: %v", req.Key(), err)
	}
	return out
}

// request is req as its handler gets it.
func (f *fixture) request(req kmsg.Request) *Request {
	f.Helper()
	header := protocol.Header{Key: req.Key(), Version: req.GetVersion()}
	return &Request{
		Request:  &protocol.Request{Header: header, Body: received(f.T, req)},
		Listener: testListener, Received: time.Now(),
	}
}

// ask is send for a response of a known type.
func ask[R kmsg.Response](f *fixture, req kmsg.Request) R {
	f.Helper()
	return f.send(req).(R)
}

// received is the request as it is after a trip over the wire: what its version
// does not have is gone.
func received(t *testing.T, req kmsg.Request) kmsg.Request {
	t.Helper()
	got := kmsg.RequestForKey(req.Key())
	got.SetVersion(req.GetVersion())
	if err := got.ReadFrom(req.AppendTo(nil)); err != nil {
		t.Fatalf("request of key %d: %v", req.Key(), err)
	}
	return got
}

// topic creates a topic with this configuration, given as key, value, ….
func (f *fixture) topic(name string, partitions int32, configs ...string) *controller.Topic {
	f.Helper()
	n := controller.NewTopic{Name: name, Partitions: partitions, ReplicationFactor: 1, Configs: map[string]string{}}
	for i := 0; i < len(configs); i += 2 {
		n.Configs[configs[i]] = configs[i+1]
	}
	results, revision := f.Controller.CreateTopics(f.Context(), []controller.NewTopic{n}, false)
	if err := results[0].Err; err != nil {
		f.Fatal(err)
	}
	if err := f.Partitions.Await(f.Context(), revision); err != nil {
		f.Fatal(err)
	}
	return results[0].Topic
}

// partition returns a partition that is served.
func (f *fixture) partition(topic string, n int32) *replica.Partition {
	f.Helper()
	p, err := f.Partitions.Get(topic, n)
	if err != nil {
		f.Fatal(err)
	}
	return p
}

// append appends a batch of records with these timestamps, keyed so that
// compacted topics take them too.
func (f *fixture) append(topic string, partition int32, timestamps ...int64) {
	f.Helper()
	b := batch.NewBuilder()
	for _, ts := range timestamps {
		b.Add(batch.Record{Timestamp: ts, Key: []byte("k"), Value: []byte("v")})
	}
	f.appendBatch(topic, partition, b)
}

func (f *fixture) appendBatch(topic string, partition int32, b *batch.Builder) {
	f.Helper()
	if _, err := f.partition(topic, partition).Append(b.Build(), 1, replica.Verification{}); err != nil {
		f.Fatal(err)
	}
}

// versions calls f with every version of the request that is served.
func (f *fixture) versions(req kmsg.Request, test func(version int16)) {
	a := f.table.Lookup(req.Key())
	for v := a.Served; v <= a.Max; v++ {
		test(v)
	}
}

// equal reports a difference between two values of one type.
func equal[V any](t testing.TB, what string, got, want V) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\ngot  %+v\nwant %+v", what, got, want)
	}
}

// text is *s, or "null".
func text(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}
