package api

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller/txn"
)

// WriteTxnMarkers, key 27, versions 1 and 2: KIP-98, KIP-664 (an administrator ends
// a transaction whose coordinator does not know it), KIP-1228 (version of the
// protocol, version 2).
//
// Deviation: partitions come in the order of the request; Kafka's order is that of
// hash tables.

// Markers writes markers as the leader of their partitions (markers.Writer does).
type Markers interface {
	// Write answers an error for each partition of m, in order.
	Write(ctx context.Context, m txn.Markers) []error
}

func writeTxnMarkers(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.WriteTxnMarkersRequest)
	out := in.ResponseKind().(*kmsg.WriteTxnMarkersResponse)
	return Reply{Wait: func(ctx context.Context) Reply {
		for i := range in.Markers {
			out.Markers = append(out.Markers, writeMarker(ctx, d, r.Version, &in.Markers[i]))
		}
		return answer(out)
	}}
}

func writeMarker(ctx context.Context, d *Deps, version int16, in *kmsg.WriteTxnMarkersRequestMarker) kmsg.WriteTxnMarkersResponseMarker {
	m := txn.Markers{
		ProducerID: in.ProducerID, Epoch: in.ProducerEpoch, Commit: in.Committed, CoordinatorEpoch: in.CoordinatorEpoch,
	}
	if version >= 2 {
		m.TransactionVersion = int16(in.TransactionVersion)
	}
	image := d.Partitions.Image()
	for _, t := range in.Topics {
		topic, ok := image.Topic(t.Topic)
		for _, p := range t.Partitions {
			if ok && hasPartition(topic, p) {
				m.Partitions = append(m.Partitions, txn.TopicPartition{Topic: t.Topic, Partition: p})
			}
		}
	}
	var errs []error
	if m.ProducerID < 0 || m.TransactionVersion < 0 {
		// No coordinator says so, and no such record may come into a log. Kafka fails inside.
		errs = slices.Repeat([]error{kerr.UnknownServerError}, len(m.Partitions))
	} else {
		errs = d.Markers.Write(ctx, m)
	}
	out := kmsg.NewWriteTxnMarkersResponseMarker()
	out.ProducerID = in.ProducerID
	for _, t := range in.Topics {
		o := kmsg.WriteTxnMarkersResponseMarkerTopic{Topic: t.Topic}
		for _, p := range t.Partitions {
			var err error = kerr.UnknownTopicOrPartition
			if n := len(m.Partitions) - len(errs); len(errs) > 0 && m.Partitions[n] == (txn.TopicPartition{Topic: t.Topic, Partition: p}) {
				err, errs = markerError(t.Topic, errs[0]), errs[1:]
			}
			o.Partitions = append(o.Partitions, kmsg.WriteTxnMarkersResponseMarkerTopicPartition{Partition: p, ErrorCode: code(err)})
		}
		out.Topics = append(out.Topics, o)
	}
	return out
}

// markerError is err as brokers know it: a group coordinator that is not there is
// a partition without leader.
func markerError(topic string, err error) error {
	if errors.Is(err, txn.ErrDeleted) {
		return kerr.UnknownTopicOrPartition
	}
	if topic == groupMetadataTopic {
		for _, away := range []error{kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator} {
			if errors.Is(err, away) {
				return kerr.NotLeaderForPartition
			}
		}
	}
	return err
}
