package group

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"blumfeld/controller"
	"blumfeld/integration/script"
)

// TestTransactions replays testdata/txn: transactional commits on a Coordinator over a store that can be held and can
// fail. Under each request is its answer; one that has to wait is told as such, and answered by a later command.
func TestTransactions(t *testing.T) {
	script.Run(t, "testdata/txn/*.txt", func(t *testing.T) func(string) string {
		p := &txnPlay{t: t, clock: newClock(), guards: make(map[string]TxnGuard)}
		p.store = controller.NewFaultyMemStore(controller.Faults{BeforeTxn: p.gate.before, AfterTxn: p.gate.after})
		p.c = open(t, p.store, p.clock, nil)
		return func(command string) string {
			p.out.Reset()
			p.run(strings.Fields(command))
			return p.out.String()
		}
	})
}

// gate holds the transactions of a store, or fails the next.
type gate struct {
	mu         sync.Mutex
	held       chan struct{} // nil: no transaction is held
	failBefore int
	failAfter  int
	reached    chan struct{} // gets one for each that is held
}

var errInjected = errors.New("injected")

func (g *gate) before(ctx context.Context, _ []controller.Cond, _ []controller.Op) error {
	g.mu.Lock()
	held, reached := g.held, g.reached
	fail := g.failBefore > 0
	if fail {
		g.failBefore--
	}
	g.mu.Unlock()
	if fail {
		return errInjected
	}
	if held != nil {
		reached <- struct{}{}
		select {
		case <-held:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (g *gate) after(context.Context, []controller.Cond, []controller.Op) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failAfter > 0 {
		g.failAfter--
		return errInjected
	}
	return nil
}

func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held, g.reached = make(chan struct{}), make(chan struct{}, 100)
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.held)
	g.held = nil
}

func (g *gate) fail(before, after int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failBefore, g.failAfter = before, after
}

func (g *gate) isHeld() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held != nil
}

// txnPlay runs the commands of one script. Words are: a command, then what it is about, or key=value.
type txnPlay struct {
	t       *testing.T
	out     strings.Builder
	gate    gate
	store   *controller.MemStore
	clock   *clock
	c       *Coordinator
	guards  map[string]TxnGuard
	waiting []waiting
}

type waiting struct {
	name  string
	await func() string
}

func (p *txnPlay) run(words []string) {
	args := map[string]string{"g": "g", "p": "1", "e": "0", "gen": "-1", "ce": "0", "tv": "1", "metadata": "0"}
	var plain []string
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok && !strings.Contains(k, "/") {
			args[k] = v
		} else {
			plain = append(plain, w)
		}
	}
	parse := func(s string) int64 {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			p.t.Fatalf("%v: %v", words, err)
		}
		return n
	}
	number := func(key string) int64 { return parse(args[key]) }
	commit := func() CommitRequest {
		r := CommitRequest{Group: args["g"], MemberID: args["member"], Generation: int32(number("gen"))}
		if v, ok := args["instance"]; ok {
			r.InstanceID = &v
		}
		for _, w := range plain {
			at, offset, _ := strings.Cut(w, "=")
			tp := parsePartition(p.t, at)
			r.Offsets = append(r.Offsets, OffsetToCommit{tp.Topic, tp.Partition, parse(offset), -1, strings.Repeat("m", int(number("metadata")))})
		}
		return r
	}
	partitions := func() (list []TopicPartition) {
		for _, w := range plain {
			list = append(list, parsePartition(p.t, w))
		}
		return list
	}
	name := strings.Join(words, " ")
	if v, ok := args["as"]; ok {
		name = v
	}
	begin := func() BeginTxnResponse {
		return await(p.t, p.c.BeginTxnCommit(args["g"], number("p"), int16(number("e"))))
	}
	switch words[0] {
	case "stable":
		fmt.Fprintf(&p.out, "member %s\n", stable(p.t, p.c, p.clock, args["g"], plain...))
	case "leave":
		r := await(p.t, p.c.Leave(LeaveRequest{Group: args["g"], Members: []LeavingMember{{MemberID: args["member"]}}}))
		fmt.Fprintln(&p.out, describeError(r.Err))
	case "rejoin": // and does not sync
		ch := p.c.Join(consumer(args["g"], "client", args["member"], plain...))
		p.clock.pass(p.c, 0)
		j := await(p.t, ch)
		fmt.Fprintf(&p.out, "%s generation %d, %s\n", describeError(j.Err), j.Generation, p.c.Describe(args["g"]).State)
	case "begin":
		r := begin()
		if as, ok := args["as"]; ok {
			p.guards[as] = r.Guard
		}
		if r.Err != nil {
			fmt.Fprintln(&p.out, describeError(r.Err))
		} else {
			fmt.Fprintf(&p.out, "verify: %v\n", r.Needed)
		}
	case "txn":
		guard, ok := p.guards[args["guard"]]
		if !ok && args["guard"] != "none" {
			guard = begin().Guard
		}
		answer(p, name, p.c.CommitTxn(TxnCommitRequest{commit(), number("p"), int16(number("e")), guard}), describeCommit)
	case "commit":
		answer(p, name, p.c.Commit(commit()), describeCommit)
	case "end":
		r := EndTxnRequest{number("p"), int16(number("e")), plain[0] == "commit", int32(number("ce")), int16(number("tv"))}
		answer(p, name, p.c.EndTxn(r), describeError)
	case "delete":
		answer(p, name, p.c.Delete([]string{args["g"]}), func(errs map[string]error) string { return describeError(errs[args["g"]]) })
	case "delete-offsets":
		r := DeleteOffsetsRequest{args["g"], partitions()}
		answer(p, name, p.c.DeleteOffsets(r), func(r DeleteOffsetsResponse) string {
			if r.Err != nil {
				return describeError(r.Err)
			}
			return describeCommit(CommitResponse{r.Errs})
		})
	case "topics-deleted":
		p.c.TopicsDeleted(plain)
	case "fetch", "fetch-stable":
		r := FetchRequest{Group: args["g"], RequireStable: words[0] == "fetch-stable"}
		for _, tp := range partitions() {
			if r.Topics == nil {
				r.Topics = make(map[string][]int32)
			}
			r.Topics[tp.Topic] = append(r.Topics[tp.Topic], tp.Partition)
		}
		p.fetched(p.c.FetchOffsets(r))
	case "list":
		for _, l := range p.c.List(ListFilter{}) {
			fmt.Fprintf(&p.out, "%s %s\n", l.Group, l.State)
		}
	case "topics":
		fmt.Fprintln(&p.out, strings.Join(p.c.Topics(), " "))
	case "pass":
		d, err := time.ParseDuration(plain[0])
		if err != nil {
			p.t.Fatal(err)
		}
		p.clock.pass(p.c, d)
		p.settle()
	case "hold":
		p.gate.hold()
	case "release":
		p.gate.release()
		p.answers()
	case "fail":
		n := int(parse(plain[1]))
		if plain[0] == "before" {
			p.gate.fail(n, 0)
		} else {
			p.gate.fail(0, n)
		}
	case "settle": // the store works again, and everything is written and read
		p.gate.fail(0, 0)
		p.settle()
	case "restart", "kill": // kill cuts off what is held
		old := p.c
		if words[0] == "kill" {
			old.Close()
			p.answers()
		}
		if p.gate.isHeld() {
			p.gate.release()
		}
		p.c = open(p.t, p.store, p.clock, nil)
		old.Close()
	case "store":
		kvs, _, err := p.store.Range(p.t.Context(), groupsPrefix)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, kv := range kvs {
			fmt.Fprintln(&p.out, strings.TrimPrefix(kv.Key, groupsPrefix))
		}
	default:
		p.t.Fatalf("unknown command %v", words)
	}
}

