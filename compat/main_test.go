package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunClient(t *testing.T) {
	for name, c := range map[string]struct {
		install string
		script  string
		want    tally
		failure string // a part of the last failure; empty for none
	}{
		"passes":              {"", "echo PASS $1; echo 3 passed, 0 failed", tally{3, 0}, ""},
		"fails":               {"", "echo FAIL $1; echo 2 passed, 1 failed; exit 1", tally{2, 1}, "FAIL 127.0.0.1:9092"},
		"no sum":              {"", "echo PASS $1", tally{0, 1}, "instead of its sum"},
		"silent":              {"", "exit 0", tally{0, 1}, "instead of its sum"},
		"sum without newline": {"", "printf '1 passed, 0 failed'", tally{1, 0}, ""},
		"crashes after sum":   {"", "echo 1 passed, 0 failed; exit 3", tally{1, 1}, "exit status 3"},
		"installed":           {"touch installed", "test -f installed && echo 1 passed, 0 failed", tally{1, 0}, ""},
		"cannot be installed": {"echo no network; exit 1", "echo 1 passed, 0 failed", tally{0, 1}, "no network"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			write := func(file, script string) {
				if err := os.WriteFile(filepath.Join(dir, file), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			write("run", c.script)
			if c.install != "" {
				write("install", c.install)
			}
			got := runClient(t.Context(), dir, "127.0.0.1:9092")
			if got.sum != c.want {
				t.Errorf("got %v, want %v", got.sum, c.want)
			}
			failures := strings.Join(got.failures, "\n")
			if (failures == "") != (c.failure == "") || !strings.Contains(failures, c.failure) {
				t.Errorf("failures %q, want %q", failures, c.failure)
			}
		})
	}
}

func TestSummarize(t *testing.T) {
	var out strings.Builder
	total := summarize(&out, []result{
		{client: "kcat", sum: tally{44, 0}, run: 20 * time.Second},
		{client: "go", sum: tally{99, 1}, install: 3 * time.Second, run: 41 * time.Second, failures: []string{"FAIL TestSarama/keys: lost"}},
	})
	if want := (tally{143, 1}); total != want {
		t.Errorf("total %v, want %v", total, want)
	}
	const want = `go: FAIL TestSarama/keys: lost
client       passed failed install s   run s
kcat             44      0         0      20
go               99      1         3      41
all             143      1         3      61
`
	if got := out.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for _, client := range []string{"b", "a", "launcher"} {
		if err := os.Mkdir(filepath.Join(dir, client), 0o700); err != nil {
			t.Fatal(err)
		}
		if client != "launcher" {
			if err := os.WriteFile(filepath.Join(dir, client, "run"), nil, 0o700); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got, err := find(dir, nil); err != nil || strings.Join(got, " ") != "a b" {
		t.Errorf("all: %v, %v", got, err)
	}
	if got, err := find(dir, []string{"b"}); err != nil || strings.Join(got, " ") != "b" {
		t.Errorf("b: %v, %v", got, err)
	}
	if _, err := find(dir, []string{"c"}); err == nil {
		t.Error("an unknown client is no error")
	}
	if _, err := find(t.TempDir(), nil); err == nil {
		t.Error("a folder without clients is no error")
	}
}
