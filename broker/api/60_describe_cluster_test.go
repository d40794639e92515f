package api

import (
	"fmt"
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// clusterIn is a response in short: error and message or controller and brokers.
func clusterIn(r *kmsg.DescribeClusterResponse) string {
	if r.ErrorCode != 0 {
		return fmt.Sprintf("e%d %s", r.ErrorCode, text(r.ErrorMessage))
	}
	s := fmt.Sprint("controller ", r.ControllerID)
	for _, b := range r.Brokers {
		s += fmt.Sprintf(", %d %s:%d rack %s fenced %v", b.NodeID, b.Host, b.Port, text(b.Rack), b.IsFenced)
	}
	return s
}

func TestDescribeCluster(t *testing.T) {
	f := newFixture(t)
	_, err := f.Controller.RegisterBroker(t.Context(), controller.Broker{ID: 2, Rack: "r", Fenced: true, Endpoints: []controller.Endpoint{
		{Listener: "OTHER", Host: "elsewhere", Port: 1}, {Listener: testListener, Host: "there", Port: 9093},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Partitions.Await(t.Context(), f.Controller.Image().Revision()); err != nil {
		t.Fatal(err)
	}
	const one = "controller 1, 1 here:9092 rack null fenced false"
	const both = one + ", 2 there:9093 rack r fenced true"
	f.versions(kmsg.NewPtrDescribeClusterRequest(), func(v int16) {
		for _, c := range []struct {
			endpoint int8
			fenced   bool
			want     string
			before   string // in version 0, which has no endpoint types
		}{
			{1, false, one, one},
			{1, true, both, one},
			{2, true, "e114 The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER", one},
			{0, true, "e115 Unsupported endpoint type 0", one},
			{-1, true, "e115 Unsupported endpoint type -1", one},
		} {
			r := kmsg.NewPtrDescribeClusterRequest()
			r.Version, r.EndpointType, r.IncludeFencedBrokers = v, c.endpoint, c.fenced
			for _, authorized := range []bool{false, true} {
				r.IncludeClusterAuthorizedOperations = authorized
				got := ask[*kmsg.DescribeClusterResponse](f, r)
				want, operations := c.want, int32(math.MinInt32)
				if v == 0 {
					want = c.before
				}
				if v == 1 && want == both { // fenced brokers came with version 2
					want = one
				}
				if authorized && got.ErrorCode == 0 {
					operations = 8096
				}
				what := fmt.Sprintf("version %d, %+v", v, c)
				equal(t, what, clusterIn(got), want)
				equal(t, what+": operations", got.ClusterAuthorizedOperations, operations)
				equal(t, what+": endpoint type", got.EndpointType, brokerEndpoint)
				if got.ErrorCode == 0 {
					equal(t, what+": cluster id", got.ClusterID, f.Partitions.Image().ClusterID())
				}
			}
		}
	})
}
