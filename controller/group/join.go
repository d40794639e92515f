package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

func (g *machine) refuseJoin(to ticket, memberID string, err error) {
	g.reply(to, JoinResponse{Err: err, Generation: -1, MemberID: memberID})
}

func (g *machine) onJoin(ev joinEvent) {
	r := ev.req
	switch {
	case !g.accepts(r.MemberID):
		if m := g.byID[r.MemberID]; m != nil {
			g.remove(m)
		}
		g.removePending(r.MemberID)
		g.refuseJoin(ev.to, "", kerr.GroupMaxSizeReached)
	case g.state == Dead:
		g.refuseJoin(ev.to, r.MemberID, kerr.CoordinatorNotAvailable)
	case !g.supports(r.ProtocolType, r.Protocols):
		g.refuseJoin(ev.to, r.MemberID, kerr.InconsistentGroupProtocol)
	case r.MemberID == "":
		g.joinNew(ev)
	default:
		g.joinExisting(ev)
	}
}

// accepts holds the group within group.max.size. While members gather it is those who have come that count, so that the
// last of a group that is too large are turned away.
func (g *machine) accepts(memberID string) bool {
	m := g.byID[memberID]
	switch g.state {
	case PreparingRebalance:
		return m != nil && m.join != nil || g.parked < g.cfg.MaxSize
	case CompletingRebalance, Stable:
		return m != nil || len(g.members) < g.cfg.MaxSize
	default:
		return true
	}
}

// supports says whether a member with these protocols can join the others.
func (g *machine) supports(protocolType string, protocols []Protocol) bool {
	if g.state == Empty {
		return protocolType != "" && len(protocols) > 0
	}
	if protocolType != g.protocolType {
		return false
	}
	for _, p := range protocols {
		if g.supported[p.Name] == len(g.members) {
			return true
		}
	}
	return false
}

func (g *machine) joinNew(ev joinEvent) {
	r := ev.req
	if r.InstanceID != nil {
		if old, ok := g.static[*r.InstanceID]; ok {
			g.replaceStatic(ev, g.byID[old])
			return
		}
	} else if r.RequireKnownMemberID {
		if g.pending == nil {
			g.pending = make(map[string]time.Time)
		}
		g.pending[ev.newID] = g.after(r.SessionTimeoutMs)
		g.refuseJoin(ev.to, ev.newID, kerr.MemberIDRequired)
		return
	}
	g.addMember(ev, ev.newID)
}

func (g *machine) addMember(ev joinEvent, id string) {
	r := ev.req
	if g.state == PreparingRebalance && g.previous == Empty {
		g.addedSince = true
	}
	if len(g.members) == 0 {
		g.protocolType = r.ProtocolType
	}
	g.add(&member{
		id: id, instanceID: r.InstanceID, clientID: r.ClientID, clientHost: r.ClientHost,
		rebalanceMs: r.RebalanceTimeoutMs, sessionMs: r.SessionTimeoutMs, protocols: r.Protocols,
		join: ev.to, isNew: true, deadline: g.alarm(g.now.Add(newMemberJoinTimeout)),
	})
	g.rebalanceOrComplete()
}

func (g *machine) joinExisting(ev joinEvent) {
	r := ev.req
	if _, ok := g.pending[r.MemberID]; ok {
		if r.InstanceID != nil { // Kafka: an IllegalStateException; ids of static members are never pending
			g.refuseJoin(ev.to, "", kerr.UnknownServerError)
			return
		}
		g.addMember(ev, r.MemberID)
		return
	}
	if err := g.validate(r.MemberID, r.InstanceID); err != nil {
		g.refuseJoin(ev.to, r.MemberID, err)
		return
	}
	m := g.byID[r.MemberID]
	same := m.matches(r.Protocols)
	switch {
	case g.state == CompletingRebalance && same:
		// It may have missed the answer to its JoinGroup.
		g.reply(ev.to, g.joined(m, g.leader == m.id))
	case g.state == Stable && same && g.leader != m.id:
		g.reply(ev.to, g.joined(m, false))
	default:
		// In Stable the leader may ask for a rebalance with unchanged metadata: a topic got more partitions.
		g.update(m, ev)
		g.rebalanceOrComplete()
	}
}

// joined is the answer to a member of the current generation.
func (g *machine) joined(m *member, withMembers bool) JoinResponse {
	r := JoinResponse{Generation: g.generation, ProtocolType: new(g.protocolType), Protocol: new(g.protocol), Leader: g.leader, MemberID: m.id}
	if withMembers {
		r.Members = make([]JoinedMember, len(g.members))
		for i, m := range g.members {
			r.Members[i] = JoinedMember{m.id, m.instanceID, m.metadata(g.protocol)}
		}
	}
	return r
}

// update takes over what a member says when it joins again, and parks the request.
func (g *machine) update(m *member, ev joinEvent) {
	g.answerJoin(m, JoinResponse{Err: kerr.RebalanceInProgress, Generation: -1, MemberID: m.id}) // this one takes its place
	g.support(m.protocols, -1)
	m.protocols = ev.req.Protocols
	g.support(m.protocols, 1)
	m.rebalanceMs, m.sessionMs = ev.req.RebalanceTimeoutMs, ev.req.SessionTimeoutMs
	m.join = ev.to
	g.parked++
}

// replaceStatic gives a static member that comes back without its id a new one, and fences the old (KIP-345). If the
// group is Stable and goes on with the same protocol there is no rebalance.
func (g *machine) replaceStatic(ev joinEvent, m *member) {
	oldLeader := g.leader
	g.answerJoin(m, JoinResponse{Err: kerr.FencedInstanceID, Generation: -1, MemberID: m.id})
	g.answerSync(m, SyncResponse{Err: kerr.FencedInstanceID})
	delete(g.byID, m.id)
	if _, ok := g.pendingSync[m.id]; ok {
		delete(g.pendingSync, m.id)
		g.pendingSync[ev.newID] = struct{}{}
	}
	if g.leader == m.id {
		g.leader = ev.newID
	}
	m.id = ev.newID
	g.byID[m.id] = m
	g.static[*m.instanceID] = m.id
	m.isNew = false
	g.restartSession(m)
	g.update(m, ev)

	switch {
	case g.state == Stable && g.choose() == g.protocol:
		g.persist()
		r := g.joined(m, ev.req.SupportsSkipAssignment && g.leader == m.id)
		if ev.req.SupportsSkipAssignment {
			r.SkipAssignment = g.leader == m.id
		} else {
			// Told the old leader's id it takes itself for a follower, and does not assign anew.
			r.Leader = oldLeader
		}
		g.answerJoin(m, r)
	case g.state == Stable || g.state == CompletingRebalance:
		// In CompletingRebalance the leader is assigning to the old id.
		g.prepareRebalance()
	default:
		g.completeUnlessInitial()
	}
}
