package integration

import (
	"context"
	"strings"
	"testing"
	"time"
)

// What README promises of a start: one line that says where and what to try, and
// quiet after that.
func TestStandardOutputIsOneLine(t *testing.T) {
	o := options(t, t.TempDir())
	b := start(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if code, err := b.Stop(ctx); code != 0 || err != nil {
		t.Fatalf("SIGTERM: exit code %d, %v", code, err)
	}
	line := b.Stdout()
	if strings.Count(line, "\n") != 1 || !strings.HasSuffix(line, "\n") {
		t.Errorf("standard output is not one line:\n%s", line)
	}
	for _, want := range []string{b.Addr(), o.Dir, "kcat "} {
		if !strings.Contains(line, want) {
			t.Errorf("standard output lacks %q:\n%s", want, line)
		}
	}
	if log := b.Stderr(); log != "" {
		t.Errorf("a quiet start and stop logged:\n%s", log)
	}
}
