package broker

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
)

// TestDebugAddress: profiles are served until the broker stops, and an address that is taken keeps it from starting.
func TestDebugAddress(t *testing.T) {
	logger := slog.New(slog.DiscardHandler)
	d, err := serveDebug("127.0.0.1:0", logger)
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range []string{"", "heap", "allocs", "goroutine", "mutex", "block", "profile?seconds=1"} {
		resp, err := http.Get(fmt.Sprintf("http://%v/debug/pprof/%s", d.addr, profile))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || len(body) == 0 {
			t.Errorf("%s: %s, %d bytes, %v", profile, resp.Status, len(body), err)
		}
	}
	if _, err := serveDebug(d.addr.String(), logger); err == nil {
		t.Error("an address that is taken was accepted")
	}
	d.stop()
	if conn, err := net.Dial("tcp", d.addr.String()); err == nil {
		conn.Close()
		t.Error("still served after the stop")
	}
}
