package process

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// listen serves each connection with handle until the test ends.
func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			handle(conn)
			conn.Close()
		}
	}()
	return l.Addr().String()
}

// readRequest takes in what Await sends: closing a connection with bytes unread
// would reset it, and the answer with it.
func readRequest(conn net.Conn) {
	req := kmsg.NewRequestFormatter().AppendRequest(nil, kmsg.NewPtrApiVersionsRequest(), 1)
	_, _ = io.ReadFull(conn, req)
}

func TestAwaitReturnsOnAnAnswer(t *testing.T) {
	var calls atomic.Int32
	addr := listen(t, func(conn net.Conn) {
		if calls.Add(1) < 3 {
			return // a broker that is not ready hangs up
		}
		readRequest(conn)
		body := (&kmsg.ApiVersionsResponse{}).AppendTo(nil)
		_, _ = conn.Write(append([]byte{0, 0, 0, byte(4 + len(body)), 0, 0, 0, 1}, body...))
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := Await(ctx, addr); err != nil {
		t.Fatal(err)
	}
	if n := calls.Load(); n != 3 {
		t.Errorf("asked %d times, want 3", n)
	}
}

func TestAwaitSaysWhyNot(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls atomic.Int32
	addr := listen(t, func(conn net.Conn) {
		readRequest(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n")
		if calls.Add(1) == 2 { // so the first was read
			cancel()
		}
	})
	err := Await(ctx, addr)
	if err == nil || !strings.Contains(err.Error(), "not a Kafka broker") {
		t.Errorf("got %v", err)
	}
}

// A shell stands in for brokers that end at once: how a real one ends is for
// the end-to-end tests.
func TestRunAndStartReportTheEnd(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Fatal(err)
	}
	script := t.TempDir() + "/ends"
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho said\necho logged >&2\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Binary: script, Dir: t.TempDir(), Port: port}

	end, err := Run(t.Context(), o)
	if want := (Ended{3, "said\n", "logged\n"}); err != nil || end != want {
		t.Errorf("Run: %+v, %v; want %+v", end, err, want)
	}
	_, err = Start(t.Context(), o)
	for _, want := range []string{"exit status 3", "ended before it answered", "said\nlogged\n"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Start: %v; want %q in it", err, want)
		}
	}
}

func TestUsageOfThisProcess(t *testing.T) {
	u, err := UsageOf(os.Getpid())
	if runtime.GOOS != "linux" {
		if err == nil {
			t.Error("no error without /proc")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if u.RSSAnon <= 0 || u.RSS < u.RSSAnon || u.PeakRSS < u.RSS {
		t.Errorf("%+v", u)
	}
	began := u.CPU
	for deadline := time.Now().Add(10 * time.Second); u.CPU == began; {
		if time.Now().After(deadline) {
			t.Fatal("no CPU time after 10 s of work")
		}
		if u, err = UsageOf(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
}
