package group

import (
	"slices"
	"time"
)

// snapshot is what the store holds of a group beside its offsets: enough to go on in state Empty or, if there are
// members, Stable. It is immutable. The protocols of a member are kept whole (Kafka keeps the chosen one's metadata), so
// that after a restart a member that joins again with what it had is recognized.
type snapshot struct {
	generation   int32
	since        time.Time // of the state; ms
	protocolType string
	protocol     string
	leader       string
	members      []memberRecord
}

type memberRecord struct {
	id                   string
	instanceID           *string
	clientID, clientHost string
	rebalanceMs          int32
	sessionMs            int32
	protocols            []Protocol
	assignment           []byte
}

func (g *machine) snapshot() *snapshot {
	s := &snapshot{generation: g.generation, since: g.since, protocolType: g.protocolType, protocol: g.protocol, leader: g.leader,
		members: make([]memberRecord, len(g.members))}
	for i, m := range g.members {
		s.members[i] = memberRecord{m.id, m.instanceID, m.clientID, m.clientHost, m.rebalanceMs, m.sessionMs, m.protocols, m.assignment}
	}
	return s
}

// restore makes a machine of a snapshot. Members have a whole session from now on to be heard of, as after a move of
// Kafka's coordinator.
func restore(id string, cfg *Config, s *snapshot, now time.Time) *machine {
	g := newMachine(id, cfg, now)
	g.now = now
	g.since, g.generation, g.protocolType = s.since, s.generation, s.protocolType
	for _, r := range s.members {
		m := &member{id: r.id, instanceID: r.instanceID, clientID: r.clientID, clientHost: r.clientHost,
			rebalanceMs: r.rebalanceMs, sessionMs: r.sessionMs, protocols: r.protocols, assignment: r.assignment}
		if m.instanceID != nil && g.static[*m.instanceID] != "" {
			continue // our own store never holds two
		}
		g.add(m)
		g.restartSession(m)
	}
	if len(g.members) > 0 {
		g.state, g.previous, g.protocol = Stable, CompletingRebalance, s.protocol
		if g.byID[s.leader] != nil {
			g.leader = s.leader
		}
	}
	g.resubscribe()
	return g
}

// sameGeneration returns the members that were stored with the head's generation. A snapshot too large for one
// transaction is written in several, the head last; if that was cut short some members belong to a generation that no
// client has seen, and those have to join again.
func sameGeneration(generation int32, members []storedMember) []memberRecord {
	list := make([]memberRecord, 0, len(members))
	for _, m := range members {
		if m.generation == generation {
			list = append(list, m.memberRecord)
		}
	}
	return slices.Clip(list)
}
