package txn

import (
	"errors"
	"fmt"
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
		p := &play{t: t}
		p.run([]string{"new"})
		return func(command string) string {
			p.out.Reset()
			p.run(strings.Fields(command))
			return p.out.String()
		}
	})
}

// play runs the commands of one script on a machine and a clock of its own. Producer ids are 1, 2, 3 and so on.
type play struct {
	t      *testing.T
	out    strings.Builder
	cfg    Config
	level  int16 // of transaction.version
	last   int64 // producer id given out
	dry    bool  // there are no producer ids
	m      *machine
	now    int64
	stored *metadata // as in the store; nil: nothing
	flying *persist  // on its way there
}

func (p *play) config() *Config           { return &p.cfg }
func (p *play) transactionVersion() int16 { return p.level }
func (p *play) producerID() (int64, bool) {
	if p.dry {
		return 0, false
	}
	p.last++
	return p.last, true
}

// words are a command's arguments: key=value, and plain ones.
type words struct {
	t     *testing.T
	named map[string]string
	plain map[string]bool
}

func parseWords(t *testing.T, list []string) words {
	w := words{t, make(map[string]string), make(map[string]bool)}
	for _, s := range list {
		if k, v, ok := strings.Cut(s, "="); ok {
			w.named[k] = v
		} else {
			w.plain[s] = true
		}
	}
	return w
}

func (w words) number(key string, def int64) int64 {
	v, ok := w.named[key]
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w words) partitions() (list []TopicPartition) {
	text, ok := w.named["parts"]
	if !ok {
		text = "t-0"
	}
	for name := range strings.SplitSeq(text, ",") {
		topic, number, _ := strings.Cut(name, "-")
		n, err := strconv.Atoi(number)
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, TopicPartition{topic, int32(n)})
	}
	return list
}

// present is the producer as the script would name it: by default the machine's own.
func (p *play) present(w words) (int64, int16) {
	return w.number("pid", p.m.meta.producerID), int16(w.number("epoch", int64(p.m.meta.epoch)))
}

func (p *play) run(line []string) {
	w := parseWords(p.t, line[1:])
	switch line[0] {
	case "new":
		p.cfg, p.level, p.last, p.dry, p.now = DefaultConfig(), int16(w.number("version", 2)), 0, false, 1_000_000
		id, _ := p.producerID()
		p.m, p.stored, p.flying = newMachine("id", p, id), nil, nil
		return
	case "set": // the epochs are used up sooner than by asking for them
		p.m.meta.epoch = int16(w.number("epoch", int64(p.m.meta.epoch)))
	case "ids":
		p.dry = w.plain["none"]
		return
	case "init":
		p.step(initEvent{"init", &InitProducerIDRequest{Version: int16(w.number("v", 5)), TransactionalID: "id",
			TimeoutMs: int32(w.number("timeout", 60_000)), ProducerID: w.number("pid", -1), Epoch: int16(w.number("epoch", -1))}})
	case "add":
		pid, epoch := p.present(w)
		p.step(addEvent{"add", &AddPartitionsRequest{int16(w.number("v", 5)), "id", pid, epoch, w.partitions()}})
	case "verify":
		pid, epoch := p.present(w)
		p.step(verifyEvent{"verify", &AddPartitionsRequest{5, "id", pid, epoch, w.partitions()}})
	case "commit", "abort":
		pid, epoch := p.present(w)
		p.step(endEvent{line[0], &EndTxnRequest{int16(w.number("v", 5)), "id", pid, epoch, line[0] == "commit"}})
	case "stored":
		if p.flying == nil {
			p.t.Fatal("nothing is on its way to the store")
		}
		p.stored, p.flying = p.flying.meta, nil
		p.step(storedEvent{})
	case "marked": // t-0=error: what the leader said; the others took it
		errs := make([]error, len(p.m.unmarked))
		for i, tp := range p.m.unmarked {
			switch name := w.named[fmt.Sprintf("%s-%d", tp.Topic, tp.Partition)]; name {
			case "":
			case "deleted":
				errs[i] = ErrDeleted
			default:
				errs[i] = &kerr.Error{Message: name}
				for code := range int16(140) {
					if e, ok := kerr.ErrorForCode(code).(*kerr.Error); ok && e.Message == name {
						errs[i] = e
					}
				}
			}
		}
		p.step(markersEvent{int(w.number("attempt", int64(p.m.attempt))), errs})
	case "advance":
		for word := range w.plain {
			d, err := time.ParseDuration(word)
			if err != nil {
				p.t.Fatal(err)
			}
			p.now += d.Milliseconds()
		}
		p.step(tickEvent{})
	case "crash": // nothing that was on its way arrived
		p.flying = nil
		if p.stored == nil {
			fmt.Fprintln(&p.out, "the store knows nothing")
			return
		}
		meta, err := decodeMetadata(p.stored.encode())
		if err != nil {
			p.t.Fatal(err)
		}
		p.m = restore("id", p, meta)
		p.print(p.m.resume(p.now))
	case "requests":
		p.requests()
		return
	default:
		p.t.Fatalf("unknown command %q", line)
	}
	fmt.Fprintln(&p.out, describeMachine(p.m))
}

