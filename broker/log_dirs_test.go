package broker

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/controller"
	"blumfeld/logstore/vfs"
)

// disks is a file system whose directories can fail.
type disks struct {
	vfs.FS
	failed atomic.Pointer[string] // every operation on paths that begin so
}

func newDisks() *disks {
	d := &disks{}
	d.FS = vfs.Inject(vfs.NewMem(time.Now), func(op vfs.Op) error {
		if failed := d.failed.Load(); failed != nil && strings.HasPrefix(op.Path, *failed) {
			return syscall.EIO
		}
		return nil
	})
	return d
}

func (d *disks) fail(prefix string) { d.failed.Store(&prefix) }

// logDirs answers the directories' errors, and which of them each partition of a
// topic is in.
func (c *client) logDirs(topic string) (errors map[string]int16, in map[int32]string) {
	c.t.Helper()
	errors, in = make(map[string]int16), make(map[int32]string)
	req := kmsg.NewPtrDescribeLogDirsRequest()
	req.Version = 4
	for _, d := range ask[*kmsg.DescribeLogDirsResponse](c, req).Dirs {
		errors[d.Dir] = d.ErrorCode
		for _, t := range d.Topics {
			for _, p := range t.Partitions {
				if t.Topic == topic {
					in[p.Partition] = d.Dir
				}
			}
		}
	}
	return errors, in
}

// codes answers what a partition gives to a producer, a consumer and who lists
// its offsets.
func (c *client) codes(topic string, partition int32) string {
	c.t.Helper()
	list := kmsg.NewPtrListOffsetsRequest()
	list.Version, list.ReplicaID = 5, -1
	t := kmsg.NewListOffsetsRequestTopic()
	t.Topic = topic
	p := kmsg.NewListOffsetsRequestTopicPartition()
	p.Partition, p.Timestamp, p.CurrentLeaderEpoch = partition, -1, -1
	t.Partitions = append(t.Partitions, p)
	list.Topics = append(list.Topics, t)
	return fmt.Sprintf("produce %d fetch %d list %d",
		produceCode(ask[*kmsg.ProduceResponse](c, produceRequest(topic, partition, 1, someBatch(1, 10)))),
		ask[*kmsg.FetchResponse](c, fetchRequest(topic, partition, 0, 1, time.Second)).Topics[0].Partitions[0].ErrorCode,
		ask[*kmsg.ListOffsetsResponse](c, list).Topics[0].Partitions[0].ErrorCode)
}

// reachable is what Metadata says of a partition.
func (c *client) reachable(topic string, partition int32) string {
	c.t.Helper()
	for _, p := range ask[*kmsg.MetadataResponse](c, metadataOf(topic)).Topics[0].Partitions {
		if p.Partition == partition {
			return fmt.Sprintf("leader %d error %d isr %v offline %v", p.Leader, p.ErrorCode, p.ISR, p.OfflineReplicas)
		}
	}
	return "none"
}

