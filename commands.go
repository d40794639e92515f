package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"blumfeld/broker"
)

// command is what blumfeld does beside running a broker. All but a backup need the broker of these directories to be
// stopped.
type command struct {
	name, operands, help string
	atMost               int // operands; at least one if there may be any
	run                  func(ctx context.Context, c broker.Config, args []string, out io.Writer) error
}

func commands() []command {
	return []command{
		{"import", "DIR…", "take over the log directories of a stopped Apache Kafka", 1000, broker.Import},
		{"backup", "FILE", "save the metadata, also of a running broker", 1,
			func(ctx context.Context, c broker.Config, args []string, out io.Writer) error {
				return broker.Backup(ctx, c, args[0], out)
			}},
		{"restore", "FILE", "bring back metadata that was lost", 1,
			func(ctx context.Context, c broker.Config, args []string, out io.Writer) error {
				return broker.Restore(ctx, c, args[0], out)
			}},
		{"recover", "", "rebuild metadata that was lost from the logs", 0,
			func(ctx context.Context, c broker.Config, _ []string, out io.Writer) error {
				return broker.Recover(ctx, c, out)
			}},
	}
}

func findCommand(name string) (command, error) {
	for _, c := range commands() {
		if c.name == name {
			return c, nil
		}
	}
	return command{}, fmt.Errorf("unexpected argument %q (see --help)", name)
}

func checkCommand(name string, args []string) error {
	c, err := findCommand(name)
	if err != nil {
		return err
	}
	if len(args) > c.atMost || c.atMost > 0 && len(args) == 0 {
		return fmt.Errorf("usage: blumfeld %s %s [flags]", c.name, c.operands)
	}
	return nil
}

func runCommand(ctx context.Context, name string, args []string, config broker.Config, out io.Writer) error {
	c, err := findCommand(name)
	if err != nil {
		return err
	}
	return c.run(ctx, config, args, out)
}

func commandUsage() string {
	var b strings.Builder
	for _, c := range commands() {
		fmt.Fprintf(&b, "       %-32s %s\n", "blumfeld "+strings.TrimSpace(c.name+" "+c.operands)+" [flags]", c.help)
	}
	return b.String()
}