func (p *play) step(ev event) { p.print(p.m.step(ev, p.now)) }

func (p *play) print(effects []effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case persist:
			if !e.lazy {
				p.flying = &e
			}
			how := "store"
			if e.lazy {
				how = "store some time"
			}
			if e.meta == nil {
				fmt.Fprintln(&p.out, how, "nothing")
			} else {
				fmt.Fprintln(&p.out, how, describeMetadata(e.meta))
			}
		case reply:
			if e.to != nil {
				fmt.Fprintf(&p.out, "%v: %s\n", e.to, describeReply(e.body))
			}
		case confirm:
			fmt.Fprintf(&p.out, "%v, once confirmed: %s\n", e.to, describeReply(e.body))
		case sendMarkers:
			fmt.Fprintf(&p.out, "markers (%d,%d) commit=%v version=%d %s\n", e.markers.ProducerID, e.markers.Epoch, e.markers.Commit,
				e.markers.TransactionVersion, describePartitions(e.markers.Partitions))
		case doubted:
			fmt.Fprintln(&p.out, "raise the coordinator epoch")
		case needProducerID:
			fmt.Fprintln(&p.out, "a producer id is needed")
		case removed:
			fmt.Fprintln(&p.out, "removed")
		}
	}
}

// requests tries every request on a copy of the machine, and prints what each would be told.
func (p *play) requests() {
	pid, epoch := p.m.meta.producerID, p.m.meta.epoch
	try := func(name string, ev event) {
		copied := *p.m
		last := p.last
		var said, then []string
		for _, e := range copied.step(ev, p.now) {
			switch e := e.(type) {
			case reply:
				said = append(said, describeReply(e.body))
			case confirm:
				said = append(said, describeReply(e.body))
			case persist:
				then = append(then, "=> "+describeMetadata(e.meta))
			case needProducerID:
				then = append(then, "waits for a producer id")
			}
		}
		if copied.pending != nil && p.m.pending == nil {
			said = append(said, describeReply(copied.owed.body))
		}
		p.last = last
		fmt.Fprintf(&p.out, "%-24s %s\n", name, strings.Join(append(said, then...), " "))
	}
	for _, c := range []struct {
		name  string
		pid   int64
		epoch int16
	}{{"", -1, -1}, {" present", pid, epoch}, {" before", pid, epoch - 1}, {" later", pid, epoch + 1}, {" other", pid + 1000, epoch}, {" former", p.m.meta.prevProducerID, maxEpoch - 1}} {
		if c.name != "" && c.pid == -1 || c.name == " before" && epoch == 0 {
			continue
		}
		try("init"+c.name, initEvent{"", &InitProducerIDRequest{5, "id", 60_000, c.pid, c.epoch}})
	}
	try("init v3 other", initEvent{"", &InitProducerIDRequest{3, "id", 60_000, pid + 1000, epoch}})
	one, more := []TopicPartition{{"t", 0}}, []TopicPartition{{"t", 0}, {"t", 9}}
	for _, c := range []struct {
		name    string
		version int16
		pid     int64
		epoch   int16
		parts   []TopicPartition
	}{{"add v3 t-0", 3, pid, epoch, one}, {"add v3 t-0 t-9", 3, pid, epoch, more}, {"add v5 t-0 t-9", 5, pid, epoch, more},
		{"add v5 before", 5, pid, epoch - 1, one}, {"add v1 later", 1, pid, epoch + 1, one}, {"add v5 other", 5, pid + 1000, epoch, one}} {
		r := &AddPartitionsRequest{c.version, "id", c.pid, c.epoch, c.parts}
		try(c.name, addEvent{"", r})
	}
	try("verify t-0 t-9", verifyEvent{"", &AddPartitionsRequest{5, "id", pid, epoch, more}})
	try("verify before", verifyEvent{"", &AddPartitionsRequest{5, "id", pid, epoch - 1, more}})
	try("verify other", verifyEvent{"", &AddPartitionsRequest{5, "id", pid + 1000, epoch, more}})
	for _, version := range []int16{1, 4, 5} {
		for _, commit := range []bool{true, false} {
			for _, c := range []struct {
				name  string
				pid   int64
				epoch int16
			}{{"present", pid, epoch}, {"before", pid, epoch - 1}, {"later", pid, epoch + 1}, {"other", pid + 1000, epoch}, {"former", p.m.meta.prevProducerID, maxEpoch - 1}} {
				if version == 1 && c.name != "before" || c.name == "former" && c.pid == pid {
					continue
				}
				verb := "abort"
				if commit {
					verb = "commit"
				}
				try(fmt.Sprintf("%s v%d %s", verb, version, c.name), endEvent{"", &EndTxnRequest{version, "id", c.pid, c.epoch, commit}})
			}
		}
	}
}

