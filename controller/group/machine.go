package group

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// newMemberJoinTimeout bounds how long the first JoinGroup of a member is parked (Kafka's classicGroupNewMemberJoinTimeoutMs).
const newMemberJoinTimeout = 5 * time.Minute

// A ticket stands for a request that has to be answered. The machine only passes it on.
type ticket any

// An event is what happens to a group.
type event interface{ event() }

type (
	joinEvent struct {
		to    ticket
		req   *JoinRequest
		newID string // the id that a new member gets
	}
	syncEvent struct {
		to  ticket
		req *SyncRequest
	}
	heartbeatEvent struct {
		to  ticket
		req *HeartbeatRequest
	}
	leaveEvent struct {
		to  ticket
		req *LeaveRequest
	}
	// commitEvent asks whether offsets may be committed. The answer is an error or nil; the offsets themselves are
	// not the machine's business.
	commitEvent struct {
		to            ticket
		req           *CommitRequest
		transactional bool
	}
	// deleteEvent turns an Empty group Dead. The answer is an error or nil.
	deleteEvent struct{ to ticket }
	// refusedEvent tells that the latest persist cannot be stored, ever: it is too large.
	refusedEvent struct{}
	// tickEvent does what is due; see machine.wake.
	tickEvent struct{}
)

func (joinEvent) event()      {}
func (syncEvent) event()      {}
func (heartbeatEvent) event() {}
func (leaveEvent) event()     {}
func (commitEvent) event()    {}
func (deleteEvent) event()    {}
func (refusedEvent) event()   {}
func (tickEvent) event()      {}

// An effect is what a step wants from the outside, in order.
type effect interface{ effect() }

type (
	// reply answers a request: body is a JoinResponse, SyncResponse or LeaveResponse; for the others an error or nil.
	reply struct {
		to   ticket
		body any
	}
	// persist replaces what the store holds of the group. Replies after it (and, from the same step, before it) are
	// true only once it is stored.
	persist struct{ *snapshot }
)

func (reply) effect()   {}
func (persist) effect() {}

// machine is the state machine of one group: step is a function of the machine, an event and the time. It knows no
// clock, no store and no goroutine.
//
// Invariants:
//   - byID and static index members, which are in the order in which they joined. protocolType is that of all members.
//   - supported[p] counts the members that support p; some p counts all of them, unless there are none.
//   - parked counts the members with a join ticket; a sync ticket exists only in CompletingRebalance.
//   - In CompletingRebalance and Stable there are members, leader is one of them and protocol is supported by all.
//   - wake is not later than any deadline in the group.
type machine struct {
	id  string
	cfg *Config

	state, previous State
	since           time.Time // of the last transition
	generation      int32
	protocolType    string // "": a simple group, which only holds offsets
	protocol        string // "": none chosen
	leader          string // "": none
	members         []*member
	byID            map[string]*member
	static          map[string]string    // instance id to member id
	pending         map[string]time.Time // ids given out by MEMBER_ID_REQUIRED, and until when they may be used
	pendingSync     map[string]struct{}  // members of this generation that have not sent SyncGroup
	supported       map[string]int
	parked          int
	topics          map[string]struct{} // that the members subscribe to, if topicsKnown
	topicsKnown     bool

	joinTimer  joinTimer
	syncTimer  time.Time // zero: none
	addedSince bool      // a member was added since the initial delay was last extended

	wake    time.Time // step(tickEvent) has nothing to do before; zero: never
	now     time.Time // of this step
	effects []effect
}

// joinTimer ends the join phase.
type joinTimer struct {
	at               time.Time // zero: none
	initial          bool      // the first rebalance of an Empty group, which may be extended
	delay, remaining time.Duration
}

// newMachine returns an Empty group of generation 0.
func newMachine(id string, cfg *Config, now time.Time) *machine {
	return &machine{id: id, cfg: cfg, previous: Dead, since: now}
}

// step applies an event and returns what follows from it. The slice is valid until the next step.
func (g *machine) step(ev event, now time.Time) []effect {
	clear(g.effects)
	g.effects, g.now = g.effects[:0], now
	switch ev := ev.(type) {
	case joinEvent:
		g.onJoin(ev)
	case syncEvent:
		g.onSync(ev)
	case heartbeatEvent:
		g.reply(ev.to, errorBody(g.onHeartbeat(ev.req)))
	case leaveEvent:
		g.onLeave(ev)
	case commitEvent:
		g.reply(ev.to, errorBody(g.onCommit(ev.req, ev.transactional)))
	case deleteEvent:
		err := g.checkDelete()
		if err == nil {
			g.transition(Dead)
		}
		g.reply(ev.to, errorBody(err))
	case refusedEvent:
		g.onRefused()
	case tickEvent:
		g.onTick()
	}
	return g.effects
}

