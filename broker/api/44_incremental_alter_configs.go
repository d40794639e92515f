package api

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// IncrementalAlterConfigs, key 44, versions 0 and 1: KIP-339, KIP-412 (broker
// loggers).
//
// Deviations: an operation that does not exist is INVALID_REQUEST for topics too,
// where Kafka fails with UNKNOWN_SERVER_ERROR. Listeners cannot change while the
// broker runs, nor can its log level. Groups and client metrics keep their
// defaults: to change them is refused.

func incrementalAlterConfigs(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.IncrementalAlterConfigsRequest)
	out := in.ResponseKind().(*kmsg.IncrementalAlterConfigsResponse)
	changes := make([]alteration, len(in.Resources))
	for i, res := range in.Resources {
		changes[i] = alteration{kind: int8(res.ResourceType), loggers: true, ConfigChange: controller.ConfigChange{
			Resource: controller.ConfigResource{Type: controller.ResourceType(res.ResourceType), Name: res.ResourceName},
		}}
		for _, c := range res.Configs {
			changes[i].Ops = append(changes[i].Ops, configOp(controller.ConfigOpKind(c.Op), c.Name, c.Value))
		}
	}
	errs := alter(ctx, d, changes, in.ValidateOnly)
	for i, res := range in.Resources {
		o := kmsg.NewIncrementalAlterConfigsResponseResource()
		o.ResourceType, o.ResourceName = res.ResourceType, res.ResourceName
		o.ErrorCode, o.ErrorMessage = code(errs[i]), message(errs[i])
		out.Resources = append(out.Resources, o)
	}
	return answer(out)
}

// alteration is a change of one resource's configuration, of any kind.
type alteration struct {
	controller.ConfigChange
	kind    int8
	loggers bool // whether the request may speak of broker loggers
}

func configOp(kind controller.ConfigOpKind, key string, value *string) controller.ConfigOp {
	op := controller.ConfigOp{Kind: kind, Key: key, Null: value == nil}
	if value != nil {
		op.Value = *value
	}
	return op
}

// alter answers an error, or nil, for each change, each decided by itself. When it
// returns, the partitions here work by the new configuration.
func alter(ctx context.Context, d *Deps, changes []alteration, validateOnly bool) []error {
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
		case c.kind == resourceBrokerLogger && c.loggers:
			errs[i] = alterLoggers(d, c.ConfigChange)
		case c.kind == resourceClientMetrics:
			errs[i] = invalidRequest("Client metrics subscriptions are not supported yet.")
		case c.kind == resourceGroup:
			errs[i] = invalidRequest("Configurations of single groups are not supported yet.")
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

// alterLoggers says why the loggers cannot be changed as asked, in the words of
// Kafka's RuntimeLoggerManager where it would refuse too.
func alterLoggers(d *Deps, c controller.ConfigChange) error {
	id, err := strconv.ParseInt(c.Resource.Name, 10, 32)
	if err != nil {
		return invalidRequest("Node id must be an integer, but it is: %s", c.Resource.Name)
	}
	if int32(id) != d.NodeID {
		return invalidRequest("Unexpected node id. Expected %d, but received %s", d.NodeID, c.Resource.Name)
	}
	levels := []string{"DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"}
	for _, op := range c.Ops {
		switch op.Kind {
		case controller.ConfigSet, controller.ConfigDelete:
			if op.Kind == controller.ConfigSet && !slices.Contains(levels, op.Value) {
				return invalidConfig("Cannot set the log level of " + op.Key + " to " + op.Value +
					" as it is not a supported log level. Valid log levels are " + strings.Join(levels, ", "))
			}
			if op.Key != rootLogger {
				return invalidConfig("Logger " + op.Key + " does not exist!")
			}
			if op.Kind == controller.ConfigDelete {
				return invalidRequest("Removing the log level of the %s logger is not allowed", rootLogger)
			}
			return invalidRequest("The log level cannot change while this broker runs.")
		case controller.ConfigAppend, controller.ConfigSubtract:
			return invalidRequest("%s operation is not allowed for the BROKER_LOGGER resource", op.Kind)
		default:
			return invalidRequest("Unknown operation type %d is not allowed for the BROKER_LOGGER resource", op.Kind)
		}
	}
	return nil
}

func invalidConfig(text string) error {
	return &controller.Error{Code: kerr.InvalidConfig, Message: text}
}
