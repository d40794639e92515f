// Command bench measures Blumfeld beside Apache Kafka on one machine, in one
// run: every row is done on both in turn, A B A B, on fresh topics and groups,
// so that a change of the machine's mood meets both. The table has the median
// of each and the median and range of the pairs' ratios.
//
//	go run ./integration/bench [-rows groups,start-up] [-pairs 3] [-records 300000] [-out FILE]
//
// A run of some rows brings those rows of FILE up to date and leaves the others
// as they were measured; each line says when. Figures of two machines are never
// mixed: if FILE is another machine's, a run of some rows does not touch it.
//
// It owns the rows and the arithmetic between them. It must not know how a
// broker works inside: load comes from Kafka's own tools and Go clients over
// the wire, and costs are those that the kernel accounts to the process.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == bareCommand {
		fmt.Fprintln(os.Stderr, bareLoop+":", runBare(os.Args[2]))
		os.Exit(1)
	}
	var l load
	flag.IntVar(&l.pairs, "pairs", 3, "how often each row is done on both brokers")
	flag.IntVar(&l.records, "records", 300_000, "records of 1 KiB in each row that moves records")
	flag.IntVar(&l.bytes, "bytes", 512<<20, "bytes of values in each row that pumps requests")
	flag.StringVar(&l.kafka, "kafka", "compat/kafka/kafka", "the launcher of Apache Kafka and its tools")
	list := flag.String("rows", "", "sets of rows, or parts of their names, with commas between; none: all. Sets: "+strings.Join(sets(rows()), ", "))
	profiles := flag.String("profiles", "", "measure nothing: take Blumfeld's processor profile of each row and leave it in this directory")
	out := flag.String("out", "", "also write the table to this file")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, l, *list, *out, *profiles); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, l load, list, out, profiles string) error {
	all := rows()
	chosen, err := choose(all, list)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "blumfeld-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if profiles != "" {
		return profile(ctx, chosen, work, l, profiles)
	}
	t := newTable()
	if out != "" && len(chosen) < len(all) {
		// Before the work: an error should not cost half an hour.
		if err := t.keep(out, machine(), all, chosen); err != nil {
			return err
		}
	}
	brokers, stop, err := startAll(ctx, work, l.kafka)
	if err != nil {
		return err
	}
	defer stop()
	if err := measure(ctx, t, chosen, brokers, l); err != nil {
		return err
	}
	text := t.render(machine(), all)
	fmt.Print(text)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(text), 0o644)
}
