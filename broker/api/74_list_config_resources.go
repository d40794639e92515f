package api

import (
	"context"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// ListConfigResources, key 74, versions 0 and 1: KIP-714 (version 0 lists client
// metrics subscriptions), KIP-1142 (any type). Groups and subscriptions are listed
// when they have a configuration of their own; here none has.

func listConfigResources(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.ListConfigResourcesRequest)
	out := in.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	supported := []int8{int8(controller.ResourceTopic), int8(controller.ResourceBroker), resourceBrokerLogger, resourceClientMetrics, resourceGroup}
	asked := in.ResourceTypes
	switch {
	case r.Version == 0:
		asked = []int8{resourceClientMetrics}
	case len(asked) == 0:
		asked = supported
	}
	for _, kind := range asked {
		if !slices.Contains(supported, kind) {
			out.ErrorCode = kerr.UnsupportedVersion.Code
			return answer(out)
		}
	}
	image := d.Partitions.Image()
	add := func(kind int8, name string) {
		o := kmsg.NewListConfigResourcesResponseConfigResource()
		o.Type, o.Name = kind, name
		out.ConfigResources = append(out.ConfigResources, o)
	}
	for _, kind := range supported {
		if !slices.Contains(asked, kind) {
			continue
		}
		switch kind {
		case int8(controller.ResourceTopic):
			for t := range image.Topics() {
				add(kind, t.Name)
			}
		case int8(controller.ResourceBroker), resourceBrokerLogger:
			for _, b := range image.Brokers() {
				add(kind, strconv.Itoa(int(b.ID)))
			}
		}
	}
	return answer(out)
}
