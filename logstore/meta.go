package logstore

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"blumfeld/logstore/vfs"
)

const (
	lockFile              = ".lock"
	cleanShutdownFile     = ".kafka_cleanshutdown"
	metaPropertiesFile    = "meta.properties"
	partitionMetadataFile = "partition.metadata"

	// maxMetaBytes bounds what is read of any of these.
	maxMetaBytes = 64 << 10
)

// cleanShutdown is the contents of the marker, as Kafka's CleanShutdownFileHandler reads it.
const cleanShutdown = `{"version":0,"brokerEpoch":-1}`

// uuid is a 128-bit id of a topic, a directory or a cluster, in Kafka's text form: unpadded URL-safe base64.
type uuid [16]byte

func (u uuid) String() string { return base64.RawURLEncoding.EncodeToString(u[:]) }

func parseUUID(s string) (u uuid, err error) {
	p, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil || len(p) != len(u) {
		return u, fmt.Errorf("%q is not an id of 128 bits", s)
	}
	copy(u[:], p)
	return u, nil
}

// newUUID returns a random id (RFC 9562, version 4) that does not begin with a dash: Kafka's tools would take it for
// an option.
func newUUID() uuid {
	for {
		var u uuid
		_, _ = rand.Read(u[:]) // never fails
		u[6] = u[6]&0x0f | 0x40
		u[8] = u[8]&0x3f | 0x80
		if u.String()[0] != '-' {
			return u
		}
	}
}

// metaProperties is the contents of meta.properties (Kafka's MetaProperties, version 1).
type metaProperties struct {
	clusterID   string // "" if not known yet
	nodeID      int32
	directoryID uuid // zero if there is none
}

func (m metaProperties) format() []byte {
	var b bytes.Buffer
	b.WriteString("#\n")
	if m.clusterID != "" {
		fmt.Fprintf(&b, "cluster.id=%s\n", m.clusterID)
	}
	if m.directoryID != (uuid{}) {
		fmt.Fprintf(&b, "directory.id=%s\n", m.directoryID)
	}
	fmt.Fprintf(&b, "node.id=%d\nversion=1\n", m.nodeID)
	return b.Bytes()
}

func parseMetaProperties(p []byte) (metaProperties, error) {
	props := make(map[string]string)
	for line := range bytes.Lines(p) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' || line[0] == '!' {
			continue
		}
		k, v, ok := strings.Cut(string(line), "=")
		if !ok {
			return metaProperties{}, fmt.Errorf("%q is not a property", line)
		}
		props[strings.TrimSpace(k)] = strings.TrimSpace(v)
	}
	if v := props["version"]; v != "1" {
		return metaProperties{}, fmt.Errorf("version %q, 1 expected", v)
	}
	node, err := strconv.ParseInt(props["node.id"], 10, 32)
	if err != nil {
		return metaProperties{}, fmt.Errorf("node.id %q: %w", props["node.id"], err)
	}
	m := metaProperties{nodeID: int32(node), clusterID: props["cluster.id"]}
	if v, ok := props["directory.id"]; ok {
		if m.directoryID, err = parseUUID(v); err != nil {
			return metaProperties{}, fmt.Errorf("directory.id: %w", err)
		}
	}
	return m, nil
}

func formatPartitionMetadata(topicID uuid) []byte {
	return fmt.Appendf(nil, "version: 0\ntopic_id: %s", topicID)
}

func parsePartitionMetadata(p []byte) (topicID uuid, err error) {
	lines := strings.Split(strings.TrimRight(string(p), "\n"), "\n")
	if len(lines) != 2 || strings.TrimSpace(lines[0]) != "version: 0" {
		return uuid{}, errors.New("partition.metadata is not of version 0")
	}
	v, ok := strings.CutPrefix(lines[1], "topic_id:")
	if !ok {
		return uuid{}, errors.New("partition.metadata has no topic_id")
	}
	return parseUUID(strings.TrimSpace(v))
}

// readPartitionMetadata returns the topic id of a log's folder; zero if there is none, or none that could be read:
// the file is not synced before the log is, so a crash can leave it empty.
func readPartitionMetadata(fsys vfs.FS, name string) (uuid, error) {
	p, err := vfs.ReadFile(fsys, name, maxMetaBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return uuid{}, nil
	}
	if err != nil {
		return uuid{}, err
	}
	id, err := parsePartitionMetadata(p)
	if err != nil {
		return uuid{}, nil
	}
	return id, nil
}

// parseLogFolder splits "<topic>-<partition>".
func parseLogFolder(name string) (tp topicPartition, ok bool) {
	i := strings.LastIndexByte(name, '-')
	if i <= 0 {
		return tp, false
	}
	n, err := strconv.ParseInt(name[i+1:], 10, 32)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != name[i+1:] || !validTopic(name[:i]) {
		return tp, false
	}
	return topicPartition{name[:i], int32(n)}, true
}

// validTopic is Kafka's rule for names of topics (Topic.validate). It is asked here too because the name becomes a
// path.
func validTopic(name string) bool {
	if name == "" || name == "." || name == ".." || len(name) > 249 {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// suffixedFolder returns the name of the folder with a fresh id and a suffix, cut to what a file system takes (Kafka's
// LocalLog.logDirNameWithSuffixCap).
func suffixedFolder(tp topicPartition, suffix string) string {
	tail := fmt.Sprintf("-%d.%x%s", tp.partition, [16]byte(newUUID()), suffix)
	return tp.topic[:min(len(tp.topic), 255-len(tail))] + tail
}
