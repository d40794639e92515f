// Command differential sends the same requests to Blumfeld and to Apache Kafka,
// both fresh, and compares the answers field by field: every API key that
// Blumfeld serves, in every version. The requests are the table in rows, and
// README.md says how a row is written. A difference is a failure unless the
// file differences explains it, and so is an entry there that explains nothing.
//
//	go run ./compat/differential [-run PATTERN] [-v]
//
// It owns the form of the table, what is named instead of compared (ids, the
// time), and the comparison. It must not know what an answer should be: Apache
// Kafka says so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"sync"
	"syscall"
	"time"
)

type options struct {
	run     *regexp.Regexp
	verbose bool
	ours    string // address; empty for a fresh Blumfeld
	self    bool
}

func main() {
	var o options
	pattern := flag.String("run", "", "play only rows whose names match; set-up is played always")
	flag.BoolVar(&o.verbose, "v", false, "print Kafka's answers")
	flag.StringVar(&o.ours, "ours", "", "compare this fresh broker, host:port, instead of Blumfeld")
	flag.BoolVar(&o.self, "self", false, "compare Apache Kafka with itself: any difference is the table's fault")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if o.run, err = regexp.Compile(*pattern); err == nil {
		var r report
		if err = differential(ctx, o, &r); err == nil {
			r.sum()
			if r.failed > 0 || r.passed == 0 {
				os.Exit(1)
			}
			return
		}
	}
	fmt.Println("FAIL", err)
	fmt.Println("0 passed, 1 failed")
	os.Exit(1)
}

func differential(ctx context.Context, o options, r *report) (err error) {
	table, err := readRows(files)
	if err != nil {
		return err
	}
	allowed, err := readDifferences(differencesText)
	if err != nil {
		return fmt.Errorf("differences: %w", err)
	}
	kafka, ours, end, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()

	theirs, err := served(kafka.addr)
	if err != nil {
		return fmt.Errorf("asking Apache Kafka: %w", err)
	}
	served, err := served(ours.addr)
	if err != nil {
		return fmt.Errorf("asking ours: %w", err)
	}
	versions := func(key int16) (low, high int16, ok bool) {
		a, okA := theirs[key]
		b, okB := served[key]
		return max(a[0], b[0]), min(a[1], b[1]), okA && okB
	}
	began := time.Now()
	runs := plan(table, o.run, versions)
	var answers [2]map[*run]result
	var errs [2]error
	var both sync.WaitGroup
	for i, addr := range []string{kafka.addr, ours.addr} {
		both.Go(func() { answers[i], errs[i] = playAll(ctx, addr, began, runs, versions) })
	}
	both.Wait()
	if err := errors.Join(errs[0], errs[1]); err != nil {
		return err
	}
	r.verbose = o.verbose
	r.results(runs, answers[0], answers[1], allowed)
	// Both are about Blumfeld, and all of it.
	if o.run.String() == "" && !o.self && o.ours == "" {
		r.coverage(runs, served)
		r.differences(allowed)
	}
	fmt.Printf("%d rows, %d with their versions, %d answers compared, %d differences explained, in %.0f s\n",
		r.rows, r.played, r.compared, r.explained, time.Since(began).Seconds())
	return nil
}

// start starts both brokers; end stops them and removes what they wrote.
func start(ctx context.Context, o options) (kafka, ours broker, end func() error, err error) {
	work, err := os.MkdirTemp("", "blumfeld-differential-")
	if err != nil {
		return kafka, ours, nil, err
	}
	end = func() error {
		var errs []error
		for _, b := range []broker{kafka, ours} {
			if b.end != nil {
				errs = append(errs, b.end())
			}
		}
		return errors.Join(append(errs, os.RemoveAll(work))...)
	}
	if kafka, err = startKafka(ctx, work); err != nil {
		return kafka, ours, nil, errors.Join(err, end())
	}
	switch {
	case o.self:
		ours, err = startKafka(ctx, work)
	case o.ours != "":
		ours = broker{addr: o.ours}
	default:
		ours, err = startBlumfeld(ctx, work)
	}
	if err != nil {
		return kafka, ours, nil, errors.Join(err, end())
	}
	return kafka, ours, end, nil
}

// A run is one thing to play: a row at one version, or a step of set-up.
type run struct {
	file    file
	row     *row // nil for set-up
	setup   *step
	version int16
	number  int // of this run among all, the same for both brokers
}

type result struct {
	said []said
	err  error
	took time.Duration
}

// plan lists what is to be played, in order.
func plan(table []file, wanted *regexp.Regexp, versions func(int16) (low, high int16, ok bool)) []*run {
	var all []*run
	for _, f := range table {
		low, high, ok := int16(0), int16(0), true
		if f.subject >= 0 {
			low, high, ok = versions(f.subject)
		}
		rows := 0
		for _, p := range f.parts {
			if p.row != nil && wanted.MatchString(p.row.name) {
				rows++
			}
		}
		if !ok || rows == 0 && f.name != "prelude" {
			continue
		}
		for _, p := range f.parts {
			if p.setup != nil {
				all = append(all, &run{file: f, setup: p.setup})
				continue
			}
			if !wanted.MatchString(p.row.name) && f.name != "prelude" {
				continue
			}
			for v := max(low, p.row.min); v <= min(high, p.row.max); v++ {
				all = append(all, &run{file: f, row: p.row, version: v, number: len(all)})
			}
		}
	}
	return all
}

func playAll(ctx context.Context, addr string, began time.Time, runs []*run, versions func(int16) (low, high int16, ok bool)) (map[*run]result, error) {
	p, err := newPlayer(addr, began, versions)
	if err != nil {
		return nil, err
	}
	defer p.close()
	if err := p.begin(); err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	results := make(map[*run]result, len(runs))
	for _, r := range runs {
		if r.setup != nil {
			if err := p.setUp(r.file, r.setup); err != nil {
				return nil, fmt.Errorf("%s: %w", addr, err)
			}
			continue
		}
		began := time.Now()
		said, err := p.play(ctx, r)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		results[r] = result{said, err, time.Since(began)}
	}
	return results, nil
}