func parsePartition(t *testing.T, s string) TopicPartition {
	topic, partition, _ := strings.Cut(s, "/")
	n, err := strconv.ParseInt(partition, 10, 32)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return TopicPartition{topic, int32(n)}
}

// settle returns when what is under way is written, and groups that failed are there again.
func (p *txnPlay) settle() {
	p.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		busy := false
		for _, s := range p.c.shards {
			p.c.ask(s, func(s *core, err error) {
				busy = busy || err == nil && (s.recovering() || s.flight != nil || len(s.queue) > 0)
			})
		}
		if !busy {
			return
		}
		if time.Now().After(deadline) {
			p.t.Fatal("does not settle")
		}
	}
}

// answer prints the answer of a request, or that it has to wait for a store that is held.
func answer[T any](p *txnPlay, name string, ch <-chan T, describe func(T) string) {
	if !p.gate.isHeld() {
		fmt.Fprintln(&p.out, describe(await(p.t, ch)))
		return
	}
	p.clock.pass(p.c, 0) // it has been handled
	select {
	case v := <-ch:
		fmt.Fprintln(&p.out, describe(v))
		return
	default:
	}
	fmt.Fprintln(&p.out, "waits")
	if len(p.waiting) == 0 {
		await(p.t, p.gate.reached)
	}
	p.waiting = append(p.waiting, waiting{name, func() string { return describe(await(p.t, ch)) }})
}

// answers prints what those that waited were told.
func (p *txnPlay) answers() {
	for _, w := range p.waiting {
		fmt.Fprintf(&p.out, "%s: %s\n", w.name, w.await())
	}
	p.waiting = nil
}

func describeCommit(r CommitResponse) string {
	var list []string
	for _, err := range r.Errs {
		list = append(list, describeError(err))
	}
	list = slices.Compact(list)
	return strings.Join(list, " ")
}

func (p *txnPlay) fetched(r FetchResponse) {
	if r.Err != nil {
		fmt.Fprintln(&p.out, describeError(r.Err))
	}
	for _, o := range r.Offsets {
		if o.Err != nil {
			fmt.Fprintf(&p.out, "%s/%d %s\n", o.Topic, o.Partition, describeError(o.Err))
		} else {
			fmt.Fprintf(&p.out, "%s/%d %d\n", o.Topic, o.Partition, o.Offset)
		}
	}
	if r.Err == nil && len(r.Offsets) == 0 {
		fmt.Fprintln(&p.out, "none")
	}
}
