package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"blumfeld/broker/api"
	"blumfeld/protocol"
)

// inFlight is how many requests of one connection may be under way: the reader
// stops when that many answers wait.
const inFlight = 128

const apiVersionsKey = 18

// conn is one client connection. The goroutine of serve reads and handles; it
// also writes, unless the writer has answers outstanding.
type conn struct {
	s        *server
	nc       net.Conn
	raw      syscall.RawConn // nil: not a kernel socket
	id       uint64
	listener string
	host     string // the peer's
	local    string // ours, as the peer reached it
	logger   *slog.Logger

	in       inbuf
	out      output
	readStep func(fd uintptr) bool // made once: closures given to raw.Read escape
	readRoom int                   // argument of readStep: size of the frame awaited
	readN    int                   // results of readStep
	readErr  error

	// outstanding counts answers handed to the writer and not yet written. Only
	// the reader adds: while it is 0, the socket and out are the reader's.
	outstanding atomic.Int32
	queue       chan queued // nil until the first answer had to wait
	writer      sync.WaitGroup
	writeErr    atomic.Pointer[error]

	// stopWaits ends every Reply.Wait of the connection: nobody will read the
	// answer, or nobody should have to wait for it.
	stopWaits context.CancelFunc

	lastActive atomic.Int64 // unix ms of the last complete read, write or request
	busy       atomic.Int32 // requests that a handler or a wait is at
	stopping   atomic.Bool  // no further requests are taken
}

// queued is an answer on its way through the writer.
type queued struct {
	r     *api.Request
	reply api.Reply
	trace *traced
}

// errStopping ends a connection in an orderly way.
var errStopping = errors.New("the broker is stopping")

// work runs a handler, or the wait for what it needs. The connection is not idle
// meanwhile.
func (c *conn) work(do func() api.Reply) api.Reply {
	c.busy.Add(1)
	defer func() {
		c.touch()
		c.busy.Add(-1)
	}()
	return do()
}

// touch notes that the connection is in use.
func (c *conn) touch() { c.lastActive.Store(c.s.now().UnixMilli()) }

// serve runs the connection until the client goes, misbehaves, or stop or close
// is called. On return everything that was under way has been answered or given
// up, and the socket is closed. Handlers run under ctx, waits under waits.
func (c *conn) serve(ctx, waits context.Context) {
	err := c.read(ctx, waits)
	c.stopWaits()
	if c.queue != nil {
		close(c.queue)
		c.writer.Wait()
	}
	c.out.drop()
	c.in.consume(len(c.in.unread()))
	c.in.release()
	c.nc.Close()
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errStopping) && !isDisconnect(err) {
		c.logger.Warn("connection closed", "err", err)
	}
}

func isDisconnect(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, context.Canceled)
}

// read is the loop: frames out of the buffer, answers, then more bytes.
func (c *conn) read(ctx, waits context.Context) error {
	var charged int64 // of requestMemory, for the frame that is arriving
	defer func() { c.s.memory.release(charged) }()
	for {
		for {
			before := len(c.in.unread())
			frame, rest, need, err := protocol.NextFrame(c.in.unread(), c.s.maxRequest)
			if err != nil {
				return err
			}
			if need > 0 {
				c.readRoom = before + need
				break
			}
			if err := c.handle(ctx, waits, frame); err != nil {
				return err
			}
			c.in.consume(before - len(rest))
			c.s.memory.release(charged)
			charged = 0
			if c.stopping.Load() {
				return c.finishReading()
			}
		}
		// The client hears its answers before we wait for it, or for memory.
		if err := c.flushIdle(); err != nil {
			return err
		}
		if c.readRoom > baseBuffer && charged == 0 {
			if err := c.s.memory.acquire(waits, int64(c.readRoom)); err != nil {
				return err
			}
			charged = int64(c.readRoom)
		}
		if err := c.fill(); err != nil {
			if c.stopping.Load() {
				return c.finishReading()
			}
			return err
		}
		c.touch()
	}
}

func (c *conn) finishReading() error {
	if err := c.flushIdle(); err != nil {
		return err
	}
	return errStopping
}

// flushIdle writes what the reader gathered, if the socket is the reader's.
func (c *conn) flushIdle() error {
	if p := c.writeErr.Load(); p != nil {
		return *p
	}
	if c.outstanding.Load() > 0 {
		return nil
	}
	return c.flush()
}

func (c *conn) flush() error {
	if !c.out.pending() {
		return nil
	}
	err := c.out.flush(c.nc)
	c.touch()
	return err
}

// fill reads at least one byte into the buffer. While nothing is there to be
// read the buffer is given back.
func (c *conn) fill() error {
	if c.raw == nil {
		n, err := c.nc.Read(c.in.reserve(c.readRoom))
		c.in.filled(n)
		if n > 0 {
			return nil
		}
		return err
	}
	c.readN, c.readErr = 0, nil
	if err := c.raw.Read(c.readStep); err != nil {
		return err
	}
	if c.readErr != nil {
		return c.readErr
	}
	if c.readN == 0 {
		return io.EOF
	}
	c.in.filled(c.readN)
	return nil
}

