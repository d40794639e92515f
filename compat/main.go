// Command compat runs real clients against a broker: every compat/<client>/run,
// one after the other, on a Blumfeld that it builds and starts in a temporary
// directory, or on the broker that COMPAT_ADDR names (Apache Kafka, say). It
// prints what the clients print and ends with `N passed, N failed`, over all.
//
//	go run ./compat [CLIENT…]
//
// It owns the order and the sum of the runs. It must not know what a client
// tests or how: a client is a folder with a run that takes a bootstrap address,
// prints PASS and FAIL lines and ends in `N passed, N failed`, and, if the
// client has to be installed first, with an install.
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

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	total, err := run(ctx, os.Args[1:], os.Getenv("COMPAT_ADDR"))
	if err != nil {
		fmt.Println("FAIL", err)
		total.failed++
	}
	fmt.Println(total)
	if total.failed > 0 || total.passed == 0 {
		os.Exit(1)
	}
}

type tally struct{ passed, failed int }

func (t tally) String() string { return fmt.Sprintf("%d passed, %d failed", t.passed, t.failed) }

func run(ctx context.Context, clients []string, addr string) (total tally, err error) {
	dir := "compat"
	if clients, err = find(dir, clients); err != nil {
		return total, err
	}
	if addr == "" {
		work, mkdirErr := os.MkdirTemp("", "blumfeld-compat-")
		if mkdirErr != nil {
			return total, mkdirErr
		}
		defer os.RemoveAll(work)
		b, startErr := start(ctx, work)
		if startErr != nil {
			return total, startErr
		}
		defer func() { err = errors.Join(err, end(b)) }()
		addr = b.Addr()
	}
	for _, client := range clients {
		fmt.Printf("== %s on %s\n", client, addr)
		began := time.Now()
		sum, err := runClient(ctx, filepath.Join(dir, client), addr)
		total.passed += sum.passed
		total.failed += sum.failed
		if err != nil {
			total.failed++
			fmt.Printf("FAIL %s: %v\n", client, err)
		}
		fmt.Printf("== %s: %v in %.0f s\n", client, sum, time.Since(began).Seconds())
	}
	return total, ctx.Err()
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

// runClient returns the sum in the run's last line. A run that ends without
// one, or whose exit code contradicts it, is an error.
func runClient(ctx context.Context, dir, addr string) (tally, error) {
	if install := filepath.Join(dir, "install"); isFile(install) {
		if out, err := command(ctx, install).CombinedOutput(); err != nil {
			return tally{}, fmt.Errorf("install: %w\n%s", err, out)
		}
	}
	cmd := command(ctx, filepath.Join(dir, "run"), addr)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return tally{}, err
	}
	if err := cmd.Start(); err != nil {
		return tally{}, err
	}
	last, readErr := echo(pipe)
	err = errors.Join(readErr, cmd.Wait())
	var sum tally
	if _, scanErr := fmt.Sscanf(last, "%d passed, %d failed", &sum.passed, &sum.failed); scanErr != nil {
		return tally{}, errors.Join(fmt.Errorf("ended with %q instead of its sum", last), err)
	}
	if err != nil && sum.failed > 0 {
		return sum, nil // the exit code only repeats what was counted
	}
	return sum, err
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

// echo passes lines on to standard output and returns the last one.
func echo(r io.Reader) (last string, err error) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			last = line
			fmt.Print(line)
		}
		if err == io.EOF {
			return strings.TrimSpace(last), nil
		}
		if err != nil {
			return "", err
		}
	}
}
