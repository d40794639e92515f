package broker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"blumfeld/broker/config"
	"blumfeld/controller"
)

// TestFailedStartLeavesNothingOpen fails at each step that can, and then starts on
// the same directory and port.
func TestFailedStartLeavesNothingOpen(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	values, _, err := config.Parse(config.Properties{"listeners": "PLAINTEXT://" + addr, "log.dirs": t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	failure := errors.New("on purpose")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := Config{
		Values: values, TraceOut: io.Discard, Logger: slog.New(slog.DiscardHandler), LogLevel: new(slog.LevelVar), Now: time.Now,
		Ready: func(Started) { cancel() },
	}
	store := func(s controller.Store, err error) func(context.Context, string, int32, *slog.Logger) (controller.Store, error) {
		return func(context.Context, string, int32, *slog.Logger) (controller.Store, error) { return s, err }
	}
	c.OpenStore = store(nil, failure)
	if err := Run(ctx, c); !errors.Is(err, failure) {
		t.Fatalf("the store cannot be opened: %v", err)
	}
	c.OpenStore = store(failingStore{controller.NewMemStore(), failure}, nil)
	if err := Run(ctx, c); !errors.Is(err, failure) {
		t.Fatalf("the store cannot be read: %v", err)
	}
	c.OpenStore = store(controller.NewMemStore(), nil)
	c.Trace = "NoSuchAPI"
	if err := Run(ctx, c); err == nil {
		t.Fatal("tracing an API that does not exist")
	}
	c.OpenStore = store(controller.NewMemStore(), nil)
	c.Trace = ""
	if err := Run(ctx, c); err != nil {
		t.Fatalf("after failed starts: %v", err)
	}
}

// failingStore cannot be read.
type failingStore struct {
	controller.Store
	err error
}

func (s failingStore) Range(context.Context, string) ([]controller.KV, int64, error) {
	return nil, 0, s.err
}

// TestStopWhileStarting ends the context under a store that does not open: that
// is no error.
func TestStopWhileStarting(t *testing.T) {
	values, _, err := config.Parse(config.Properties{"listeners": "PLAINTEXT://127.0.0.1:0", "log.dirs": t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = Run(ctx, Config{
		Values: values, TraceOut: io.Discard, Logger: slog.New(slog.DiscardHandler), LogLevel: new(slog.LevelVar), Now: time.Now,
		Ready: func(Started) { t.Error("ready") },
		OpenStore: func(ctx context.Context, _ string, _ int32, _ *slog.Logger) (controller.Store, error) {
			cancel()
			<-ctx.Done()
			return nil, ctx.Err()
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}
