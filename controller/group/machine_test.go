package group

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/integration/script"
)

// TestScripts replays testdata/scripts: under each event its effects and, last, the state that follows.
func TestScripts(t *testing.T) {
	script.Run(t, "testdata/scripts/*.txt", func(t *testing.T) func(string) string {
		p := newPlay(t)
		return func(command string) string {
			p.out.Reset()
			p.run(strings.Fields(command))
			return p.out.String()
		}
	})
}

// play runs the commands of one script on a machine and a clock of its own.
type play struct {
	t        *testing.T
	out      strings.Builder
	cfg      Config
	g        *machine
	start    time.Time
	now      time.Time
	stored   *snapshot
	answered map[string]bool
	ids      int
}

func newPlay(t *testing.T) *play {
	p := &play{t: t, cfg: testConfig(), start: time.Unix(1_000_000, 0), answered: make(map[string]bool)}
	p.now = p.start
	p.g = newMachine("g", &p.cfg, p.now)
	return p
}

// run executes one line: a command, then words or key=value.
func (p *play) run(words []string) {
	args := make(map[string]string)
	var plain []string
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			args[k] = v
		} else {
			plain = append(plain, w)
		}
	}
	number := func(key string, def int) int32 {
		v, ok := args[key]
		if !ok {
			return int32(def)
		}
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil {
			p.t.Fatalf("%v: %v", words, err)
		}
		return int32(n)
	}
	text := func(key string) *string {
		if v, ok := args[key]; ok {
			return &v
		}
		return nil
	}
	has := func(word string) bool { return slices.Contains(plain, word) }
	to := func() ticket {
		if len(plain) == 0 {
			p.t.Fatalf("%v: a name for the request is missing", words)
		}
		return plain[0]
	}
	switch words[0] {
	case "new":
		p.cfg, p.stored, p.ids = testConfig(), nil, 0
		clear(p.answered)
		p.cfg.MaxSize = int(number("max-size", 1<<30))
		p.cfg.InitialRebalanceDelayMs = number("delay", 0)
		p.g = newMachine("g", &p.cfg, p.now)
	case "join":
		r := &JoinRequest{Group: "g", MemberID: args["member"], InstanceID: text("instance"), ClientID: "client", ClientHost: "host",
			SessionTimeoutMs: number("session", 10_000), RebalanceTimeoutMs: number("rebalance", 60_000), ProtocolType: "consumer",
			RequireKnownMemberID: !has("v3"), SupportsSkipAssignment: has("skip")}
		if v, ok := args["type"]; ok {
			r.ProtocolType = v
		}
		protocols, ok := args["protocols"]
		if !ok {
			protocols = "range:t"
		}
		for p := range strings.SplitSeq(protocols, ";") {
			if name, topics, _ := strings.Cut(p, ":"); name != "" {
				r.Protocols = append(r.Protocols, Protocol{name, subscription(strings.Split(topics, ",")...)})
			}
		}
		p.ids++
		p.step(joinEvent{to(), r, fmt.Sprint("m", p.ids)})
	case "sync":
		r := &SyncRequest{Group: "g", MemberID: args["member"], InstanceID: text("instance"), Generation: number("gen", 1),
			ProtocolType: text("type"), Protocol: text("protocol")}
		if v, ok := args["assign"]; ok {
			r.Assignments = make(map[string][]byte)
			for a := range strings.SplitSeq(v, ";") {
				id, part, _ := strings.Cut(a, ":")
				r.Assignments[id] = []byte(part)
			}
		}
		p.step(syncEvent{to(), r})
	case "heartbeat":
		p.step(heartbeatEvent{"heartbeat", &HeartbeatRequest{Group: "g", MemberID: args["member"], InstanceID: text("instance"), Generation: number("gen", 1)}})
	case "leave":
		r := &LeaveRequest{Group: "g"}
		if args["instance"] != "" || args["member"] != "" {
			r.Members = append(r.Members, LeavingMember{MemberID: args["member"], InstanceID: text("instance")})
		}
		for _, id := range plain {
			r.Members = append(r.Members, LeavingMember{MemberID: id})
		}
		p.step(leaveEvent{"leave", r})
	case "commit":
		p.step(commitEvent{"commit", &CommitRequest{Group: "g", MemberID: args["member"], InstanceID: text("instance"), Generation: number("gen", 1)}, has("transactional")})
	case "delete":
		p.step(deleteEvent{"delete"})
	case "delete-offsets":
		fmt.Fprintf(&p.out, "%s, subscribed to %s: %v\n", describeError(p.g.checkDeleteOffsets()), args["topic"], p.g.subscribed(args["topic"]))
	case "expiry":
		at, ok := p.g.expiry(args["topic"], p.start)
		if !ok {
			fmt.Fprintf(&p.out, "never\n")
		} else {
			fmt.Fprintf(&p.out, "counts from +%v\n", at.Sub(p.start))
		}
	case "advance":
		d, err := time.ParseDuration(plain[0])
		if err != nil {
			p.t.Fatal(err)
		}
		end := p.now.Add(d)
		for n := 0; !p.g.wake.IsZero() && !p.g.wake.After(end); n++ {
			if n > 1000 {
				p.t.Fatal("ticks without end")
			}
			p.now = p.g.wake
			p.effects(tickEvent{})
		}
		p.now = end
		p.state()
	case "restart":
		if p.stored == nil {
			p.t.Fatal("nothing was stored")
		}
		p.g = restore("g", &p.cfg, p.stored, p.now)
		p.state()
	case "refuse":
		p.step(refusedEvent{})
	case "abandon":
		for _, e := range p.g.abandon(kerr.CoordinatorNotAvailable) {
			p.effect(e)
		}
	default:
		p.t.Fatalf("unknown command %v", words)
	}
	p.check()
}

