package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// jars is the folder that `kafka install` has filled.
func jars(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "compat/kafka/kafka", "jars").Output()
	return strings.TrimSpace(string(out)), err
}

// java is a JVM with this class and arguments. Its temporary files stay in dir, and so does what it logs: NAME.log.
func (b *bench) java(dir, name, class string, args ...string) (*exec.Cmd, error) {
	program := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		program = filepath.Join(home, "bin", program)
	}
	level := os.Getenv("LEVEL")
	if level == "" {
		level = "ERROR"
	}
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	// Short-lived: the first compiler's code is good enough.
	cmd := exec.Command(program, append([]string{
		"-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Djava.io.tmpdir=" + dir, // RocksDB's library goes there
		"-Dlog4j2.configurationFile=compat/kafka/log4j2.properties", "-Dlevel=" + level,
		"-cp", "compat/streams/target/classes:compat/streams/target/lib/*:" + b.jars + "/*", class,
	}, args...)...)
	cmd.Stderr = log
	return cmd, nil
}

// host is a process of applications; src/…/Host.java says how it is spoken with.
type host struct {
	cmd      *exec.Cmd
	commands io.WriteCloser
	log      string // the file of what it logged
	ended    chan struct{}

	mu      sync.Mutex
	events  []string      // what it said
	changed chan struct{} // closed with the next event, and with the end
}

// host starts a process of applications.
func (b *bench) host(dir, name string) (*host, error) {
	cmd, err := b.java(dir, name, "blumfeld.compat.streams.Host")
	if err != nil {
		return nil, err
	}
	defer cmd.Stderr.(*os.File).Close() // the child has its own
	h := &host{cmd: cmd, log: filepath.Join(dir, name+".log"), ended: make(chan struct{}), changed: make(chan struct{})}
	if h.commands, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			h.mu.Lock()
			h.events = append(h.events, lines.Text())
			close(h.changed)
			h.changed = make(chan struct{})
			h.mu.Unlock()
		}
		_ = cmd.Wait() // it is killed, always
		close(h.ended)
	}()
	return h, nil
}

// kill ends the process as a crash would, and waits for its end. It may be called again.
func (h *host) kill() {
	_ = h.cmd.Process.Kill() // or it has ended
	<-h.ended
}

const (
	sleep = syscall.SIGSTOP
	wake  = syscall.SIGCONT
)

func (h *host) signal(s os.Signal) error { return h.cmd.Process.Signal(s) }

// start starts an instance of an application.
func (h *host) start(instance, topology string, config map[string]string) error {
	words := []string{"start", instance, topology}
	for key, value := range config {
		words = append(words, key+"="+value)
	}
	_, err := fmt.Fprintln(h.commands, strings.Join(words, " "))
	return err
}

// stop stops an instance in order and waits until it has left its group.
func (h *host) stop(ctx context.Context, instance string) error {
	if _, err := fmt.Fprintln(h.commands, "stop", instance); err != nil {
		return err
	}
	return h.await(ctx, instance, "stopped")
}

// close stops an instance to which nothing was to happen: an exception is an error.
func (h *host) close(ctx context.Context, instance string) error {
	if err := h.stop(ctx, instance); err != nil {
		return err
	}
	if threw := h.said(instance, "threw"); len(threw) > 0 {
		return fmt.Errorf("%s failed: %s", instance, strings.Join(threw, "\n"))
	}
	return nil
}

// await returns when the process has said something of the instance that begins so.
func (h *host) await(ctx context.Context, instance, event string) error {
	for {
		h.mu.Lock()
		changed := h.changed
		h.mu.Unlock()
		if len(h.said(instance, event)) > 0 {
			return nil
		}
		select {
		case <-changed:
		case <-h.ended:
			return fmt.Errorf("the process of %s has ended", instance)
		case <-ctx.Done():
			return fmt.Errorf("%s never said %q: %w", instance, event, ctx.Err())
		}
	}
}

// said are the events of an instance that begin so, without that beginning.
func (h *host) said(instance, event string) (events []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, line := range h.events {
		if rest, ok := strings.CutPrefix(line, instance+" "+event); ok {
			events = append(events, strings.TrimSpace(rest))
		}
	}
	return events
}

// tail is the end of what the process said and logged, of the lines that mention a name.
func (h *host) tail(name string) string {
	h.mu.Lock()
	lines := slices.Clone(h.events)
	h.mu.Unlock()
	log, _ := os.ReadFile(h.log)
	lines = append(lines, strings.Split(string(log), "\n")...)
	lines = slices.DeleteFunc(lines, func(line string) bool { return !strings.Contains(line, name) })
	const most = 40
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}
