package controller

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
)

// placeReplicas chooses brokers for new partitions; the first of each list is the preferred leader. It follows Kafka's
// StripedReplicaPlacer: racks take turns, and within a rack brokers do, each partition beginning one further than the
// last; a random start keeps many small topics from all beginning at the same broker. Fenced brokers serve only when
// a rack has no other left, and never as the leader. After as many partitions as there are brokers to lead, order is
// drawn anew, so that the pattern does not repeat.
//
// draw returns a number in [0, n).
func placeReplicas(brokers []Broker, partitions int, replicas int16, draw func(n int) int) ([][]int32, error) {
	active := 0
	for _, b := range brokers {
		if !b.Fenced {
			active++
		}
	}
	switch {
	case replicas <= 0:
		return nil, refuse(kerr.InvalidReplicationFactor,
			"Invalid replication factor %d: the replication factor must be positive.", replicas)
	case active == 0:
		return nil, refuse(kerr.InvalidReplicationFactor, "All brokers are currently fenced.")
	case int(replicas) > len(brokers):
		return nil, refuse(kerr.InvalidReplicationFactor, "The target replication factor of %d cannot be reached "+
			"because only %d broker(s) are registered or some brokers have all their log directories cordoned.", replicas, len(brokers))
	}
	p := newPlacer(brokers, draw)
	placed := make([][]int32, partitions)
	for i := range placed {
		if p.round == active && active > 1 {
			p.shuffle()
		}
		placed[i] = p.place(int(replicas))
	}
	return placed, nil
}

type placer struct {
	racks []*rackBrokers
	first int // rack that has the next partition's first turn
	round int // partitions since the last shuffle
	draw  func(int) int
}

type rackBrokers struct {
	name           string
	active, fenced turns
}

// turns hands out the brokers of a list in turn, each once a round, beginning one further in each round.
type turns struct {
	brokers []int32
	start   int
	given   int // in this round
	round   int
}

func (t *turns) next(round int) (int32, bool) {
	if len(t.brokers) == 0 {
		return 0, false
	}
	if t.round != round {
		t.round, t.given, t.start = round, 0, (t.start+1)%len(t.brokers)
	}
	if t.given == len(t.brokers) {
		return 0, false
	}
	b := t.brokers[(t.start+t.given)%len(t.brokers)]
	t.given++
	return b, true
}

func newPlacer(brokers []Broker, draw func(int) int) *placer {
	p := &placer{draw: draw}
	for _, b := range brokers { // ascending ids
		i, found := slices.BinarySearchFunc(p.racks, b.Rack, func(r *rackBrokers, name string) int {
			return strings.Compare(r.name, name)
		})
		if !found {
			p.racks = slices.Insert(p.racks, i, &rackBrokers{name: b.Rack})
		}
		list := &p.racks[i].active
		if b.Fenced {
			list = &p.racks[i].fenced
		}
		list.brokers = append(list.brokers, b.ID)
	}
	for _, r := range p.racks {
		for _, t := range []*turns{&r.active, &r.fenced} {
			if len(t.brokers) > 0 {
				t.start = draw(len(t.brokers))
			}
		}
	}
	p.first = draw(len(p.racks))
	return p
}

func (p *placer) shuffle() {
	swap := func(s []int32) func(i, j int) { return func(i, j int) { s[i], s[j] = s[j], s[i] } }
	p.permute(len(p.racks), func(i, j int) { p.racks[i], p.racks[j] = p.racks[j], p.racks[i] })
	for _, r := range p.racks {
		p.permute(len(r.active.brokers), swap(r.active.brokers))
		p.permute(len(r.fenced.brokers), swap(r.fenced.brokers))
	}
	p.round = 0
}

func (p *placer) permute(n int, swap func(i, j int)) {
	for i := n - 1; i > 0; i-- {
		swap(i, p.draw(i+1))
	}
}

// place chooses the replicas of one partition. There are enough brokers, and one at least is not fenced.
func (p *placer) place(replicas int) []int32 {
	chosen := make([]int32, 0, replicas)
	leaderRack := p.first % len(p.racks)
	for {
		if b, ok := p.racks[leaderRack].active.next(p.round); ok {
			chosen = append(chosen, b)
			break
		}
		leaderRack = (leaderRack + 1) % len(p.racks)
	}
	// The other racks, then all of them over again; the leader's rack has had its first turn.
	skip := leaderRack
	for rack := p.first % len(p.racks); len(chosen) < replicas; rack = (rack + 1) % len(p.racks) {
		if rack == skip {
			skip = -1
			continue
		}
		r := p.racks[rack]
		b, ok := r.active.next(p.round)
		if !ok {
			b, ok = r.fenced.next(p.round)
		}
		if ok {
			chosen = append(chosen, b)
		}
	}
	p.round++
	p.first = (p.first + 1) % len(p.racks)
	return chosen
}
