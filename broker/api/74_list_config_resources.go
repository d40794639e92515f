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
// when they have a configuration of their own.

func listConfigResources(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.ListConfigResourcesRequest)
	out := in.ResponseKind().(*kmsg.ListConfigResourcesResponse)
	var asked []controller.ResourceType
	for _, kind := range in.ResourceTypes {
		asked = append(asked, controller.ResourceType(kind))
	}
	switch {
	case r.Version == 0:
		asked = []controller.ResourceType{controller.ResourceClientMetrics}
	case len(asked) == 0:
		asked = configResourceTypes()
	}
	image := d.Partitions.Image()
	for _, kind := range asked {
		if !slices.Contains(configResourceTypes(), kind) {
			out.ErrorCode = kerr.UnsupportedVersion.Code
			return answer(out)
		}
	}
	for _, kind := range configResourceTypes() {
		if !slices.Contains(asked, kind) {
			continue
		}
		for _, name := range configResourceNames(image, kind) {
			o := kmsg.NewListConfigResourcesResponseConfigResource()
			o.Type, o.Name = int8(kind), name
			out.ConfigResources = append(out.ConfigResources, o)
		}
	}
	return answer(out)
}

// configResourceNames are the resources of a type: all topics and all brokers,
// but of groups and client metrics those that have a configuration.
func configResourceNames(image *controller.Image, kind controller.ResourceType) (names []string) {
	switch kind {
	case controller.ResourceTopic:
		for t := range image.Topics() {
			names = append(names, t.Name)
		}
	case controller.ResourceBroker, resourceBrokerLogger:
		for _, b := range image.Brokers() {
			names = append(names, strconv.Itoa(int(b.ID)))
		}
	default:
		names = image.ConfigResources(kind)
	}
	return names
}
