package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/integration/process"
)

const (
	diskBytes = 96 << 20
	ballast   = 16 << 20
)

// insideEnv marks the test process that runs in a mount namespace of its own.
const insideEnv = "BLUMFELD_TEST_DISK_FULL"

// etcd and logs share one small file system, and it fills: producers are
// refused with KAFKA_STORAGE_ERROR before etcd meets the end of the disk, reads
// and metadata go on, and writes resume when there is room again.
//
// The file system is a tmpfs in a mount namespace that ends with the process
// that it was made for. Root makes one as it is, everybody else in a user
// namespace; where the system allows neither the test fails, because nothing
// else shows what it shows.
func TestDiskFull(t *testing.T) {
	if os.Getenv(insideEnv) == "" {
		inNamespace(t)
		return
	}
	disk := t.TempDir()
	if err := syscall.Mount("none", disk, "tmpfs", 0, fmt.Sprintf("size=%d", diskBytes)); err != nil {
		t.Fatalf("mounting a tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })

	file := filepath.Join(disk, "ballast")
	if err := os.WriteFile(file, make([]byte, ballast), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(t, filepath.Join(disk, "data"), "--override", "log.segment.bytes=4194304")
	b := start(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()

	full := fill(t, ctx, b, "filling")
	free := freeBytes(t, disk)
	t.Logf("refused after %d records with %d KiB left of %d", len(full), free>>10, diskBytes>>10)
	if free == 0 {
		t.Fatal("nothing is left for etcd")
	}
	if len(full) == 0 {
		t.Fatal("refused from the start")
	}

	// Refused again and again, without eating what is left.
	for range 200 {
		if err := produce(t, ctx, b, "filling"); !errors.Is(err, kerr.KafkaStorageError) {
			t.Fatalf("on a full disk: %v, want KAFKA_STORAGE_ERROR", err)
		}
	}
	compare(t, consume(t, b, "filling", len(full)), full)

	// Metadata is written on: etcd has its reserve.
	if err := createTopic(ctx, b, "made-on-a-full-disk"); err != nil {
		t.Errorf("creating a topic: %v", err)
	}

	// Room returns from outside, and is used up again; then from within.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	resumes(t, ctx, b, "after-ballast")
	fill(t, ctx, b, "filling-again")
	if err := deleteTopic(ctx, b, "filling"); err != nil {
		t.Fatalf("deleting a topic: %v", err)
	}
	resumes(t, ctx, b, "after-deletion")

	// It all is still there after a crash.
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	b = start(t, o)
	if got := consume(t, b, "after-ballast", 1); string(got[0].Value[:5]) != "value" {
		t.Errorf("after a restart: %q", got[0].Value)
	}
}

// inNamespace runs the test again, by itself, in a mount namespace of its own.
func inNamespace(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDiskFull$", "-test.v")
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("in a mount namespace: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// value does not compress and is the same each time.
func value(n int) []byte {
	v := fmt.Appendf(nil, "value %d ", n)
	for x := uint64(n)*2862933555777941757 + 3037000493; len(v) < 16<<10; x = x*6364136223846793005 + 1442695040888963407 {
		v = append(v, byte(x>>56))
	}
	return v
}

// plainProducer tries each record once: it shows the broker's answer instead of
// retrying what may be retried.
func plainProducer(t *testing.T, b *process.Broker, topic string) *kgo.Client {
	t.Helper()
	return client(t, b, kgo.DefaultProduceTopic(topic), kgo.DisableIdempotentWrite(), kgo.RecordRetries(0),
		kgo.UnknownTopicRetries(10), kgo.ProducerBatchCompression(kgo.NoCompression()))
}

func produce(t *testing.T, ctx context.Context, b *process.Broker, topic string) error {
	t.Helper()
	cl := plainProducer(t, b, topic)
	defer cl.Close()
	return cl.ProduceSync(ctx, &kgo.Record{Value: value(0)}).FirstErr()
}

// fill produces until the broker refuses and returns what it acknowledged.
func fill(t *testing.T, ctx context.Context, b *process.Broker, topic string) []*kgo.Record {
	t.Helper()
	if err := createTopic(ctx, b, topic); err != nil {
		t.Fatal(err)
	}
	cl := plainProducer(t, b, topic)
	defer cl.Close()
	var acked []*kgo.Record
	for {
		r := &kgo.Record{Value: value(len(acked))}
		switch err := cl.ProduceSync(ctx, r).FirstErr(); {
		case errors.Is(err, kerr.KafkaStorageError):
			return acked
		case err != nil:
			t.Fatalf("after %d records: %v, want KAFKA_STORAGE_ERROR", len(acked), err)
		}
		acked = append(acked, r)
		if len(acked)*len(r.Value) > diskBytes {
			t.Fatalf("%d records of %d bytes on a disk of %d", len(acked), len(r.Value), diskBytes)
		}
	}
}

// resumes waits until a record is taken: files of a deleted topic are freed a
// while after the answer.
func resumes(t *testing.T, ctx context.Context, b *process.Broker, topic string) {
	t.Helper()
	if err := createTopic(ctx, b, topic); err != nil {
		t.Fatal(err)
	}
	for {
		err := produce(t, ctx, b, topic)
		if err == nil {
			return
		}
		if !errors.Is(err, kerr.KafkaStorageError) {
			t.Fatalf("%s: %v", topic, err)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: %v", topic, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func createTopic(ctx context.Context, b *process.Broker, topic string) error {
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, 1, 1
	// As soon as it may be: the default keeps a deleted topic's files for a minute.
	delay := kmsg.NewCreateTopicsRequestTopicConfig()
	delay.Name, delay.Value = "file.delete.delay.ms", kmsg.StringPtr("100")
	rt.Configs = append(rt.Configs, delay)
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, rt)
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		return err
	}
	defer cl.Close()
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

func deleteTopic(ctx context.Context, b *process.Broker, topic string) error {
	rt := kmsg.NewDeleteTopicsRequestTopic()
	rt.Topic = &topic
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Topics, req.TopicNames = append(req.Topics, rt), []string{topic}
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()))
	if err != nil {
		return err
	}
	defer cl.Close()
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Topics[0].ErrorCode)
}

func freeBytes(t *testing.T, path string) int64 {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		t.Fatal(err)
	}
	return int64(fs.Bavail) * int64(fs.Bsize)
}