// errorBody keeps a nil error a nil error inside reply.body.
func errorBody(err error) any {
	if err == nil {
		return nil
	}
	return err
}

func (g *machine) reply(to ticket, body any) { g.effects = append(g.effects, reply{to, body}) }

func (g *machine) persist() { g.effects = append(g.effects, persist{g.snapshot()}) }

func (g *machine) transition(to State) {
	if !to.follows(g.state) {
		panic("group: " + g.state.String() + " to " + to.String())
	}
	g.previous, g.state, g.since = g.state, to, g.now
}

// alarm has the machine called again at t.
func (g *machine) alarm(t time.Time) time.Time {
	if g.wake.IsZero() || t.Before(g.wake) {
		g.wake = t
	}
	return t
}

func (g *machine) after(ms int32) time.Time {
	return g.alarm(g.now.Add(time.Duration(ms) * time.Millisecond))
}

func (g *machine) restartSession(m *member) { m.deadline = g.after(m.sessionMs) }

// validate checks a member's identity (KIP-345): an instance id belongs to the member that joined with it last.
func (g *machine) validate(memberID string, instanceID *string) error {
	if instanceID != nil {
		switch owner, ok := g.static[*instanceID]; {
		case !ok:
			return kerr.UnknownMemberID
		case owner != memberID:
			return kerr.FencedInstanceID
		}
	}
	if g.byID[memberID] == nil {
		return kerr.UnknownMemberID
	}
	return nil
}

func (g *machine) onHeartbeat(r *HeartbeatRequest) error {
	if g.state == Dead {
		return kerr.CoordinatorNotAvailable
	}
	if err := g.validate(r.MemberID, r.InstanceID); err != nil {
		return err
	}
	if r.Generation != g.generation {
		return kerr.IllegalGeneration
	}
	switch g.state {
	case Empty:
		return kerr.UnknownMemberID
	case PreparingRebalance:
		g.restartSession(g.byID[r.MemberID])
		return kerr.RebalanceInProgress
	default:
		g.restartSession(g.byID[r.MemberID])
		return nil
	}
}

// onCommit follows ClassicGroup.validateOffsetCommit. A commit is a sign of life. One in a transaction is not, it may come
// in any state, and, since its first versions name no member, without one.
func (g *machine) onCommit(r *CommitRequest, transactional bool) error {
	switch {
	case g.state == Dead:
		return kerr.CoordinatorNotAvailable
	case r.Generation < 0 && g.state == Empty:
		return nil
	case r.Generation >= 0 || r.MemberID != "" || r.InstanceID != nil:
		if err := g.validate(r.MemberID, r.InstanceID); err != nil {
			return err
		}
		if r.Generation != g.generation {
			return kerr.IllegalGeneration
		}
	case transactional:
		return nil
	case g.state != Empty:
		return kerr.UnknownMemberID
	}
	switch {
	case transactional:
		return nil
	case g.state == CompletingRebalance:
		return kerr.RebalanceInProgress
	}
	if m := g.byID[r.MemberID]; m != nil {
		g.restartSession(m)
	}
	return nil
}

func (g *machine) checkDelete() error {
	switch g.state {
	case Empty:
		return nil
	case Dead:
		return kerr.GroupIDNotFound
	default:
		return kerr.NonEmptyGroup
	}
}

// checkDeleteOffsets says whether offsets of topics that the group does not read may be deleted.
func (g *machine) checkDeleteOffsets() error {
	switch {
	case g.state == Dead:
		return kerr.GroupIDNotFound
	case g.state != Empty && g.protocolType != consumerProtocolType:
		return kerr.NonEmptyGroup
	}
	return nil
}

// expiry returns the time from which the retention of a commit made at committed counts; ok is false if it does not
// expire (ClassicGroup.offsetExpirationCondition).
func (g *machine) expiry(topic string, committed time.Time) (from time.Time, ok bool) {
	switch {
	case g.subscribed(topic):
		return time.Time{}, false
	case g.protocolType == "":
		return committed, true
	case g.state == Empty:
		return g.since, true
	case g.protocolType == consumerProtocolType && g.topicsKnown && g.state == Stable:
		return committed, true
	}
	return time.Time{}, false
}

// subscribed says whether the group reads a topic: of consumers whose subscription cannot be parsed that is assumed.
func (g *machine) subscribed(topic string) bool {
	if !g.topicsKnown {
		return g.protocolType == consumerProtocolType
	}
	_, ok := g.topics[topic]
	return ok
}

