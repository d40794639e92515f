package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/protocol/batch"
)

// keys fetches partition 0 of a topic from the beginning: offsets and keys.
func (c *client) keys(topic string) string {
	c.t.Helper()
	var got []string
	for from := int64(0); ; {
		p := ask[*kmsg.FetchResponse](c, fetchRequest(topic, 0, from, 0, 0)).Topics[0].Partitions[0]
		if p.ErrorCode != 0 {
			c.t.Fatalf("fetch: error %d", p.ErrorCode)
		}
		if len(p.RecordBatches) == 0 {
			return strings.Join(got, " ")
		}
		for rest := p.RecordBatches; len(rest) > 0; {
			b, next, err := batch.Next(rest)
			if err != nil {
				c.t.Fatal(err)
			}
			for r, err := range b.Records() {
				if err != nil {
					c.t.Fatal(err)
				}
				got = append(got, fmt.Sprintf("%d:%s", r.Offset, r.Key))
			}
			from, rest = b.LastOffset()+1, next
		}
	}
}

// TestCompaction: cleaners find what there is to clean, by the settings in force,
// and not while they are to leave it alone.
func TestCompaction(t *testing.T) {
	hour := int64(3_600_000)
	value := []byte("v")
	write := func(c *client, topic string, keys ...string) {
		for i, key := range keys {
			b := batch.NewBuilder()
			// Each in a segment of its own.
			b.Add(batch.Record{Timestamp: hour * int64(1+i), Key: []byte(key), Value: value})
			if got := c.produced(topic, -1, b.Build()); got != "taken" {
				c.t.Fatalf("produce: %s", got)
			}
		}
	}
	compacted := config.Properties{
		"log.cleanup.policy": "compact", "log.roll.ms": "1", "log.cleaner.min.cleanable.ratio": "0", "log.cleaner.backoff.ms": "5",
	}
	c := start(t, compacted).dial()
	c.createTopic("t", 1)
	write(c, "t", "a", "b", "a", "c", "a")
	waitFor(t, func() bool { return c.keys("t") == "1:b 2:a 3:c 4:a" })
	if got := c.produced("t", 1, batchAt(hour)); got != "INVALID_RECORD" {
		t.Errorf("a record without key: %s", got)
	}
	// More threads from now on, and it goes on.
	c.alter("broker", "log.cleaner.threads", "2")
	c.alter("broker", "log.cleaner.dedupe.buffer.size", "4194304")
	c.createTopic("u", 1)
	write(c, "u", "b", "a")
	write(c, "u", "b", "x", "y")
	waitFor(t, func() bool { return c.keys("u") == "1:a 2:b 3:x 4:y" })

	// What a rate asked cleaners to wait for is forgotten with it. They need a moment to have asked for it.
	c.alter("broker", "log.cleaner.io.max.bytes.per.second", "0.001")
	c.createTopic("v", 1)
	value = make([]byte, 200_000) // less is not paced
	write(c, "v", "a", "a", "b")
	for range 50 {
		if got := c.keys("v"); got != "0:a 1:a 2:b" {
			t.Fatalf("at a byte in a quarter of an hour: %s", got)
		}
	}
	c.alter("broker", "log.cleaner.io.max.bytes.per.second", "1e9")
	waitFor(t, func() bool { return c.keys("v") == "1:a 2:b" })

	compacted["log.cleaner.enable"] = "false"
	off := start(t, compacted).dial()
	off.createTopic("t", 1)
	write(off, "t", "a", "a", "a")
	off.alter("broker", "log.cleaner.threads", "2")
	if got := off.keys("t"); got != "0:a 1:a 2:a" {
		t.Errorf("without cleaners: %s", got)
	}
}
