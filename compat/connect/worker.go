package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"blumfeld/compat/kafka"
	"blumfeld/integration/process"
)

// properties are those of a worker, a connector or a mirror.
type properties map[string]string

// with returns a copy with more, which win.
func (p properties) with(more properties) properties {
	all := maps.Clone(p)
	maps.Copy(all, more)
	return all
}

// write puts properties into a file, in the form of Java's.
func (b *bench) write(name string, p properties) (string, error) {
	escape := strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&text, "%s=%s\n", strings.ReplaceAll(key, ":", `\:`), escape.Replace(p[key]))
	}
	path := b.path(name + ".properties")
	return path, os.WriteFile(path, []byte(text.String()), 0o600)
}

// worker is a JVM with Connect in it, which can be ended and started again.
type worker struct {
	rest    rest   // what answers for it
	log     string // file
	tool    string
	args    []string
	cmd     *exec.Cmd
	running chan struct{} // closed once the process has ended
}

// newWorker makes a worker that was not started; it ends with the lane.
func (l *lane) newWorker(name, tool string, port int, args ...string) *worker {
	w := &worker{rest: rest{port: port}, log: l.path(name + ".log"), tool: tool, args: args}
	l.atEnd(w.stop)
	return w
}

func (w *worker) start() error {
	log, err := os.OpenFile(w.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	w.cmd = kafka.Command(context.Background(), w.tool, w.args...)
	// Short-lived: the first compiler's code is good enough, and more compiling costs more than it saves.
	w.cmd.Env = append(os.Environ(), "KAFKA_HEAP_OPTS=-Xms64m -Xmx256m", "KAFKA_OPTS=-XX:TieredStopAtLevel=1")
	w.cmd.Stdout, w.cmd.Stderr = log, log
	if err := w.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	w.running = ended
	go func(cmd *exec.Cmd) {
		_ = cmd.Wait() // who stops it looks at the exit code
		close(ended)
	}(w.cmd)
	return nil
}

func (w *worker) signal(s syscall.Signal) error {
	if w.cmd == nil {
		return nil
	}
	if err := w.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// kill is a crash.
func (w *worker) kill() error {
	if err := w.signal(syscall.SIGKILL); err != nil || w.cmd == nil {
		return err
	}
	<-w.running
	return nil
}

// stop ends the worker in order; by force if it takes long.
func (w *worker) stop() error {
	if w.cmd == nil {
		return nil
	}
	if err := w.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-w.running:
		return nil
	case <-time.After(30 * time.Second):
		return errors.Join(fmt.Errorf("%s still runs half a minute after SIGTERM", w.tool), w.kill())
	}
}

// said are the last errors that a worker has logged, for who wonders why it does nothing.
func (w *worker) said() string {
	const most = 6
	text, err := os.ReadFile(w.log)
	if err != nil {
		return err.Error()
	}
	var errs []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, " ERROR ") || strings.HasPrefix(line, "Caused by: ") {
			errs = append(errs, strings.TrimSpace(line))
		}
	}
	return strings.Join(errs[max(0, len(errs)-most):], "\n")
}

// logged tells whether the worker has logged a text.
func (w *worker) logged(text string) bool {
	log, err := os.ReadFile(w.log)
	return err == nil && strings.Contains(string(log), text)
}

// common are the properties of every worker: short intervals, and the connectors of the cases.
func common(addr string, port int) properties {
	return properties{
		"bootstrap.servers":                       addr,
		"listeners":                               fmt.Sprintf("http://127.0.0.1:%d", port),
		"key.converter":                           "org.apache.kafka.connect.storage.StringConverter",
		"value.converter":                         "org.apache.kafka.connect.storage.StringConverter",
		"offset.flush.interval.ms":                "300",
		"task.shutdown.graceful.timeout.ms":       "3000",
		"plugin.path":                             filepath.Join(sourceDir(), "target", "plugins"),
		"plugin.discovery":                        "service_load",
		"reconnect.backoff.max.ms":                "200",
		"producer.reconnect.backoff.max.ms":       "200",
		"consumer.reconnect.backoff.max.ms":       "200",
		"consumer.session.timeout.ms":             "6000",
		"consumer.heartbeat.interval.ms":          "1000",
		"consumer.metadata.max.age.ms":            "2000",
		"connector.client.config.override.policy": "All",
	}
}

// cluster is some workers of one group, and its topics.
type cluster struct {
	addr    string
	group   string
	topics  internalTopics
	workers []*worker
}

// internalTopics are the topics in which a group of workers keeps what it knows.
type internalTopics struct{ config, offset, status string }

// newCluster makes a group of workers and starts them; they end with the lane.
func (l *lane) newCluster(ctx context.Context, addr, name string, workers int, more properties) (*cluster, error) {
	c := &cluster{addr: addr, group: l.name(name)}
	c.topics = internalTopics{config: c.group + "-configs", offset: c.group + "-offsets", status: c.group + "-status"}
	for n := range workers {
		port, err := process.FreePort()
		if err != nil {
			return nil, err
		}
		name := fmt.Sprintf("%s-worker-%d", c.group, n)
		file, err := l.write(name, common(addr, port).with(properties{
			"group.id":                          c.group,
			"config.storage.topic":              c.topics.config,
			"config.storage.replication.factor": "1",
			"offset.storage.topic":              c.topics.offset,
			"offset.storage.replication.factor": "1",
			"offset.storage.partitions":         "3",
			"status.storage.topic":              c.topics.status,
			"status.storage.replication.factor": "1",
			"status.storage.partitions":         "2",
			"session.timeout.ms":                "6000",
			"heartbeat.interval.ms":             "500",
			"rebalance.timeout.ms":              "10000",
			"scheduled.rebalance.max.delay.ms":  "1000",
		}).with(more))
		if err != nil {
			return nil, err
		}
		w := l.newWorker(name, "connect-distributed", port, file)
		c.workers = append(c.workers, w)
		if err := w.start(); err != nil {
			return nil, err
		}
	}
	for _, w := range c.workers {
		if err := w.ready(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// ready returns when the worker has joined its group and answers.
func (w *worker) ready(ctx context.Context) error {
	err := await(ctx, func() error {
		select {
		case <-w.running:
			return errEnded
		default:
			return w.rest.get(ctx, "/connectors", nil)
		}
	})
	if err != nil {
		return fmt.Errorf("%s does not answer: %w\n%s", w.tool, err, w.said())
	}
	return nil
}

var errEnded = errors.New("the process has ended")

// withLog adds what workers said to an error.
func withLog(err error, workers ...*worker) error {
	for _, w := range workers {
		if said := w.said(); err != nil && said != "" {
			err = fmt.Errorf("%w\n%s says:\n%s", err, filepath.Base(w.log), said)
		}
	}
	return err
}