// onTick does what is due, in the order of its times, and finds out when to be called again.
func (g *machine) onTick() {
	for g.fireEarliest() {
	}
	g.wake = time.Time{}
	for _, at := range g.deadlines() {
		g.alarm(at)
	}
}

func (g *machine) deadlines() []time.Time {
	var list []time.Time
	add := func(t time.Time) {
		if !t.IsZero() {
			list = append(list, t)
		}
	}
	add(g.joinTimer.at)
	add(g.syncTimer)
	for _, m := range g.members {
		add(m.deadline)
	}
	for _, at := range g.pending {
		add(at)
	}
	return list
}

func (g *machine) fireEarliest() bool {
	due := g.now
	var fire func()
	consider := func(at time.Time, f func()) {
		if !at.IsZero() && (at.Before(due) || fire == nil && !at.After(due)) {
			due, fire = at, f
		}
	}
	consider(g.joinTimer.at, g.onJoinTimer)
	consider(g.syncTimer, g.onSyncTimer)
	for _, m := range g.members {
		consider(m.deadline, func() { g.onSessionExpired(m) })
	}
	var expired string
	for id, at := range g.pending {
		// Ties are broken by id: a map has no order, a machine must.
		if !at.After(due) && (fire == nil || at.Before(due) || expired != "" && id < expired) {
			expired = id
			due, fire = at, func() { g.removePending(id); g.completeIfAllJoined() }
		}
	}
	if fire == nil {
		return false
	}
	fire()
	return true
}

func (g *machine) onSessionExpired(m *member) {
	m.deadline = time.Time{}
	if !m.isNew && (m.join != nil || m.sync != nil) {
		return // it waits for us; the session starts again with the answer
	}
	g.remove(m)
	switch g.state {
	case Stable, CompletingRebalance:
		g.prepareRebalance()
	case PreparingRebalance:
		g.completeIfAllJoined()
	}
}

// add makes m a member. It is not one yet.
func (g *machine) add(m *member) {
	if g.byID == nil {
		g.byID = make(map[string]*member)
		g.supported = make(map[string]int)
	}
	if m.instanceID != nil {
		if g.static == nil {
			g.static = make(map[string]string)
		}
		g.static[*m.instanceID] = m.id
	}
	if g.leader == "" {
		g.leader = m.id
	}
	g.members = append(g.members, m)
	g.byID[m.id] = m
	g.support(m.protocols, 1)
	if m.join != nil {
		g.parked++
	}
	delete(g.pending, m.id)
}

func (g *machine) support(protocols []Protocol, by int) {
	for _, name := range names(protocols) {
		if g.supported[name] += by; g.supported[name] == 0 {
			delete(g.supported, name)
		}
	}
}

// remove takes a member out of the group and tells its parked requests that it is unknown: a client that still lives
// joins again. (Kafka leaves a parked SyncGroup of a removed member without an answer.)
func (g *machine) remove(m *member) {
	g.answerJoin(m, JoinResponse{Err: kerr.UnknownMemberID, Generation: -1})
	g.answerSync(m, SyncResponse{Err: kerr.UnknownMemberID})
	g.members = slices.DeleteFunc(g.members, func(o *member) bool { return o == m })
	delete(g.byID, m.id)
	delete(g.pendingSync, m.id)
	g.support(m.protocols, -1)
	if m.instanceID != nil {
		delete(g.static, *m.instanceID)
	}
	if g.leader == m.id {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].id
		}
	}
}

func (g *machine) removePending(id string) { delete(g.pending, id) }

// answerJoin answers the parked JoinGroup of m, if there is one.
func (g *machine) answerJoin(m *member, r JoinResponse) {
	if m.join != nil {
		g.reply(m.join, r)
		m.join = nil
		g.parked--
	}
}

// answerSync answers the parked SyncGroup of m, if there is one.
func (g *machine) answerSync(m *member, r SyncResponse) bool {
	if m.sync == nil {
		return false
	}
	g.reply(m.sync, r)
	m.sync = nil
	return true
}

// abandon answers all parked requests with an error; the machine is thrown away afterwards.
func (g *machine) abandon(err error) []effect {
	clear(g.effects)
	g.effects = g.effects[:0]
	for _, m := range g.members {
		g.answerJoin(m, JoinResponse{Err: err, Generation: -1, MemberID: m.id})
		g.answerSync(m, SyncResponse{Err: err})
	}
	return g.effects
}

func (g *machine) rebalanceTimeout() time.Duration {
	var ms int32
	for _, m := range g.members {
		ms = max(ms, m.rebalanceMs)
	}
	return time.Duration(ms) * time.Millisecond
}

func (g *machine) allJoined() bool { return g.parked == len(g.members) && len(g.pending) == 0 }
