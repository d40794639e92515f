// Command import holds `blumfeld import` against what Apache Kafka really leaves:
// it starts one, fills it, writes down all that clients can ask of it, stops it,
// imports its directories, and asks Blumfeld the same. Then once more after
// kill -9.
//
//	go run ./compat/import
//
// It owns the comparison. It must not know how either broker keeps what it keeps:
// both are asked by the Kafka protocol alone.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"blumfeld/compat/broker"
	"blumfeld/compat/kafka"
	"blumfeld/compat/report"
	"blumfeld/integration/process"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 14*time.Minute)
	defer cancel()
	r := &report.Report{W: os.Stdout}
	if err := run(ctx, r); err != nil {
		r.Case("run", err)
	}
	os.Exit(r.End())
}

func run(ctx context.Context, r *report.Report) (err error) {
	work, err := os.MkdirTemp("", "blumfeld-import-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	binary, err := process.Build(ctx, work)
	if err != nil {
		return err
	}
	port, err := broker.KafkaPort()
	if err != nil {
		return err
	}
	node := kafka.Node{Port: port, State: work}
	defer func() {
		// Also when ctx has ended: nothing may stay behind.
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, node.Stop(stopping))
	}()
	m := move{
		node:   node,
		from:   []string{filepath.Join(node.Dir(), "data"), filepath.Join(node.Dir(), "more")},
		work:   work,
		binary: binary,
		r:      r,
	}
	return m.run(ctx)
}

// move is what happens to one Apache Kafka.
type move struct {
	node   kafka.Node
	from   []string // log.dirs
	work   string
	binary string
	r      *report.Report
}

func (m *move) start(ctx context.Context) error {
	return m.node.Start(ctx,
		"log.dirs="+strings.Join(m.from, ","),
		"metadata.log.max.record.bytes.between.snapshots=4000", // so that the metadata's log begins with a snapshot
		"offsets.topic.num.partitions=7",
		"transaction.state.log.num.partitions=3",
		"log.cleaner.backoff.ms=200",
		"num.partitions=1")
}

func (m *move) run(ctx context.Context) error {
	if err := m.start(ctx); err != nil {
		return err
	}
	w, err := newWriter(m.addr())
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.fill(ctx); err != nil {
		return fmt.Errorf("filling Apache Kafka: %w", err)
	}
	if err := w.goOn(ctx); err != nil {
		return err
	}
	if err := w.leaveOpen(ctx); err != nil {
		return err
	}
	m.refusesRunning(ctx)
	before, err := ask(ctx, m.addr())
	if err != nil {
		return fmt.Errorf("asking Apache Kafka: %w", err)
	}
	for _, group := range groups() {
		has := slices.ContainsFunc(before[committed], func(l string) bool { return strings.HasPrefix(l, group+": ") })
		if has == (group == deleted) {
			return fmt.Errorf("at Apache Kafka there are offsets of group %s: %v", group, has)
		}
	}
	if err := m.node.Stop(ctx); err != nil {
		return err
	}
	if snapshots, _ := filepath.Glob(filepath.Join(m.from[0], "__cluster_metadata-0", "*.checkpoint")); len(snapshots) == 0 {
		m.r.Case("stopped/has a snapshot of the metadata", errors.New("there is none"))
	} else {
		m.r.Case("stopped/has a snapshot of the metadata", nil)
	}
	if err := m.compare(ctx, "stopped", before, w); err != nil {
		return err
	}

	// The source is as it was: Apache Kafka goes on with it, in a new epoch, and crashes.
	if err := m.start(ctx); err != nil {
		return err
	}
	second, err := newWriter(m.addr())
	if err != nil {
		return err
	}
	defer second.close()
	if err := second.more(ctx); err != nil {
		return fmt.Errorf("filling Apache Kafka again: %w", err)
	}
	if err := second.goOn(ctx); err != nil {
		return err
	}
	if err := second.leaveOpen(ctx); err != nil {
		return err
	}
	if before, err = ask(ctx, m.addr()); err != nil {
		return fmt.Errorf("asking Apache Kafka: %w", err)
	}
	if err := m.node.Kill(ctx); err != nil {
		return err
	}
	if err := tear(m.from, "mixed-0"); err != nil {
		return err
	}
	return m.compare(ctx, "killed", before, second)
}