// TestFailedLogDir: a disk that fails takes its partitions along and no others, now
// and after a restart without it. When it is back, so are they.
func TestFailedLogDir(t *testing.T) {
	const fine, offline = "produce 0 fetch 0 list 0", "produce 56 fetch 56 list 56"
	store, disk := lastingStore{controller.NewMemStore()}, newDisks()
	start := func() *running {
		t.Helper()
		r, err := tryRun(t, disk, config.Properties{"log.dirs": "/one,/two"}, "", store)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := start()
	c := r.dial()
	c.createTopic("t", 4)
	_, in := c.logDirs("t")
	var lost, kept int32 = -1, -1
	for p, dir := range in {
		if got := c.codes("t", p); got != fine {
			t.Fatalf("partition %d: %s", p, got)
		}
		if dir == "/two" {
			lost = p
		} else {
			kept = p
		}
	}
	if lost < 0 || kept < 0 {
		t.Fatalf("partitions are in %v", in)
	}

	// Somebody waits for records there, and hears of it at once.
	waiting := r.dial()
	waiting.send(fetchRequest("t", lost, 1, 1, time.Hour))
	disk.fail("/two")
	gone := func() {
		t.Helper()
		if got := c.codes("t", lost); got != offline {
			t.Errorf("partition in the failed directory: %s", got)
		}
		if got := c.codes("t", kept); got != fine {
			t.Errorf("partition in the other directory: %s", got)
		}
		if got, want := c.reachable("t", lost), "leader -1 error 5 isr [1] offline [1]"; got != want {
			t.Errorf("metadata: %s, want %s", got, want)
		}
		if got, want := c.reachable("t", kept), "leader 1 error 0 isr [1] offline []"; got != want {
			t.Errorf("metadata: %s, want %s", got, want)
		}
		errors, in := c.logDirs("t")
		if errors["/one"] != 0 || errors["/two"] != kerr.KafkaStorageError.Code || in[lost] != "" || in[kept] != "/one" {
			t.Errorf("log directories %v, partitions in %v", errors, in)
		}
	}
	ask[*kmsg.ProduceResponse](c, produceRequest("t", lost, 1, someBatch(1, 10)))
	gone()
	if got := waiting.receive().(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode; got != kerr.KafkaStorageError.Code {
		t.Errorf("who waited got error %d", got)
	}
	c.createTopic("new", 2)
	for p := range int32(2) {
		if got := c.codes("new", p); got != fine {
			t.Errorf("new topic, partition %d: %s", p, got)
		}
	}
	if lines := strings.Count(r.logs.String(), "log directory goes offline"); lines != 1 {
		t.Errorf("%d lines say that the directory is offline", lines)
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}

	// Again without that disk.
	r = start()
	c = r.dial()
	gone()
	c.createTopic("newer", 1)
	if got := c.codes("newer", 0); got != fine {
		t.Errorf("new topic: %s", got)
	}
	if _, err := disk.Stat(fmt.Sprintf("/one/t-%d", lost)); err == nil {
		t.Error("the partition was made anew where it never was")
	}
	if err := r.end(); err != nil {
		t.Error(err)
	}

	// The disk is back.
	disk.fail("nothing")
	r = start()
	c = r.dial()
	for p := range int32(4) {
		if got := c.codes("t", p); got != fine {
			t.Errorf("partition %d with all disks: %s", p, got)
		}
	}
	if got := len(ask[*kmsg.FetchResponse](c, fetchRequest("t", lost, 0, 1, time.Second)).Topics[0].Partitions[0].RecordBatches); got == 0 {
		t.Error("what was written before the disk failed is gone")
	}
	if got, want := c.reachable("t", lost), "leader 1 error 0 isr [1] offline []"; got != want {
		t.Errorf("metadata: %s, want %s", got, want)
	}

	// All of them fail.
	disk.fail("/")
	c.send(produceRequest("t", lost, 1, someBatch(1, 10)), produceRequest("t", kept, 1, someBatch(1, 10)))
	const want = "all log directories have failed: /one: "
	err := <-r.done
	r.done = nil
	if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "; /two: ") {
		t.Errorf("without any directory: %v", err)
	}
	if _, err := tryRun(t, disk, config.Properties{"log.dirs": "/one,/two"}, "", store); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("start without any directory: %v", err)
	}
}

