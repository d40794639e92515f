package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// DeleteRecords, key 21, versions 0 to 2: KIP-107. What lies below the offset is
// gone for every reader when the answer leaves; whole segments are freed later.
//
// The low watermark is the log start offset of this, the only replica. Waiting
// for followers to take it over, which is what the timeout is for, comes with
// them.

// highWatermarkOffset asks for everything that is committed.
const highWatermarkOffset = -1

func deleteRecords(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DeleteRecordsRequest)
	out := in.ResponseKind().(*kmsg.DeleteRecordsResponse)
	// Kafka keeps one entry a partition, of which the last counts.
	type key struct {
		topic     string
		partition int32
	}
	offsets := make(map[key]int64)
	for _, t := range in.Topics {
		for _, p := range t.Partitions {
			offsets[key{t.Topic, p.Partition}] = p.Offset
		}
	}
	at := make(map[string]int, len(in.Topics))
	for _, t := range in.Topics {
		for _, p := range t.Partitions {
			k := key{t.Topic, p.Partition}
			offset, ok := offsets[k]
			if !ok {
				continue
			}
			delete(offsets, k)
			i, ok := at[t.Topic]
			if !ok {
				i = len(out.Topics)
				at[t.Topic] = i
				topic := kmsg.NewDeleteRecordsResponseTopic()
				topic.Topic = t.Topic
				out.Topics = append(out.Topics, topic)
			}
			o := kmsg.NewDeleteRecordsResponseTopicPartition()
			o.Partition = p.Partition
			low, err := deleteBelow(d, t.Topic, p.Partition, offset)
			o.LowWatermark, o.ErrorCode = low, code(err)
			out.Topics[i].Partitions = append(out.Topics[i].Partitions, o)
		}
	}
	return answer(out)
}

// deleteBelow deletes the records of one partition below offset and answers its
// low watermark.
func deleteBelow(d *Deps, topic string, partition int32, offset int64) (low int64, err error) {
	p, err := d.Partitions.Get(topic, partition)
	if err != nil {
		return -1, err
	}
	if controller.IsInternalTopic(topic) {
		return -1, kerr.InvalidTopicException
	}
	low = -1
	err = asLeader(p, -1, func(int32) (err error) {
		log := p.Log()
		if !log.Config().Delete {
			return kerr.PolicyViolation
		}
		if offset == highWatermarkOffset {
			offset = log.Offsets().HighWatermark
		}
		if offset < 0 || offset > log.Offsets().HighWatermark {
			return kerr.OffsetOutOfRange
		}
		low, err = log.DeleteRecordsBefore(offset)
		return err
	})
	if err != nil {
		return -1, err
	}
	return low, nil
}
