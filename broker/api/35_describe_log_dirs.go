package api

import (
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
// topics that do not exist, are left out without an error.
//
// There are no future replicas: AlterReplicaLogDirs moves nothing yet.

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
		var here []*replica.Partition
		for p := range d.Partitions.InDir(dir) {
			if in.Topics == nil || asked[key{p.Topic(), p.ID()}] {
				here = append(here, p)
			}
		}
		o.Topics = describeReplicas(here)
		out.Dirs = append(out.Dirs, o)
	}
	return answer(out)
}

// describeReplicas groups replicas by topic, in order.
func describeReplicas(replicas []*replica.Partition) (out []kmsg.DescribeLogDirsResponseDirTopic) {
	slices.SortFunc(replicas, func(a, b *replica.Partition) int {
		if c := strings.Compare(a.Topic(), b.Topic()); c != 0 {
			return c
		}
		return int(a.ID() - b.ID())
	})
	for _, p := range replicas {
		if n := len(out); n == 0 || out[n-1].Topic != p.Topic() {
			t := kmsg.NewDescribeLogDirsResponseDirTopic()
			t.Topic = p.Topic()
			out = append(out, t)
		}
		o := kmsg.NewDescribeLogDirsResponseDirTopicPartition()
		o.Partition = p.ID()
		o.Size = p.Log().Size()
		// How far the replica is behind what is committed (it may be ahead).
		at := p.Log().Offsets()
		o.OffsetLag = max(at.HighWatermark-at.LogEnd, 0)
		t := &out[len(out)-1]
		t.Partitions = append(t.Partitions, o)
	}
	return out
}
