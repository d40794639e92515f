package api

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/replica"
	"blumfeld/controller"
	"blumfeld/protocol/batch"
)

func TestAlterReplicaLogDirs(t *testing.T) {
	f := newFixture(t, "log.dirs", "/data,/more")
	f.topic("a", 2) // one partition in each
	f.topic("b", 1)
	// elsewhere is a topic without a replica here.
	if _, err := f.Controller.RegisterBroker(t.Context(), controller.Broker{ID: 2, Incarnation: [16]byte{2}}); err != nil {
		t.Fatal(err)
	}
	results, revision := f.Controller.CreateTopics(t.Context(), []controller.NewTopic{{Name: "elsewhere", Partitions: -1, ReplicationFactor: -1,
		Assignments: []controller.ReplicaAssignment{{Partition: 0, Replicas: []int32{2}}}}}, false)
	if results[0].Err != nil {
		t.Fatal(results[0].Err)
	}
	if err := f.Partitions.Await(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	home := func(partition int32) string {
		dir, err := f.Partitions.DirOf("a", partition)
		if err != nil {
			t.Fatal(err)
		}
		return dir.Path()
	}
	first, second := home(0), home(1)
	if first == second {
		t.Fatal("both partitions lie in", first)
	}
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, c := range []struct {
		moves string // directory topic partition …
		want  []string
	}{
		{"", nil},
		{first + " a 0", []string{"a-0 e0"}},
		{first + "/ a 0", []string{"a-0 e57"}},
		{"/none a 0, /none a 9, /none none 0", []string{"a-0 e57", "a-9 e57", "none-0 e57"}},
		{"data a 0", []string{"a-0 e57"}},
		{first + " a 2, " + first + " none 0, " + first + " a -1", []string{"a-2 e3", "a--1 e3", "none-0 e3"}},
		{first + " elsewhere 0", []string{"elsewhere-0 e9"}},
		{"/none a 0, " + first + " a 0", []string{"a-0 e0"}},
		{first + " a 0, " + second + " a 1, /none a 0", []string{"a-0 e57", "a-1 e0"}},
		{first + " " + long(213) + " 0, " + first + " " + long(213) + " 10, " + first + " " + long(214) + " 0",
			[]string{long(213) + "-0 e3", long(213) + "-10 e17", long(214) + "-0 e17"}},
	} {
		f.versions(kmsg.NewPtrAlterReplicaLogDirsRequest(), func(v int16) {
			equal(t, c.moves, f.move(v, c.moves), c.want)
		})
	}
	f.broken.Store(&second)
	b := batch.NewBuilder()
	b.Add(batch.Record{Value: []byte("v")})
	if _, err := f.partition("a", 1).Append(b.Build(), 1, replica.Verification{}); err == nil {
		t.Fatal("a disk that is gone took a batch")
	}
	equal(t, "to a disk that is gone", f.move(2, second+" a 0, "+second+" a 1, "+second+" a 9, "+first+" a 0"), []string{"a-0 e0", "a-1 e56", "a-9 e56"})
}

// TestAlterReplicaLogDirsMoves follows a replica to another directory, and one that
// turns back on the way.
func TestAlterReplicaLogDirsMoves(t *testing.T) {
	f := newFixture(t, "log.dirs", "/data,/more")
	f.topic("a", 1)
	for range 20 {
		f.append("a", 0, 1)
	}
	p := f.partition("a", 0)
	from := p.Log().Dir().Path()
	to := "/data"
	if from == to {
		to = "/more"
	}
	describe := func() string {
		return strings.Join(replicasIn(ask[*kmsg.DescribeLogDirsResponse](f, kmsg.NewPtrDescribeLogDirsRequest())), ", ")
	}
	size := p.Log().Size()
	both := func(here, there string) string {
		if from == "/data" {
			return "/data e0" + here + ", /more e0" + there
		}
		return "/data e0" + there + ", /more e0" + here
	}
	here := fmt.Sprintf(", a-0 size %d lag 0 future false", size)

	f.moveRate.Store(0)
	equal(t, "begin", f.move(2, to+" a 0"), []string{"a-0 e0"})
	equal(t, "again", f.move(2, to+" a 0"), []string{"a-0 e0"})
	for copied := both(here, fmt.Sprintf(", a-0 size %d lag 0 future true", size)); describe() != copied; {
		runtime.Gosched() // the first copy goes before anybody waits
	}
	f.append("a", 0, 1)
	more := p.Log().Size()
	equal(t, "on its way", describe(), both(fmt.Sprintf(", a-0 size %d lag 0 future false", more), fmt.Sprintf(", a-0 size %d lag 1 future true", size)))

	equal(t, "back", f.move(2, from+" a 0"), []string{"a-0 e0"})
	here = fmt.Sprintf(", a-0 size %d lag 0 future false", more)
	equal(t, "given up", describe(), both(here, ""))

	f.moveRate.Store(1 << 62)
	equal(t, "once more", f.move(2, to+" a 0"), []string{"a-0 e0"})
	for want := both("", here); describe() != want; {
		runtime.Gosched()
	}
	equal(t, "to where it is now", f.move(2, to+" a 0"), []string{"a-0 e0"})
	f.append("a", 0, 1)
	if got := f.partition("a", 0).Log(); got.Dir().Path() != to || got.Offsets().LogEnd != 22 {
		t.Errorf("the log is in %s and ends at %d", got.Dir().Path(), got.Offsets().LogEnd)
	}
}

// move asks for moves, each "directory topic partition", with ", " between them,
// and answers a line for each partition.
func (f *fixture) move(version int16, moves string) (lines []string) {
	r := kmsg.NewPtrAlterReplicaLogDirsRequest()
	r.Version = version
	for move := range strings.SplitSeq(moves, ", ") {
		var dir, topic string
		var partition int32
		if n, _ := fmt.Sscan(move, &dir, &topic, &partition); n != 3 {
			continue
		}
		r.Dirs = append(r.Dirs, kmsg.AlterReplicaLogDirsRequestDir{Dir: dir, Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{
			{Topic: topic, Partitions: []int32{partition}},
		}})
	}
	for _, o := range ask[*kmsg.AlterReplicaLogDirsResponse](f, r).Topics {
		for _, p := range o.Partitions {
			lines = append(lines, fmt.Sprintf("%s-%d e%d", o.Topic, p.Partition, p.ErrorCode))
		}
	}
	return lines
}
