package broker

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
)

// TestGarbageCostsOnlyItsConnection sends what no client would: the connection
// is closed with one line in the log, and another one does not notice.
func TestGarbageCostsOnlyItsConnection(t *testing.T) {
	frame := func(hexBody string) []byte {
		body, err := hex.DecodeString(strings.ReplaceAll(hexBody, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		return append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	}
	for _, tc := range []struct {
		name string
		sent []byte
	}{
		{"the 14-byte request with an unknown key", frame("03e7 0000 00000001 ffff")},
		{"a negative key", frame("ffff 0000 00000001 ffff")},
		{"a length beyond socket.request.max.bytes", []byte{0x7f, 0xff, 0xff, 0xff}},
		{"a negative length", []byte{0xff, 0xff, 0xff, 0xff}},
		{"an empty frame", []byte{0, 0, 0, 0}},
		{"half a header", frame("0003 00")},
		{"a version that is not served", frame("0003 0063 00000001 ffff")},
		{"Produce below the served versions", frame("0000 0002 00000001 ffff 0001 00000000 00000000")},
		{"an array longer than the frame", frame("0003 0001 00000001 ffff 7fffffff")},
		{"a browser", []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")},
		{"TLS", frame("1603 0100 0001 0000 fc03 03")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := start(t, nil)
			other := r.dial()
			ask[*kmsg.MetadataResponse](other, metadataOf())
			c := r.dial()
			c.write(tc.sent)
			c.gone()
			ask[*kmsg.MetadataResponse](other, metadataOf())
			if err := r.end(); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(r.logs.String(), "level=WARN"); n != 1 {
				t.Fatalf("%d warnings in the log, want 1:\n%s", n, r.logs)
			}
		})
	}
}

// TestRequestInPieces sends a request byte by byte: nothing is answered before
// it is whole.
func TestRequestInPieces(t *testing.T) {
	c := start(t, nil).dial()
	req := metadataOf("pieces")
	for _, b := range c.format.AppendRequest(nil, req, 7) {
		c.write([]byte{b})
	}
	c.pending, c.ids = append(c.pending, req), append(c.ids, 7)
	c.receive()
}

func TestUnknownApiVersionsVersionIsAnsweredInVersion0(t *testing.T) {
	c := start(t, nil).dial()
	req := kmsg.NewPtrApiVersionsRequest()
	req.Version, req.ClientSoftwareName, req.ClientSoftwareVersion = 4, "test", "1"
	raw := c.format.AppendRequest(nil, req, 1)
	binary.BigEndian.PutUint16(raw[6:], 99)
	c.write(raw)
	old := kmsg.NewPtrApiVersionsRequest()
	c.pending, c.ids = append(c.pending, old), append(c.ids, 1)
	resp := c.receive().(*kmsg.ApiVersionsResponse)
	if resp.ErrorCode != kerr.UnsupportedVersion.Code || len(resp.ApiKeys) != 1 || resp.ApiKeys[0].MaxVersion != 4 {
		t.Fatalf("answer %+v", resp)
	}
	// The client asks again on the same connection.
	if resp := ask[*kmsg.ApiVersionsResponse](c, req); resp.ErrorCode != 0 || len(resp.ApiKeys) < 10 {
		t.Fatalf("answer %+v", resp)
	}
}

// TestProduceBehindAWaitingFetch pipelines a fetch that must wait and the
// produce that ends its waiting on one connection: the broker goes on reading,
// and still answers in order.
func TestProduceBehindAWaitingFetch(t *testing.T) {
	c := start(t, nil).dial()
	c.createTopic("pipelined", 1)
	b := someBatch(3, 100)
	c.send(fetchRequest("pipelined", 0, 0, 1, time.Hour), produceRequest("pipelined", 0, -1, b), metadataOf("pipelined"))
	got := c.receive().(*kmsg.FetchResponse).Topics[0].Partitions[0]
	if got.HighWatermark != 3 || len(got.RecordBatches) != len(b) {
		t.Fatalf("fetch answered high watermark %d and %d bytes, want 3 and %d", got.HighWatermark, len(got.RecordBatches), len(b))
	}
	if code := produceCode(c.receive().(*kmsg.ProduceResponse)); code != 0 {
		t.Fatalf("produce answered %d", code)
	}
	c.receive()
	// The writer has caught up; the reader answers itself again.
	ask[*kmsg.MetadataResponse](c, metadataOf("pipelined"))
}

// TestManyRequestsInOneWrite holds that answers keep the order of requests when
// far more are sent than may be under way.
func TestManyRequestsInOneWrite(t *testing.T) {
	c := start(t, nil).dial()
	c.createTopic("many", 1)
	const n = 3 * inFlight
	var reqs []kmsg.Request
	for i := range n {
		if i%10 == 0 {
			// Waits for the produce behind it.
			reqs = append(reqs, fetchRequest("many", 0, int64(i), 1, time.Hour))
		}
		reqs = append(reqs, produceRequest("many", 0, -1, someBatch(1, 10)))
	}
	go c.send(reqs...)
	for i := range reqs {
		frame, err := c.frame()
		if err != nil {
			t.Fatal(err)
		}
		// Correlation id 1 was the topic's creation.
		if got := int(binary.BigEndian.Uint32(frame)); got != i+2 {
			t.Fatalf("answer to correlation id %d where %d is due", got, i+2)
		}
	}
}

func TestAcksZero(t *testing.T) {
	r := start(t, nil)
	c := r.dial()
	c.createTopic("silent", 1)
	c.send(produceRequest("silent", 0, 0, someBatch(2, 10)))
	c.skip()
	// The next answer is the fetch's.
	if got := ask[*kmsg.FetchResponse](c, fetchRequest("silent", 0, 0, 1, time.Hour)).Topics[0].Partitions[0].HighWatermark; got != 2 {
		t.Fatalf("high watermark %d, want 2", got)
	}
	c.send(produceRequest("silent", 7, 0, someBatch(2, 10)))
	c.gone()
}

// TestStopAnswersWhatWaits ends the broker under a fetch that would wait for an
// hour: it is answered with what there is, and Run returns.
func TestStopAnswersWhatWaits(t *testing.T) {
	r := start(t, nil)
	c := r.dial()
	c.createTopic("waiting", 1)
	c.send(fetchRequest("waiting", 0, 0, 1, time.Hour), metadataOf("waiting"))
	other := r.dial()
	ask[*kmsg.MetadataResponse](other, metadataOf())
	waitFor(t, func() bool { return strings.Count(r.trace.String(), `"api":"Metadata"`) >= 3 })
	if err := r.end(); err != nil {
		t.Fatal(err)
	}
	if got := c.receive().(*kmsg.FetchResponse).Topics[0].Partitions[0]; got.ErrorCode != 0 {
		t.Fatalf("the waiting fetch was answered %d", got.ErrorCode)
	}
}

// waitFor returns when what holds.
func waitFor(t testing.TB, what func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !what(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("what is waited for does not come")
		}
	}
}

// TestDeletedTopicWakesItsReaders holds that a long fetch hears at once that its
// topic is gone.
func TestDeletedTopicWakesItsReaders(t *testing.T) {
	r := start(t, nil)
	c := r.dial()
	c.createTopic("short-lived", 1)
	c.send(fetchRequest("short-lived", 0, 0, 1, time.Hour))
	admin := r.dial()
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.Version, req.TimeoutMillis, req.TopicNames = 5, 10_000, []string{"short-lived"}
	if got := ask[*kmsg.DeleteTopicsResponse](admin, req).Topics[0].ErrorCode; got != 0 {
		t.Fatalf("deleting answered %d", got)
	}
	if got := c.receive().(*kmsg.FetchResponse).Topics[0].Partitions[0].ErrorCode; got != kerr.UnknownTopicOrPartition.Code {
		t.Fatalf("the fetch was answered %d", got)
	}
}

func TestConnectionLimits(t *testing.T) {
	for _, key := range []string{"max.connections", "max.connections.per.ip"} {
		t.Run(key, func(t *testing.T) {
			r := start(t, config.Properties{key: "2"})
			a, b := r.dial(), r.dial()
			ask[*kmsg.MetadataResponse](a, metadataOf())
			ask[*kmsg.MetadataResponse](b, metadataOf())
			r.dial().gone()
			a.nc.Close()
			// The slot is free once the broker has noticed.
			waitFor(t, func() bool {
				c := r.dial()
				c.write(c.format.AppendRequest(nil, metadataOf(), 1))
				_, err := c.frame()
				return err == nil
			})
		})
	}
}

func TestIdleConnectionIsClosed(t *testing.T) {
	r := start(t, config.Properties{"connections.max.idle.ms": "50", "connection.failed.authentication.delay.ms": "10"})
	c := r.dial()
	ask[*kmsg.MetadataResponse](c, metadataOf())
	c.gone()
}

// TestLargeFetchComesWhole reads back, byte for byte, more than is ever copied
// or mapped in one piece, over segments that end inside the answer.
func TestLargeFetchComesWhole(t *testing.T) {
	c := start(t, nil).dial()
	c.createTopic("large", 1)
	var want []byte
	for i := range 40 {
		b := someBatch(10, 1+i*2000)
		if code := produceCode(ask[*kmsg.ProduceResponse](c, produceRequest("large", 0, 1, b))); code != 0 {
			t.Fatalf("produce %d answered %d", i, code)
		}
		b.Stamp(int64(10*i), 0)
		want = append(want, b...)
	}
	got := ask[*kmsg.FetchResponse](c, fetchRequest("large", 0, 0, 1, 0)).Topics[0].Partitions[0].RecordBatches
	if string(got) != string(want) {
		t.Fatalf("%d bytes came back, %d were written; or they differ", len(got), len(want))
	}
}
