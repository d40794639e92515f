// Command connect runs Kafka Connect and MirrorMaker 2, from Kafka's own jars,
// against a broker: workers alone and in groups, at least once and exactly once,
// with workers and brokers killed in the middle; and mirrors from Apache Kafka to
// the broker and back. What comes out is compared record by record with what went
// in.
//
//	go run ./compat/connect ADDR [CASE…]
//
// It owns the cases and what they take for right. It must not know what broker it
// looks at: a case that kills its broker is given one to kill (the environment's
// BROKER says which sort), and nothing else differs between the two.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"blumfeld/compat/report"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: connect ADDR [CASE…]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 14*time.Minute)
	defer cancel()
	r := &report.Report{W: os.Stdout}
	if err := run(ctx, r, os.Args[1], os.Args[2:]); err != nil {
		r.Case("run", err)
	}
	os.Exit(r.End())
}

// lanes are what runs side by side: much of what the cases do is to wait. The
// cases of one lane follow each other and may share workers. The longest comes first.
var lanes = []func(context.Context, *lane){mirrors, exactlyOnce, distributed, brokerKilled, standalone}

func run(ctx context.Context, r *report.Report, addr string, named []string) (err error) {
	listed, quick, err := readList(filepath.Join(sourceDir(), "must-pass"))
	if err != nil {
		return err
	}
	chosen := listed
	if os.Getenv("QUICK") == "1" {
		chosen = quick
	}
	if len(named) > 0 {
		chosen = named
	}
	b, err := newBench(addr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()

	verdicts := make(chan verdict)
	go func() {
		defer close(verdicts)
		inTurn(lanes, runtime.NumCPU(), func(work func(context.Context, *lane)) {
			l := &lane{bench: b, chosen: chosen, verdicts: verdicts}
			work(ctx, l)
			l.close()
		})
	}()
	ran := make(map[string]bool)
	for v := range verdicts {
		ran[v.name] = true
		err := v.err
		if err == nil && !slices.Contains(listed, v.name) {
			err = errors.New("not listed in must-pass")
		}
		fmt.Printf("%s took %.1f s\n", v.name, v.took.Seconds())
		r.Case(v.name, err)
	}
	for _, name := range chosen {
		if !ran[name] {
			r.Case(name, errors.New("did not run"))
		}
	}
	return ctx.Err()
}

// readList reads the names of cases, one a line; those with the mark slow in the
// comment behind them are not quick.
func readList(file string) (all, quick []string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		name, marks, _ := strings.Cut(lines.Text(), "#")
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		all = append(all, name)
		if !slices.Contains(strings.Fields(marks), "slow") {
			quick = append(quick, name)
		}
	}
	return all, quick, lines.Err()
}

func sourceDir() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}
