package group

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

var rewrite = flag.Bool("rewrite", false, "write what the machine does into testdata/scripts, to be read before it is committed")

// TestScripts replays testdata/scripts: a line at the margin is an event, the indented lines below are its effects and,
// last, the state that follows.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/scripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newScript(t)
			var out strings.Builder
			for line := range strings.Lines(string(want)) {
				switch {
				case strings.HasPrefix(line, "  "):
					continue
				case strings.TrimSpace(line) == "" || line[0] == '#':
					out.WriteString(line)
				default:
					out.WriteString(line)
					s.out = &out
					s.run(strings.Fields(line))
				}
			}
			if out.String() == string(want) {
				return
			}
			if *rewrite {
				if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			got, wanted := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
			for i := range max(len(got), len(wanted)) {
				if i >= len(got) || i >= len(wanted) || got[i] != wanted[i] {
					t.Fatalf("line %d: got\n%s\nwant\n%s", i+1, strings.Join(got[i:min(i+4, len(got))], "\n"), strings.Join(wanted[min(i, len(wanted)):min(i+4, len(wanted))], "\n"))
				}
			}
		})
	}
}

type script struct {
	t        *testing.T
	out      *strings.Builder
	cfg      Config
	g        *machine
	start    time.Time
	now      time.Time
	stored   *snapshot
	answered map[string]bool
	ids      int
}

func newScript(t *testing.T) *script {
	s := &script{t: t, cfg: testConfig(), start: time.Unix(1_000_000, 0), answered: make(map[string]bool)}
	s.now = s.start
	s.g = newMachine("g", &s.cfg, s.now)
	return s
}

// run executes one line: a command, then words or key=value.
func (s *script) run(words []string) {
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
			s.t.Fatalf("%v: %v", words, err)
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
			s.t.Fatalf("%v: a name for the request is missing", words)
		}
		return plain[0]
	}
	switch words[0] {
	case "new":
		*s = script{t: s.t, out: s.out, cfg: testConfig(), start: s.start, now: s.now, answered: make(map[string]bool)}
		s.cfg.MaxSize = int(number("max-size", 1<<30))
		s.cfg.InitialRebalanceDelayMs = number("delay", 0)
		s.g = newMachine("g", &s.cfg, s.now)
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
		s.ids++
		s.step(joinEvent{to(), r, fmt.Sprint("m", s.ids)})
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
		s.step(syncEvent{to(), r})
	case "heartbeat":
		s.step(heartbeatEvent{"heartbeat", &HeartbeatRequest{Group: "g", MemberID: args["member"], InstanceID: text("instance"), Generation: number("gen", 1)}})
	case "leave":
		r := &LeaveRequest{Group: "g"}
		if args["instance"] != "" || args["member"] != "" {
			r.Members = append(r.Members, LeavingMember{MemberID: args["member"], InstanceID: text("instance")})
		}
		for _, id := range plain {
			r.Members = append(r.Members, LeavingMember{MemberID: id})
		}
		s.step(leaveEvent{"leave", r})
	case "commit":
		s.step(commitEvent{"commit", &CommitRequest{Group: "g", MemberID: args["member"], InstanceID: text("instance"), Generation: number("gen", 1)}})
	case "delete":
		s.step(deleteEvent{"delete"})
	case "delete-offsets":
		fmt.Fprintf(s.out, "  %s, subscribed to %s: %v\n", describeError(s.g.checkDeleteOffsets()), args["topic"], s.g.subscribed(args["topic"]))
	case "expiry":
		at, ok := s.g.expiry(args["topic"], s.start)
		if !ok {
			fmt.Fprintf(s.out, "  never\n")
		} else {
			fmt.Fprintf(s.out, "  counts from +%v\n", at.Sub(s.start))
		}
	case "advance":
		d, err := time.ParseDuration(plain[0])
		if err != nil {
			s.t.Fatal(err)
		}
		end := s.now.Add(d)
		for n := 0; !s.g.wake.IsZero() && !s.g.wake.After(end); n++ {
			if n > 1000 {
				s.t.Fatal("ticks without end")
			}
			s.now = s.g.wake
			s.effects(tickEvent{})
		}
		s.now = end
		s.state()
	case "restart":
		if s.stored == nil {
			s.t.Fatal("nothing was stored")
		}
		s.g = restore("g", &s.cfg, s.stored, s.now)
		s.state()
	case "abandon":
		for _, e := range s.g.abandon(kerr.CoordinatorNotAvailable) {
			s.effect(e)
		}
	default:
		s.t.Fatalf("unknown command %v", words)
	}
	s.check()
}

func (s *script) step(ev event) {
	s.effects(ev)
	s.state()
}

func (s *script) effects(ev event) {
	for _, e := range s.g.step(ev, s.now) {
		s.effect(e)
	}
}