func (m *move) addr() string { return process.Options{Port: m.node.Port}.Addr() }

func (m *move) refusesRunning(ctx context.Context) {
	end, err := m.command(ctx, "refused")
	if err == nil && (end.Code == 0 || !strings.Contains(end.Stderr, "in use by a broker")) {
		err = fmt.Errorf("exit code %d\n%s%s", end.Code, end.Stdout, end.Stderr)
	}
	m.r.Case("running/import is refused", err)
}

// command runs blumfeld import into a directory of the name.
func (m *move) command(ctx context.Context, name string) (process.Ended, error) {
	return process.Run(ctx, m.options(name, append([]string{"import"}, m.from...)...))
}

func (m *move) options(name string, args ...string) process.Options {
	return process.Options{Binary: m.binary, Dir: filepath.Join(m.work, name), Port: m.node.Port, Args: args}
}

// compare imports and holds what Blumfeld answers against what Apache Kafka has answered, kind by kind; then the clients
// that were at Apache Kafka go on.
func (m *move) compare(ctx context.Context, how string, want answers, w *writer) error {
	end, err := m.command(ctx, how)
	if err == nil && end.Code != 0 {
		err = fmt.Errorf("exit code %d\n%s%s", end.Code, end.Stdout, end.Stderr)
	}
	m.r.Case(how+"/import", err)
	if err != nil {
		return nil // it was reported
	}
	fmt.Print(end.Stdout)
	b, err := process.Start(ctx, m.options(how))
	if err != nil {
		return err
	}
	defer b.Kill()
	got, err := ask(ctx, b.Addr())
	if err != nil {
		return fmt.Errorf("asking Blumfeld: %w\n%s", err, b.Stderr())
	}
	for _, kind := range kinds() {
		err := differ(want[kind], got[kind])
		if err == nil {
			fmt.Printf("%d %s are the same\n", len(want[kind]), kind)
		}
		m.r.Case(how+"/"+string(kind), err)
	}
	m.r.Case(how+"/an open transaction is aborted", openIsAborted(ctx, b.Addr()))
	m.r.Case(how+"/a producer goes on", w.goOn(ctx))
	m.r.Case(how+"/the producer goes on as itself", w.sameProducer(ctx))
	m.r.Case(how+"/a consumer goes on", w.consumerGoesOn(ctx, want))
	code, err := b.Stop(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("exit code %d\n%s", code, b.Stderr())
	}
	m.r.Case(how+"/stops", err)
	return nil
}

// differ says where two lists differ.
func differ(want, got []string) error {
	if len(want) == 0 {
		return errors.New("nothing was compared: there is none at Apache Kafka")
	}
	if slices.Equal(want, got) {
		return nil
	}
	var diff []string
	for _, line := range want {
		if !slices.Contains(got, line) {
			diff = append(diff, "Kafka:    "+line)
		}
	}
	for _, line := range got {
		if !slices.Contains(want, line) {
			diff = append(diff, "Blumfeld: "+line)
		}
	}
	if len(diff) > 20 {
		diff = append(diff[:20], fmt.Sprintf("and %d lines more", len(diff)-20))
	}
	return fmt.Errorf("%d and %d lines\n%s", len(want), len(got), strings.Join(diff, "\n"))
}

// tear leaves half of the last batch once more at the end of a partition, as a crash in the middle of a write does.
func tear(dirs []string, folder string) error {
	for _, dir := range dirs {
		segments, err := filepath.Glob(filepath.Join(dir, folder, "*.log"))
		if err != nil || len(segments) == 0 {
			continue
		}
		name := slices.Max(segments)
		contents, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(name, append(contents, contents[:min(len(contents), 100)]...), 0o644)
	}
	return fmt.Errorf("%s is in none of %v", folder, dirs)
}
