package protocol

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestAppendFetch holds the hand-made framing against kmsg's, byte by byte, for
// random responses of every version: with records appended, with records left
// to a vectored write, and with both.
func TestAppendFetch(t *testing.T) {
	for version := int16(4); version <= 18; version++ {
		for seed := range uint64(200) {
			f := newFiller(seed)
			m := kmsg.NewPtrFetchResponse()
			f.fill(reflect.ValueOf(m).Elem())
			if seed%20 == 0 {
				m.Brokers = []kmsg.FetchResponseBroker{{Host: strings.Repeat("h", 70+f.IntN(300))}} // a long tagged field
			}
			compareFetch(t, f.Rand, version, m)
			if t.Failed() {
				return
			}
		}
	}
}

func compareFetch(t *testing.T, rnd *rand.Rand, version int16, m *kmsg.FetchResponse) {
	t.Helper()
	for i := range m.Topics {
		for j := range m.Topics[i].Partitions {
			p := &m.Topics[i].Partitions[j]
			p.RecordBatches = make([]byte, rnd.IntN(200)*rnd.IntN(2)) // empty, never null
			for k := range p.RecordBatches {
				p.RecordBatches[k] = byte(rnd.Uint32())
			}
		}
	}
	r := &Request{Header: Header{Key: 1, Version: version, CorrelationID: 77}}
	prefix := []byte("what is in the buffer already")
	want := r.AppendResponse(bytes.Clone(prefix), m)

	records := func(i, j int) []byte { return m.Topics[i].Partitions[j].RecordBatches }
	size := func(i, j int) int { return len(records(i, j)) }
	type cut struct {
		at int
		p  []byte
	}
	for _, apart := range []func() bool{func() bool { return false }, func() bool { return true }, func() bool { return rnd.IntN(2) == 0 }} {
		var cuts []cut
		dst := r.AppendFetch(bytes.Clone(prefix), m, size, func(dst []byte, i, j int) []byte {
			if apart() {
				cuts = append(cuts, cut{len(dst), records(i, j)})
				return dst
			}
			return append(dst, records(i, j)...)
		})
		var got []byte
		at := 0
		for _, c := range cuts {
			got = append(append(got, dst[at:c.at]...), c.p...)
			at = c.at
		}
		got = append(got, dst[at:]...)
		if !bytes.Equal(got, want) {
			t.Errorf("version %d, %d records apart:\n%x\nwant\n%x", version, len(cuts), got, want)
		}
	}
	if n := binary.BigEndian.Uint32(want[len(prefix):]); int(n) != len(want)-len(prefix)-4 {
		t.Errorf("length %d of %d", n, len(want)-len(prefix)-4)
	}
}

// TestAppendFetchFields are the responses whose form matters most, one by one.
func TestAppendFetchFields(t *testing.T) {
	rack := "r1"
	for name, change := range map[string]func(*kmsg.FetchResponse, *kmsg.FetchResponseTopicPartition){
		"plain":           func(*kmsg.FetchResponse, *kmsg.FetchResponseTopicPartition) {},
		"no topics":       func(m *kmsg.FetchResponse, _ *kmsg.FetchResponseTopicPartition) { m.Topics = nil },
		"diverging epoch": func(_ *kmsg.FetchResponse, p *kmsg.FetchResponseTopicPartition) { p.DivergingEpoch.Epoch = 0 },
		"diverging end":   func(_ *kmsg.FetchResponse, p *kmsg.FetchResponseTopicPartition) { p.DivergingEpoch.EndOffset = 5 },
		"current leader":  func(_ *kmsg.FetchResponse, p *kmsg.FetchResponseTopicPartition) { p.CurrentLeader.LeaderID = 2 },
		"leader epoch":    func(_ *kmsg.FetchResponse, p *kmsg.FetchResponseTopicPartition) { p.CurrentLeader.LeaderEpoch = 0 },
		"snapshot":        func(_ *kmsg.FetchResponse, p *kmsg.FetchResponseTopicPartition) { p.SnapshotID.Epoch = 1 },
		"no aborted": func(_ *kmsg.FetchResponse, p *kmsg.FetchResponseTopicPartition) {
			p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
		},
		"one aborted": func(_ *kmsg.FetchResponse, p *kmsg.FetchResponseTopicPartition) {
			p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{{ProducerID: 4, FirstOffset: 9}}
		},
		"node endpoints": func(m *kmsg.FetchResponse, _ *kmsg.FetchResponseTopicPartition) {
			m.Brokers = []kmsg.FetchResponseBroker{{NodeID: 1, Host: "h", Port: 9092}, {Host: "g", Rack: &rack}}
		},
		"an error for all":  func(m *kmsg.FetchResponse, _ *kmsg.FetchResponseTopicPartition) { m.ErrorCode = 70; m.Topics = nil },
		"preferred replica": func(_ *kmsg.FetchResponse, p *kmsg.FetchResponseTopicPartition) { p.PreferredReadReplica = 3 },
	} {
		for version := int16(4); version <= 18; version++ {
			m := kmsg.NewPtrFetchResponse()
			topic := kmsg.NewFetchResponseTopic()
			topic.Topic, topic.TopicID = "topic", [16]byte{1, 2, 3}
			p := kmsg.NewFetchResponseTopicPartition()
			topic.Partitions = append(topic.Partitions, p, p)
			m.Topics = append(m.Topics, topic)
			change(m, &m.Topics[0].Partitions[0])
			compareFetch(t, rand.New(rand.NewPCG(1, uint64(version))), version, m)
			if t.Failed() {
				t.Fatal(name)
			}
		}
	}
}