func (p *play) step(ev event) {
	p.effects(ev)
	p.state()
}

func (p *play) effects(ev event) {
	for _, e := range p.g.step(ev, p.now) {
		p.effect(e)
	}
}

func (p *play) effect(e effect) {
	fmt.Fprintf(&p.out, "+%v ", p.now.Sub(p.start))
	switch e := e.(type) {
	case persist:
		p.stored = e.snapshot
		fmt.Fprintf(&p.out, "store generation %d leader=%s protocol=%s", e.generation, e.leader, e.protocol)
		for _, m := range e.members {
			fmt.Fprintf(&p.out, " %s:%s", m.id, m.assignment)
		}
	case reply:
		name := e.to.(string)
		if name != "heartbeat" && name != "leave" && name != "commit" && name != "delete" {
			if p.answered[name] {
				p.t.Errorf("%s is answered twice", name)
			}
			p.answered[name] = true
		}
		fmt.Fprintf(&p.out, "%s: ", name)
		switch b := e.body.(type) {
		case nil:
			fmt.Fprint(&p.out, "NONE")
		case error:
			fmt.Fprint(&p.out, describeError(b))
		case JoinResponse:
			fmt.Fprintf(&p.out, "%s member=%s", describeError(b.Err), b.MemberID)
			if b.Err == nil {
				fmt.Fprintf(&p.out, " gen=%d leader=%s %s/%s", b.Generation, b.Leader, *b.ProtocolType, *b.Protocol)
				if b.SkipAssignment {
					fmt.Fprint(&p.out, " skip")
				}
				for _, m := range b.Members {
					fmt.Fprintf(&p.out, " [%s", m.ID)
					if m.InstanceID != nil {
						fmt.Fprintf(&p.out, " %s", *m.InstanceID)
					}
					topics, _ := subscribedTopics(m.Metadata)
					fmt.Fprintf(&p.out, " %s]", strings.Join(topics, ","))
				}
			} else if b.Generation != -1 || b.Protocol != nil || b.Members != nil {
				p.t.Errorf("%s: an error with content: %+v", name, b)
			}
		case SyncResponse:
			fmt.Fprint(&p.out, describeError(b.Err))
			if b.Err == nil {
				fmt.Fprintf(&p.out, " %s/%s %q", *b.ProtocolType, *b.Protocol, b.Assignment)
			}
		case LeaveResponse:
			fmt.Fprint(&p.out, describeError(b.Err))
			for _, m := range b.Members {
				fmt.Fprintf(&p.out, " %s:%s", m.MemberID, describeError(m.Err))
			}
		}
	}
	fmt.Fprintln(&p.out)
}

func describeError(err error) string {
	if err == nil {
		return "NONE"
	}
	var code *kerr.Error
	if !errors.As(err, &code) {
		return err.Error()
	}
	return code.Message
}

