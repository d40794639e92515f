package api

import (
	"context"
	"regexp"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// ApiVersions, key 18, versions 0 to 4: KIP-511 (client software, version 3),
// KIP-584 (features, version 3). An unsupported version never comes here: the
// connection answers it with UnsupportedApiVersions (KIP-511).
//
// Clients decide by finalized features how they go about transactions
// (transaction.version) and groups: a feature is there only if the cluster does
// it.

// softwareName is what KIP-511 allows in client software name and version.
var softwareName = regexp.MustCompile(`^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$`)

func apiVersions(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.ApiVersionsRequest)
	out := in.ResponseKind().(*kmsg.ApiVersionsResponse)
	if r.Version >= 3 && !(softwareName.MatchString(in.ClientSoftwareName) && softwareName.MatchString(in.ClientSoftwareVersion)) {
		out.ErrorCode = kerr.InvalidRequest.Code
		return answer(out)
	}
	out.ApiKeys = advertised()
	image := d.Controller.Image()
	out.SupportedFeatures = supportedFeatures(d.Controller.SupportedFeatures(), r.Version)
	out.FinalizedFeaturesEpoch = image.FeaturesEpoch()
	for _, l := range image.Features() {
		f := kmsg.NewApiVersionsResponseFinalizedFeature()
		f.Name, f.MaxVersionLevel, f.MinVersionLevel = l.Name, l.Level, l.Level
		out.FinalizedFeatures = append(out.FinalizedFeatures, f)
	}
	return answer(out)
}

// supportedFeatures leaves out, before version 4, features that can be off:
// older clients take a lowest level of 0 for a damaged answer (KAFKA-17011).
func supportedFeatures(features []controller.Feature, version int16) (out []kmsg.ApiVersionsResponseSupportedFeature) {
	for _, f := range features {
		if f.Min == 0 && version < 4 {
			continue
		}
		o := kmsg.NewApiVersionsResponseSupportedFeature()
		o.Name, o.MinVersion, o.MaxVersion = f.Name, f.Min, f.Max
		out = append(out, o)
	}
	return out
}

// UnsupportedApiVersions is the answer to an ApiVersions request of a version
// that is not served: version 0, UNSUPPORTED_VERSION, and the range of
// ApiVersions alone, so that the client can ask again (KIP-511).
func UnsupportedApiVersions() *kmsg.ApiVersionsResponse {
	out := kmsg.NewPtrApiVersionsResponse()
	out.Version = 0
	out.ErrorCode = kerr.UnsupportedVersion.Code
	for _, k := range advertised() {
		if k.ApiKey == out.Key() {
			out.ApiKeys = append(out.ApiKeys, k)
		}
	}
	return out
}

func advertised() []kmsg.ApiVersionsResponseApiKey {
	table := Table()
	keys := make([]kmsg.ApiVersionsResponseApiKey, 0, len(table))
	for _, a := range table {
		k := kmsg.NewApiVersionsResponseApiKey()
		k.ApiKey, k.MinVersion, k.MaxVersion = a.Key, a.Min, a.Max
		keys = append(keys, k)
	}
	return keys
}
