package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// machine says where the figures were taken.
func machine() string {
	model := "unknown CPU"
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := runtime.GOOS
	if out, err := exec.Command("uname", "-sr").Output(); err == nil {
		kernel = strings.TrimSpace(string(out))
	}
	return fmt.Sprintf("%d × %s, %s, %s; both brokers and the clients on this machine, in turn.",
		runtime.NumCPU(), model, kernel, runtime.Version())
}

// version is today and the commit that is measured; what the bench itself writes does not count as a change.
func version(ctx context.Context) string {
	day := time.Now().Format(time.DateOnly)
	commit, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return day
	}
	changes, err := exec.CommandContext(ctx, "git", "status", "--porcelain", "--untracked-files=no", "--",
		":/", ":(top,exclude)README.md", ":(top,exclude)integration/bench/RESULTS.md").Output()
	text := day + " " + strings.TrimSpace(string(commit))
	if err != nil || len(changes) > 0 {
		text += " and changes"
	}
	return text
}
