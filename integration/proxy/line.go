package proxy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// What is a kind of fate.
type What int

const (
	Passed     What = iota
	Delayed         // it and all that comes after it on its connection wait
	Unanswered      // the broker gets it; the connection ends where the answer should be
	Late            // the connection ends; the broker gets it after the delay, from another one
	Twice           // the broker gets it, and gets it again after the delay, from another connection
	LastWords       // Late, and the line is cut: the client sent it and died
)

func (w What) String() string {
	return [...]string{"passed", "delayed", "unanswered", "late", "twice", "last words"}[w]
}

// Fate is what becomes of a request. Delay means nothing to those that are Passed or Unanswered.
type Fate struct {
	What  What
	Delay time.Duration
}

// Request is what the head of a request tells.
type Request struct{ Key, Version int16 }

// maxFrame bounds a request or an answer, in bytes.
const maxFrame = 64 << 20

// Line is all connections of one client.
type Line struct {
	post     *Post
	decide   func(Request) Fate
	listener net.Listener
	running  sync.WaitGroup
	dead     chan struct{} // closed by Cut

	mu    sync.Mutex
	isCut bool
	conns map[net.Conn]struct{}
}

// Open returns a line to the broker of post. decide is called for each request, also by several goroutines at once.
// Whoever opens a line closes it.
func Open(post *Post, decide func(Request) Fate) (*Line, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &Line{post: post, decide: decide, listener: listener, dead: make(chan struct{}), conns: make(map[net.Conn]struct{})}
	l.running.Go(l.accept)
	return l, nil
}

// Dial connects to the broker through the line, whatever the address: a broker tells clients where it listens itself.
func (l *Line) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", l.listener.Addr().String())
}

// Cut ends all connections, and the line never has another. What is late still arrives.
func (l *Line) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		return
	}
	l.isCut = true
	close(l.dead)
	l.listener.Close()
	for conn := range l.conns {
		reset(conn)
	}
}

// Dead is closed when the line is cut, whoever cut it.
func (l *Line) Dead() <-chan struct{} { return l.dead }

// Close cuts the line and waits until nothing of it runs.
func (l *Line) Close() {
	l.Cut()
	l.running.Wait()
}

// reset ends a connection so that the other side notices that it did not end well.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	conn.Close()
}

func (l *Line) accept() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			return // cut
		}
		l.running.Go(func() { l.serve(conn) })
	}
}

// hold has Cut end a connection too; false if that has been already.
func (l *Line) hold(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.isCut {
		l.conns[conn] = struct{}{}
	}
	return !l.isCut
}

func (l *Line) release(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, conn)
}

// link is one connection of the client with the one to the broker that belongs to it.
type link struct {
	client, broker net.Conn
	ended          chan struct{}
	end            func()

	mu       sync.Mutex
	unwanted map[uint32]bool // correlation ids whose answers get lost
}

func (l *Line) serve(client net.Conn) {
	defer reset(client)
	if !l.hold(client) {
		return
	}
	defer l.release(client)
	broker, err := l.post.dial()
	if err != nil {
		return
	}
	defer reset(broker)
	if !l.hold(broker) {
		return
	}
	defer l.release(broker)
	k := &link{client: client, broker: broker, ended: make(chan struct{}), unwanted: make(map[uint32]bool)}
	k.end = sync.OnceFunc(func() {
		close(k.ended)
		reset(client)
		reset(broker)
	})
	defer k.end()
	l.running.Go(k.answers)
	for {
		frame, err := readFrame(client)
		if err != nil || !l.request(k, frame) {
			return
		}
	}
}

// request gives a request its fate; false if that is the connection's end.
func (l *Line) request(k *link, frame []byte) bool {
	if len(frame) < 12 {
		return false // less than key, version and correlation id
	}
	r := Request{int16(binary.BigEndian.Uint16(frame[4:])), int16(binary.BigEndian.Uint16(frame[6:]))}
	fate := l.decide(r)
	switch fate.What {
	case Delayed:
		select {
		case <-time.After(fate.Delay):
		case <-k.ended:
			return false
		}
	case Unanswered:
		k.mu.Lock()
		k.unwanted[binary.BigEndian.Uint32(frame[8:])] = true
		k.mu.Unlock()
	case Late:
		l.post.send(frame, fate.Delay)
		return false
	case LastWords:
		l.post.send(frame, fate.Delay)
		l.Cut()
		return false
	case Twice:
		l.post.send(frame, fate.Delay)
	}
	_, err := k.broker.Write(frame)
	return err == nil
}

// answers hands answers through until one is unwanted or a connection ends.
func (k *link) answers() {
	defer k.end()
	for {
		frame, err := readFrame(k.broker)
		if err != nil || len(frame) < 8 {
			return
		}
		k.mu.Lock()
		unwanted := k.unwanted[binary.BigEndian.Uint32(frame[4:])]
		k.mu.Unlock()
		if unwanted {
			return
		}
		if _, err := k.client.Write(frame); err != nil {
			return
		}
	}
}

// readFrame returns a frame with the size before it.
func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", size)
	}
	frame := make([]byte, 4+size)
	copy(frame, head[:])
	_, err := io.ReadFull(r, frame[4:])
	return frame, err
}

// Post delivers what is late. It outlives the lines, as a network does.
type Post struct {
	addr string
	// A request is given up only when this ends.
	ctx     context.Context
	pending sync.WaitGroup

	mu        sync.Mutex
	delivered int
}

// NewPost delivers to the broker at addr until ctx ends.
func NewPost(ctx context.Context, addr string) *Post { return &Post{addr: addr, ctx: ctx} }

// Wait returns when nothing is late any more. No line may give a request a fate meanwhile.
func (p *Post) Wait() { p.pending.Wait() }

// Delivered is the number of late requests that the broker has answered.
func (p *Post) Delivered() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delivered
}

func (p *Post) dial() (net.Conn, error) {
	dialer := net.Dialer{Timeout: 10 * time.Second}
	return dialer.DialContext(p.ctx, "tcp", p.addr)
}

// send delivers a request later, and again if the broker dies over it.
func (p *Post) send(frame []byte, after time.Duration) {
	const pause = 50 * time.Millisecond // between attempts
	p.pending.Go(func() {
		for {
			select {
			case <-time.After(after):
			case <-p.ctx.Done():
				return
			}
			if p.deliver(frame) == nil {
				p.mu.Lock()
				p.delivered++
				p.mu.Unlock()
				return
			}
			after = pause
		}
	})
}

// deliver returns when the broker has answered.
func (p *Post) deliver(frame []byte) error {
	conn, err := p.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(p.ctx, func() { conn.Close() })
	defer stop()
	if _, err := conn.Write(frame); err != nil {
		return err
	}
	answer, err := readFrame(conn)
	if err != nil {
		return err
	}
	if len(answer) < 8 || string(answer[4:8]) != string(frame[8:12]) {
		return errors.New("not the answer to this request")
	}
	return nil
}
