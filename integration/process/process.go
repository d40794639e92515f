package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Build compiles the module's main package into dir and returns the binary's
// path. Extra arguments (-race, …) go to go build.
func Build(ctx context.Context, dir string, args ...string) (string, error) {
	binary := filepath.Join(dir, "blumfeld")
	cmd := exec.CommandContext(ctx, "go", append(append([]string{"build", "-o", binary}, args...), ".")...)
	cmd.Dir = root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return binary, nil
}

// root is the module's directory, wherever the caller runs.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// FreePort returns a TCP port of 127.0.0.1 that nobody listens on. Another
// process may take it before the caller does.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Options say how a broker is started.
type Options struct {
	Binary string   // as Build returned it
	Dir    string   // log.dirs
	Port   int      // of 127.0.0.1
	Args   []string // further arguments, such as --override key=value
}

// Addr is where the broker will listen, host:port.
func (o Options) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(o.Port)) }

func (o Options) command() *exec.Cmd {
	args := []string{
		"--override", "listeners=PLAINTEXT://" + o.Addr(),
		"--override", "log.dirs=" + o.Dir,
	}
	return exec.Command(o.Binary, append(args, o.Args...)...)
}

// Broker is a running Blumfeld process.
type Broker struct {
	cmd    *exec.Cmd
	addr   string
	ready  time.Duration
	stdout *output
	stderr *output
	exited chan struct{} // closed once the process has ended
}

// Start runs a broker and returns when it answers ApiVersions. A broker that
// ends before it does, or that ctx is too short for, is an error that carries
// its output; it is not left running.
func Start(ctx context.Context, o Options) (*Broker, error) {
	b := &Broker{
		cmd:    o.command(),
		addr:   o.Addr(),
		stdout: new(output),
		stderr: new(output),
		exited: make(chan struct{}),
	}
	b.cmd.Stdout, b.cmd.Stderr = b.stdout, b.stderr
	began := time.Now()
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = b.cmd.Wait() // the exit code is in ProcessState
		close(b.exited)
	}()

	starting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-b.exited:
			cancel(errEnded)
		case <-starting.Done():
		}
	}()
	if err := Await(starting, b.addr); err != nil {
		_ = b.Kill() // err says more
		return nil, fmt.Errorf("broker on %s (%s): %w\n%s%s", b.addr, b.cmd.ProcessState, err, b.stdout, b.stderr)
	}
	b.ready = time.Since(began)
	return b, nil
}

var errEnded = errors.New("the process ended before it answered")

// Addr is the broker's host:port.
func (b *Broker) Addr() string { return b.addr }

// PID is the process id.
func (b *Broker) PID() int { return b.cmd.Process.Pid }

// Ready is the time from exec to the first answer.
func (b *Broker) Ready() time.Duration { return b.ready }

// Stdout is what the broker printed so far.
func (b *Broker) Stdout() string { return b.stdout.String() }

// Stderr is what the broker logged so far.
func (b *Broker) Stderr() string { return b.stderr.String() }

// Exited is closed when the process has ended.
func (b *Broker) Exited() <-chan struct{} { return b.exited }

// Kill ends the process with SIGKILL, as a crash would, and waits for its end.
// It may be called again, and after the process has ended by itself.
func (b *Broker) Kill() error {
	if err := b.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-b.exited
	return nil
}

// Pause stops the process with SIGSTOP: it answers nobody, and its time goes by.
func (b *Broker) Pause() error { return b.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (b *Broker) Resume() error { return b.cmd.Process.Signal(syscall.SIGCONT) }

// Stop asks the broker to end with SIGTERM and returns its exit code. If ctx
// ends first the broker is killed.
func (b *Broker) Stop(ctx context.Context) (int, error) {
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, err
	}
	select {
	case <-b.exited:
		return b.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, errors.Join(fmt.Errorf("still running after SIGTERM: %w\n%s", ctx.Err(), b.stderr), b.Kill())
	}
}

// Ended is how a process that was not meant to stay has ended.
type Ended struct {
	Code           int
	Stdout, Stderr string
}

// Run starts a broker that is expected to end by itself and waits for that. It
// is killed, and an error, when ctx ends first.
func Run(ctx context.Context, o Options) (Ended, error) {
	var stdout, stderr bytes.Buffer
	cmd := o.command()
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return Ended{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !stop() {
		return Ended{}, fmt.Errorf("still running: %w\n%s%s", ctx.Err(), &stdout, &stderr)
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return Ended{}, err
	}
	return Ended{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, nil
}

// output collects what a process writes, for readers beside it. It keeps the
// last half of limit bytes at least: a broker that logs for an hour does not
// fill the test's memory.
type output struct {
	mu  sync.Mutex
	buf []byte
}

const limit = 1 << 20

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf = append(o.buf, p...)
	if len(o.buf) > limit {
		o.buf = append(o.buf[:0], o.buf[len(o.buf)-limit/2:]...)
	}
	return len(p), nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.buf)
}
