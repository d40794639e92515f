package api

import (
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
)

// reach is what a client can reach of a partition: it knows the brokers by the
// listener that its request came in by.
type reach struct {
	leader  int32   // -1: none
	offline []int32 // replicas that cannot be reached, in the partition's order
	err     error   // why there is no leader: LEADER_NOT_AVAILABLE or LISTENER_NOT_FOUND
}

// reachOf answers what the sender of r can reach of a partition. A broker counts
// if it is not fenced and has the listener; this one, besides, only if the
// partition's log could be opened.
func reachOf(d *Deps, r *Request, image *controller.Image, t *controller.Topic, partition int) reach {
	state := t.Partitions[partition]
	at := reach{leader: state.Leader}
	for _, id := range state.Replicas {
		if !reachable(d, r, image, id) {
			at.offline = append(at.offline, id)
		} else if id == d.NodeID {
			if _, err := d.Partitions.Get(t.Name, int32(partition)); err != nil {
				at.offline = append(at.offline, id)
			}
		}
	}
	if state.Leader >= 0 && !slices.Contains(at.offline, state.Leader) {
		return at
	}
	at.leader, at.err = -1, kerr.LeaderNotAvailable
	if b, ok := image.Broker(state.Leader); ok && !b.Fenced && !reachable(d, r, image, state.Leader) {
		at.err = kerr.ListenerNotFound
	}
	return at
}

func reachable(d *Deps, r *Request, image *controller.Image, id int32) bool {
	b, ok := image.Broker(id)
	if !ok || b.Fenced {
		return false
	}
	_, ok = endpoint(d, r, b)
	return ok
}
