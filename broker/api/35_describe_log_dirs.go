package api

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/replica"
)

// DescribeLogDirs, key 35, versions 1 to 5: KIP-113, KIP-827 (total and usable
// bytes, version 4), KIP-1066 (cordoned directories, version 5: none ever is
// here). A null list of topics asks for all; replicas that are not here, and
// topics that do not exist, are left out without an error. A replica that moves
// (AlterReplicaLogDirs) is in two directories; in the one where it goes it is a
// future one, as far behind as what is still to be copied.

func describeLogDirs(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeLogDirsRequest)
	out := in.ResponseKind().(*kmsg.DescribeLogDirsResponse)
	type key struct {
		topic     string
		partition int32
	}
	asked := make(map[key]bool)
	for _, t := range in.Topics {
		for _, p := range t.Partitions {
			asked[key{t.Topic, p}] = true
		}
	}
	for _, dir := range d.Partitions.Dirs() {
		o := kmsg.NewDescribeLogDirsResponseDir()
		o.Dir = dir.Path()
		space, err := dir.Space()
		if dir.Offline() != nil {
			err = kerr.KafkaStorageError
		}
		if err != nil {
			o.ErrorCode = code(err)
			out.Dirs = append(out.Dirs, o)
			continue
		}
		o.TotalBytes, o.UsableBytes = space.Total, space.Available
		var here []replicaIn
		for p := range d.Partitions.InDir(dir) {
			if in.Topics == nil || asked[key{p.Topic(), p.ID()}] {
				at := p.Log().Offsets()
				// How far the replica is behind what is committed (it may be ahead).
				here = append(here, replicaIn{p, p.Log().Size(), max(at.HighWatermark-at.LogEnd, 0), false})
			}
		}
		for p, future := range d.Partitions.Moves(dir) {
			if in.Topics == nil || asked[key{p.Topic(), p.ID()}] {
				lag := p.Log().Offsets().LogEnd - future.Offsets().LogEnd
				here = append(here, replicaIn{p, future.Size(), lag, true})
			}
		}
		o.Topics = describeReplicas(here)
		out.Dirs = append(out.Dirs, o)
	}
	return answer(out)
}

// replicaIn is a replica in a directory.
type replicaIn struct {
	*replica.Partition
	size, lag int64 // bytes, offsets
	future    bool  // it is still on its way
}

// describeReplicas groups replicas by topic, in order.
func describeReplicas(replicas []replicaIn) (out []kmsg.DescribeLogDirsResponseDirTopic) {
	slices.SortFunc(replicas, func(a, b replicaIn) int {
		return cmp.Or(strings.Compare(a.Topic(), b.Topic()), cmp.Compare(a.ID(), b.ID()))
	})
	for _, p := range replicas {
		if n := len(out); n == 0 || out[n-1].Topic != p.Topic() {
			t := kmsg.NewDescribeLogDirsResponseDirTopic()
			t.Topic = p.Topic()
			out = append(out, t)
		}
		o := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		o.Partition, o.Size, o.OffsetLag, o.IsFuture = p.ID(), p.size, p.lag, p.future
		t := &out[len(out)-1]
		t.Partitions = append(t.Partitions, o)
	}
	return out
}
