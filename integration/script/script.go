// Package script owns the form of data-driven tests: commands and what they
// print, in files that a test replays and that -rewrite brings up to date, as in
// etcd/raft and Pebble. It must not know any room: what a command does is up to
// the test that runs it.
//
// A script is a list of commands, a line each, and under each, indented by two
// spaces, what it printed. Lines that begin with # are comments.
//
//	append 3
//	  base=0 last=2
package script

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var rewrite = flag.Bool("rewrite", false, "rewrite what the commands of scripts print, instead of comparing it")

// Run replays every file that matches glob, each as a subtest of its own. start
// answers what runs one command of that file and returns what it prints.
func Run(t *testing.T, glob string, start func(t *testing.T) func(command string) string) {
	t.Helper()
	files, err := filepath.Glob(glob)
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts at %s: %v", glob, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), func(t *testing.T) {
			replay(t, file, start(t))
		})
	}
}

func replay(t *testing.T, file string, run func(string) string) {
	in, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	lines := strings.SplitAfter(string(in), "\n")
	for i := 0; i < len(lines); i++ {
		out.WriteString(lines[i])
		command := strings.TrimSpace(lines[i])
		if command == "" || command[0] == '#' {
			continue
		}
		at := i + 1
		var want strings.Builder
		for ; i+1 < len(lines) && strings.HasPrefix(lines[i+1], "  "); i++ {
			want.WriteString(lines[i+1])
		}
		got := indented(run(command))
		out.WriteString(got)
		if !*rewrite && got != want.String() {
			t.Errorf("%s:%d: %s\ngot:\n%swant:\n%s", file, at, command, got, &want)
		}
	}
	if *rewrite && out.String() != string(in) {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// indented is a command's output as it stands in the script.
func indented(s string) string {
	s = strings.TrimRight(s, "\n")
	if s == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(s, "\n", "\n  ") + "\n"
}
