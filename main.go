// Blumfeld is a Kafka broker in one binary.
//
// This package owns the command line: flags and properties become a
// broker.Config, signals end it, and an error becomes one line and exit code 1.
// It must not know how a broker works; that it can be given a metadata store
// made of embedded etcd is the one thing it decides.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"blumfeld/broker"
	"blumfeld/broker/config"
	"blumfeld/controller"
	"blumfeld/controller/etcd"
)

// gcHeadroom counts as heap in use, though never touched and so never resident: the collector, which by default runs when
// what is in use has been allocated again, then runs when that and 32 MiB have. What a broker keeps is a few MiB, and
// under load it would collect tens of times a second. The price is at most so much resident memory, while it is busy: an
// idle broker does not allocate. A higher GOGC would cost the more, the more partitions there are.
const gcHeadroom = 32 << 20

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main with its surroundings handed in; it answers the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, os.Getenv)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprint(stdout, usage())
		return 0
	case err != nil:
		return fail(stderr, err)
	}
	level := new(slog.LevelVar)
	level.Set(o.logLevel)
	logger := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	values, warnings, err := config.Parse(o.properties)
	if err != nil {
		return fail(stderr, err)
	}
	for _, w := range warnings {
		logger.Warn(w.Text, "key", w.Key)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Whoever asks a second time does not want to wait for the orderly end.
	context.AfterFunc(ctx, stop)
	c := broker.Config{
		Values:    values,
		Trace:     o.trace,
		TraceOut:  stdout,
		Debug:     o.debug,
		OpenStore: openStore,
		Ready:     func(s broker.Started) { announce(stdout, s) },
		Logger:    logger,
		LogLevel:  level,
		Now:       time.Now,
	}
	if o.command == "" {
		idle := make([]byte, gcHeadroom)
		err = broker.Run(ctx, c)
		runtime.KeepAlive(idle)
	} else {
		err = runCommand(ctx, o.command, o.args, c, stdout)
	}
	if err != nil {
		return fail(stderr, err)
	}
	return 0
}

func fail(stderr io.Writer, err error) int {
	fmt.Fprintf(stderr, "blumfeld: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
	return 1
}

// announce prints the one line of a broker that serves.
func announce(w io.Writer, s broker.Started) {
	fmt.Fprintf(w, "Blumfeld serves on %s in %s, data in %s; try: kcat -b %s -L\n",
		s.Address, s.Duration.Round(time.Millisecond), strings.Join(s.LogDirs, ","), s.Address)
}

func openStore(ctx context.Context, dir string, nodeID int32, logger *slog.Logger) (controller.Store, error) {
	return etcd.Open(ctx, etcd.Options{Dir: dir, NodeID: nodeID, Logger: logger})
}
