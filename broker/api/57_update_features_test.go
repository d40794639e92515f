package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestUpdateFeatures: which updates can be is tested with the controller.
func TestUpdateFeatures(t *testing.T) {
	f := newFixture(t)
	const failed = "e95 The update failed for all features since the following feature had an error: Invalid update version "
	for _, c := range []struct {
		updates []kmsg.UpdateFeaturesRequestFeatureUpdate
		want    string
		results []string // before version 2
		from    int16    // the first version that can say so
	}{
		{nil, "e0 null", nil, 0},
		{[]kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "metadata.version", MaxVersionLevel: 30, UpgradeType: 1}}, "e0 null", []string{"metadata.version e0 NONE"}, 0},
		{[]kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "metadata.version", MaxVersionLevel: 30, AllowDowngrade: true, UpgradeType: 2}}, "e0 null", []string{"metadata.version e0 NONE"}, 0},
		{[]kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "group.version", MaxVersionLevel: 1, UpgradeType: 1}}, failed + "1 for feature group.version. Local controller 1 does not support this feature.", nil, 0},
		{[]kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "metadata.version", MaxVersionLevel: 29, AllowDowngrade: true, UpgradeType: 3}}, failed + "29 for feature metadata.version. Local controller 1 only supports versions 30-30", nil, 0},
		{[]kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "foo", MaxVersionLevel: 1, UpgradeType: 4}}, failed + "1 for feature foo. The controller does not support the given upgrade type.", nil, 1},
	} {
		f.versions(kmsg.NewPtrUpdateFeaturesRequest(), func(v int16) {
			if v < c.from {
				return
			}
			for _, timeout := range []int32{1000, 0} { // which Kafka does not look at
				r := kmsg.NewPtrUpdateFeaturesRequest()
				r.Version, r.TimeoutMillis, r.FeatureUpdates = v, timeout, c.updates
				got := ask[*kmsg.UpdateFeaturesResponse](f, r)
				equal(t, fmt.Sprintf("version %d, %+v", v, c.updates), fmt.Sprintf("e%d %s", got.ErrorCode, text(got.ErrorMessage)), c.want)
				var results []string
				for _, o := range got.Results {
					results = append(results, fmt.Sprintf("%s e%d %s", o.Feature, o.ErrorCode, text(o.ErrorMessage)))
				}
				want := c.results
				if v >= 2 {
					want = nil
				}
				equal(t, "results", results, want)
			}
		})
	}
}

// TestTransactionVersion goes down and up: clients are told, and what is on.
func TestTransactionVersion(t *testing.T) {
	f := newFixture(t)
	v0 := kmsg.NewPtrUpdateFeaturesRequest()
	v0.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "transaction.version", MaxVersionLevel: 1, AllowDowngrade: true, UpgradeType: 1}}
	equal(t, "error of a downgrade by version 0", ask[*kmsg.UpdateFeaturesResponse](f, v0).ErrorCode, kerr.InvalidUpdateVersion.Code)
	for _, c := range []struct {
		level   int16
		upgrade int8
		want    string
	}{
		{1, 2, "0 1"}, {0, 2, "0 0"}, {1, 1, "0 1"}, {2, 1, "0 2"}, {0, 3, "0 0"}, {3, 1, "95 0"}, {2, 2, "95 0"}, {2, 1, "0 2"}, {1, 1, "95 2"},
	} {
		r := kmsg.NewPtrUpdateFeaturesRequest()
		r.Version, r.TimeoutMillis = 2, 1000
		r.FeatureUpdates = []kmsg.UpdateFeaturesRequestFeatureUpdate{{Feature: "transaction.version", MaxVersionLevel: c.level, UpgradeType: c.upgrade}}
		got := ask[*kmsg.UpdateFeaturesResponse](f, r)
		versions := kmsg.NewPtrApiVersionsRequest()
		versions.Version, versions.ClientSoftwareName, versions.ClientSoftwareVersion = 4, "test", "1"
		finalized := int16(0)
		for _, l := range ask[*kmsg.ApiVersionsResponse](f, versions).FinalizedFeatures {
			if l.Name == "transaction.version" {
				finalized = l.MaxVersionLevel
			}
		}
		equal(t, fmt.Sprintf("to %d, upgrade type %d", c.level, c.upgrade), fmt.Sprint(got.ErrorCode, finalized), c.want)
		equal(t, "level", f.Partitions.Image().FeatureLevel("transaction.version"), finalized)
	}
}
