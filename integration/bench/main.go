// Command bench measures Blumfeld beside Apache Kafka on one machine, in one
// run: every row is done on both in turn, A B A B, on a fresh topic each time,
// so that a change of the machine's mood meets both. The table has the median
// of each and the median and range of the pairs' ratios.
//
//	go run ./integration/bench [-pairs 3] [-records 300000] [-out FILE]
//
// It owns the rows and the arithmetic between them. It must not know how a
// broker works inside: load comes from Kafka's own tools and a Go client over
// the wire, and costs are those that the kernel accounts to the process.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	pairs := flag.Int("pairs", 3, "how often each row is done on both brokers")
	records := flag.Int("records", 300_000, "records of 1 KiB in each row")
	kafka := flag.String("kafka", "compat/kafka/kafka", "the launcher of Apache Kafka and its tools")
	out := flag.String("out", "", "also write the table to this file")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *pairs, load{records: *records, kafka: *kafka}, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, pairs int, l load, out string) error {
	work, err := os.MkdirTemp("", "blumfeld-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	brokers, stop, err := startBoth(ctx, work, l.kafka)
	if err != nil {
		return err
	}
	defer stop()

	t := newTable()
	// A young JVM interprets: what it did is thrown away. It is young again after restarts.
	if err := warmUp(ctx, brokers, l); err != nil {
		return err
	}
	if err := measureStartUp(ctx, t, brokers, pairs); err != nil {
		return err
	}
	if err := warmUp(ctx, brokers, l); err != nil {
		return err
	}
	for _, r := range rows {
		for range pairs {
			for _, b := range brokers {
				fmt.Fprintf(os.Stderr, "%s: %s\n", r.name, b.name)
				if err := measure(ctx, t, r, b, l); err != nil {
					return fmt.Errorf("%s on %s: %w", r.name, b.name, err)
				}
			}
		}
	}
	for _, b := range brokers {
		if err := memory(t, b); err != nil {
			return err
		}
	}

	text := t.render(machine())
	fmt.Print(text)
	if out == "" {
		return nil
	}
	return os.WriteFile(out, []byte(text), 0o644)
}
