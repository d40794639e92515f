package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// startBare serves a bare loop in this process until the test ends.
func startBare(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- serveBare(l, t.TempDir(), 16<<20) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// TestPump: the bare loop takes what the rows send, and gives what they ask for.
func TestPump(t *testing.T) {
	addr := startBare(t)
	for _, acks := range []int16{-1, 1} {
		p := single.with(func(p *production) { p.record, p.batch, p.acks = 100, 1000, acks })
		took, err := p.pump(t.Context(), addr, "t", 50)
		if want := pumps * 50; err != nil || len(took) != want {
			t.Errorf("acks=%d: %d answers, want %d: %v", acks, len(took), want, err)
		}
	}
	total, took, err := reader{4, 20, 2}.read(t.Context(), addr, "t")
	if want := 40 * fetchBatches * len(filling.encoded()); err != nil || total != want || len(took) != 40 {
		t.Errorf("%d bytes in %d answers, want %d in 40: %v", total, len(took), want, err)
	}
}

// TestPumpEnds: an answer that is refused, and a peer that goes, end both sides of it.
func TestPumpEnds(t *testing.T) {
	addr := startBare(t)
	w, err := dial(t.Context(), addr)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	request := w.encode(produceRequest("t", 1, encodeBatch(noise.values(1, 10), false), 0, 1))
	refused := errors.New("refused")
	err = w.pump(3, func(int) []byte { return request }, func(i int, _ time.Duration, _ []byte) error {
		if i == 10 {
			return refused
		}
		return nil
	})
	if !errors.Is(err, refused) {
		t.Errorf("ended with %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if w, err = dial(ctx, addr); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	err = w.pump(3, func(int) []byte { return request }, func(i int, _ time.Duration, _ []byte) error {
		if i == 10 {
			cancel()
		}
		return nil
	})
	if err == nil {
		t.Error("the connection was closed, and nothing said so")
	}
}

func TestEncodeBatch(t *testing.T) {
	values := noise.values(3, 50)
	for _, compress := range []bool{false, true} {
		b := encodeBatch(values, compress)
		var batch kmsg.RecordBatch
		if err := batch.ReadFrom(b); err != nil {
			t.Fatal(err)
		}
		if got := crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)); int32(got) != batch.CRC {
			t.Errorf("checksum %x, want %x", batch.CRC, got)
		}
		if batch.NumRecords != 3 || batch.LastOffsetDelta != 2 || int(batch.Length) != len(b)-12 || batch.Magic != 2 {
			t.Errorf("%+v", batch)
		}
		if n, records := wholeBatches(append(b, b[:80]...)); n != len(b) || records != 3 {
			t.Errorf("%d records in %d bytes, want 3 in %d", records, n, len(b))
		}
		if compress {
			continue
		}
		var r kmsg.Record
		if err := r.ReadFrom(batch.Records); err != nil || !bytes.Equal(r.Value, values[0]) {
			t.Errorf("first value %x, want %x: %v", r.Value, values[0], err)
		}
	}
	if plain, packed := len(encodeBatch(prose.values(100, 1000), false)), len(encodeBatch(prose.values(100, 1000), true)); packed > plain/2 {
		t.Errorf("prose of %d bytes compresses to %d", plain, packed)
	}
}

// TestMessage: the time is where it will be looked for, and the checksum is right.
func TestMessage(t *testing.T) {
	w := &wire{formatter: kmsg.NewRequestFormatter()}
	m, _, err := newMessage(w, "topic")
	if err != nil {
		t.Fatal(err)
	}
	b := m.at(42)[m.batch : m.batch+m.size]
	if got := binary.BigEndian.Uint64(b[m.value:]); got != 42 {
		t.Errorf("time %d", got)
	}
	if crc32.Checksum(b[21:], castagnoli) != binary.BigEndian.Uint32(b[17:]) {
		t.Error("the checksum is not the batch's")
	}
	if strings.Count(string(m.request), string(b)) != 1 {
		t.Error("the batch is not in its request")
	}
}
