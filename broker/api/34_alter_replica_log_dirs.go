package api

import (
	"context"
	"errors"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterReplicaLogDirs, key 34, versions 1 and 2: KIP-113. A partition that is
// named several times goes where it was named last. The answer says that moves
// have begun; DescribeLogDirs tells how far they are.

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
				out.Topics[i].Partitions[j].ErrorCode = code(move(d, t.Topic, n, dir.Dir))
			}
		}
	}
	return answer(out)
}

// maxFolderName is the longest name of a file that file systems take.
const maxFolderName = 255

// move has a replica go to the log directory dir, if it is not there. The order of
// checks is that of Kafka's ReplicaManager.alterReplicaLogDirs.
func move(d *Deps, topic string, partition int32, dir string) error {
	// Meanwhile the folder is <topic>-<partition>.<32 digits>-future.
	if len(topic)+len("-")+len(strconv.Itoa(int(partition)))+len(".")+32+len("-future") > maxFolderName {
		return kerr.InvalidTopicException
	}
	err := error(kerr.LogDirNotFound)
	for _, l := range d.Partitions.Dirs() {
		if l.Path() != dir {
			continue
		}
		if err = kerr.KafkaStorageError; l.Offline() == nil {
			err = d.Partitions.Move(topic, partition, l)
		}
	}
	if errors.Is(err, kerr.NotLeaderForPartition) {
		return kerr.ReplicaNotAvailable // as older versions named it
	}
	if err != nil {
		d.Logger.Warn("a replica cannot be moved", "topic", topic, "partition", partition, "to", dir, "err", err)
	}
	return err
}
