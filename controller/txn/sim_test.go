package txn

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
)

var (
	simSeed = flag.Uint64("txn.seed", 0, "replay one seed of the simulation")
	simRuns = flag.Int("txn.runs", 300, "seeds of the simulation")
)

// TestSimulation runs coordinator, the logs of two partitions and rival producers of both protocols in one goroutine, by
// a seed: requests, answers and markers are delayed, doubled, lost and overtake each other; the coordinator dies at every
// use of the store, before and after it took place, or is replaced and goes on beside its successor. In the end nothing is
// open, every transaction is in both logs or in none, and each is what its producer was told.
func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		newSim(t, *simSeed).run()
		return
	}
	runs := *simRuns
	if testing.Short() {
		runs /= 10
	}
	total := make(map[string]int)
	for seed := range uint64(runs) {
		s := newSim(t, seed+1)
		s.run()
		for k, n := range s.counts {
			total[k] += n
		}
		if t.Failed() {
			t.Fatalf("replay with -txn.seed=%d", seed+1)
		}
	}
	t.Log(total)
	for _, k := range []string{"commit acknowledged", "abort acknowledged", "crash before", "crash after", "lost write", "unknown write",
		"late write refused", "replaced", "marker late", "marker failed", "marker refused", "ended by another", "epochs used up", "produce refused"} {
		if total[k] == 0 && !testing.Short() {
			t.Errorf("never happened: %s", k)
		}
	}
}

type sim struct {
	t      *testing.T
	seed   uint64
	rng    *rand.Rand
	now    int64
	store  *controller.MemStore
	opts   Options
	nodes  []*node // the last one is the coordinator, the one before may still believe that it is
	nextID int64
	logs   [2]*simLog
	net    []message
	calm   bool // no more faults
	labels map[string]*label
	order  []string
	counts map[string]int
}

// node is one life of the coordinator.
type node struct {
	s      *sim
	core   *core
	flight *flight       // that has not begun
	waits  []func() bool // for answers
	dead   bool
}

type message struct {
	at int64
	do func()
}

// label is what one producer wanted to be one transaction.
type label struct {
	written     map[string]bool // acknowledged
	askedCommit bool
	committed   bool // acknowledged
	aborted     bool
}

func newSim(t *testing.T, seed uint64) *sim {
	s := &sim{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), now: 1_000_000, store: controller.NewMemStore(),
		labels: make(map[string]*label), counts: make(map[string]int)}
	for i := range s.logs {
		s.logs[i] = &simLog{s: s, tp: TopicPartition{"t", int32(i)}, producers: make(map[int64]*simProducer), seen: make(map[string]bool)}
	}
	level := int16(2)
	if seed%4 == 0 {
		level = 0
	}
	s.opts = Options{Store: s.store, Config: DefaultConfig(), Now: func() time.Time { return time.UnixMilli(s.now) },
		TransactionVersion: func() int16 { return level }, Logger: New(Options{}).opts.Logger,
		NextProducerID: func(context.Context) (int64, error) { s.nextID++; return s.nextID, nil }}
	s.opts.Config.AbortTimedOutIntervalMs = 1000
	// One id whose epochs are nearly used up.
	old := metadata{producerID: 1 << 40, prevProducerID: -1, nextProducerID: -1, epoch: maxEpoch - 5, lastEpoch: -1, timeoutMs: 1000, start: -1, updated: s.now}
	s.store.Txn(t.Context(), nil, []controller.Op{controller.Put(idKey("id0"), old.encode())})
	return s
}

// log tells what happens when one seed is replayed.
func (s *sim) log(format string, args ...any) {
	if *simSeed != 0 {
		s.t.Logf("%d "+format, append([]any{s.now}, args...)...)
	}
}

func (s *sim) chance(percent int) bool { return !s.calm && s.rng.IntN(100) < percent }

// post delivers something, soon or late.
func (s *sim) post(do func()) {
	delay := s.rng.Int64N(20)
	if s.chance(10) {
		delay = s.rng.Int64N(8000)
	}
	s.net = append(s.net, message{s.now + delay, do})
}

func (s *sim) run() {
	s.startNode()
	var clients []*client
	for i := range 4 {
		c := &client{s: s, name: fmt.Sprint("c", i), id: fmt.Sprint("id", i/2), new: i%2 == 0 == (s.seed%3 != 0)}
		c.next, c.stop = iter.Pull(c.live)
		clients = append(clients, c)
		s.post(c.resume)
	}
	for range 3000 {
		s.turn()
	}
	for _, c := range clients {
		c.gone = true
		c.stop()
	}
	// Now everybody is gone, and nothing fails any more.
	s.calm = true
	for range 2000 {
		s.now += 20
		s.turn()
	}
	s.check()
}

