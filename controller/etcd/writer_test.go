package etcd

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"

	"blumfeld/controller"
)

// killedWriter returns the directory of a process that was killed with SIGKILL after that many transactions, while it
// went on writing, and the number that it last reported as committed for each key.
func killedWriter(tb testing.TB, writes int) (dir string, acked map[string]int) {
	tb.Helper()
	dir = tb.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestWriterProcess$")
	cmd.Env = append(os.Environ(), "WRITER_DIR="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	acked = make(map[string]int)
	lines := bufio.NewScanner(out)
	for n := 0; n < writes && lines.Scan(); n++ {
		var key string
		var value int
		if _, err := fmt.Sscan(lines.Text(), &key, &value); err != nil {
			tb.Fatalf("writer said %q", lines.Text())
		}
		acked[key] = max(acked[key], value)
	}
	if err := cmd.Process.Kill(); err != nil {
		tb.Fatal(err)
	}
	cmd.Wait()
	return dir, acked
}

// TestWriterProcess is the body of killedWriter's process; in a test run of its own it has nothing to do.
func TestWriterProcess(t *testing.T) {
	dir := os.Getenv("WRITER_DIR")
	if dir == "" {
		return
	}
	s := open(t, Options{Dir: dir, NodeID: 1, NoSync: true}) // what a kill leaves is the same
	var failed atomic.Bool
	for w := range 64 {
		go func() {
			for i := 1; !failed.Load(); i++ {
				key := fmt.Sprintf("meta/partitions/%d/%d", w, i%20)
				if _, _, err := s.Txn(t.Context(), nil, []controller.Op{controller.Put(key, fmt.Appendf(nil, "%d %60d", i, 0))}); err != nil {
					failed.Store(true)
					return
				}
				fmt.Printf("%s %d\n", key, i)
			}
		}()
	}
	select {}
}
