package broker

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/controller"
)

// flip changes one bit of a file.
func flip(t *testing.T, name string, at int64) {
	t.Helper()
	p, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p[at] ^= 4
	if err := os.WriteFile(name, p, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedBatch: a consumer is told that a batch is damaged, gets those before it
// and those of other partitions, and the log says once where it is.
func TestDamagedBatch(t *testing.T) {
	store, dir := lastingStore{controller.NewMemStore()}, t.TempDir()
	r := run(t, config.Properties{"log.dirs": dir}, "", store)
	c := r.dial()
	c.createTopic("t", 2)
	one := someBatch(1, 100)
	for range 5 {
		for p := range int32(2) {
			if got := produceCode(ask[*kmsg.ProduceResponse](c, produceRequest("t", p, 1, one))); got != 0 {
				t.Fatal(got)
			}
		}
	}
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	const good = 3
	segment := filepath.Join(dir, "t-0", "00000000000000000000.log")
	flip(t, segment, int64(good*len(one)+len(one)-20))

	r = run(t, config.Properties{"log.dirs": dir}, "", store)
	c = r.dial()
	fetch := func(offset int64) (damaged, other kmsg.FetchResponseTopicPartition) {
		t.Helper()
		req := fetchRequest("t", 0, offset, 1, time.Second)
		p := req.Topics[0].Partitions[0]
		p.Partition, p.FetchOffset = 1, 0
		req.Topics[0].Partitions = append(req.Topics[0].Partitions, p)
		got := ask[*kmsg.FetchResponse](c, req).Topics[0].Partitions
		return got[0], got[1]
	}
	for range 3 {
		if p, other := fetch(0); p.ErrorCode != 0 || len(p.RecordBatches) != good*len(one) || len(other.RecordBatches) != 5*len(one) {
			t.Errorf("from 0: error %d, %d bytes; of the other partition %d bytes", p.ErrorCode, len(p.RecordBatches), len(other.RecordBatches))
		}
		if p, other := fetch(good); p.ErrorCode != kerr.CorruptMessage.Code || len(p.RecordBatches) != 0 || other.ErrorCode != 0 || len(other.RecordBatches) != 5*len(one) {
			t.Errorf("from %d: error %d, %d bytes; of the other partition error %d, %d bytes",
				good, p.ErrorCode, len(p.RecordBatches), other.ErrorCode, len(other.RecordBatches))
		}
	}
	if p, _ := fetch(good + 1); p.ErrorCode != 0 || len(p.RecordBatches) != len(one) {
		t.Errorf("behind it: error %d, %d bytes", p.ErrorCode, len(p.RecordBatches))
	}
	if got := produceCode(ask[*kmsg.ProduceResponse](c, produceRequest("t", 0, 1, one))); got != 0 {
		t.Errorf("produce to a log with a damaged batch: error %d", got)
	}
	said := r.logs.String()
	if strings.Count(said, "damaged record batch is not served") != 1 || !strings.Contains(said, "segment="+segment) || !strings.Contains(said, "position=") {
		t.Errorf("said: %s", said)
	}
}

// TestShortenedSegment cuts a file from which the broker serves through a mapping:
// the connection that was promised its bytes ends, and the broker goes on.
func TestShortenedSegment(t *testing.T) {
	dir := t.TempDir()
	r := run(t, config.Properties{"log.dirs": dir}, "", controller.NewMemStore())
	c := r.dial()
	c.createTopic("t", 1)
	one := someBatch(1, 1000)
	const batches = 300
	for range batches {
		if got := produceCode(ask[*kmsg.ProduceResponse](c, produceRequest("t", 0, 1, one))); got != 0 {
			t.Fatal(got)
		}
	}
	fetch := func(offset int64) kmsg.FetchResponseTopicPartition {
		return ask[*kmsg.FetchResponse](c, fetchRequest("t", 0, offset, 1, time.Second)).Topics[0].Partitions[0]
	}
	if got := len(fetch(0).RecordBatches); got != batches*len(one) {
		t.Fatalf("%d bytes of %d", got, batches*len(one))
	}
	const left = 200
	if err := os.Truncate(filepath.Join(dir, "t-0", "00000000000000000000.log"), int64(left*len(one)+500)); err != nil {
		t.Fatal(err)
	}
	c.send(fetchRequest("t", 0, 0, 1, time.Second))
	if _, err := c.frame(); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		t.Errorf("records that are not there: %v", err)
	}
	c = r.dial()
	if p := fetch(0); p.ErrorCode != 0 || len(p.RecordBatches) != left*len(one) {
		t.Errorf("what is left: error %d, %d bytes, want %d", p.ErrorCode, len(p.RecordBatches), left*len(one))
	}
	if p := fetch(left); p.ErrorCode != kerr.CorruptMessage.Code {
		t.Errorf("what is gone: error %d", p.ErrorCode)
	}
}
