// Package kafka runs Apache Kafka from Go programs, by the script beside it.
//
// It owns the calls of that script and where its data lies. It must not know what
// a node is started for.
package kafka

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
)

// Node is an Apache Kafka of one node on 127.0.0.1.
type Node struct {
	Port  int
	State string // the folder below which it keeps its data
}

// Dir is where the node keeps its data, and where further log.dirs may be put.
func (n Node) Dir() string { return filepath.Join(n.State, strconv.Itoa(n.Port)) }

// Start returns when the node serves. properties are key=value, and win over the script's.
func (n Node) Start(ctx context.Context, properties ...string) error {
	return n.run(ctx, append([]string{"start", strconv.Itoa(n.Port)}, properties...)...)
}

// Stop ends the node in order; one that does not run is none to stop.
func (n Node) Stop(ctx context.Context) error { return n.run(ctx, "stop", strconv.Itoa(n.Port)) }

// Kill ends the node as a crash would.
func (n Node) Kill(ctx context.Context) error { return n.run(ctx, "kill", strconv.Itoa(n.Port)) }

// run lets the node inherit no pipe of ours, which would stay open as long as it runs.
func (n Node) run(ctx context.Context, args ...string) error {
	out, err := os.CreateTemp(n.State, "script-")
	if err != nil {
		return err
	}
	defer out.Close()
	defer os.Remove(out.Name())
	cmd := exec.CommandContext(ctx, script(), args...)
	cmd.Env = append(os.Environ(), "KAFKA_STATE="+n.State)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		said, _ := os.ReadFile(out.Name())
		return fmt.Errorf("kafka %v: %w\n%s", args, err, said)
	}
	return nil
}

// Tool runs one of Kafka's own tools and returns what it printed.
func Tool(ctx context.Context, name string, args ...string) (stdout, stderr string, err error) {
	var out, said bytes.Buffer
	cmd := Command(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", "", fmt.Errorf("kafka tool %s: %w\n%s", name, err, &said)
	}
	return out.String(), said.String(), nil
}

// Command is one of Kafka's own tools, not started yet. Its process will be the tool's JVM itself, which a signal thus
// reaches; KAFKA_HEAP_OPTS and KAFKA_OPTS in its environment are options for the JVM.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, script(), append([]string{"tool", name}, args...)...)
}

func script() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "kafka")
}
