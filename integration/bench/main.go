// Command bench measures Blumfeld beside Apache Kafka on one machine, in one
// run: every row is done on both in turn, A B A B, on fresh topics and groups,
// so that a change of the machine's mood meets both. The table has the median
// of each and the median and range of the pairs' ratios.
//
//	go run ./integration/bench [-rows groups,start-up] [-pairs 3] [-within 28m] [-out FILE] [-readme FILE]
//
// A run of some rows brings those rows of FILE up to date and leaves the others
// as they were measured; each says when, and the heading which of them are
// later than the last run of all. Figures of two machines are never mixed: if
// FILE is another machine's, a run of some rows does not touch it.
// A row that fails says why, and the next is done; the exit code is 1 then.
//
// It owns the rows and the arithmetic between them. It must not know how a
// broker works inside: load comes from Kafka's own tools and Go clients over
// the wire, and costs are those that the kernel accounts to the process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	load
	rows     string
	within   time.Duration
	profiles string
	out      string
	readme   string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == bareCommand {
		fmt.Fprintln(os.Stderr, bareLoop+":", runBare(os.Args[2]))
		os.Exit(1)
	}
	var o options
	flag.IntVar(&o.pairs, "pairs", 3, "how often each row is done on both brokers")
	flag.IntVar(&o.records, "records", 200_000, "records of 1 KiB in each row of Kafka's tools that moves records")
	flag.IntVar(&o.bytes, "bytes", 512<<20, "bytes of values in each row that pumps requests")
	flag.StringVar(&o.kafka, "kafka", "compat/kafka/kafka", "the launcher of Apache Kafka and its tools")
	flag.StringVar(&o.rows, "rows", "", "sets of rows, or parts of their names, with commas between; none: all. Sets: "+strings.Join(sets(rows()), ", "))
	flag.DurationVar(&o.within, "within", 28*time.Minute, "when this has gone the rows that remain are given up")
	flag.StringVar(&o.profiles, "profiles", "", "measure nothing: take Blumfeld's processor profile of each row and leave it in this directory")
	flag.StringVar(&o.out, "out", "", "also write the table to this file")
	flag.StringVar(&o.readme, "readme", "", "also write what is most of the table into this file, between its marks")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	began := time.Now()
	all := rows()
	chosen, err := choose(all, o.rows)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "blumfeld-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if o.profiles != "" {
		return profile(ctx, chosen, work, o.load, o.profiles)
	}
	r := results{machine: machine(), run: partialRun}
	if o.out != "" && len(chosen) < len(all) {
		// Before the work: an error should not cost half an hour.
		if r, err = readResults(o.out, r.machine); err != nil {
			return err
		}
	}
	if o.readme != "" {
		if _, err := readBrief(o.readme); err != nil {
			return err
		}
	}
	version := version(ctx)
	measuring, cancel := context.WithTimeoutCause(ctx, o.within, fmt.Errorf("no time was left of %v", o.within))
	defer cancel()
	brokers, stop, err := startAll(measuring, work, o.kafka)
	if err != nil {
		return err
	}
	defer stop()
	outcomes := newRunner(brokers, o.load).collect(measuring, chosen)

	var fresh []entry
	failed := 0
	for _, x := range outcomes {
		fresh = append(fresh, x.entries(version)...)
		if x.failed != nil {
			failed++
		}
	}
	r = r.merge(all, fresh)
	if len(chosen) == len(all) {
		r.run = fmt.Sprintf("All rows in one run of %v, %d pairs each, beside Apache Kafka %s: %s.",
			time.Since(began).Round(time.Second), o.pairs, kafkaVersion(ctx, o.kafka), version)
	}
	fmt.Print(r.render())
	if ctx.Err() != nil {
		return context.Cause(ctx) // it was told to end: what it has is not written
	}
	if o.out != "" {
		err = os.WriteFile(o.out, []byte(r.render()), 0o644)
	}
	if o.readme != "" {
		err = errors.Join(err, writeBrief(o.readme, r.brief(all)))
	}
	if failed > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d rows failed", failed, len(chosen)))
	}
	return err
}

func kafkaVersion(ctx context.Context, launcher string) string {
	out, err := exec.CommandContext(ctx, launcher, "version").Output()
	if err != nil {
		return "of unknown version"
	}
	return strings.TrimSpace(string(out))
}
