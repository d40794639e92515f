package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// DescribeProducers, key 61, version 0: KIP-664. It tells what this replica
// knows of the producers of its log; it need not lead.

func describeProducers(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeProducersRequest)
	out := in.ResponseKind().(*kmsg.DescribeProducersResponse)
	image, room := d.Partitions.Image(), d.answerRoom()
	for _, t := range in.Topics {
		topic := kmsg.NewDescribeProducersResponseTopic()
		topic.Topic = t.Topic
		refused, why := int16(0), (*string)(nil)
		if reason := controller.ValidateTopicName(t.Topic); reason != "" {
			refused, why = kerr.InvalidTopicException.Code, &reason
		} else if _, ok := image.Topic(t.Topic); !ok {
			refused, why = kerr.UnknownTopicOrPartition.Code, &kerr.UnknownTopicOrPartition.Description
		}
		for _, n := range t.Partitions {
			o := kmsg.NewDescribeProducersResponseTopicPartition()
			o.Partition = n
			o.ErrorCode, o.ErrorMessage = refused, why
			if refused == 0 {
				producers, err := activeProducers(d, t.Topic, n)
				o.ErrorCode, o.ActiveProducers = code(err), producers
				if !room.take(len(producers) * producerStateSize) {
					return tooMuchAsked(r)
				}
			}
			topic.Partitions = append(topic.Partitions, o)
		}
		out.Topics = append(out.Topics, topic)
	}
	return answer(out)
}

func activeProducers(d *Deps, topic string, partition int32) (out []kmsg.DescribeProducersResponseTopicPartitionActiveProducer, err error) {
	p, err := d.Partitions.Get(topic, partition)
	if err != nil {
		return nil, err
	}
	for _, s := range p.Log().Producers() {
		a := kmsg.NewDescribeProducersResponseTopicPartitionActiveProducer()
		a.ProducerID, a.ProducerEpoch = s.ProducerID, int32(s.Epoch)
		a.LastSequence, a.LastTimestamp = s.LastSequence, s.LastTimestamp
		a.CoordinatorEpoch, a.CurrentTxnStartOffset = s.CoordinatorEpoch, s.CurrentTxnStartOffset
		out = append(out, a)
	}
	return out, nil
}
