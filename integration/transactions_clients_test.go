package integration

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"blumfeld/integration/proxy"
	"blumfeld/integration/txncheck"
)

// This file has the clients that TestTransactions torments: plain producers, transactional ones, and members of groups that
// consume, process and produce.

const (
	txnPartitions = 6
	// A transaction whose client is gone is ended by the broker after this time.
	txnTimeout = 3 * time.Second
	txnSession = time.Second // of members
)

// actor is a part to be played in a round: lives of a client, one after the other, all with one transactional id. A life
// ends when the client cannot go on, or is killed. It is usurped when the next one begins while it still goes on.
type actor struct {
	round  *txnRound
	name   string // the transactional id; "" for a plain producer
	group  string // of members
	static bool   // a member that takes over its predecessor's partitions at once
	seed   uint64
	live   func(*life)
	kill   chan struct{}
	usurp  chan struct{}
	number uint64 // of its lives so far
}

// life is one client.
type life struct {
	*actor
	producer int // in the history
	// old is the protocol before KIP-890: one epoch for all transactions of a life, partitions and groups added to them by
	// requests.
	old  bool
	line *proxy.Line
	stop <-chan struct{} // closed: it ends what it has begun, and no more
	ctx  context.Context // ends when the client is killed
	end  context.CancelFunc

	mu     sync.Mutex
	random *rand.Rand
}

// play has one life follow the other until stop is closed, or ctx ends and with it whoever lives.
func (a *actor) play(ctx context.Context, stop <-chan struct{}) {
	var living sync.WaitGroup
	defer living.Wait()
	for {
		select {
		case <-stop:
			return
		default:
		}
		l, err := a.born(ctx, stop)
		if err != nil {
			a.round.t.Error(err)
			return
		}
		over := make(chan struct{})
		living.Go(func() {
			defer l.line.Close()
			defer l.end()
			defer close(over)
			a.live(l)
		})
		living.Go(func() { // it may die over its words, also when another plays its part
			select {
			case <-l.line.Dead():
				l.end()
			case <-over:
			}
		})
		select {
		case <-over:
		case <-a.usurp:
			a.round.count("client usurped")
		case <-a.kill:
			a.round.count("client killed")
			l.line.Cut()
		case <-l.line.Dead():
		}
		select {
		case <-l.line.Dead():
			if l.chance(300) { // others have to do without it for a while
				a.absent(l.upTo(txnTimeout), stop)
			}
		default:
		}
	}
}

func (a *actor) absent(d time.Duration, stop <-chan struct{}) {
	for timeout := time.After(d); ; {
		select {
		case <-a.kill: // it is dead already
		case <-a.usurp:
			return
		case <-stop:
			return
		case <-timeout:
			return
		}
	}
}

// born begins the actor's next life.
func (a *actor) born(ctx context.Context, stop <-chan struct{}) (*life, error) {
	a.number++
	l := &life{actor: a, stop: stop, random: rand.New(rand.NewPCG(a.seed, a.number))}
	l.old = l.chance(500)
	l.producer = a.round.history.producer(l.String(), a.plain())
	line, err := proxy.Open(a.round.post, l.fate)
	l.line = line
	l.ctx, l.end = context.WithCancel(ctx)
	return l, err
}

// String is how anomalies call it.
func (l *life) String() string {
	protocol := "KIP-890"
	if l.plain() {
		return fmt.Sprintf("a plain producer's life %d", l.number)
	}
	if l.old {
		protocol = "before KIP-890"
	}
	return fmt.Sprintf("%s's life %d (%s)", l.name, l.number, protocol)
}

func (a *actor) plain() bool { return a.name == "" }

// below is a random number, below n.
func (l *life) below(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.random.IntN(n)
}

// chance is true n times of a thousand.
func (l *life) chance(n int) bool { return l.below(1000) < n }

func (l *life) upTo(d time.Duration) time.Duration { return time.Duration(l.below(int(d))) }

