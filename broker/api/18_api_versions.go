package api

import (
	"context"
	"regexp"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ApiVersions, key 18, versions 0 to 4. An unsupported version never comes here:
// the connection answers it with UnsupportedApiVersions (KIP-511).

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
	return answer(out)
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
