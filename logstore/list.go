package logstore

import (
	"errors"
	"io/fs"
	"path"

	"blumfeld/logstore/vfs"
)

// FoundLog is a log that has a folder in a directory.
type FoundLog struct {
	Topic     string
	Partition int32
	TopicID   [16]byte // zero if the folder does not say
}

// Folder is the name of the log's folder.
func (f FoundLog) Folder() string { return topicPartition{f.Topic, f.Partition}.name() }

// List lists the logs that lie in a directory, by topic and partition. It reads only, and so can be asked of a
// directory that is not ours: of another broker's, which is stopped.
func List(fsys vfs.FS, dir string) ([]FoundLog, error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []FoundLog
	for _, e := range entries {
		tp, ok := parseLogFolder(e.Name)
		if !ok || !e.IsDir || e.Name == metadataFolder {
			continue
		}
		id, err := readPartitionMetadata(fsys, path.Join(dir, e.Name, partitionMetadataFile))
		if err != nil {
			return nil, err
		}
		found = append(found, FoundLog{Topic: tp.topic, Partition: tp.partition, TopicID: id})
	}
	return found, nil
}

// LogStarts reads which offset each log in a directory begins with, where that is not its first segment's first: what
// was deleted by DeleteRecords or retention since its file was begun. A directory without a checkpoint has none.
func LogStarts(fsys vfs.FS, dir string) (func(topic string, partition int32) int64, error) {
	p, err := vfs.ReadFile(fsys, path.Join(dir, logStartFile), maxCheckpointBytes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	starts, err := parseOffsetMap(p)
	if err != nil {
		return nil, err
	}
	return func(topic string, partition int32) int64 { return starts[topicPartition{topic, partition}] }, nil
}

// WasClosedInOrder says whether the broker that a directory belongs to closed it when it stopped.
func WasClosedInOrder(fsys vfs.FS, dir string) (bool, error) {
	_, err := fsys.Stat(path.Join(dir, cleanShutdownFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
