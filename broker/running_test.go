package broker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/controller"
	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"
)

// running is a whole broker in this process, its metadata in memory.
type running struct {
	t     testing.TB
	addr  string
	logs  *syncBuffer
	trace *syncBuffer
	stop  context.CancelFunc
	done  chan error
}

// syncBuffer is a writer that may be read while it is written to.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start runs a broker with these properties on top of a free port and a
// directory of its own. It is stopped when the test ends.
func start(t testing.TB, properties config.Properties) *running {
	t.Helper()
	return run(t, properties, "all", controller.NewMemStore())
}

// startQuiet is start for benchmarks: nothing is traced.
func startQuiet(t testing.TB) *running {
	t.Helper()
	return run(t, nil, "", controller.NewMemStore())
}

func run(t testing.TB, properties config.Properties, trace string, store controller.Store) *running {
	t.Helper()
	r, err := tryRun(t, nil, properties, trace, store)
	if err != nil {
		t.Fatalf("the broker did not start: %v", err)
	}
	return r
}

// tryRun is run with log directories on another file system than the operating
// system's, if disk is not nil.
func tryRun(t testing.TB, disk vfs.FS, properties config.Properties, trace string, store controller.Store) (*running, error) {
	t.Helper()
	given := config.Properties{"listeners": "PLAINTEXT://127.0.0.1:0", "log.dirs": t.TempDir()}
	for k, v := range properties {
		given[k] = v
	}
	values, _, err := config.Parse(given)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, logs: &syncBuffer{}, trace: &syncBuffer{}, stop: stop, done: make(chan error, 1)}
	level := new(slog.LevelVar)
	ready := make(chan Started, 1)
	go func() {
		r.done <- Run(ctx, Config{
			Values: values, Trace: trace, TraceOut: r.trace,
			OpenStore: func(context.Context, string, int32, *slog.Logger) (controller.Store, error) {
				return store, nil
			},
			Ready:    func(s Started) { ready <- s },
			Logger:   slog.New(slog.NewTextHandler(r.logs, &slog.HandlerOptions{Level: level})),
			LogLevel: level,
			Now:      time.Now,
			FS:       disk,
		})
	}()
	select {
	case s := <-ready:
		r.addr = s.Address
	case err := <-r.done:
		return nil, err
	}
	t.Cleanup(func() {
		stop()
		if r.done != nil {
			<-r.done
		}
		if strings.Contains(r.logs.String(), "panic") {
			t.Errorf("a handler panicked:\n%s", r.logs)
		}
	})
	return r, nil
}

// end stops the broker and answers what Run returned.
func (r *running) end() error {
	r.stop()
	err := <-r.done
	r.done = nil
	return err
}

// client is one raw connection.
type client struct {
	t       testing.TB
	nc      net.Conn
	format  *kmsg.RequestFormatter
	lastID  int32
	pending []kmsg.Request // sent, by correlation id; answers must come in this order
	ids     []int32
}

// deadline ends a test whose answer never comes; nothing waits for it to pass.
const deadline = 20 * time.Second

// farAway is a deadline for what takes as long as it takes.
func farAway() time.Time { return time.Now().Add(time.Hour) }

func (r *running) dial() *client {
	r.t.Helper()
	nc, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(deadline))
	return &client{t: r.t, nc: nc, format: kmsg.NewRequestFormatter(kmsg.FormatterClientID("test"))}
}

// send writes requests in one write, without waiting for answers.
func (c *client) send(reqs ...kmsg.Request) {
	c.t.Helper()
	var out []byte
	for _, r := range reqs {
		c.lastID++
		out = append(out, c.format.AppendRequest(nil, r, c.lastID)...)
		c.pending = append(c.pending, r)
		c.ids = append(c.ids, c.lastID)
	}
	c.write(out)
}

func (c *client) write(p []byte) {
	c.t.Helper()
	if _, err := c.nc.Write(p); err != nil {
		c.t.Fatal(err)
	}
}

// skip says that the oldest request under way gets no answer.
func (c *client) skip() { c.pending, c.ids = c.pending[1:], c.ids[1:] }

// receive reads the answer to the oldest request under way.
func (c *client) receive() kmsg.Response {
	c.t.Helper()
	frame, err := c.frame()
	if err != nil {
		c.t.Fatalf("no answer to %T: %v", c.pending[0], err)
	}
	req, id := c.pending[0], c.ids[0]
	c.skip()
	if got := int32(binary.BigEndian.Uint32(frame)); got != id {
		c.t.Fatalf("answer to correlation id %d where %d is due", got, id)
	}
	frame = frame[4:]
	resp := req.ResponseKind()
	resp.SetVersion(req.GetVersion())
	if req.IsFlexible() && req.Key() != 18 {
		frame = frame[1:] // no tags in the header
	}
	if err := resp.ReadFrom(frame); err != nil {
		c.t.Fatalf("answer to %T: %v", req, err)
	}
	return resp
}

func (c *client) frame() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(c.nc, size[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err := io.ReadFull(c.nc, frame)
	return frame, err
}

// ask sends one request and reads its answer.
func ask[R kmsg.Response](c *client, req kmsg.Request) R {
	c.t.Helper()
	c.send(req)
	return c.receive().(R)
}

// gone reads until the broker closes the connection.
func (c *client) gone() {
	c.t.Helper()
	n, err := io.Copy(io.Discard, c.nc)
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		c.t.Fatalf("the connection is still open after %v", deadline)
	}
	if n > 0 {
		c.t.Fatalf("%d bytes instead of a closed connection", n)
	}
}

func (c *client) createTopic(name string, partitions int32) {
	c.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Version = 7
	req.TimeoutMillis = 10_000
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = name, partitions, 1
	req.Topics = append(req.Topics, t)
	if got := ask[*kmsg.CreateTopicsResponse](c, req).Topics[0].ErrorCode; got != 0 {
		c.t.Fatalf("creating %s: error %d", name, got)
	}
}

func produceRequest(topic string, partition int32, acks int16, records []byte) *kmsg.ProduceRequest {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 9, acks, 5000
	t := kmsg.NewProduceRequestTopic()
	t.Topic = topic
	p := kmsg.NewProduceRequestTopicPartition()
	p.Partition, p.Records = partition, records
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

func fetchRequest(topic string, partition int32, offset int64, minBytes int32, wait time.Duration) *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.Version, req.MaxWaitMillis, req.MinBytes, req.MaxBytes = 12, int32(wait.Milliseconds()), minBytes, 50<<20
	req.SessionEpoch = -1
	t := kmsg.NewFetchRequestTopic()
	t.Topic = topic
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 50<<20
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return req
}

// someBatch is a batch of n records whose values are size bytes long.
func someBatch(n, size int) batch.Batch {
	b := batch.NewBuilder()
	for i := range n {
		b.Add(batch.Record{Timestamp: time.Now().UnixMilli(), Value: []byte(fmt.Sprintf("%0*d", size, i))})
	}
	return b.Build()
}

func produceCode(r *kmsg.ProduceResponse) int16 { return r.Topics[0].Partitions[0].ErrorCode }

func metadataOf(topics ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Version = 9
	req.Topics = []kmsg.MetadataRequestTopic{}
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	return req
}
