package integration

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"blumfeld/integration/process"
)

var rounds = flag.Int("rounds", 3, "how often each TestKilled kills the broker; make torture has more")

const tortured = "tortured"

// tortureWriter is one producer and what it was told about each of its records.
type tortureWriter struct {
	number     int
	idempotent bool
	cl         *kgo.Client
	// By partition, the offset at which each record was acknowledged. Written by the client's callbacks, which come one
	// after the other, and in the order of the records.
	acked [][]int64
}

// value says whose record it is, and the how manieth of its partition.
func (w *tortureWriter) value(n int) []byte { return fmt.Appendf(nil, "%d/%d", w.number, n) }

// write produces to a partition until stop is closed.
func (w *tortureWriter) write(ctx context.Context, t *testing.T, p int32, stop <-chan struct{}, acked *tally) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		case <-ctx.Done():
			return
		default:
		}
		w.cl.Produce(ctx, &kgo.Record{Topic: tortured, Partition: p, Value: w.value(n)}, func(r *kgo.Record, err error) {
			if err != nil || n != len(w.acked[p]) {
				t.Errorf("producer %d, partition %d, record %d, %d are acknowledged: %v", w.number, p, n, len(w.acked[p]), err)
			}
			w.acked[p] = append(w.acked[p], r.Offset)
			acked.add()
		})
	}
}

// dialKilled dials a broker that may be killed at any moment. A connection that ends before its first answer, kgo takes
// for one that wants TLS or SASL, and gives up its records; here it is reset, as most that a kill ends are.
func dialKilled(ctx context.Context, network, host string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, host)
	if err != nil {
		return nil, err
	}
	return killedConn{conn}, nil
}

type killedConn struct{ net.Conn }

func (c killedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF {
		err = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	return n, err
}

// Producers of every codec, idempotent and plain, write through any number of kills, on their retries alone. In the end
// each partition holds all that was acknowledged, each record at the offset that was told, without a gap; what the
// idempotent ones wrote once and in order.
func TestKilledWhileWriting(t *testing.T) {
	const partitions = 3
	o := options(t, t.TempDir(),
		"--override", "num.partitions="+strconv.Itoa(partitions),
		"--override", "log.segment.bytes=1048576") // so that kills meet rolls too
	b := start(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute+time.Duration(*rounds)*10*time.Second)
	defer cancel()

	var (
		list    []*tortureWriter
		acked   tally
		stop    = make(chan struct{})
		writing sync.WaitGroup
	)
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		for _, idempotent := range []bool{true, false} {
			opts := []kgo.Opt{kgo.Dialer(dialKilled), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(-1),
				kgo.ProducerBatchCompression(codec), kgo.MaxBufferedRecords(2000)}
			if !idempotent {
				opts = append(opts, kgo.DisableIdempotentWrite())
			}
			w := &tortureWriter{number: len(list), idempotent: idempotent, cl: client(t, b, opts...), acked: make([][]int64, partitions)}
			list = append(list, w)
			for p := range int32(partitions) {
				writing.Go(func() { w.write(ctx, t, p, stop, &acked) })
			}
		}
	}

	at := *seed
	for at == 0 {
		at = rand.Uint64()
	}
	t.Logf("-seed %d", at)
	random := rand.New(rand.NewPCG(at, 9))
	for round := range *rounds {
		// Kill in the middle of writing: after some more were acknowledged, which also shows
		// that the producers found their way back.
		more := int64(1 + random.IntN(30_000))
		if err := acked.await(ctx, more); err != nil || t.Failed() {
			close(stop)
			t.Fatalf("round %d: %d are acknowledged, %d more were awaited: %v", round, acked.count(), more, err)
		}
		if err := b.Kill(); err != nil {
			t.Fatal(err)
		}
		b = start(t, o)
	}
	close(stop)
	writing.Wait()
	for _, w := range list {
		if err := w.cl.Flush(ctx); err != nil {
			t.Fatal(err)
		}
	}

	var twice int
	for p := range int32(partitions) {
		found, err := verify(t, ctx, b, p, list)
		if err != nil {
			t.Errorf("partition %d: %v", p, err)
		}
		twice += found
	}
	t.Logf("%d kills, %d records of %d producers acknowledged; the plain producers wrote %d twice", *rounds, acked.count(), len(list), twice)
}

// verify reads a partition to its end and holds it against what its producers know. It returns how many records plain
// producers wrote again, because their first acknowledgement did not reach them.
func verify(t *testing.T, ctx context.Context, b *process.Broker, p int32, list []*tortureWriter) (twice int, err error) {
	cl := client(t, b, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{tortured: {p: kgo.NewOffset().AtStart()}}))
	defer cl.Close()
	found := make([][]bool, len(list)) // of each producer, which records lie where they were acknowledged
	next := make([]int, len(list))     // of each producer, the record that has to come next if it is idempotent
	for _, w := range list {
		found[w.number] = make([]bool, len(w.acked[p]))
	}
	for offset, end := int64(0), int64(1); offset < end; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return twice, fmt.Errorf("at offset %d of %d: %w", offset, end, err)
		}
		fetches.EachPartition(func(f kgo.FetchTopicPartition) { end = f.HighWatermark })
		for _, r := range fetches.Records() {
			if r.Offset != offset {
				return twice, fmt.Errorf("offset %d follows on %d", r.Offset, offset-1)
			}
			offset++
			var number, n int
			if _, err := fmt.Sscanf(string(r.Value), "%d/%d", &number, &n); err != nil || number >= len(list) {
				return twice, fmt.Errorf("offset %d has a record that nobody wrote: %q", r.Offset, r.Value)
			}
			w := list[number]
			switch {
			case n >= len(w.acked[p]):
				return twice, fmt.Errorf("offset %d has record %d of producer %d, which wrote %d", r.Offset, n, w.number, len(w.acked[p]))
			case w.acked[p][n] == r.Offset:
				found[w.number][n] = true
			case w.idempotent:
				return twice, fmt.Errorf("offset %d has record %d of producer %d, acknowledged at %d", r.Offset, n, w.number, w.acked[p][n])
			default:
				twice++
			}
			if w.idempotent && n != next[w.number] {
				return twice, fmt.Errorf("offset %d has record %d of producer %d, %d is next", r.Offset, n, w.number, next[w.number])
			}
			next[w.number] = n + 1
		}
	}
	for _, w := range list {
		for n, ok := range found[w.number] {
			if !ok {
				return twice, fmt.Errorf("record %d of producer %d was acknowledged at offset %d, and is not there", n, w.number, w.acked[p][n])
			}
		}
	}
	return twice, nil
}
