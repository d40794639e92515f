package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// replicasIn is a response in short, without the room on the disk.
func replicasIn(r *kmsg.DescribeLogDirsResponse) (out []string) {
	for _, d := range r.Dirs {
		out = append(out, fmt.Sprintf("%s e%d", d.Dir, d.ErrorCode))
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				out = append(out, fmt.Sprintf("%s-%d size %d lag %d future %v", t.Topic, p.Partition, p.Size, p.OffsetLag, p.IsFuture))
			}
		}
	}
	return out
}

func TestDescribeLogDirs(t *testing.T) {
	f := newFixture(t)
	f.topic("b", 1)
	f.topic("a", 2)
	f.append("a", 1, 1)
	size := f.partition("a", 1).Log().Size()
	if size == 0 {
		t.Fatal("an empty log after an append")
	}
	full := fmt.Sprintf("a-1 size %d lag 0 future false", size)
	f.versions(kmsg.NewPtrDescribeLogDirsRequest(), func(v int16) {
		for _, c := range []struct {
			what string
			ask  map[string][]int32 // nil: a null list
			want []string
		}{
			{"all", nil, []string{"/data e0", "a-0 size 0 lag 0 future false", full, "b-0 size 0 lag 0 future false"}},
			{"none", map[string][]int32{}, []string{"/data e0"}},
			{"one, asked for twice", map[string][]int32{"a": {1, 1}}, []string{"/data e0", full}},
			{"unknown", map[string][]int32{"a": {2, -1}, "none": {0}}, []string{"/data e0"}},
		} {
			r := kmsg.NewPtrDescribeLogDirsRequest()
			r.Version = v
			if c.ask != nil {
				r.Topics = []kmsg.DescribeLogDirsRequestTopic{}
			}
			for topic, partitions := range c.ask {
				r.Topics = append(r.Topics, kmsg.DescribeLogDirsRequestTopic{Topic: topic, Partitions: partitions})
			}
			got := ask[*kmsg.DescribeLogDirsResponse](f, r)
			equal(t, fmt.Sprint("version ", v, ": ", c.what), replicasIn(got), c.want)
			d := got.Dirs[0]
			if known := d.TotalBytes > 0 && d.UsableBytes > 0 && d.UsableBytes <= d.TotalBytes; known != (v >= 4) {
				t.Errorf("version %d: %d of %d bytes usable", v, d.UsableBytes, d.TotalBytes)
			}
			if d.IsCordoned {
				t.Error("cordoned")
			}
		}
	})
}