func (p *play) state() {
	g := p.g
	fmt.Fprintf(&p.out, "%v generation=%d", g.state, g.generation)
	for _, m := range g.members {
		fmt.Fprintf(&p.out, " %s", m.id)
		if m.id == g.leader {
			fmt.Fprint(&p.out, "*")
		}
		if m.join != nil {
			fmt.Fprint(&p.out, "(joining)")
		}
		if m.sync != nil {
			fmt.Fprint(&p.out, "(syncing)")
		}
	}
	if len(g.pending) > 0 {
		fmt.Fprintf(&p.out, " pending=%s", strings.Join(slices.Sorted(maps.Keys(g.pending)), ","))
	}
	if g.wake.IsZero() {
		fmt.Fprint(&p.out, " idle")
	}
	fmt.Fprintln(&p.out)
}

// check holds the invariants that machine's doc lists.
func (p *play) check() {
	g := p.g
	parked := 0
	static := make(map[string]string)
	supported := make(map[string]int)
	for _, m := range g.members {
		if g.byID[m.id] != m {
			p.t.Errorf("member %s is not indexed", m.id)
		}
		if m.instanceID != nil {
			static[*m.instanceID] = m.id
		}
		if m.join != nil {
			parked++
		}
		if m.sync != nil && g.state != CompletingRebalance {
			p.t.Errorf("member %s waits for an assignment in %v", m.id, g.state)
		}
		for _, p := range names(m.protocols) {
			supported[p]++
		}
	}
	switch {
	case len(g.byID) != len(g.members), !maps.Equal(static, g.static), !maps.Equal(supported, g.supported), parked != g.parked:
		p.t.Errorf("indexes: %v %v %v %d, members %+v", g.byID, g.static, g.supported, g.parked, g.members)
	}
	if g.state == CompletingRebalance || g.state == Stable {
		if g.byID[g.leader] == nil || g.supported[g.protocol] != len(g.members) {
			p.t.Errorf("%v: leader %q protocol %q of %v", g.state, g.leader, g.protocol, g.supported)
		}
	}
	if g.state == Empty && len(g.members) > 0 {
		p.t.Errorf("Empty with %d members", len(g.members))
	}
	for _, at := range g.deadlines() {
		if g.wake.IsZero() || at.Before(g.wake) {
			p.t.Errorf("deadline at +%v, wakes at +%v", at.Sub(p.start), g.wake.Sub(p.start))
		}
	}
}

func FuzzSubscription(f *testing.F) {
	f.Add(subscription("a", "bcd"))
	f.Add([]byte{0, 0, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		topics, err := subscribedTopics(b)
		n := 6
		for _, topic := range topics {
			n += 2 + len(topic)
		}
		if err == nil && n > len(b) {
			t.Errorf("%q from %d bytes", topics, len(b))
		}
	})
}

func FuzzRecords(f *testing.F) {
	instance := "i"
	s := snapshot{generation: 3, since: time.UnixMilli(7), protocolType: "consumer", protocol: "range", leader: "m"}
	m := memberRecord{"m", &instance, "c", "h", 1, 2, []Protocol{{"range", []byte("x")}}, []byte("y")}
	f.Add(s.encodeHead())
	f.Add(m.encode(3, 4))
	f.Add(encodeBlock([]committed{{1, 2, 3, 4, "m"}, {5, -1, 63, 3, ""}}))
	f.Add(encodePending(&openTxn{epoch: 3, coordinatorEpoch: -1}, pendingBlock{{committed{1, 2, 3, 4, "m"}, 9, true}, {committed{5, -1, 63, 3, ""}, 2, false}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := decodeHead(b); err == nil {
			if again, err := decodeHead(s.encodeHead()); err != nil || fmt.Sprint(again) != fmt.Sprint(s) {
				t.Errorf("head %+v, again %+v, %v", s, again, err)
			}
		}
		if m, order, err := decodeMember("m", b); err == nil {
			again, o, err := decodeMember("m", m.encode(m.generation, int(order)))
			if err != nil || o != order || again.clientID != m.clientID || again.sessionMs != m.sessionMs || string(again.assignment) != string(m.assignment) || len(again.protocols) != len(m.protocols) {
				t.Errorf("member %+v, again %+v, %v", m, again, err)
			}
		}
		if txn, block, err := decodePending(b); err == nil {
			again, blockAgain, err := decodePending(encodePending(&txn, block))
			if err != nil || fmt.Sprint(again) != fmt.Sprint(txn) || !slices.Equal(blockAgain, block) || len(block) == 0 {
				t.Errorf("pending %+v %+v, again %+v %+v, %v", txn, block, again, blockAgain, err)
			}
		}
		if block, err := decodeBlock(b); err == nil {
			if again, err := decodeBlock(encodeBlock(block)); err != nil || !slices.Equal(again, block) {
				t.Errorf("block %+v, again %+v, %v", block, again, err)
			}
		}
	})
}