// tryRead is one attempt to read; false: wait until the socket is readable.
func (c *conn) tryRead(fd uintptr) bool {
	room := c.in.reserve(c.readRoom)
	for {
		n, err := syscall.Read(int(fd), room)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			if c.in.empty() {
				c.in.release()
			}
			return false
		}
		c.readN, c.readErr = max(n, 0), err
		return true
	}
}

// survive makes an error of a panic. A panic under a request is a defect of ours:
// it is logged with its stack and costs the client its connection, but no other
// client anything. It is to be deferred.
func (c *conn) survive(err *error) {
	if p := recover(); p != nil {
		c.logger.Error("panic while handling a request", "panic", p, "stack", string(debug.Stack()))
		*err = fmt.Errorf("panic while handling a request: %v", p)
	}
}

// handle decodes one frame, runs its handler and delivers the answer.
func (c *conn) handle(ctx, waits context.Context, frame []byte) (err error) {
	defer c.survive(&err)
	pr, err := protocol.Parse(frame, c.s.index.Served)
	if err != nil {
		return c.refuse(waits, err)
	}
	r := &api.Request{Request: pr, Listener: c.listener, ClientHost: c.host, LocalHost: c.local, Received: c.s.now()}
	trace := c.s.tracer.request(c, r)
	reply := c.work(func() api.Reply { return c.s.index.Lookup(r.Key).Handle(ctx, c.s.deps, r) })
	return c.deliver(waits, queued{r, reply, trace})
}

// refuse answers what can be answered of a request that cannot be decoded:
// ApiVersions of a version we do not know (KIP-511). Everything else ends the
// connection.
func (c *conn) refuse(waits context.Context, err error) error {
	var unsupported *protocol.UnsupportedVersionError
	if !errors.As(err, &unsupported) || unsupported.Key != apiVersionsKey {
		return err
	}
	r := &api.Request{Request: &protocol.Request{Header: unsupported.Header}}
	r.Version = 0
	return c.deliver(waits, queued{r: r, reply: api.Reply{Response: api.UnsupportedApiVersions()}})
}

// deliver writes the answer, or has it written in its turn.
func (c *conn) deliver(waits context.Context, q queued) error {
	if c.outstanding.Load() == 0 && q.reply.Wait == nil {
		return c.finish(q)
	}
	if c.outstanding.Load() == 0 {
		if err := c.flush(); err != nil {
			return err
		}
	}
	if c.queue == nil {
		c.queue = make(chan queued, inFlight)
		c.writer.Go(func() { c.write(waits) })
	}
	c.outstanding.Add(1)
	c.queue <- q // blocks while inFlight answers wait
	return nil
}

// finish encodes an answer that is there, and writes when enough has gathered.
// The socket is the caller's.
func (c *conn) finish(q queued) error {
	c.s.tracer.response(q.trace, q.reply)
	if q.reply.Hangup != nil {
		if err := c.flush(); err != nil {
			return err
		}
		return q.reply.Hangup
	}
	if q.reply.Response == nil {
		return nil
	}
	if err := c.out.add(q.r, q.reply); err != nil {
		return err
	}
	if c.out.full() {
		return c.flush()
	}
	return nil
}

// write is the writer: it waits for each answer in turn and writes it, several
// at a time where they are ready. After a failure it only drains.
func (c *conn) write(waits context.Context) {
	done := int32(0) // answers encoded and not yet written
	for q := range c.queue {
		if c.writeErr.Load() != nil {
			release(q.reply)
			c.outstanding.Add(-1)
			continue
		}
		if q.reply.Wait != nil {
			if err := c.flush(); err != nil {
				c.fail(err)
				release(q.reply)
				c.outstanding.Add(-1 - done)
				done = 0
				continue
			}
			c.outstanding.Add(-done)
			done = 0
		}
		err := c.await(waits, q)
		done++
		if err == nil && len(c.queue) == 0 {
			err = c.flush()
		}
		if err != nil {
			c.fail(err)
		}
		if err != nil || !c.out.pending() {
			c.outstanding.Add(-done)
			done = 0
		}
	}
}

// await finishes an answer in the writer, after the wait that it may need.
func (c *conn) await(waits context.Context, q queued) (err error) {
	defer c.survive(&err)
	if q.reply.Wait != nil {
		q.reply = c.work(func() api.Reply { return q.reply.Wait(waits) })
	}
	return c.finish(q)
}

// fail ends the connection from the writer's side: closing the socket wakes the
// reader.
func (c *conn) fail(err error) {
	c.writeErr.Store(&err)
	c.out.drop()
	c.nc.Close()
}

// stop makes the connection take no further request and end when those under
// way are answered. It may be called from any goroutine.
func (c *conn) stop() {
	c.stopping.Store(true)
	c.stopWaits()
	// Wakes a reader that waits for bytes.
	c.nc.SetReadDeadline(time.Unix(1, 0))
}

// close ends the connection at once. It may be called from any goroutine.
func (c *conn) close() {
	c.stopWaits()
	c.nc.Close()
}

func release(r api.Reply) {
	for _, topic := range r.Records {
		for _, s := range topic {
			s.Release()
		}
	}
}