// fate decides what happens to a request of this client.
//
// The protocol before KIP-890 has one epoch for many transactions: an EndTxn or TxnOffsetCommit that comes when the client
// has gone on ends the next one, or commits old offsets in it, with Apache Kafka too. So there, those are late only if the
// client is dead, for then its successor has another epoch.
func (l *life) fate(r proxy.Request) proxy.Fate {
	if l.round.healed.Load() {
		return proxy.Fate{}
	}
	chance := 3
	var what []proxy.What
	switch r.Key {
	case int16(kmsg.Produce):
		chance, what = 20, []proxy.What{proxy.Delayed, proxy.Unanswered, proxy.Twice, proxy.LastWords}
		if !l.old || l.plain() {
			what = append(what, proxy.Late)
		}
	case int16(kmsg.EndTxn), int16(kmsg.TxnOffsetCommit):
		select {
		case l.round.ending <- struct{}{}:
		default:
		}
		chance, what = 60, []proxy.What{proxy.Delayed, proxy.Unanswered, proxy.LastWords}
		if !l.old {
			what = append(what, proxy.Late, proxy.Twice)
		}
	case int16(kmsg.AddPartitionsToTxn), int16(kmsg.AddOffsetsToTxn), int16(kmsg.InitProducerID):
		chance, what = 40, []proxy.What{proxy.Delayed, proxy.Unanswered, proxy.Twice, proxy.LastWords}
	default:
		what = []proxy.What{proxy.Delayed, proxy.Unanswered}
	}
	if !l.chance(chance) {
		return proxy.Fate{}
	}
	fate := proxy.Fate{What: what[l.below(len(what))], Delay: l.upTo(txnTimeout)}
	if fate.What == proxy.Delayed {
		fate.Delay /= 6
	}
	l.round.count(fate.What.String() + " " + kmsg.NameForKey(r.Key))
	return fate
}

// options are those of its client.
func (l *life) options(more ...kgo.Opt) []kgo.Opt {
	opts := []kgo.Opt{
		kgo.SeedBrokers(l.round.addr), kgo.WithContext(l.ctx), kgo.ClientID(l.name), kgo.Dialer(l.line.Dial),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(-1), kgo.MetadataMinAge(50 * time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 10*time.Millisecond + l.upTo(90*time.Millisecond) }),
	}
	if l.old {
		versions := kversion.Stable()
		versions.SetMaxKeyVersion(int16(kmsg.Produce), 11)
		versions.SetMaxKeyVersion(int16(kmsg.EndTxn), 4)
		versions.SetMaxKeyVersion(int16(kmsg.TxnOffsetCommit), 4)
		// It does not send again what a paused broker may still come to: see fate.
		opts = append(opts, kgo.MaxVersions(versions), kgo.RequestTimeoutOverhead(time.Minute))
	} else {
		opts = append(opts, kgo.RequestTimeoutOverhead(time.Second), kgo.ProduceRequestTimeout(time.Second))
	}
	if !l.plain() {
		opts = append(opts, kgo.TransactionalID(l.name), kgo.TransactionTimeout(txnTimeout))
	}
	return append(opts, more...)
}

// pause waits for a while; false if nothing is to be begun any more.
func (l *life) pause(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-l.stop:
	case <-l.ctx.Done():
	}
	return false
}

// produce sends a record of a transaction to a random partition. told is called with what became of it.
func (l *life) produce(cl *kgo.Client, txn int, w txncheck.Write, told func(error)) {
	record := &kgo.Record{Topic: w.To.Topic, Partition: w.To.Partition, Value: l.round.history.write(txn, w)}
	cl.Produce(l.ctx, record, func(_ *kgo.Record, err error) { told(err) })
}

func (l *life) anyOf(topic string) txncheck.TP {
	return txncheck.TP{Topic: topic, Partition: int32(l.below(txnPartitions))}
}

