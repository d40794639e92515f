package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// alteration is a change of one resource's configuration, of any kind.
type alteration struct {
	controller.ConfigChange
	loggers bool // whether the request may speak of broker loggers
}

func alterationOf(kind kmsg.ConfigResourceType, name string) alteration {
	return alteration{ConfigChange: controller.ConfigChange{
		Resource: controller.ConfigResource{Type: controller.ResourceType(kind), Name: name},
	}}
}

func configOp(kind controller.ConfigOpKind, key string, value *string) controller.ConfigOp {
	op := controller.ConfigOp{Kind: kind, Key: key, Null: value == nil}
	if value != nil {
		op.Value = *value
	}
	return op
}

// alter answers what became of each change, each decided by itself. When it
// returns, the partitions here work by the new configuration. AlterConfigs and
// IncrementalAlterConfigs answer the same.
func alter(ctx context.Context, d *Deps, changes []alteration, validateOnly bool) []kmsg.IncrementalAlterConfigsResponseResource {
	errs := decideAlterations(ctx, d, changes, validateOnly)
	out := make([]kmsg.IncrementalAlterConfigsResponseResource, len(changes))
	for i, c := range changes {
		out[i] = kmsg.NewIncrementalAlterConfigsResponseResource()
		out[i].ResourceType, out[i].ResourceName = kmsg.ConfigResourceType(c.Resource.Type), c.Resource.Name
		out[i].ErrorCode, out[i].ErrorMessage = code(errs[i]), message(errs[i])
		if errs[i] != nil || validateOnly {
			continue
		}
		for _, op := range c.Ops {
			if op.Kind != controller.ConfigDelete {
				tellIfIdle(d, c.Resource, op.Key, op.Value)
			}
		}
	}
	return out
}

func decideAlterations(ctx context.Context, d *Deps, changes []alteration, validateOnly bool) []error {
	errs := make([]error, len(changes))
	count := map[controller.ConfigResource]int{}
	for _, c := range changes {
		count[c.Resource]++
	}
	var forController []controller.ConfigChange
	var at []int
	for i, c := range changes {
		switch {
		case count[c.Resource] > 1:
			errs[i] = invalidRequest("Each resource must appear at most once.")
		case c.Resource.Type == resourceBrokerLogger && c.loggers:
			errs[i] = alterLoggers(d, c.ConfigChange, validateOnly)
		default:
			forController, at = append(forController, c.ConfigChange), append(at, i)
		}
	}
	if len(forController) == 0 {
		return errs
	}
	// The request says nothing of time.
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.Config.Int("request.timeout.ms"))*time.Millisecond)
	defer cancel()
	decided, revision := d.Controller.AlterConfigs(ctx, forController, validateOnly)
	for j, i := range at {
		errs[i] = decided[j]
	}
	if !validateOnly {
		awaitServed(ctx, d, revision)
	}
	return errs
}

// tellIfIdle logs that a key which was just set does nothing here, if so it is; as
// is done for properties when the broker starts.
func tellIfIdle(d *Deps, r controller.ConfigResource, key, value string) {
	if why := withoutEffect(r.Type, key, value); why != "" {
		d.Logger.Warn(why, "key", key, "resource", resourceTypeName(r.Type), "name", r.Name)
	}
}
