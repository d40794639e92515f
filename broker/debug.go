package broker

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"sync"
	"time"
)

// The debug address gives Go's profiles of the process to whoever can reach it: `go tool pprof http://ADDRESS/debug/pprof/profile`,
// and heap, allocs, goroutine, mutex and block likewise. Without one nothing is sampled that costs anything.

const (
	// mutexFraction: one of so many contended locks is sampled.
	mutexFraction = 100
	// blockRate: one wait is sampled for each so long that goroutines wait, in ns.
	blockRate = int(10 * time.Microsecond)
)

// debugger serves the debug address.
type debugger struct {
	addr   net.Addr
	server *http.Server
	done   sync.WaitGroup
}

// serveDebug listens at addr, host:port.
func serveDebug(addr string, logger *slog.Logger) (*debugger, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("debug address: %w", err)
	}
	runtime.SetMutexProfileFraction(mutexFraction)
	runtime.SetBlockProfileRate(blockRate)
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	d := &debugger{addr: l.Addr(), server: &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}}
	logger.Info("profiles are served", "address", d.addr)
	d.done.Go(func() {
		if err := d.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("profiles are not served any more", "err", err)
		}
	})
	return d, nil
}

// stop cuts off profiles that are being taken.
func (d *debugger) stop() {
	d.server.Close()
	d.done.Wait()
	runtime.SetMutexProfileFraction(0)
	runtime.SetBlockProfileRate(0)
}