// writePlainly has a producer without transactions write bursts of records.
func writePlainly(l *life) {
	cl, err := kgo.NewClient(l.options()...)
	if err != nil {
		l.round.t.Error(err)
		return
	}
	defer cl.Close()
	for l.pause(l.upTo(50 * time.Millisecond)) {
		for range 1 + l.below(4) {
			// Each record for itself.
			txn := l.round.history.begin(l.producer, "")
			l.round.history.ask(txn)
			l.produce(cl, txn, txncheck.Write{To: l.anyOf(l.round.source)}, func(err error) {
				if err == nil {
					l.round.history.end(txn, txncheck.Committed)
				}
			})
		}
	}
	_ = cl.Flush(l.ctx) // its records tell
}

// writeTransactions has a transactional producer write one after the other.
func writeTransactions(l *life) {
	cl, err := kgo.NewClient(l.options()...)
	if err != nil {
		l.round.t.Error(err)
		return
	}
	defer cl.Close()
	for l.pause(l.upTo(20 * time.Millisecond)) {
		if cl.BeginTransaction() != nil {
			return
		}
		txn := l.round.history.begin(l.producer, "")
		var failed errorOnce
		for range 1 + l.below(10) {
			l.produce(cl, txn, txncheck.Write{To: l.anyOf(l.round.source)}, failed.set)
			if l.chance(50) {
				l.pause(l.upTo(50 * time.Millisecond))
			}
		}
		if cl.Flush(l.ctx) != nil || failed.get() != nil {
			return // it does not know what is in the transaction; its successor's InitProducerId aborts
		}
		switch {
		case l.chance(100):
			if cl.EndTransaction(l.ctx, kgo.TryAbort) != nil {
				return
			}
			l.round.history.end(txn, txncheck.Aborted)
			continue
		case l.chance(5):
			// The broker ends it meanwhile, and has to refuse the commit.
			l.pause(txnTimeout + time.Second)
		}
		l.round.history.ask(txn)
		if cl.EndTransaction(l.ctx, kgo.TryCommit) != nil {
			return
		}
		l.round.history.end(txn, txncheck.Committed)
	}
}

// consumeProcessProduce has a member of a group make one record of each that it reads, and commit both together.
func consumeProcessProduce(l *life) {
	var static []kgo.Opt
	if l.static {
		static = append(static, kgo.InstanceID(l.name))
	}
	session, err := kgo.NewGroupTransactSession(append(static, l.options(
		kgo.ConsumerGroup(l.group), kgo.ConsumeTopics(l.round.source), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond),
		kgo.SessionTimeout(txnSession), kgo.HeartbeatInterval(txnSession/10), kgo.RebalanceTimeout(txnTimeout))...)...)
	if err != nil {
		l.round.t.Error(err)
		return
	}
	defer session.CloseAllowingRebalance()
	for l.pause(l.upTo(20 * time.Millisecond)) {
		poll, cancel := context.WithTimeout(l.ctx, 200*time.Millisecond)
		records := session.PollRecords(poll, 1+l.below(200)).Records()
		cancel()
		if len(records) == 0 {
			continue
		}
		if session.Begin() != nil {
			return
		}
		txn := l.round.history.begin(l.producer, l.group)
		var failed errorOnce
		for _, r := range records {
			if err := l.round.history.see("members of "+l.group, r); err != nil {
				l.round.t.Error(err)
				return
			}
			l.produce(session.Client(), txn, txncheck.Write{To: l.anyOf(l.round.derived),
				From: txncheck.TP{Topic: r.Topic, Partition: r.Partition}, Offset: r.Offset}, failed.set)
		}
		if session.Client().Flush(l.ctx) != nil || failed.get() != nil {
			return
		}
		commit := kgo.TryCommit
		if l.chance(50) {
			commit = kgo.TryAbort
		} else {
			l.round.history.ask(txn)
		}
		committed, err := session.End(l.ctx, commit)
		if err != nil {
			return
		}
		if committed {
			l.round.history.end(txn, txncheck.Committed)
		} else {
			l.round.history.end(txn, txncheck.Aborted)
		}
	}
}

// errorOnce keeps the first error that it is given, by whichever goroutine.
type errorOnce struct {
	mu  sync.Mutex
	err error
}

func (e *errorOnce) set(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err == nil {
		e.err = err
	}
}

func (e *errorOnce) get() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.err
}
