package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

func TestApiVersions(t *testing.T) {
	f := newFixture(t)
	f.versions(kmsg.NewPtrApiVersionsRequest(), func(v int16) {
		for name, want := range map[string]int16{"client.1-x": 0, "": 42, "-x": 42, "a b": 42} {
			r := kmsg.NewPtrApiVersionsRequest()
			r.Version, r.ClientSoftwareName, r.ClientSoftwareVersion = v, name, "1.0"
			if v < 3 { // which say nothing of the client
				want = 0
			}
			got := ask[*kmsg.ApiVersionsResponse](f, r)
			equal(t, fmt.Sprintf("version %d, %q", v, name), got.ErrorCode, want)
			if want != 0 {
				equal(t, "keys", len(got.ApiKeys), 0)
				continue
			}
			served := make(map[int16]bool)
			for _, k := range got.ApiKeys {
				a := f.table.Lookup(k.ApiKey)
				if a == nil || a.Min != k.MinVersion || a.Max != k.MaxVersion {
					t.Errorf("%+v is advertised, %+v is served", k, a)
				}
				served[k.ApiKey] = true
			}
			equal(t, "keys", len(served), len(Table()))
			supported, finalized, epoch := "[]", "[]", int64(-1)
			if v >= 3 {
				supported, finalized = "[metadata.version 30-30]", "[metadata.version 30-30 transaction.version 2-2]"
				epoch = f.Controller.Image().FeaturesEpoch()
			}
			if v >= 4 {
				supported = "[metadata.version 30-30 transaction.version 0-2]"
			}
			var on, can []string
			for _, l := range got.FinalizedFeatures {
				on = append(on, fmt.Sprintf("%s %d-%d", l.Name, l.MinVersionLevel, l.MaxVersionLevel))
			}
			for _, l := range got.SupportedFeatures {
				can = append(can, fmt.Sprintf("%s %d-%d", l.Name, l.MinVersion, l.MaxVersion))
			}
			equal(t, "features", fmt.Sprint(can, on, got.FinalizedFeaturesEpoch), fmt.Sprint(supported, " ", finalized, " ", epoch))
		}
	})
}

// TestFeaturesForOldClients: before version 4 there is none that can be off.
func TestFeaturesForOldClients(t *testing.T) {
	features := []controller.Feature{{Name: "a", Min: 0, Max: 2}, {Name: "b", Min: 1, Max: 2}}
	for version, want := range map[int16]int{3: 1, 4: 2} {
		equal(t, fmt.Sprint("version ", version), len(supportedFeatures(features, version)), want)
	}
}
