package protocol

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func benchRequests() map[string]kmsg.Request {
	produce := func(version int16, partitions int) kmsg.Request {
		m := kmsg.NewPtrProduceRequest()
		m.Version = version
		t := kmsg.ProduceRequestTopic{Topic: "a-topic-of-some-name"}
		for i := range partitions {
			t.Partitions = append(t.Partitions, kmsg.ProduceRequestTopicPartition{Partition: int32(i), Records: make([]byte, 16<<10)})
		}
		m.Topics = []kmsg.ProduceRequestTopic{t}
		return m
	}
	fetch := kmsg.NewPtrFetchRequest()
	fetch.Version = 13
	for range 10 {
		t := kmsg.NewFetchRequestTopic()
		for i := range 10 {
			p := kmsg.NewFetchRequestTopicPartition()
			p.Partition = int32(i)
			t.Partitions = append(t.Partitions, p)
		}
		fetch.Topics = append(fetch.Topics, t)
	}
	session := kmsg.NewPtrFetchRequest()
	session.Version = 13
	metadata := kmsg.NewPtrMetadataRequest()
	metadata.Version = 12
	return map[string]kmsg.Request{
		"Produce v9 12x16KiB":     produce(9, 12),
		"Produce v7 1x16KiB":      produce(7, 1),
		"Produce v13 1x16KiB":     produce(13, 1),
		"Fetch 100 partitions":    fetch,
		"Fetch in a session":      session,
		"Metadata of all":         metadata,
		"ApiVersions":             kmsg.NewPtrApiVersionsRequest(),
		"OffsetCommit of nothing": kmsg.NewPtrOffsetCommitRequest(),
	}
}

func BenchmarkParse(b *testing.B) {
	id := "producer-1"
	served := func(int16) (least, most int16, ok bool) { return 0, 99, true }
	for name, m := range benchRequests() {
		frame := frameOf(m, &id, 1, []byte{0})
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(frame, served); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkGuard is the part of Parse that bounds its memory.
func BenchmarkGuard(b *testing.B) {
	for name, m := range benchRequests() {
		body := m.AppendTo(nil)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if reason := guard(m.Key(), m.GetVersion(), body); reason != "" {
					b.Fatal(reason)
				}
			}
		})
	}
}

// BenchmarkAppendFetch frames responses whose records are written from
// elsewhere, against kmsg, which copies them.
func BenchmarkAppendFetch(b *testing.B) {
	for _, partitions := range []int{1, 100} {
		for _, size := range []int{16 << 10, 1 << 20} {
			m := kmsg.NewPtrFetchResponse()
			t := kmsg.NewFetchResponseTopic()
			for i := range partitions {
				p := kmsg.NewFetchResponseTopicPartition()
				p.Partition = int32(i)
				p.RecordBatches = make([]byte, size/partitions)
				t.Partitions = append(t.Partitions, p)
			}
			m.Topics = append(m.Topics, t)
			r := &Request{Header: Header{Key: 1, Version: 13}}
			var dst []byte
			name := fmt.Sprintf("%dx%d", partitions, size/partitions)
			b.Run(name+"/apart", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					dst = r.AppendFetch(dst[:0], m,
						func(t, p int) int { return len(m.Topics[t].Partitions[p].RecordBatches) },
						func(dst []byte, t, p int) []byte { return dst })
				}
			})
			b.Run(name+"/kmsg", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					dst = r.AppendResponse(dst[:0], m)
				}
			})
		}
	}
}

// BenchmarkAppendProduce encodes the answers to produce requests.
func BenchmarkAppendProduce(b *testing.B) {
	for _, partitions := range []int{1, 12, 100} {
		m := kmsg.NewPtrProduceResponse()
		t := kmsg.NewProduceResponseTopic()
		t.Topic = "a-topic-of-some-name"
		for i := range partitions {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition = int32(i)
			t.Partitions = append(t.Partitions, p)
		}
		m.Topics = append(m.Topics, t)
		r := &Request{Header: Header{Key: 0, Version: 11}}
		var dst []byte
		b.Run(fmt.Sprint(partitions), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				dst = r.AppendResponse(dst[:0], m)
			}
		})
	}
}
