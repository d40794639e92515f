package broker

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/api"
)

// bare is a server without a broker behind it: ApiVersions alone is served, by a
// handler of the test's.
type bare struct {
	*running
	*server
	clock atomic.Int64 // unix ms
	end   func(grace time.Duration)
}

func startBare(t *testing.T, change func(*serverOptions), handle func(ctx context.Context, d *api.Deps, r *api.Request) api.Reply) *bare {
	t.Helper()
	b := &bare{running: &running{t: t, logs: &syncBuffer{}}}
	b.clock.Store(time.Now().UnixMilli())
	o := serverOptions{
		maxRequest: 100 << 20, queuedMaxBytes: -1,
		now:    func() time.Time { return time.UnixMilli(b.clock.Load()) },
		logger: slog.New(slog.NewTextHandler(b.logs, nil)),
	}
	if change != nil {
		change(&o)
	}
	b.server = newServer(o, nil, nil)
	b.server.setLimits(connectionLimits{max: 100, perIP: 100})
	b.index = api.NewIndex([]api.API{{Key: apiVersionsKey, Max: 4, Handle: handle}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	b.server.serve(ctx, l, "PLAINTEXT")
	b.watchIdle()
	ended := false
	b.end = func(grace time.Duration) {
		if !ended {
			ended = true
			l.Close()
			b.server.stop(grace, cancel)
			cancel()
		}
	}
	t.Cleanup(func() { b.end(0) })
	return b
}

func versions() *kmsg.ApiVersionsRequest {
	req := kmsg.NewPtrApiVersionsRequest()
	req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1"
	return req
}

func answered(r *api.Request) api.Reply {
	return api.Reply{Response: r.Body.ResponseKind()}
}

// TestPanicInAWaitCostsOnlyItsConnection has the wait of a request panic, which
// no handler's stack is below.
func TestPanicInAWaitCostsOnlyItsConnection(t *testing.T) {
	b := startBare(t, nil, func(_ context.Context, _ *api.Deps, r *api.Request) api.Reply {
		if r.Version == 0 {
			return answered(r)
		}
		return api.Reply{Wait: func(context.Context) api.Reply { panic("in a wait") }}
	})
	other, c := b.dial(), b.dial()
	ask[*kmsg.ApiVersionsResponse](other, versions())
	bad := versions()
	bad.Version = 3
	c.send(bad, bad, versions())
	c.gone()
	ask[*kmsg.ApiVersionsResponse](other, versions())
	if log := b.logs.String(); strings.Count(log, "panic while handling a request") == 0 || !strings.Contains(log, "in a wait") {
		t.Fatalf("the panic is not in the log:\n%s", log)
	}
}

// TestWaitingIsNotIdle lets hours pass over a connection that is silent and one
// whose request waits: only the first is closed.
func TestWaitingIsNotIdle(t *testing.T) {
	waiting, release := make(chan struct{}), make(chan struct{})
	let := sync.OnceFunc(func() { close(release) })
	b := startBare(t, func(o *serverOptions) { o.maxIdle = 100 * time.Millisecond }, func(_ context.Context, _ *api.Deps, r *api.Request) api.Reply {
		if r.Version == 0 {
			return answered(r)
		}
		return api.Reply{Wait: func(context.Context) api.Reply {
			close(waiting)
			<-release
			return answered(r)
		}}
	})
	t.Cleanup(let)
	silent, c := b.dial(), b.dial()
	ask[*kmsg.ApiVersionsResponse](silent, versions())
	req := versions()
	req.Version = 3
	c.send(req)
	<-waiting
	// More than one hour: the server may note when its answer was written only after the first of them.
	closed := make(chan struct{})
	var hours sync.WaitGroup
	hours.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			b.clock.Add(time.Hour.Milliseconds())
			select {
			case <-tick.C:
			case <-closed:
				return
			}
		}
	})
	defer hours.Wait()
	defer close(closed)
	silent.gone()
	let()
	c.receive()
}

// TestStopAbandonsHandlers holds that a handler that waits for what never comes
// (a metadata store without a quorum, say) does not keep the broker from ending.
func TestStopAbandonsHandlers(t *testing.T) {
	handling := make(chan struct{})
	b := startBare(t, nil, func(ctx context.Context, _ *api.Deps, r *api.Request) api.Reply {
		close(handling)
		<-ctx.Done()
		return answered(r)
	})
	b.dial().send(versions())
	<-handling
	b.end(time.Millisecond)
}

// TestAnswersLeaveBeforeMemoryIsAwaited pipelines a small request and a large
// one for which queued.max.request.bytes leaves no room: the small one is
// answered, and the broker can be stopped.
func TestAnswersLeaveBeforeMemoryIsAwaited(t *testing.T) {
	b := startBare(t, func(o *serverOptions) { o.queuedMaxBytes = 1 }, func(_ context.Context, _ *api.Deps, r *api.Request) api.Reply {
		return answered(r)
	})
	large := binary.BigEndian.AppendUint32(nil, 1<<20)
	hog := b.dial()
	hog.write(large)
	waitFor(t, func() bool {
		b.memory.mu.Lock()
		defer b.memory.mu.Unlock()
		return b.memory.used > 0
	})
	c := b.dial()
	req := versions()
	c.pending, c.ids = append(c.pending, req), append(c.ids, 1)
	c.write(append(c.format.AppendRequest(nil, req, 1), large...))
	c.receive()
}

// TestAdmittedConnectionIsComplete holds that the idle check and stop, which see
// a connection as soon as it is admitted, find what they use.
func TestAdmittedConnectionIsComplete(t *testing.T) {
	b := startBare(t, nil, nil)
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	c := &conn{s: b.server, nc: near}
	if err := b.admit(c); err != nil {
		t.Fatal(err)
	}
	defer b.dismiss(c)
	if c.logger == nil || c.lastActive.Load() == 0 {
		t.Fatal("an admitted connection has no logger, or looks idle since 1970")
	}
}
