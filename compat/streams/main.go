// Command streams runs Kafka Streams applications against a broker and compares
// what they write, record by record, with what they have to write: Kafka's word
// count, and applications of ours (src) that join, aggregate by windows and keep
// totals, at least once and exactly once, while their processes and their broker
// are killed.
//
//	go run ./compat/streams ADDR [CASE…]
//
// It owns the cases: what is written for an application, what becomes of it
// meanwhile, and what has to come out. It must not know how a broker does it:
// everything is written, asked and read by the Kafka protocol. A case that kills
// its broker is given one to kill; BROKER in the environment says which sort.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"blumfeld/compat/report"
	"blumfeld/integration/process"
)

const (
	dir = "compat/streams"
	// Applications mostly wait, for commits, sessions and restarts.
	atOnce    = 3
	caseLimit = 5 * time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 14*time.Minute)
	defer cancel()
	r := &report.Report{W: os.Stdout}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: streams ADDR [CASE…]")
		os.Exit(2)
	}
	if err := run(ctx, r, os.Args[1], os.Args[2:]); err != nil {
		r.Case("run", err)
	}
	os.Exit(r.End())
}

func run(ctx context.Context, r *report.Report, addr string, names []string) error {
	if len(names) == 0 {
		var err error
		if names, err = chosen(r, os.Getenv("QUICK") == "1"); err != nil {
			return err
		}
	}
	work, err := os.MkdirTemp("", "blumfeld-streams-")
	if err != nil {
		return err
	}
	if os.Getenv("KEEP") == "1" {
		fmt.Println("logs and states stay in", work)
	} else {
		defer os.RemoveAll(work)
	}
	b := &bench{addr: addr, work: work, apache: os.Getenv("BROKER") == "kafka"}
	if b.jars, err = jars(ctx); err != nil {
		return err
	}
	if !b.apache {
		if b.binary, err = process.Build(ctx, work); err != nil {
			return err
		}
	}
	if b.shared, err = b.host(work, "shared"); err != nil {
		return err
	}
	defer b.shared.kill()

	var wg sync.WaitGroup
	var mu sync.Mutex // of r
	slots := make(chan struct{}, atOnce)
	for _, name := range names {
		c, ok := cases()[name]
		if !ok {
			mu.Lock()
			r.Case(name, errors.New("there is no such case"))
			mu.Unlock()
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			began := time.Now()
			err := b.run(ctx, name, c)
			mu.Lock()
			defer mu.Unlock()
			fmt.Printf("%s took %.1f s\n", name, time.Since(began).Seconds())
			r.Case(name, err)
		})
	}
	wg.Wait()
	return ctx.Err()
}

// chosen are the names in must-pass, without the slow ones in a quick run. A case that is not listed there has failed.
func chosen(r *report.Report, quick bool) ([]string, error) {
	list, err := os.ReadFile(dir + "/must-pass")
	if err != nil {
		return nil, err
	}
	var listed, names []string
	for line := range strings.Lines(string(list)) {
		name, mark, _ := strings.Cut(line, "#")
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		listed = append(listed, name)
		if !quick || !strings.Contains(mark, "slow") {
			names = append(names, name)
		}
	}
	for name := range cases() {
		if !slices.Contains(listed, name) {
			r.Case(name, errors.New("not listed in must-pass"))
		}
	}
	return names, nil
}
