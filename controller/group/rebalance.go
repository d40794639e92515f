package group

import (
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

func (g *machine) rebalanceOrComplete() {
	if PreparingRebalance.follows(g.state) {
		g.prepareRebalance()
	} else {
		g.completeUnlessInitial()
	}
}

// completeUnlessInitial ends the join phase if everybody is there; that of an Empty group's first rebalance lasts as
// long as the initial delay says.
func (g *machine) completeUnlessInitial() {
	if g.previous != Empty {
		g.completeIfAllJoined()
	}
}

func (g *machine) completeIfAllJoined() {
	if g.state == PreparingRebalance && g.allJoined() {
		g.completeJoin()
	}
}

// prepareRebalance opens the join phase.
func (g *machine) prepareRebalance() {
	if g.state == CompletingRebalance {
		for _, m := range g.members {
			m.assignment = nil
			if g.answerSync(m, SyncResponse{Err: kerr.RebalanceInProgress}) {
				g.restartSession(m)
			}
		}
	}
	g.syncTimer = time.Time{}
	clear(g.pendingSync)
	initial := g.state == Empty
	g.transition(PreparingRebalance)
	switch {
	case initial:
		delay := time.Duration(g.cfg.InitialRebalanceDelayMs) * time.Millisecond
		g.addedSince = false
		g.joinTimer = joinTimer{at: g.alarm(g.now.Add(delay)), initial: true, delay: delay, remaining: max(g.rebalanceTimeout()-delay, 0)}
	case g.allJoined():
		g.completeJoin()
	default:
		g.joinTimer = joinTimer{at: g.alarm(g.now.Add(g.rebalanceTimeout()))}
	}
}

func (g *machine) onJoinTimer() {
	t := g.joinTimer
	if !t.initial || !g.addedSince || t.remaining == 0 {
		g.completeJoin()
		return
	}
	g.addedSince = false
	initial := time.Duration(g.cfg.InitialRebalanceDelayMs) * time.Millisecond
	next := min(initial, t.remaining)
	g.joinTimer = joinTimer{at: g.alarm(g.now.Add(next)), initial: true, delay: next, remaining: max(t.remaining-t.delay, 0)}
}

// completeJoin closes the join phase: who has not come is out, unless it is static, and a generation begins.
func (g *machine) completeJoin() {
	g.joinTimer = joinTimer{}
	var absent []*member
	for _, m := range g.members {
		if m.join == nil && m.instanceID == nil {
			absent = append(absent, m)
		}
	}
	for _, m := range absent {
		g.remove(m)
	}
	if len(g.members) > 0 && !g.electJoined() {
		// Only static members are left and none has come: their sessions decide. The floor keeps a client that
		// names no time-out from having us look without end.
		g.joinTimer = joinTimer{at: g.alarm(g.now.Add(max(g.rebalanceTimeout(), time.Second)))}
		return
	}
	g.generation++
	clear(g.pendingSync)
	if len(g.members) == 0 {
		g.protocol, g.leader = "", ""
		g.members, g.byID, g.static, g.supported, g.pendingSync = nil, nil, nil, nil, nil // there can be many such groups
		g.transition(Empty)
		g.resubscribe()
		g.persist()
		return
	}
	g.protocol = g.choose()
	g.transition(CompletingRebalance)
	g.resubscribe()
	if g.pendingSync == nil {
		g.pendingSync = make(map[string]struct{}, len(g.members))
	}
	for _, m := range g.members {
		g.answerJoin(m, g.joined(m, g.leader == m.id))
		g.restartSession(m)
		m.isNew = false
		g.pendingSync[m.id] = struct{}{}
	}
	g.syncTimer = g.alarm(g.now.Add(g.rebalanceTimeout()))
}

// electJoined makes a member that has come the leader, if the leader has not.
func (g *machine) electJoined() bool {
	if l := g.byID[g.leader]; l != nil && l.join != nil {
		return true
	}
	for _, m := range g.members {
		if m.join != nil {
			g.leader = m.id
			return true
		}
	}
	return false
}

// choose lets each member vote for the first of its protocols that all support. Among equals the oldest member's
// preference decides.
func (g *machine) choose() string {
	if len(g.members) == 0 {
		return ""
	}
	common := func(name string) bool { return g.supported[name] == len(g.members) }
	votes := make(map[string]int)
	for _, m := range g.members {
		votes[m.vote(common)]++
	}
	best, most := "", 0
	for _, p := range g.members[0].protocols {
		if votes[p.Name] > most {
			best, most = p.Name, votes[p.Name]
		}
	}
	return best
}

// resubscribe finds out which topics the members read.
func (g *machine) resubscribe() {
	g.topics, g.topicsKnown = nil, false
	if g.protocolType != consumerProtocolType {
		return
	}
	topics := make(map[string]struct{})
	for _, m := range g.members {
		list, err := subscribedTopics(m.metadata(g.protocol))
		if err != nil {
			return
		}
		for _, t := range list {
			topics[t] = struct{}{}
		}
	}
	g.topics, g.topicsKnown = topics, true
}

func (g *machine) onSync(ev syncEvent) {
	r := ev.req
	if err := g.checkSync(r); err != nil {
		g.reply(ev.to, SyncResponse{Err: err})
		return
	}
	m := g.byID[r.MemberID]
	if g.state == PreparingRebalance {
		g.reply(ev.to, SyncResponse{Err: kerr.RebalanceInProgress})
		return
	}
	delete(g.pendingSync, m.id)
	if len(g.pendingSync) == 0 {
		g.syncTimer = time.Time{}
	}
	if g.state == Stable {
		g.reply(ev.to, g.synced(m))
		return
	}
	g.answerSync(m, SyncResponse{Err: kerr.RebalanceInProgress}) // this one takes its place
	m.sync = ev.to
	if m.id != g.leader {
		return
	}
	g.transition(Stable)
	for _, m := range g.members {
		m.assignment = r.Assignments[m.id]
	}
	g.persist()
	for _, m := range g.members {
		if g.answerSync(m, g.synced(m)) {
			g.restartSession(m)
		}
	}
}

// onRefused has the members join again, perhaps with less, if what could not be stored is their assignment.
func (g *machine) onRefused() {
	if g.state == Stable {
		for _, m := range g.members {
			m.assignment = nil
		}
		g.prepareRebalance()
	}
}

func (g *machine) checkSync(r *SyncRequest) error {
	if g.state == Dead {
		return kerr.CoordinatorNotAvailable
	}
	if err := g.validate(r.MemberID, r.InstanceID); err != nil {
		return err
	}
	switch {
	case r.Generation != g.generation:
		return kerr.IllegalGeneration
	case r.ProtocolType != nil && *r.ProtocolType != g.protocolType,
		r.Protocol != nil && *r.Protocol != g.protocol:
		return kerr.InconsistentGroupProtocol
	}
	return nil
}

func (g *machine) synced(m *member) SyncResponse {
	return SyncResponse{ProtocolType: new(g.protocolType), Protocol: new(g.protocol), Assignment: m.assignment}
}

// onSyncTimer removes the members that took part in the rebalance but never sent SyncGroup.
func (g *machine) onSyncTimer() {
	g.syncTimer = time.Time{}
	if g.state != CompletingRebalance && g.state != Stable || len(g.pendingSync) == 0 {
		return
	}
	var absent []*member
	for _, m := range g.members {
		if _, ok := g.pendingSync[m.id]; ok {
			absent = append(absent, m)
		}
	}
	for _, m := range absent {
		g.remove(m)
	}
	g.prepareRebalance()
}

func (g *machine) onLeave(ev leaveEvent) {
	if g.state == Dead {
		g.reply(ev.to, LeaveResponse{Err: kerr.CoordinatorNotAvailable})
		return
	}
	list := make([]LeftMember, len(ev.req.Members))
	left := false
	for i, l := range ev.req.Members {
		err := g.leave(l)
		list[i] = LeftMember{l.MemberID, l.InstanceID, err}
		left = left || err == nil
	}
	g.reply(ev.to, LeaveResponse{Members: list})
	if !left {
		return
	}
	switch g.state {
	case Stable, CompletingRebalance:
		g.prepareRebalance()
	case PreparingRebalance:
		g.completeUnlessInitial()
	}
}

func (g *machine) leave(l LeavingMember) error {
	id := l.MemberID
	if id == "" {
		// An administrator removes a static member.
		var ok bool
		if l.InstanceID != nil {
			id, ok = g.static[*l.InstanceID]
		}
		if !ok {
			return kerr.UnknownMemberID
		}
	} else if _, ok := g.pending[id]; ok {
		g.removePending(id)
		return nil
	} else if err := g.validate(id, l.InstanceID); err != nil {
		return err
	}
	g.remove(g.byID[id])
	return nil
}
