package broker

import (
	"bytes"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/api"
	"blumfeld/broker/replica"
	"blumfeld/logstore"
	"blumfeld/logstore/vfs"
	"blumfeld/protocol"
)

// TestFetchOfManyPartitionsIsNotHeldWhole encodes an answer with many runs of
// records, each small enough to be copied: only a part of them is.
func TestFetchOfManyPartitionsIsNotHeldWhole(t *testing.T) {
	dir, err := logstore.OpenDir(vfs.NewMem(time.Now), "/data", logstore.DirOptions{NodeID: 1, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	log, err := dir.Open("t", 0, [16]byte{1}, logstore.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	b := someBatch(6, 10_000)
	if _, err := log.AppendAsLeader(b, 0); err != nil {
		t.Fatal(err)
	}
	const partitions = 200
	r := &api.Request{Request: &protocol.Request{Header: protocol.Header{Key: 1, Version: 12, CorrelationID: 1}}}
	m := kmsg.NewPtrFetchResponse()
	m.Version = 12
	m.Topics = []kmsg.FetchResponseTopic{{Topic: "t"}}
	records := make([]replica.Slice, partitions)
	for i := range records {
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition = int32(i)
		m.Topics[0].Partitions = append(m.Topics[0].Partitions, p)
		if records[i], err = log.Read(0, 6, 1<<20, true); err != nil {
			t.Fatal(err)
		}
	}
	var o output
	if err := o.add(r, api.Reply{Response: m, Records: [][]replica.Slice{records}}); err != nil {
		t.Fatal(err)
	}
	if bound := flushAbove + copyBelow + 100*partitions; len(o.buf) > bound {
		t.Errorf("%d bytes are copied for an answer of %d", len(o.buf), partitions*len(b))
	}
	var sent bytes.Buffer
	if err := o.flush(&sent); err != nil {
		t.Fatal(err)
	}
	for i := range m.Topics[0].Partitions {
		m.Topics[0].Partitions[i].RecordBatches = b
	}
	if want := r.AppendResponse(nil, m); !bytes.Equal(sent.Bytes(), want) {
		t.Errorf("%d bytes were sent, %d are due; or they differ", sent.Len(), len(want))
	}
	if len(o.cuts) > 0 || o.size > 0 || o.pending() {
		t.Error("something is left after a flush")
	}
}
