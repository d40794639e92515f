package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"blumfeld/integration/process"
)

const (
	blumfeld    = "Blumfeld"
	apacheKafka = "Apache Kafka"
)

// broker is one of those that are compared.
type broker struct {
	name  string
	addr  string
	dir   string // below which it stores
	debug string // where it serves profiles, if it does
	pid   int
	kept  string        // a topic that the next run of the row uses again
	began time.Time     // of its latest start
	ready time.Duration // from there to the first answer

	start func(context.Context) error // sets pid, began and ready
	stop  func(context.Context) error
}

func (b *broker) restart(ctx context.Context) error {
	if err := b.stop(ctx); err != nil {
		return err
	}
	return b.start(ctx)
}

func (b *broker) usage() (process.Usage, error) { return process.UsageOf(b.pid) }

// forget deletes the topic that was kept.
func (b *broker) forget(ctx context.Context) error {
	if b.kept == "" {
		return nil
	}
	topic := b.kept
	b.kept = ""
	return deleteTopicOn(ctx, b, topic)
}

// cost is what something took.
type cost struct {
	cpu    float64       // seconds of the broker's processor time
	period time.Duration // by the clock
}

// costOf does something and returns what it cost the broker.
func (b *broker) costOf(do func() error) (c cost, err error) {
	before, err := b.usage()
	if err != nil {
		return cost{}, err
	}
	began := time.Now()
	if err := do(); err != nil {
		return cost{}, err
	}
	c.period = time.Since(began)
	after, err := b.usage()
	c.cpu = (after.CPU - before.CPU).Seconds()
	return c, err
}

// perSecond, perGiB and perMillion are a cost's figures for so much work.
func (c cost) perSecond(n float64) float64  { return n / c.period.Seconds() }
func (c cost) perGiB(bytes float64) float64 { return c.cpu / (bytes / (1 << 30)) }
func (c cost) perMillion(n float64) float64 { return c.cpu / (n / 1e6) }

// deletionDelay is log.segment.delete.delay.ms of both brokers. By default what a row leaves would be deleted a minute
// later, while another is measured; so, it is gone before the next begins.
const deletionDelay = "log.segment.delete.delay.ms=100"

// startAll starts both brokers and the bare loop; stop ends them and deletes what they stored.
func startAll(ctx context.Context, work, launcher string) (brokers []*broker, stop func(), err error) {
	ours, err := newBlumfeld(ctx, work, "--override", deletionDelay)
	if err != nil {
		return nil, nil, err
	}
	theirs, clean, err := newKafka(ctx, work, launcher)
	if err != nil {
		return nil, nil, err
	}
	bare := newBare(work)
	brokers = []*broker{ours, theirs, bare}
	stop = func() {
		// ctx may be what ended the run.
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if ours.pid != 0 {
			_ = ours.stop(ctx)
		}
		if bare.pid != 0 {
			_ = bare.stop(ctx)
		}
		clean(ctx)
	}
	for _, b := range brokers {
		if err := b.start(ctx); err != nil {
			stop()
			return nil, nil, err
		}
	}
	return brokers, stop, nil
}

func newBlumfeld(ctx context.Context, work string, args ...string) (*broker, error) {
	binary, err := process.Build(ctx, work)
	if err != nil {
		return nil, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	var running *process.Broker
	o := process.Options{Binary: binary, Dir: filepath.Join(work, "blumfeld-data"), Port: port, Args: args}
	b := &broker{name: blumfeld, addr: o.Addr(), dir: o.Dir}
	b.start = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		b.began = time.Now()
		if running, err = process.Start(ctx, o); err != nil {
			return err
		}
		b.pid, b.ready = running.PID(), running.Ready()
		return nil
	}
	b.stop = func(ctx context.Context) error {
		code, err := running.Stop(ctx)
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d:\n%s", code, running.Stderr())
		}
		return err
	}
	return b, nil
}

// newKafka prepares Apache Kafka; its storage is formatted here, outside the
// measured start.
func newKafka(ctx context.Context, work, launcher string) (b *broker, clean func(context.Context), err error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, nil, err
	}
	at := strconv.Itoa(port)
	command := func(ctx context.Context, args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, launcher, args...)
		cmd.Env = append(cmd.Environ(), "KAFKA_STATE="+filepath.Join(work, "kafka"))
		cmd.WaitDelay = 5 * time.Second // not for what it has started
		out, err := cmd.CombinedOutput()
		if err != nil {
			err = fmt.Errorf("%s %s: %w\n%s", launcher, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out)), err
	}
	clean = func(ctx context.Context) { _, _ = command(ctx, "clean", at) }
	b = &broker{name: apacheKafka, addr: "127.0.0.1:" + at, dir: filepath.Join(work, "kafka")}
	b.start = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
		defer cancel()
		b.began = time.Now()
		answered := make(chan error, 1)
		go func() {
			err := process.Await(ctx, b.addr)
			b.ready = time.Since(b.began)
			answered <- err
		}()
		_, startErr := command(ctx, "start", at, deletionDelay)
		if startErr != nil {
			cancel()
		}
		if err := errors.Join(startErr, <-answered); err != nil {
			return err
		}
		pid, err := command(ctx, "pid", at)
		if err != nil {
			return err
		}
		b.pid, err = strconv.Atoi(pid)
		return err
	}
	b.stop = func(ctx context.Context) error {
		_, err := command(ctx, "stop", at)
		return err
	}
	if _, err := command(ctx, "install"); err != nil {
		return nil, nil, err
	}
	if err := b.start(ctx); err != nil {
		clean(ctx)
		return nil, nil, err
	}
	if err := b.stop(ctx); err != nil {
		clean(ctx)
		return nil, nil, err
	}
	return b, clean, nil
}