// turn is one step of the world.
func (s *sim) turn() {
	s.now += s.rng.Int64N(10)
	if s.chance(1) {
		s.now += s.rng.Int64N(3000)
	}
	for range 4 {
		if len(s.net) == 0 {
			break
		}
		i := s.rng.IntN(len(s.net))
		if m := s.net[i]; m.at <= s.now {
			s.net[i] = s.net[len(s.net)-1]
			s.net = s.net[:len(s.net)-1]
			m.do()
		}
	}
	for _, n := range slices.Clone(s.nodes) {
		if !n.dead {
			n.turn()
		}
	}
}

// startNode begins a new life, which takes over from the last.
func (s *sim) startNode() {
	n := &node{s: s}
	opts := s.opts
	opts.Markers = n
	n.core = newCore(s.t.Context(), &opts, func(f func()) { s.post(f) })
	if err := n.core.start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.nodes = append(s.nodes, n)
	if len(s.nodes) > 2 {
		s.nodes[0].dead = true
		s.nodes = s.nodes[1:]
	}
}

// to is who gets a request: mostly the coordinator, sometimes one that was.
func (s *sim) to() *node {
	n := s.nodes[len(s.nodes)-1]
	if first := s.nodes[0]; !first.dead && s.chance(20) {
		return first
	}
	return n
}

func (n *node) crash() {
	n.s.log("crash")
	n.dead, n.waits = true, nil
	n.s.startNode()
}

var errSim = errors.New("sim: the store failed")

// give lets the core have a turn.
func (n *node) give(landed *flight) {
	if f := n.core.Turn(landed, n.core.Take(nil)); f != nil {
		n.flight = f
	}
	n.poll()
}

// next is the flight that waits, if there is one.
func (n *node) next() *flight {
	f := n.flight
	n.flight = nil
	return f
}

func (n *node) turn() {
	s := n.s
	n.give(nil)
	if s.chance(1) && s.rng.IntN(10) == 0 && n == s.nodes[len(s.nodes)-1] {
		s.counts["replaced"]++
		s.startNode()
		return
	}
	if s.rng.IntN(3) == 0 {
		return // it takes its time
	}
	f := n.next()
	if f == nil {
		return
	}
	fault := 99
	if !s.calm {
		fault = s.rng.IntN(60)
	}
	switch {
	case fault == 0:
		s.counts["crash before"]++
		n.crash()
		return
	case fault == 1:
		n.core.Fly(s.t.Context(), f)
		s.counts["crash after"]++
		n.crash()
		return
	case fault == 2 && len(f.ops) > 0:
		// It is on its way, and the process dies or gives up; nobody knows when it arrives.
		cond, ops := n.core.owner.Fence(), f.ops
		dies := s.rng.IntN(2) == 0
		if dies {
			n.crash()
		} else {
			f.err = errSim
			n.give(f)
			n.land() // the recovery comes first; only then does the write arrive
		}
		if _, ok, err := s.store.Txn(s.t.Context(), []controller.Cond{cond}, ops); ok || err != nil {
			s.t.Errorf("seed %d: a late write took place: %v", s.seed, err)
		}
		s.counts["late write refused"]++
		return
	case fault == 3 && len(f.ops) > 0:
		s.counts["lost write"]++
		f.err = errSim
	case fault == 4 && len(f.ops) > 0:
		n.core.Fly(s.t.Context(), f)
		s.counts["unknown write"]++
		f.err = errSim
	default:
		n.core.Fly(s.t.Context(), f)
	}
	n.give(f)
}

// land flies whatever is there.
func (n *node) land() {
	if f := n.next(); f != nil {
		n.core.Fly(n.s.t.Context(), f)
		n.give(f)
	}
}

func (n *node) poll() {
	n.waits = slices.DeleteFunc(n.waits, func(arrived func() bool) bool { return arrived() })
}

// ask hands a call to a node, and its answer on.
func ask[T any](n *node, c call, ch chan T, then func(T)) {
	n.core.Send(c)
	n.waits = append(n.waits, func() bool {
		select {
		case r := <-ch:
			then(r)
			return true
		default:
			return false
		}
	})
}

// WriteMarkers sends each marker by itself; the attempt is over when all have been answered.
func (n *node) WriteMarkers(_ context.Context, m Markers, done func([]error)) {
	s := n.s
	errs := make([]error, len(m.Partitions))
	left := len(errs)
	for i, tp := range m.Partitions {
		log := s.logs[tp.Partition]
		s.post(func() {
			fault := 99
			if !s.calm {
				fault = s.rng.IntN(20)
			}
			switch fault {
			case 0:
				s.counts["marker failed"]++
				errs[i] = kerr.NotLeaderForPartition
			case 1: // it may come later
				errs[i] = kerr.RequestTimedOut
				late := func() { s.counts["marker late"]++; log.mark(m) }
				s.net = append(s.net, message{s.now + s.rng.Int64N(1000), late})
			default:
				errs[i] = log.mark(m)
				if s.chance(10) {
					errs[i] = log.mark(m) // twice
				}
			}
			if left--; left == 0 {
				s.post(func() { done(errs) })
			}
		})
	}
}

