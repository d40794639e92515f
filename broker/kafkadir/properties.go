package kafkadir

import (
	"fmt"
	"io/fs"
	"strings"
)

// Properties is what meta.properties says of a directory.
type Properties struct {
	ClusterID string
	NodeID    string
}

// ReadProperties reads meta.properties, of version 0 (ZooKeeper's) or 1 (KRaft's).
func ReadProperties(fsys fs.FS) (Properties, error) {
	const name = "meta.properties"
	contents, err := fs.ReadFile(fsys, name)
	if err != nil {
		return Properties{}, err
	}
	values := make(map[string]string)
	for line := range strings.Lines(string(contents)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return Properties{}, fmt.Errorf("%s: %q is not a property", name, line)
		}
		values[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	p := Properties{ClusterID: values["cluster.id"], NodeID: values["node.id"]}
	switch values["version"] {
	case "0":
		p.NodeID = values["broker.id"]
	case "1":
	default:
		return Properties{}, fmt.Errorf("%s: version %q is not known", name, values["version"])
	}
	return p, nil
}
