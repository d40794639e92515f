package integration

import (
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNoPortButKafkas(t *testing.T) {
	b := start(t, options(t, t.TempDir()))
	ports, err := listening(b.PID())
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := net.SplitHostPort(b.Addr())
	if got := strings.Join(ports, " "); got != want {
		t.Errorf("listens on %s, want %s alone", got, want)
	}
}

// listening returns the TCP ports that a process listens on, without repeats.
func listening(pid int) ([]string, error) {
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return nil, err
	}
	sockets := map[string]bool{} // by inode
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err == nil && strings.HasPrefix(target, "socket:[") {
			sockets[strings.Trim(target[len("socket:"):], "[]")] = true
		}
	}
	var ports []string
	for _, family := range []string{"tcp", "tcp6"} {
		table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, family))
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(table)) {
			// sl local_address rem_address st … inode: st 0A is LISTEN
			f := strings.Fields(line)
			if len(f) < 10 || f[3] != "0A" || !sockets[f[9]] {
				continue
			}
			_, port, _ := strings.Cut(f[1], ":")
			b, err := hex.DecodeString(port)
			if err != nil || len(b) != 2 {
				return nil, fmt.Errorf("/proc/%d/net/%s: %q", pid, family, line)
			}
			ports = append(ports, fmt.Sprint(int(b[0])<<8|int(b[1])))
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports), nil
}
