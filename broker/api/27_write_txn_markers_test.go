package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// marker is a request to end the producer's transaction in partitions of a topic, from a coordinator of an epoch.
func (p *producer) marker(version int16, commit bool, coordinatorEpoch int32, topic string, partitions ...int32) (codes []int16) {
	p.f.Helper()
	r := kmsg.NewPtrWriteTxnMarkersRequest()
	r.Version = version
	r.Markers = []kmsg.WriteTxnMarkersRequestMarker{{
		ProducerID: p.id, ProducerEpoch: p.epoch, Committed: commit, CoordinatorEpoch: coordinatorEpoch,
		Topics: []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: topic, Partitions: partitions}},
	}}
	got := ask[*kmsg.WriteTxnMarkersResponse](p.f, r).Markers[0]
	equal(p.f, "producer", got.ProducerID, p.id)
	for _, o := range got.Topics[0].Partitions {
		codes = append(codes, o.ErrorCode)
	}
	return codes
}

func TestWriteTxnMarkers(t *testing.T) {
	f := newFixture(t)
	f.versions(kmsg.NewPtrWriteTxnMarkersRequest(), func(v int16) {
		name := fmt.Sprint("t", v)
		f.topic(name, 2)
		p := f.producer(name)
		equal(t, "produce", p.one(12, name), "0 null")
		stable := func() int64 { return f.partition(name, 0).Log().Offsets().LastStable }
		equal(t, "last stable offset", stable(), 0)
		notThere := kerr.UnknownTopicOrPartition.Code
		equal(t, "what is not there", p.marker(v, true, 5, name, -1, 7), []int16{notThere, notThere})
		equal(t, "no such topic", p.marker(v, true, 5, "nope", 0), []int16{notThere})
		equal(t, "the markers", p.marker(v, true, 5, name, 1, 0, 9), []int16{0, 0, notThere})
		equal(t, "last stable offset", stable(), 4)
		equal(t, "a coordinator that was replaced", p.marker(v, false, 4, name, 0), []int16{kerr.TransactionCoordinatorFenced.Code})
		late := *p
		late.epoch--
		equal(t, "an epoch that was fenced", late.marker(v, false, 5, name, 0), []int16{kerr.InvalidProducerEpoch.Code})
		if v == 1 {
			equal(t, "groups before their topic", p.marker(v, true, 5, groupMetadataTopic, 3), []int16{notThere})
			ask[*kmsg.FindCoordinatorResponse](f, findCoordinatorRequest(4, groupCoordinator, "g"))
		}
		equal(t, "groups", p.marker(v, true, 5, groupMetadataTopic, 3), []int16{0})
		equal(t, "nothing", len(ask[*kmsg.WriteTxnMarkersResponse](f, &kmsg.WriteTxnMarkersRequest{Version: v}).Markers), 0)
	})
}

// A marker that no coordinator could have written is not written, whoever asks.
func TestWriteTxnMarkersRefuses(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	for name, change := range map[string]func(*kmsg.WriteTxnMarkersRequestMarker){
		"producer id": func(m *kmsg.WriteTxnMarkersRequestMarker) { m.ProducerID = -1 },
		"version":     func(m *kmsg.WriteTxnMarkersRequestMarker) { m.TransactionVersion = -1 },
	} {
		r := kmsg.NewPtrWriteTxnMarkersRequest()
		r.Version = 2
		m := kmsg.NewWriteTxnMarkersRequestMarker()
		m.ProducerID, m.Committed = 5, true
		m.Topics = []kmsg.WriteTxnMarkersRequestMarkerTopic{{Topic: "a", Partitions: []int32{0, 7}}}
		change(&m)
		r.Markers = append(r.Markers, m)
		got := ask[*kmsg.WriteTxnMarkersResponse](f, r)
		var errs []int16
		for _, t := range got.Markers[0].Topics {
			for _, p := range t.Partitions {
				errs = append(errs, p.ErrorCode)
			}
		}
		equal(t, fmt.Sprint("a negative ", name), errs, []int16{kerr.UnknownServerError.Code, kerr.UnknownTopicOrPartition.Code})
		equal(t, "the log's end", f.partition("a", 0).Log().Offsets().LogEnd, 0)
	}
}
