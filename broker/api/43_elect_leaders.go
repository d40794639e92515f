package api

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/controller"
)

// ElectLeaders, key 43, versions 0 to 2: KIP-183, KIP-460 (unclean elections,
// version 1). Null topics ask for all; then every topic is in the answer, with
// those of its partitions for which something could or should have been done.

// Election types.
const (
	preferredElection = 0
	uncleanElection   = 1
)

func electLeaders(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.ElectLeadersRequest)
	out := in.ResponseKind().(*kmsg.ElectLeadersResponse)
	asked := in.Topics
	if asked == nil {
		for t := range d.Controller.Image().Topics() {
			o := kmsg.NewElectLeadersRequestTopic()
			o.Topic = t.Name
			for n := range t.Partitions {
				o.Partitions = append(o.Partitions, int32(n))
			}
			asked = append(asked, o)
		}
	} else if len(asked) == 0 {
		return answer(out)
	}
	var partitions []controller.TopicPartition
	room := d.answerRoom()
	for _, t := range asked {
		if !room.take(len(t.Partitions) * refusalSize) {
			return tooMuchAsked(r)
		}
		for _, n := range t.Partitions {
			partitions = append(partitions, controller.TopicPartition{Topic: t.Topic, Partition: n})
		}
	}
	var errs []error
	err := withinTimeout(ctx, in.TimeoutMillis, func(ctx context.Context) {
		errs = elect(ctx, d, electionType(in), partitions)
	})
	if err == nil && electionType(in) != preferredElection && electionType(in) != uncleanElection {
		err = refusal(kerr.InvalidRequest, "Unknown election type %d", electionType(in))
	}
	if err != nil {
		out.ErrorCode = code(err)
		if in.Topics == nil {
			return answer(out)
		}
		errs = slices.Repeat([]error{err}, len(partitions))
	}
	for _, t := range asked {
		o := kmsg.NewElectLeadersResponseTopic()
		o.Topic = t.Topic
		for _, n := range t.Partitions {
			err := errs[0]
			errs = errs[1:]
			if in.Topics == nil && errors.Is(err, kerr.ElectionNotNeeded) {
				continue
			}
			p := kmsg.NewElectLeadersResponseTopicPartition()
			p.Partition, p.ErrorCode, p.ErrorMessage = n, code(err), message(err)
			o.Partitions = append(o.Partitions, p)
		}
		out.Topics = append(out.Topics, o)
	}
	return answer(out)
}

// electionType: before version 1 there was one.
func electionType(in *kmsg.ElectLeadersRequest) int8 {
	if in.Version == 0 {
		return preferredElection
	}
	return in.ElectionType
}

// elect holds the elections, and waits until the leaders that they gave serve.
func elect(ctx context.Context, d *Deps, kind int8, partitions []controller.TopicPartition) []error {
	var election controller.Election
	switch kind {
	case preferredElection:
		election = controller.ElectPreferred
	case uncleanElection:
		election = controller.ElectUnclean
	default:
		return nil
	}
	errs, revision := d.Controller.ElectLeaders(ctx, partitions, election)
	awaitServed(ctx, d, revision)
	return errs
}
