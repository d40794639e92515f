package proxy

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"time"
)

// request is a frame as a client sends it: key, version, correlation id, and something after them.
func request(key int16, id uint32, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, 3)
	return append(binary.BigEndian.AppendUint32(b, id), body...)
}

// echo is a broker that answers each request with what came after its correlation id, and tells of each.
func echo(t *testing.T) (addr string, got <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	list := make(chan string, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for {
					frame, err := readFrame(conn)
					if err != nil {
						return
					}
					list <- string(frame[12:])
					answer := binary.BigEndian.AppendUint32(nil, uint32(len(frame)-8))
					if _, err := conn.Write(append(answer, frame[8:]...)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), list
}

// open returns a line with a fate for each key, and the post behind it.
func open(t *testing.T, addr string, fates map[int16]Fate) (*Line, *Post) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	post := NewPost(ctx, addr)
	l, err := Open(post, func(r Request) Fate {
		if r.Version != 3 {
			t.Errorf("version %d", r.Version)
		}
		return fates[r.Key]
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		cancel()
		post.Wait()
	})
	return l, post
}

func dial(t *testing.T, l *Line) net.Conn {
	t.Helper()
	conn, err := l.Dial(t.Context(), "tcp", "somewhere:9092")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// ask sends a request and returns what its answer has after the correlation id.
func ask(conn net.Conn, frame []byte) (string, error) {
	if _, err := conn.Write(frame); err != nil {
		return "", err
	}
	answer, err := readFrame(conn)
	if err != nil {
		return "", err
	}
	return string(answer[8:]), nil
}

func TestFates(t *testing.T) {
	const wait = 50 * time.Millisecond
	for _, c := range []struct {
		what     What
		answered bool
		arrives  int // how often
		cut      bool
	}{
		{Passed, true, 1, false},
		{Delayed, true, 1, false},
		{Unanswered, false, 1, false},
		{Late, false, 1, false},
		{Twice, true, 2, false},
		{LastWords, false, 1, true},
	} {
		t.Run(c.what.String(), func(t *testing.T) {
			addr, got := echo(t)
			l, post := open(t, addr, map[int16]Fate{7: {c.what, wait}})
			conn, other := dial(t, l), dial(t, l)
			for _, conn := range []net.Conn{conn, other} {
				if answer, err := ask(conn, request(1, 1, "before")); answer != "before" || err != nil {
					t.Fatalf("%q, %v", answer, err)
				}
				<-got
			}
			began := time.Now()
			answer, err := ask(conn, request(7, 2, "x"))
			if c.answered != (err == nil) || c.answered && answer != "x" {
				t.Errorf("%q, %v", answer, err)
			}
			if took := time.Since(began); c.what == Delayed && took < wait {
				t.Errorf("after %v", took)
			}
			for range c.arrives {
				if s := <-got; s != "x" {
					t.Errorf("%q arrived", s)
				}
			}
			post.Wait()
			if late := c.what == Late || c.what == Twice || c.what == LastWords; late != (post.Delivered() == 1) {
				t.Errorf("%d were late", post.Delivered())
			}
			if len(got) != 0 {
				t.Errorf("%q arrived too", <-got)
			}
			// Only last words are the end of the client's other connections, and of all to come.
			if _, err := ask(other, request(1, 3, "after")); c.cut != (err != nil) {
				t.Error(err)
			}
			if again, err := l.Dial(t.Context(), "tcp", ""); c.cut != (err != nil) {
				t.Error(err)
			} else if err == nil {
				again.Close()
			}
			select {
			case <-l.Dead():
			default:
				if c.cut {
					t.Error("it does not say that it is cut")
				}
			}
		})
	}
}

// A late request arrives though the broker is away when it is due.
func TestLateArrivesAfterARestart(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	post := NewPost(t.Context(), l.Addr().String())
	post.send(request(7, 1, "x"), 0)
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	reset(conn) // the broker dies
	conn, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	frame, err := readFrame(conn)
	if err != nil || !bytes.Equal(frame, request(7, 1, "x")) {
		t.Fatalf("%q, %v", frame, err)
	}
	if _, err := conn.Write([]byte{0, 0, 0, 4, 0, 0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	post.Wait()
	if post.Delivered() != 1 {
		t.Errorf("%d were late", post.Delivered())
	}
}

func TestFramesAreBounded(t *testing.T) {
	if _, err := readFrame(strings.NewReader("\xff\xff\xff\xff")); err == nil {
		t.Error("4 GiB were accepted")
	}
	addr, _ := echo(t)
	l, _ := open(t, addr, nil)
	if answer, err := ask(dial(t, l), []byte{0, 0, 0, 2, 0, 1}); err == nil {
		t.Errorf("a request without a head is answered: %q", answer)
	}
}
