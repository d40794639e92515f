package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// allowed is the whole map: which of the module's packages a package may import.
// The root package is "". An edge that is not here is a decision to make, not a
// line to add in passing: where the truth lives, files or etcd, decides who may
// know whom.
var allowed = map[string][]string{
	"":               {"broker", "broker/config", "controller", "controller/etcd"}, // controller: the type of the store that it opens for the broker
	"broker":         {"broker/api", "broker/config", "broker/kafkadir", "broker/markers", "broker/replica", "controller", "controller/group", "controller/txn", "logstore", "logstore/vfs", "protocol", "protocol/batch"},
	"broker/api":     {"broker/config", "broker/replica", "controller", "controller/group", "controller/txn", "protocol", "protocol/batch"},
	"broker/replica": {"controller", "logstore", "protocol/batch"},
	"broker/markers": {"broker/replica", "controller/group", "controller/txn"}, // it brings a transaction's end to both
	"broker/config":  {},
	// What Apache Kafka leaves in its directories; batches are all that it shares with ours.
	"broker/kafkadir": {"protocol/batch"},

	"controller":           {},
	"controller/etcd":      {"controller"},
	"controller/group":     {"controller", "controller/shard"},
	"controller/shard":     {"controller"}, // what coordinators have in common: the loop, the fence
	"controller/txn":       {"controller", "controller/shard"},
	"controller/storetest": {"controller"}, // the contract that every Store passes

	"logstore":           {"logstore/compact", "logstore/vfs", "protocol/batch"},
	"logstore/compact":   {"protocol/batch"}, // the rules of compaction, without files
	"logstore/vfs":       {},
	"protocol":           {},
	"protocol/batch":     {},
	"protocol/layoutgen": {}, // go generate's

	// What runs Blumfeld from outside knows the process, none of the rooms.
	"compat":              {"integration/process"},
	"compat/broker":       {"compat/kafka", "integration/process"},                                   // either sort, for cases that kill theirs
	"compat/connect":      {"compat/broker", "compat/kafka", "compat/report", "integration/process"}, // it kills brokers, and mirrors from and to an Apache Kafka
	"compat/differential": {"integration/process", "protocol/batch"},                                 // batches to send, and what comes back in them
	"compat/dump":         {"compat/kafka", "compat/report", "integration/process"},
	"compat/import":       {"compat/broker", "compat/kafka", "compat/report", "integration/process"},
	"compat/kafka":        {},
	"compat/report":       {},
	"compat/streams":      {"compat/broker", "compat/kafka", "compat/report", "integration/process"}, // it kills brokers, and resets applications with Kafka's tool
	"integration":         {},
	"integration/bench":   {"integration/process"},
	"integration/process": {},
	"integration/script":  {}, // the form of data-driven tests, for every room

	// Faults on the way to a broker, and the judgement of what became of it. The second knows nobody.
	"integration/proxy":    {},
	"integration/txncheck": {},
}

// allowedInTests is what test files may import beyond allowed.
var allowedInTests = map[string][]string{
	// Handlers are tested over partitions on a log in memory.
	"broker/api":     {"broker/markers", "logstore", "logstore/vfs"},
	"broker/replica": {"logstore/vfs"},
	// Every version that is advertised has to have a row.
	"compat/differential": {"broker/api"},
	"controller":          {"controller/storetest", "integration/script"},
	"controller/etcd":     {"controller/storetest"},
	"controller/group":    {"controller/etcd", "integration/script"}, // etcd: what groups cost can only be measured on the real store
	"controller/txn":      {"controller/etcd", "integration/script"}, // etcd: likewise
	"integration":         {"integration/process", "integration/proxy", "integration/txncheck"},
	"logstore":            {"integration/script"},
}

// forbidden keeps rooms from what is not theirs: the standard packages behind
// which files and connections are, and etcd.
var forbidden = map[string][]string{
	"controller":       {"net", "os"},
	"controller/group": {"net", "os"},
	"controller/shard": {"net", "os"},
	"controller/txn":   {"net", "os"},
	"logstore":         {"net"},
	"logstore/compact": {"net", "os"},
	"logstore/vfs":     {"net"},
	"protocol":         {"net", "os"},
	"protocol/batch":   {"net", "os"},

	"integration/txncheck": {"net", "os"},
}

const etcdRoom = "controller/etcd"

// goPackage is what go list -json says of one package.
type goPackage struct {
	ImportPath   string
	Dir          string
	Name         string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// room is the package's path within the module.
func (p goPackage) room(module string) string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// listPackages returns the module's path and all its packages.
func listPackages(t *testing.T) (module string, packages []goPackage) {
	t.Helper()
	run := func(args ...string) []byte {
		cmd := exec.Command("go", args...)
		cmd.Dir = ".."
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, &stderr)
		}
		return out
	}
	module = strings.TrimSpace(string(run("list", "-m")))
	for dec := json.NewDecoder(bytes.NewReader(run("list", "-json", "./..."))); ; {
		var p goPackage
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			return module, packages
		case err != nil:
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImportDirections(t *testing.T) {
	module, packages := listPackages(t)
	for _, p := range packages {
		room := p.room(module)
		rooms, listed := allowed[room]
		if !listed {
			t.Errorf("package %q is not on the map of imports_test.go: say what it may import", room)
			continue
		}
		check := func(kind string, imports, also []string) {
			for _, path := range imports {
				target, ours := strings.CutPrefix(path, module+"/")
				switch {
				case ours && target != room && !slices.Contains(rooms, target) && !slices.Contains(also, target):
					t.Errorf("%q %s %q: not on the map", room, kind, target)
				case strings.HasPrefix(path, "go.etcd.io/") && room != etcdRoom:
					t.Errorf("%q %s %s: only %s may", room, kind, path, etcdRoom)
				}
			}
		}
		check("imports", p.Imports, nil)
		check("imports in its tests", slices.Concat(p.TestImports, p.XTestImports), allowedInTests[room])
		for _, path := range forbidden[room] {
			if slices.Contains(p.Imports, path) {
				t.Errorf("%q imports %q: what is behind it belongs to another room", room, path)
			}
		}
	}
}

// The map must not promise what is not there, nor contain a way round.
func TestImportMapHasNoCycle(t *testing.T) {
	const (
		unseen = iota
		open
		done
	)
	state := map[string]int{}
	var visit func(room string, path []string)
	visit = func(room string, path []string) {
		path = append(path, room)
		switch state[room] {
		case open:
			t.Errorf("cycle: %s", strings.Join(path, " -> "))
			return
		case done:
			return
		}
		state[room] = open
		for _, target := range allowed[room] {
			if _, ok := allowed[target]; !ok {
				t.Errorf("%q may import %q, which is not on the map", room, target)
			}
			visit(target, path)
		}
		state[room] = done
	}
	for room := range allowed {
		visit(room, nil)
	}
}
