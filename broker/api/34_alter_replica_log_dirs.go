package api

import (
	"context"
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterReplicaLogDirs, key 34, versions 1 and 2: KIP-113. A partition that is
// named several times goes where it was named last.
//
// Deviation: replicas stay where they are. To ask for the directory in which a
// replica lies succeeds; another one of log.dirs is an UNSUPPORTED_VERSION, where
// Kafka would begin to copy.

func alterReplicaLogDirs(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.AlterReplicaLogDirsRequest)
	out := in.ResponseKind().(*kmsg.AlterReplicaLogDirsResponse)
	topics := make(map[string]int) // places in out
	type key struct {
		topic     string
		partition int32
	}
	partitions := make(map[key]int)
	for _, dir := range in.Dirs {
		for _, t := range dir.Topics {
			if len(t.Partitions) == 0 {
				continue // not answered, as in Kafka
			}
			i, ok := topics[t.Topic]
			if !ok {
				i = len(out.Topics)
				topics[t.Topic] = i
				o := kmsg.NewAlterReplicaLogDirsResponseTopic()
				o.Topic = t.Topic
				out.Topics = append(out.Topics, o)
			}
			for _, n := range t.Partitions {
				j, ok := partitions[key{t.Topic, n}]
				if !ok {
					j = len(out.Topics[i].Partitions)
					partitions[key{t.Topic, n}] = j
					o := kmsg.NewAlterReplicaLogDirsResponseTopicPartition()
					o.Partition = n
					out.Topics[i].Partitions = append(out.Topics[i].Partitions, o)
				}
				out.Topics[i].Partitions[j].ErrorCode = code(checkMove(d, t.Topic, n, dir.Dir))
			}
		}
	}
	return answer(out)
}

// maxFolderName is the longest name of a file that file systems take.
const maxFolderName = 255

// checkMove says why a replica cannot be in the log directory dir, nil if it is
// there. The order is that of Kafka's ReplicaManager.alterReplicaLogDirs.
func checkMove(d *Deps, topic string, partition int32, dir string) error {
	// While Kafka copies, the folder is <topic>-<partition>.<32 digits>-future.
	if len(topic)+len("-")+len(strconv.Itoa(int(partition)))+len(".")+32+len("-future") > maxFolderName {
		return kerr.InvalidTopicException
	}
	known := false
	for _, l := range d.Partitions.Dirs() {
		if l.Path() == dir {
			known = true
			if l.Offline() != nil {
				return kerr.KafkaStorageError
			}
		}
	}
	if !known {
		return kerr.LogDirNotFound
	}
	current, err := d.Partitions.DirOf(topic, partition)
	switch {
	case errors.Is(err, kerr.NotLeaderForPartition):
		return kerr.ReplicaNotAvailable // as older versions named it
	case err != nil:
		return err
	case current.Path() != dir:
		return kerr.UnsupportedVersion
	}
	return nil
}