func (s *script) effect(e effect) {
	fmt.Fprintf(s.out, "  +%v ", s.now.Sub(s.start))
	switch e := e.(type) {
	case persist:
		s.stored = e.snapshot
		fmt.Fprintf(s.out, "store generation %d leader=%s protocol=%s", e.generation, e.leader, e.protocol)
		for _, m := range e.members {
			fmt.Fprintf(s.out, " %s:%s", m.id, m.assignment)
		}
	case reply:
		name := e.to.(string)
		if name != "heartbeat" && name != "leave" && name != "commit" && name != "delete" {
			if s.answered[name] {
				s.t.Errorf("%s is answered twice", name)
			}
			s.answered[name] = true
		}
		fmt.Fprintf(s.out, "%s: ", name)
		switch b := e.body.(type) {
		case nil:
			fmt.Fprint(s.out, "NONE")
		case error:
			fmt.Fprint(s.out, describeError(b))
		case JoinResponse:
			fmt.Fprintf(s.out, "%s member=%s", describeError(b.Err), b.MemberID)
			if b.Err == nil {
				fmt.Fprintf(s.out, " gen=%d leader=%s %s/%s", b.Generation, b.Leader, *b.ProtocolType, *b.Protocol)
				if b.SkipAssignment {
					fmt.Fprint(s.out, " skip")
				}
				for _, m := range b.Members {
					fmt.Fprintf(s.out, " [%s", m.ID)
					if m.InstanceID != nil {
						fmt.Fprintf(s.out, " %s", *m.InstanceID)
					}
					topics, _ := subscribedTopics(m.Metadata)
					fmt.Fprintf(s.out, " %s]", strings.Join(topics, ","))
				}
			} else if b.Generation != -1 || b.Protocol != nil || b.Members != nil {
				s.t.Errorf("%s: an error with content: %+v", name, b)
			}
		case SyncResponse:
			fmt.Fprint(s.out, describeError(b.Err))
			if b.Err == nil {
				fmt.Fprintf(s.out, " %s/%s %q", *b.ProtocolType, *b.Protocol, b.Assignment)
			}
		case LeaveResponse:
			fmt.Fprint(s.out, describeError(b.Err))
			for _, m := range b.Members {
				fmt.Fprintf(s.out, " %s:%s", m.MemberID, describeError(m.Err))
			}
		}
	}
	fmt.Fprintln(s.out)
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

func (s *script) state() {
	g := s.g
	fmt.Fprintf(s.out, "  %v generation=%d", g.state, g.generation)
	for _, m := range g.members {
		fmt.Fprintf(s.out, " %s", m.id)
		if m.id == g.leader {
			fmt.Fprint(s.out, "*")
		}
		if m.join != nil {
			fmt.Fprint(s.out, "(joining)")
		}
		if m.sync != nil {
			fmt.Fprint(s.out, "(syncing)")
		}
	}
	if len(g.pending) > 0 {
		fmt.Fprintf(s.out, " pending=%s", strings.Join(slices.Sorted(maps.Keys(g.pending)), ","))
	}
	if g.wake.IsZero() {
		fmt.Fprint(s.out, " idle")
	}
	fmt.Fprintln(s.out)
}

// check holds the invariants that machine's doc lists.
func (s *script) check() {
	g := s.g
	parked := 0
	static := make(map[string]string)
	supported := make(map[string]int)
	for _, m := range g.members {
		if g.byID[m.id] != m {
			s.t.Errorf("member %s is not indexed", m.id)
		}
		if m.instanceID != nil {
			static[*m.instanceID] = m.id
		}
		if m.join != nil {
			parked++
		}
		if m.sync != nil && g.state != CompletingRebalance {
			s.t.Errorf("member %s waits for an assignment in %v", m.id, g.state)
		}
		for _, p := range names(m.protocols) {
			supported[p]++
		}
	}
	switch {
	case len(g.byID) != len(g.members), !maps.Equal(static, g.static), !maps.Equal(supported, g.supported), parked != g.parked:
		s.t.Errorf("indexes: %v %v %v %d, members %+v", g.byID, g.static, g.supported, g.parked, g.members)
	}
	if g.state == CompletingRebalance || g.state == Stable {
		if g.byID[g.leader] == nil || g.supported[g.protocol] != len(g.members) {
			s.t.Errorf("%v: leader %q protocol %q of %v", g.state, g.leader, g.protocol, g.supported)
		}
	}
	if g.state == Empty && len(g.members) > 0 {
		s.t.Errorf("Empty with %d members", len(g.members))
	}
	for _, at := range g.deadlines() {
		if g.wake.IsZero() || at.Before(g.wake) {
			s.t.Errorf("deadline at +%v, wakes at +%v", at.Sub(s.start), g.wake.Sub(s.start))
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
		if block, err := decodeBlock(b); err == nil {
			if again, err := decodeBlock(encodeBlock(block)); err != nil || !slices.Equal(again, block) {
				t.Errorf("block %+v, again %+v, %v", block, again, err)
			}
		}
	})
}