// TestForeignLogDir: a directory of another broker is no failed one. To go on
// without it would hide the mistake.
func TestForeignLogDir(t *testing.T) {
	store, disk := lastingStore{controller.NewMemStore()}, newDisks()
	r, err := tryRun(t, disk, config.Properties{"log.dirs": "/one", "node.id": "7"}, "", controller.NewMemStore())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tryRun(t, disk, config.Properties{"log.dirs": "/two,/one"}, "", store); err == nil || !strings.Contains(err.Error(), "in use by another broker") {
		t.Errorf("a directory in use: %v", err)
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if _, err := tryRun(t, disk, config.Properties{"log.dirs": "/two,/one"}, "", store); err == nil || !strings.Contains(err.Error(), "node.id 7") {
		t.Errorf("another node's directory: %v", err)
	}
}

// TestMoveThroughTheWire moves a partition to another directory while it is written
// to, slower and then faster, as kafka-reassign-partitions asks for it.
func TestMoveThroughTheWire(t *testing.T) {
	r, err := tryRun(t, newDisks(), config.Properties{"log.dirs": "/one,/two"}, "", controller.NewMemStore())
	if err != nil {
		t.Fatal(err)
	}
	c := r.dial()
	c.createTopic("t", 1)
	produced := int64(0)
	produce := func() {
		t.Helper()
		if got := produceCode(ask[*kmsg.ProduceResponse](c, produceRequest("t", 0, 1, someBatch(10, 1000)))); got != 0 {
			t.Fatal(got)
		}
		produced += 10
	}
	for range 300 {
		produce()
	}
	_, in := c.logDirs("t")
	to := map[string]string{"/one": "/two", "/two": "/one"}[in[0]]
	throttle := func(rate string) {
		t.Helper()
		req := kmsg.NewPtrIncrementalAlterConfigsRequest()
		res := kmsg.NewIncrementalAlterConfigsRequestResource()
		res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeBroker, "1"
		set := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		set.Name, set.Value = "replica.alter.log.dirs.io.max.bytes.per.second", kmsg.StringPtr(rate)
		res.Configs = append(res.Configs, set)
		req.Resources = append(req.Resources, res)
		if got := ask[*kmsg.IncrementalAlterConfigsResponse](c, req).Resources[0].ErrorCode; got != 0 {
			t.Fatalf("throttle: error %d", got)
		}
	}
	throttle("1000")
	move := kmsg.NewPtrAlterReplicaLogDirsRequest()
	move.Version = 2
	move.Dirs = []kmsg.AlterReplicaLogDirsRequestDir{{Dir: to, Topics: []kmsg.AlterReplicaLogDirsRequestDirTopic{{Topic: "t", Partitions: []int32{0}}}}}
	if got := ask[*kmsg.AlterReplicaLogDirsResponse](c, move).Topics[0].Partitions[0].ErrorCode; got != 0 {
		t.Fatalf("move: error %d", got)
	}
	// at answers where the replica is, and how far behind the one is that is on its way.
	at := func() (here string, lag int64) {
		t.Helper()
		lag = -1
		req := kmsg.NewPtrDescribeLogDirsRequest()
		req.Version = 4
		for _, d := range ask[*kmsg.DescribeLogDirsResponse](c, req).Dirs {
			for _, of := range d.Topics {
				for _, p := range of.Partitions {
					if p.IsFuture {
						lag = p.OffsetLag
					} else {
						here = d.Dir
					}
				}
			}
		}
		return here, lag
	}
	for range 20 {
		produce()
	}
	if here, lag := at(); here == to || lag < 200 {
		t.Errorf("throttled: it is in %s, the copy is %d behind", here, lag)
	}
	throttle("1000000000")
	for here, lag := at(); here != to || lag != -1; here, lag = at() {
		if produced < 4000 { // then it waits: who writes faster than is copied would wait for ever
			produce()
		}
	}
	list := kmsg.NewPtrListOffsetsRequest()
	list.Version, list.ReplicaID = 5, -1
	list.Topics = []kmsg.ListOffsetsRequestTopic{{Topic: "t", Partitions: []kmsg.ListOffsetsRequestTopicPartition{{Partition: 0, CurrentLeaderEpoch: -1, Timestamp: -1}}}}
	if got := ask[*kmsg.ListOffsetsResponse](c, list).Topics[0].Partitions[0].Offset; got != produced {
		t.Errorf("the log ends at %d, %d records were produced", got, produced)
	}
	if strings.Contains(r.logs.String(), "has no effect") {
		t.Error("the throttle is said to have no effect")
	}
}
