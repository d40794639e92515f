package broker

import (
	"os"
	"path/filepath"
	"runtime"
)

// DefaultLogDir is where logs go if log.dirs is not set: a directory of the
// user's that survives a restart of the machine, which Kafka's /tmp/kafka-logs
// does not. A process without a home (a service, a container) keeps them in
// /var/lib/blumfeld.
func DefaultLogDir(getenv func(string) string) string {
	home := getenv("HOME")
	switch {
	case getenv("XDG_DATA_HOME") != "":
		return filepath.Join(getenv("XDG_DATA_HOME"), "blumfeld")
	case home == "" || home == "/":
		return filepath.Join(string(os.PathSeparator), "var", "lib", "blumfeld")
	case runtime.GOOS == "darwin":
		return filepath.Join(home, "Library", "Application Support", "blumfeld")
	}
	return filepath.Join(home, ".local", "share", "blumfeld")
}