func describeReply(body any) string {
	said := func(err error) string {
		if err == nil {
			return "NONE"
		}
		var e *kerr.Error
		errors.As(err, &e)
		return e.Message
	}
	switch b := body.(type) {
	case InitProducerIDResponse:
		return fmt.Sprintf("%s (%d,%d)", said(b.Err), b.ProducerID, b.Epoch)
	case EndTxnResponse:
		return fmt.Sprintf("%s (%d,%d)", said(b.Err), b.ProducerID, b.Epoch)
	case VerifyResponse:
		if b.Err != nil {
			return said(b.Err)
		}
		var list []string
		for _, err := range b.Errs {
			list = append(list, said(err))
		}
		return strings.Join(list, " ")
	default:
		return said(asError(body))
	}
}

func describePartitions(list []TopicPartition) string {
	var names []string
	for _, tp := range list {
		names = append(names, fmt.Sprintf("%s-%d", tp.Topic, tp.Partition))
	}
	return "[" + strings.Join(names, " ") + "]"
}

func describeMetadata(d *metadata) string {
	if d == nil {
		return "nothing"
	}
	s := fmt.Sprintf("%v (%d,%d)", d.state, d.producerID, d.epoch)
	if d.lastEpoch != noEpoch {
		s += fmt.Sprintf(" last=%d", d.lastEpoch)
	}
	if d.prevProducerID != noProducerID && d.prevProducerID != d.producerID {
		s += fmt.Sprintf(" previous=%d", d.prevProducerID)
	}
	if d.nextProducerID != noProducerID {
		s += fmt.Sprintf(" next=%d", d.nextProducerID)
	}
	if len(d.partitions) > 0 {
		s += " " + describePartitions(d.partitions)
	}
	return s
}

func describeMachine(m *machine) string {
	s := describeMetadata(&m.meta)
	switch {
	case m.pending != nil:
		s += ", to be " + m.pending.state.String()
	case m.dying:
		s += ", to be Dead"
	}
	return s
}
