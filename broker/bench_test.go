package broker

import (
	"encoding/binary"
	"io"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// BenchmarkProduce sends pre-encoded requests over one connection, several at a
// time, so that the broker and not the client is what is measured.
func BenchmarkProduce(b *testing.B) {
	for _, size := range []struct {
		name    string
		records int
	}{{"16KiB", 16}, {"128KiB", 128}, {"1MiB", 1000}} {
		b.Run(size.name, func(b *testing.B) {
			c := startQuiet(b).dial()
			c.createTopic("bench", 1)
			c.nc.SetDeadline(farAway())
			request := c.format.AppendRequest(nil, produceRequest("bench", 0, -1, someBatch(size.records, 1000)), 1)
			const depth = 5
			b.SetBytes(int64(len(request)))
			b.ReportAllocs()
			answers := make(chan struct{}, depth)
			go func() {
				for range answers {
					if _, err := c.frame(); err != nil {
						return
					}
				}
			}()
			for b.Loop() {
				answers <- struct{}{}
				c.write(request)
			}
			close(answers)
		})
	}
}

// BenchmarkRoundTrip sends one small request and waits for its answer: what a
// connection and its way into the log and back cost, apart from bytes.
func BenchmarkRoundTrip(b *testing.B) {
	c := startQuiet(b).dial()
	c.createTopic("bench", 1)
	c.nc.SetDeadline(farAway())
	for name, req := range map[string]kmsg.Request{
		"produce":     produceRequest("bench", 0, -1, someBatch(1, 100)),
		"apiVersions": kmsg.NewPtrApiVersionsRequest(),
	} {
		request := c.format.AppendRequest(nil, req, 1)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.write(request)
				if _, err := c.frame(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkFetch reads the same hot records again and again.
func BenchmarkFetch(b *testing.B) {
	for _, size := range []struct {
		name string
		max  int32
	}{{"16KiB", 16 << 10}, {"1MiB", 1 << 20}} {
		b.Run(size.name, func(b *testing.B) {
			c := startQuiet(b).dial()
			c.createTopic("bench", 1)
			c.nc.SetDeadline(farAway())
			for range 80 {
				if code := produceCode(ask[*kmsg.ProduceResponse](c, produceRequest("bench", 0, 1, someBatch(16, 1000)))); code != 0 {
					b.Fatal(code)
				}
			}
			req := fetchRequest("bench", 0, 0, 1, 0)
			req.Topics[0].Partitions[0].PartitionMaxBytes = size.max
			request := c.format.AppendRequest(nil, req, 1)
			var head [4]byte
			b.ReportAllocs()
			for b.Loop() {
				c.write(request)
				if _, err := io.ReadFull(c.nc, head[:]); err != nil {
					b.Fatal(err)
				}
				n := int64(binary.BigEndian.Uint32(head[:]))
				b.SetBytes(n)
				if _, err := io.CopyN(io.Discard, c.nc, n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
