package api

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// UpdateFeatures, key 57, versions 0 to 2: KIP-584, KIP-778 (upgrade types and
// validation only, version 1), KIP-1022 (no results, version 2). All or nothing.

func updateFeatures(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.UpdateFeaturesRequest)
	out := in.ResponseKind().(*kmsg.UpdateFeaturesResponse)
	updates := make([]controller.FeatureUpdate, len(in.FeatureUpdates))
	for i, f := range in.FeatureUpdates {
		updates[i] = controller.FeatureUpdate{Name: f.Feature, Level: f.MaxVersionLevel, Type: upgradeType(r.Version, f)}
	}
	ctx, cancel := withoutTimeout(ctx, d)
	defer cancel()
	revision, err := d.Controller.UpdateFeatures(ctx, updates, r.Version >= 1 && in.ValidateOnly)
	if err != nil {
		out.ErrorCode, out.ErrorMessage = code(err), message(err)
		if errors.Is(err, kerr.InvalidUpdateVersion) {
			out.ErrorMessage = kmsg.StringPtr("The update failed for all features since the following feature had an error: " + *out.ErrorMessage)
		}
		return answer(out)
	}
	awaitServed(ctx, d, revision)
	if r.Version < 2 {
		for _, u := range updates {
			o := kmsg.NewUpdateFeaturesResponseResult()
			o.Feature, o.ErrorMessage = u.Name, kmsg.StringPtr("NONE")
			out.Results = append(out.Results, o)
		}
	}
	return answer(out)
}

// upgradeType: version 0 has AllowDowngrade instead, which Kafka's controller does
// not look at.
func upgradeType(version int16, f kmsg.UpdateFeaturesRequestFeatureUpdate) controller.UpgradeType {
	if version == 0 {
		return controller.Upgrade
	}
	return controller.UpgradeType(f.UpgradeType)
}

// withoutTimeout bounds a control operation whose request has no time-out, or one
// that Kafka ignores.
func withoutTimeout(ctx context.Context, d *Deps) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Duration(d.Config.Int("request.timeout.ms"))*time.Millisecond)
}