// check is the end: everybody is gone, and time enough has passed.
func (s *sim) check() {
	n := s.nodes[len(s.nodes)-1]
	for id, t := range n.core.txns {
		if !t.meta.state.idle() || t.busy() {
			s.t.Errorf("seed %d: %s is left in %s", s.seed, id, describeMachine(t.machine))
		}
	}
	fate := make(map[string]map[simFate]bool)
	committed := make(map[string]bool)
	for _, log := range s.logs {
		for _, r := range log.records {
			if fate[r.label] == nil {
				fate[r.label] = make(map[simFate]bool)
			}
			fate[r.label][r.fate] = true
			if r.fate == simCommitted {
				if committed[r.value] {
					s.t.Errorf("seed %d: %s is there twice", s.seed, r.value)
				}
				committed[r.value] = true
			}
		}
	}
	for _, name := range s.order {
		l, f := s.labels[name], fate[name]
		if f[simOpen] {
			s.t.Errorf("seed %d: %s is open for ever", s.seed, name)
		}
		if f[simCommitted] && f[simAborted] {
			s.t.Errorf("seed %d: %s is torn", s.seed, name)
		}
		if f[simCommitted] && (!l.askedCommit || l.aborted) {
			s.t.Errorf("seed %d: %s was committed and should not have been", s.seed, name)
		}
		for value := range l.written {
			if (l.committed || f[simCommitted]) && !committed[value] {
				s.t.Errorf("seed %d: %s was committed without %s", s.seed, name, value)
			}
		}
	}
}

type simFate int

const (
	simOpen simFate = iota
	simCommitted
	simAborted
)

// simLog is one partition: what Kafka's log does with producers and markers, and no more.
type simLog struct {
	s         *sim
	tp        TopicPartition
	records   []*simRecord
	producers map[int64]*simProducer
	seen      map[string]bool // by sequence number, so to say
}

type simRecord struct {
	producerID   int64
	label, value string
	fate         simFate
}

type simProducer struct {
	epoch            int16
	coordinatorEpoch int32
	open             bool
	marks            int // moves with each marker: what was verified before it does not count any more
}

func (l *simLog) producer(id int64) *simProducer {
	p := l.producers[id]
	if p == nil {
		p = &simProducer{epoch: noEpoch}
		l.producers[id] = p
	}
	return p
}

func (l *simLog) append(producerID int64, epoch int16, label, value string, marks int) error {
	p := l.producer(producerID)
	switch {
	case epoch < p.epoch:
		l.s.counts["produce refused"]++
		return kerr.InvalidProducerEpoch
	case l.seen[value]:
		return nil
	case marks != p.marks:
		l.s.counts["produce refused"]++
		return kerr.InvalidTxnState
	case p.open && epoch != p.epoch:
		l.s.t.Errorf("seed %d: epoch %d while a transaction of epoch %d is open", l.s.seed, epoch, p.epoch)
	}
	p.open, p.epoch = true, epoch
	l.seen[value] = true
	l.s.log("log %d: %s by (%d,%d)", l.tp.Partition, value, producerID, epoch)
	l.records = append(l.records, &simRecord{producerID, label, value, simOpen})
	return nil
}

func (l *simLog) mark(m Markers) error {
	p := l.producer(m.ProducerID)
	var err error
	defer func() {
		l.s.log("log %d: markers (%d,%d) commit=%v coordinator=%d: %v", l.tp.Partition, m.ProducerID, m.Epoch, m.Commit, m.CoordinatorEpoch, err)
	}()
	switch {
	case m.CoordinatorEpoch < p.coordinatorEpoch:
		err = kerr.TransactionCoordinatorFenced
	case m.Epoch < p.epoch, m.TransactionVersion >= 2 && p.open && m.Epoch == p.epoch:
		err = kerr.InvalidProducerEpoch
	}
	if err != nil {
		l.s.counts["marker refused"]++
		return err
	}
	p.epoch, p.coordinatorEpoch = m.Epoch, m.CoordinatorEpoch
	p.open = false
	p.marks++
	for _, r := range l.records {
		if r.producerID == m.ProducerID && r.fate == simOpen {
			r.fate = simAborted
			if m.Commit {
				r.fate = simCommitted
			}
		}
	}
	return nil
}
