package logstore

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Checkpoint files are Kafka's CheckpointFile, version 0, in ASCII: a line with the version, a line with the number
// of entries, and a line for each entry. leader-epoch-checkpoint has "epoch offset" entries, the others
// "topic partition offset".

const (
	recoveryPointFile = "recovery-point-offset-checkpoint"
	logStartFile      = "log-start-offset-checkpoint"
	highWatermarkFile = "replication-offset-checkpoint"
	cleanerOffsetFile = "cleaner-offset-checkpoint"
	leaderEpochFile   = "leader-epoch-checkpoint"
)

// maxCheckpointBytes bounds what is read of such a file: over 100,000 partitions of the longest names.
const maxCheckpointBytes = 64 << 20

func formatCheckpoint(lines []string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "0\n%d\n", len(lines))
	for _, l := range lines {
		b.WriteString(l)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// parseCheckpoint returns the entries. An empty file has none: Kafka creates them so.
func parseCheckpoint(p []byte) ([][]byte, error) {
	if len(p) == 0 {
		return nil, nil
	}
	lines := bytes.Split(bytes.TrimSuffix(p, []byte("\n")), []byte("\n"))
	if v := string(bytes.TrimSpace(lines[0])); v != "0" {
		return nil, fmt.Errorf("checkpoint version %q, 0 expected", v)
	}
	if len(lines) < 2 {
		return nil, nil
	}
	n, err := strconv.Atoi(string(bytes.TrimSpace(lines[1])))
	if err != nil || n != len(lines)-2 {
		return nil, fmt.Errorf("checkpoint of %d entries says %q", len(lines)-2, lines[1])
	}
	return lines[2:], nil
}

// offsetMap is what a checkpoint of the directory says of each log.
type offsetMap map[topicPartition]int64

type topicPartition struct {
	topic     string
	partition int32
}

func (m offsetMap) format() []byte {
	lines := make([]string, 0, len(m))
	for tp, offset := range m {
		lines = append(lines, fmt.Sprintf("%s %d %d", tp.topic, tp.partition, offset))
	}
	slices.Sort(lines)
	return formatCheckpoint(lines)
}

func parseOffsetMap(p []byte) (offsetMap, error) {
	lines, err := parseCheckpoint(p)
	if err != nil {
		return nil, err
	}
	m := make(offsetMap, len(lines))
	for i, line := range lines {
		f := strings.Fields(string(line))
		if len(f) != 3 {
			return nil, fmt.Errorf("entry %d: %q is not a topic, a partition and an offset", i, line)
		}
		partition, err := strconv.ParseInt(f[1], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("entry %d: partition: %w", i, err)
		}
		offset, err := strconv.ParseInt(f[2], 10, 64)
		if err != nil || offset < 0 {
			return nil, fmt.Errorf("entry %d: offset %q", i, f[2])
		}
		m[topicPartition{f[0], int32(partition)}] = offset
	}
	return m, nil
}
