// Command compat runs real clients against a broker: every compat/<client>/run,
// one after the other, on a Blumfeld that it builds and starts in a temporary
// directory, or on the broker that COMPAT_ADDR names (Apache Kafka, say). It
// prints what the clients print, then a line for each client with its sum and its
// time, the failures once more, and at the end `N passed, N failed`, over all.
//
//	go run ./compat [CLIENT…]
//
// It owns the order and the sum of the runs. It must not know what a client
// tests or how: a client is a folder with a run that takes a bootstrap address,
// prints PASS and FAIL lines and ends in `N passed, N failed`, and, if the
// client has to be installed first, with an install. A run that has not ended
// after runLimit is stopped and has failed.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"blumfeld/integration/process"
)

// runLimit ends a client's run that hangs; together they are to take less than 25
// minutes on two cores.
const runLimit = 15 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	results, err := run(ctx, os.Args[1:], os.Getenv("COMPAT_ADDR"))
	if err != nil {
		fmt.Println("FAIL", err)
	}
	total := summarize(os.Stdout, results)
	if err != nil {
		total.failed++
	}
	fmt.Println(total)
	if total.failed > 0 || total.passed == 0 {
		os.Exit(1)
	}
}

type tally struct{ passed, failed int }

func (t tally) String() string { return fmt.Sprintf("%d passed, %d failed", t.passed, t.failed) }

// result is what became of one client's run.
type result struct {
	client   string
	sum      tally
	install  time.Duration
	run      time.Duration
	failures []string // its FAIL lines
}

// summarize prints a table of the runs, after the lines of what failed in them,
// and returns their sum.
func summarize(w io.Writer, results []result) (total tally) {
	var all time.Duration
	for _, r := range results {
		for _, line := range r.failures {
			fmt.Fprintf(w, "%s: %s\n", r.client, line)
		}
	}
	fmt.Fprintf(w, "%-12s %6s %6s %9s %7s\n", "client", "passed", "failed", "install s", "run s")
	row := func(name string, sum tally, install, run time.Duration) {
		fmt.Fprintf(w, "%-12s %6d %6d %9.0f %7.0f\n", name, sum.passed, sum.failed, install.Seconds(), run.Seconds())
	}
	var install time.Duration
	for _, r := range results {
		row(r.client, r.sum, r.install, r.run)
		total.passed += r.sum.passed
		total.failed += r.sum.failed
		install += r.install
		all += r.run
	}
	row("all", total, install, all)
	return total
}

func run(ctx context.Context, clients []string, addr string) (results []result, err error) {
	dir := "compat"
	if clients, err = find(dir, clients); err != nil {
		return nil, err
	}
	if addr == "" {
		work, mkdirErr := os.MkdirTemp("", "blumfeld-compat-")
		if mkdirErr != nil {
			return nil, mkdirErr
		}
		defer os.RemoveAll(work)
		b, startErr := start(ctx, work)
		if startErr != nil {
			return nil, startErr
		}
		defer func() { err = errors.Join(err, end(b)) }()
		addr = b.Addr()
	}
	for _, client := range clients {
		fmt.Printf("== %s on %s\n", client, addr)
		r := runClient(ctx, filepath.Join(dir, client), addr)
		fmt.Printf("== %s: %v in %.0f s\n", client, r.sum, (r.install + r.run).Seconds())
		results = append(results, r)
	}
	return results, ctx.Err()
}

// find returns the folders of dir that have a run, all of them or those asked
// for by name.
func find(dir string, wanted []string) ([]string, error) {
	runs, err := filepath.Glob(filepath.Join(dir, "*", "run"))
	if err != nil {
		return nil, err
	}
	var clients []string
	for _, file := range runs {
		clients = append(clients, filepath.Base(filepath.Dir(file)))
	}
	if len(clients) == 0 {
		return nil, fmt.Errorf("no client in %s: run this in the module's directory", dir)
	}
	for _, client := range wanted {
		if !slices.Contains(clients, client) {
			return nil, fmt.Errorf("no client %s, only %s", client, strings.Join(clients, ", "))
		}
	}
	if len(wanted) > 0 {
		return wanted, nil
	}
	return clients, nil
}

func start(ctx context.Context, work string) (*process.Broker, error) {
	binary, err := process.Build(ctx, work)
	if err != nil {
		return nil, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return process.Start(ctx, process.Options{Binary: binary, Dir: filepath.Join(work, "data"), Port: port})
}

// end stops the broker; one that has ended by itself, or does not end well, is
// an error with what it logged.
func end(b *process.Broker) error {
	select {
	case <-b.Exited():
		return fmt.Errorf("the broker ended while clients ran:\n%s", b.Stderr())
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	code, err := b.Stop(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("the broker's exit code is %d:\n%s", code, b.Stderr())
	}
	return err
}

// runClient installs the client and runs it. What goes wrong with the run as a
// whole is one more failure: it ends without its sum, is stopped, or its exit code
// contradicts the sum.
func runClient(ctx context.Context, dir, addr string) (r result) {
	r.client = filepath.Base(dir)
	began := time.Now()
	err := install(ctx, dir)
	r.install = time.Since(began)
	if err == nil {
		began = time.Now()
		r.sum, r.failures, err = runCases(ctx, dir, addr)
		r.run = time.Since(began)
	}
	if err != nil {
		line := fmt.Sprintf("FAIL %s: %v", r.client, err)
		fmt.Println(line)
		r.failures = append(r.failures, line)
		r.sum.failed++
	}
	return r
}

// install is done once in a machine's life: it says nothing unless it fails.
func install(ctx context.Context, dir string) error {
	file := filepath.Join(dir, "install")
	if !isFile(file) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	if out, err := command(ctx, file).CombinedOutput(); err != nil {
		return fmt.Errorf("install: %w\n%s", err, out)
	}
	return nil
}

// runCases returns the sum in the run's last line, and its FAIL lines.
func runCases(ctx context.Context, dir, addr string) (sum tally, failures []string, err error) {
	limited, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	cmd := command(limited, filepath.Join(dir, "run"), addr)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return sum, nil, err
	}
	if err := cmd.Start(); err != nil {
		return sum, nil, err
	}
	last, failures, readErr := echo(pipe)
	err = errors.Join(readErr, cmd.Wait())
	if limited.Err() != nil && ctx.Err() == nil {
		return sum, failures, fmt.Errorf("did not end within %v", runLimit)
	}
	if _, scanErr := fmt.Sscanf(last, "%d passed, %d failed", &sum.passed, &sum.failed); scanErr != nil {
		return tally{}, failures, errors.Join(fmt.Errorf("ended with %q instead of its sum", last), err)
	}
	if err != nil && sum.failed > 0 {
		err = nil // the exit code only repeats what was counted
	}
	return sum, failures, err
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// command is killed, with everything that it started, when ctx ends.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// echo passes lines on to standard output and returns the last one, and those that
// say that a case failed.
func echo(r io.Reader) (last string, failures []string, err error) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			last = strings.TrimSpace(line)
			fmt.Print(line)
			if strings.HasPrefix(line, "FAIL ") {
				failures = append(failures, last)
			}
		}
		if err == io.EOF {
			return last, failures, nil
		}
		if err != nil {
			return "", failures, err
		}
	}
}
