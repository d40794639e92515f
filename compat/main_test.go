package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunClient(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		want   tally
		err    string // a part of it; empty for none
	}{
		"passes":              {"echo PASS $1; echo 3 passed, 0 failed", tally{3, 0}, ""},
		"fails":               {"echo FAIL $1; echo 2 passed, 1 failed; exit 1", tally{2, 1}, ""},
		"no sum":              {"echo PASS $1", tally{}, "instead of its sum"},
		"silent":              {"exit 0", tally{}, "instead of its sum"},
		"sum without newline": {"printf '1 passed, 0 failed'", tally{1, 0}, ""},
		"crashes after sum":   {"echo 1 passed, 0 failed; exit 3", tally{1, 0}, "exit status 3"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			script := "#!/bin/sh\n" + c.script + "\n"
			if err := os.WriteFile(filepath.Join(dir, "run"), []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			got, err := runClient(t.Context(), dir, "127.0.0.1:9092")
			if got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("error %v, want %q", err, c.err)
			}
		})
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
