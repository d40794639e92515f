package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"blumfeld/broker/api"
)

// serverOptions are the limits of a server; names are those of the properties.
type serverOptions struct {
	maxRequest     int32         // socket.request.max.bytes
	queuedMaxBytes int64         // queued.max.request.bytes
	maxIdle        time.Duration // connections.max.idle.ms
	sendBuffer     int           // socket.send.buffer.bytes, -1: the system's
	receiveBuffer  int           // socket.receive.buffer.bytes, -1: the system's
	now            func() time.Time
	logger         *slog.Logger
}

// connectionLimits are the limits that can change while connections are open.
// Those that are open stay.
type connectionLimits struct {
	max       int            // max.connections
	perIP     int            // max.connections.per.ip
	overrides map[string]int // max.connections.per.ip.overrides
}

// server owns the listeners and the connections.
type server struct {
	serverOptions
	deps    *api.Deps
	index   api.Index
	tracer  *tracer
	pool    buffers
	memory  *requestMemory
	working sync.WaitGroup // accept loops, connections, the idle check
	stopped chan struct{}

	mu     sync.Mutex
	limits connectionLimits
	conns  map[*conn]struct{}
	perIP  map[string]int
	nextID uint64
	ending bool
}

func newServer(o serverOptions, deps *api.Deps, t *tracer) *server {
	return &server{
		serverOptions: o, deps: deps, tracer: t,
		index:   api.NewIndex(api.Table()),
		memory:  newRequestMemory(o.queuedMaxBytes),
		conns:   make(map[*conn]struct{}),
		perIP:   make(map[string]int),
		stopped: make(chan struct{}),
	}
}

// setLimits changes how many connections are admitted from now on.
func (s *server) setLimits(l connectionLimits) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits = l
}

// serve accepts connections on l, which carries the given listener name, until
// stop. Handlers run under ctx.
func (s *server) serve(ctx context.Context, l net.Listener, name string) {
	s.working.Go(func() {
		for delay := time.Duration(0); ; {
			nc, err := l.Accept()
			if err == nil {
				delay = 0
				s.accept(ctx, nc, name)
				continue
			}
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// Out of file descriptors, say: the connections that are open go on, and
			// accepting is tried again when one may have closed.
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			s.logger.Error("a connection cannot be accepted", "listener", name, "err", err)
			select {
			case <-time.After(delay):
			case <-s.stopped:
				return
			}
		}
	})
}

// accept admits the connection and serves it, or closes it.
func (s *server) accept(ctx context.Context, nc net.Conn, listener string) {
	waits, stopWaits := context.WithCancel(ctx)
	c := &conn{s: s, nc: nc, listener: listener, host: hostOf(nc.RemoteAddr()), local: hostOf(nc.LocalAddr()), stopWaits: stopWaits}
	c.in.pool = &s.pool
	if err := s.admit(c); err != nil {
		s.logger.Warn("connection refused", "peer", nc.RemoteAddr(), "err", err)
		stopWaits()
		nc.Close()
		return
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		s.tune(tcp)
		if raw, err := tcp.SyscallConn(); err == nil {
			c.raw, c.readStep = raw, c.tryRead
		}
	}
	s.working.Go(func() {
		defer s.dismiss(c)
		c.serve(ctx, waits)
	})
}

// hostOf is the address without port.
func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

func (s *server) tune(tcp *net.TCPConn) {
	if s.sendBuffer > 0 {
		tcp.SetWriteBuffer(s.sendBuffer)
	}
	if s.receiveBuffer > 0 {
		tcp.SetReadBuffer(s.receiveBuffer)
	}
}

// admit makes c one of the connections, unless there are too many. From then on
// stop and the idle check may reach it: all they use is set by now.
func (s *server) admit(c *conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := s.limits.perIP
	if o, ok := s.limits.overrides[c.host]; ok {
		limit = o
	}
	switch {
	case s.ending:
		return errStopping
	case len(s.conns) >= s.limits.max:
		return fmt.Errorf("max.connections=%d reached", s.limits.max)
	case s.perIP[c.host] >= limit:
		return fmt.Errorf("max.connections.per.ip=%d reached for %s", limit, c.host)
	}
	s.nextID++
	c.id = s.nextID
	c.logger = s.logger.With("conn", c.id, "peer", c.nc.RemoteAddr().String())
	c.touch()
	s.conns[c] = struct{}{}
	s.perIP[c.host]++
	return nil
}

func (s *server) dismiss(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if s.perIP[c.host]--; s.perIP[c.host] == 0 {
		delete(s.perIP, c.host)
	}
}

// watchIdle closes connections that were silent for connections.max.idle.ms. One
// whose request is under way here is not idle, however long the client lets it
// wait.
func (s *server) watchIdle() {
	if s.maxIdle <= 0 {
		return
	}
	s.working.Go(func() {
		tick := time.NewTicker(max(s.maxIdle/10, 10*time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-s.stopped:
				return
			}
			before := s.now().Add(-s.maxIdle).UnixMilli()
			for _, c := range s.all() {
				if c.busy.Load() == 0 && c.lastActive.Load() < before {
					c.logger.Info("connection closed after connections.max.idle.ms")
					c.close()
				}
			}
		}
	})
}

func (s *server) all() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		out = append(out, c)
	}
	return out
}

// stop lets the requests that are under way finish, those that wait answer with
// what there is, and returns when every connection is closed; those that take
// longer than grace are cut, and abandon ends the context of their handlers. The
// listeners must have been closed.
func (s *server) stop(grace time.Duration, abandon func()) {
	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	close(s.stopped)
	for _, c := range s.all() {
		c.stop()
	}
	cut := time.AfterFunc(grace, func() {
		for _, c := range s.all() {
			c.logger.Warn("connection cut: its requests did not end in time")
			c.close()
		}
		abandon()
	})
	defer cut.Stop()
	s.working.Wait()
}
