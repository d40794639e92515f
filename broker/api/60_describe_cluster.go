package api

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// DescribeCluster, key 60, versions 0 to 2: KIP-700, KIP-919 (endpoint type,
// version 1), KIP-1073 (fenced brokers, version 2). A broker's listener answers
// about brokers; who asks it for controllers is told so.

// Endpoint types.
const (
	brokerEndpoint     = 1
	controllerEndpoint = 2
)

func describeCluster(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeClusterRequest)
	out := in.ResponseKind().(*kmsg.DescribeClusterResponse)
	out.EndpointType = brokerEndpoint
	out.ControllerID = -1
	asked := in.EndpointType
	if r.Version == 0 {
		asked = brokerEndpoint
	}
	switch asked {
	case brokerEndpoint:
	case controllerEndpoint:
		out.ErrorCode = kerr.MismatchedEndpointType.Code
		out.ErrorMessage = kmsg.StringPtr("The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER")
		return answer(out)
	default:
		out.ErrorCode = kerr.UnsupportedEndpointType.Code
		out.ErrorMessage = kmsg.StringPtr(fmt.Sprintf("Unsupported endpoint type %d", asked))
		return answer(out)
	}
	image := d.Partitions.Image()
	out.ClusterID = image.ClusterID()
	out.Brokers = clusterBrokers(d, r, image, r.Version >= 2 && in.IncludeFencedBrokers)
	// A controller that is not in the list would only confuse.
	for _, b := range out.Brokers {
		if b.NodeID == image.ControllerID() {
			out.ControllerID = b.NodeID
		}
	}
	if in.IncludeClusterAuthorizedOperations {
		out.ClusterAuthorizedOperations = authorizedClusterOperations()
	}
	return answer(out)
}

// clusterBrokers lists the brokers that have an address for the sender of r.
func clusterBrokers(d *Deps, r *Request, image *controller.Image, fenced bool) (out []kmsg.DescribeClusterResponseBroker) {
	for _, b := range image.Brokers() {
		if b.Fenced && !fenced {
			continue
		}
		e, ok := endpoint(d, r, b)
		if !ok {
			continue
		}
		o := kmsg.NewDescribeClusterResponseBroker()
		o.NodeID, o.Host, o.Port, o.IsFenced = b.ID, e.Host, e.Port, b.Fenced
		if b.Rack != "" {
			o.Rack = kmsg.StringPtr(b.Rack)
		}
		out = append(out, o)
	}
	return out
}
