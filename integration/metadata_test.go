package integration

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/integration/process"
)

// lostMetadata loses the metadata of a broker whose logs survive: topic "old", with a configuration and group "g"'s
// offset in it, is in the backup, topic "young" is not, and both have records.
type lostMetadata struct {
	t      *testing.T
	o      process.Options
	backup string
	ids    map[string][16]byte
}

func loseMetadata(t *testing.T) *lostMetadata {
	t.Helper()
	l := &lostMetadata{t: t, o: options(t, t.TempDir()), backup: filepath.Join(t.TempDir(), "backup")}
	b := start(t, l.o)
	l.create(b, "old")
	l.produce(b, "old", 0, 20)
	l.commit(b, "old")
	if ended := l.command("backup", l.backup); ended.Code != 0 {
		t.Fatalf("backup of a running broker: %+v", ended)
	}
	l.create(b, "young")
	l.produce(b, "old", 20, 20)
	l.produce(b, "young", 0, 20)
	l.ids = map[string][16]byte{"old": l.id(b, "old"), "young": l.id(b, "young")}
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(l.o.Dir, "__cluster_metadata-0"), filepath.Join(t.TempDir(), "lost")); err != nil {
		t.Fatal(err)
	}
	return l
}

// command runs blumfeld's command on the broker's directories.
func (l *lostMetadata) command(args ...string) process.Ended {
	l.t.Helper()
	o := l.o
	o.Args = args
	ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
	defer cancel()
	ended, err := process.Run(ctx, o)
	if err != nil {
		l.t.Fatal(err)
	}
	return ended
}

func (l *lostMetadata) create(b *process.Broker, topic string) {
	l.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis = 10_000
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, 2, 1
	rc := kmsg.NewCreateTopicsRequestTopicConfig()
	rc.Name, rc.Value = "max.message.bytes", kmsg.StringPtr("54321")
	rt.Configs = append(rt.Configs, rc)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(l.t.Context(), client(l.t, b))
	if err != nil || resp.Topics[0].ErrorCode != 0 {
		l.t.Fatalf("create %s: %v %+v", topic, err, resp)
	}
}

func (l *lostMetadata) produce(b *process.Broker, topic string, from, n int) {
	l.t.Helper()
	cl := client(l.t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	for i := range n {
		r := &kgo.Record{Topic: topic, Partition: 0, Value: []byte{byte(from + i)}}
		if err := cl.ProduceSync(l.t.Context(), r).FirstErr(); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *lostMetadata) commit(b *process.Broker, topic string) {
	l.t.Helper()
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = "g", -1
	rt := kmsg.NewOffsetCommitRequestTopic()
	rt.Topic, rt.TopicID = topic, l.id(b, topic)
	rp := kmsg.NewOffsetCommitRequestTopicPartition()
	rp.Partition, rp.Offset, rp.LeaderEpoch = 0, 7, -1
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(l.t.Context(), client(l.t, b))
	if err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		l.t.Fatalf("commit: %v %+v", err, resp)
	}
}

func (l *lostMetadata) metadata(b *process.Broker, topic string) kmsg.MetadataResponseTopic {
	l.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	rt := kmsg.NewMetadataRequestTopic()
	rt.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(l.t.Context(), client(l.t, b))
	if err != nil || resp.Topics[0].ErrorCode != 0 {
		l.t.Fatalf("metadata of %s: %v %+v", topic, err, resp)
	}
	return resp.Topics[0]
}

func (l *lostMetadata) id(b *process.Broker, topic string) [16]byte {
	l.t.Helper()
	return l.metadata(b, topic).TopicID
}

// check verifies what every way back has to bring: ids, partitions, records, and a leader epoch that no record has.
func (l *lostMetadata) check(b *process.Broker) {
	l.t.Helper()
	for topic, want := range map[string]int{"old": 40, "young": 20} {
		m := l.metadata(b, topic)
		if m.TopicID != l.ids[topic] || len(m.Partitions) != 2 {
			l.t.Errorf("%s: %+v", topic, m)
		}
		epoch := int32(-1)
		for i, r := range consume(l.t, b, topic, want) {
			if r.Offset != int64(i) || r.Value[0] != byte(i) {
				l.t.Fatalf("%s: record %d at offset %d", topic, r.Value[0], r.Offset)
			}
			epoch = max(epoch, r.LeaderEpoch)
		}
		for _, p := range m.Partitions {
			if p.Partition == 0 && p.LeaderEpoch <= epoch {
				l.t.Errorf("%s is led in epoch %d, records have %d", topic, p.LeaderEpoch, epoch)
			}
		}
		l.produce(b, topic, want, 1)
		consume(l.t, b, topic, want+1)
	}
}

func (l *lostMetadata) config(b *process.Broker, topic string) string {
	l.t.Helper()
	req := kmsg.NewPtrDescribeConfigsRequest()
	rr := kmsg.NewDescribeConfigsRequestResource()
	rr.ResourceType, rr.ResourceName, rr.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{"max.message.bytes"}
	req.Resources = append(req.Resources, rr)
	resp, err := req.RequestWith(l.t.Context(), client(l.t, b))
	if err != nil || len(resp.Resources[0].Configs) != 1 {
		l.t.Fatalf("configuration of %s: %v %+v", topic, err, resp)
	}
	return *resp.Resources[0].Configs[0].Value
}

func TestLostMetadataIsNotServed(t *testing.T) {
	l := loseMetadata(t)
	ended := l.command()
	if ended.Code != 1 || strings.Count(ended.Stderr, "\n") != 1 || !strings.Contains(ended.Stderr, "blumfeld recover") {
		t.Fatalf("%+v", ended)
	}
	if _, err := os.Stat(filepath.Join(l.o.Dir, "old-0")); err != nil {
		t.Fatal("the logs were set aside:", err)
	}
}

func TestRestore(t *testing.T) {
	l := loseMetadata(t)
	if ended := l.command("restore", l.backup); ended.Code != 0 || !strings.Contains(ended.Stdout, "committed offsets: young\n") {
		t.Fatalf("%+v", ended)
	}
	b := start(t, l.o)
	l.check(b)
	if got := l.config(b, "old"); got != "54321" {
		t.Errorf("max.message.bytes=%s", got)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if got := committed(ctx, t, client(t, b), "g"); len(got) != 1 || got[0].Offset != 7 {
		t.Errorf("%+v", got)
	}
	if ended := l.command("restore", l.backup); ended.Code != 1 || !strings.Contains(ended.Stderr, "in use") {
		t.Errorf("restore under a running broker: %+v", ended)
	}
}

func TestRecover(t *testing.T) {
	l := loseMetadata(t)
	if ended := l.command("recover"); ended.Code != 0 || !strings.Contains(ended.Stdout, "committed offsets: old, young\n") {
		t.Fatalf("%+v", ended)
	}
	b := start(t, l.o)
	l.check(b)
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	// There is metadata now, and a backup can also be made of a broker that does not run.
	if ended := l.command("recover"); ended.Code != 1 || !strings.Contains(ended.Stderr, "is not lost") {
		t.Errorf("%+v", ended)
	}
	if ended := l.command("backup", l.backup); ended.Code != 0 {
		t.Errorf("%+v", ended)
	}
	if ended := l.command("backup", filepath.Join(l.o.Dir, "none", "backup")); ended.Code != 1 {
		t.Errorf("%+v", ended)
	}
}
