package replica

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
	"blumfeld/logstore"
	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"
)

var (
	moveSeed  = flag.Uint64("moveseed", 0, "replay the one crash in a move with this seed")
	moveCount = flag.Int("moves", 60, "how many crashes in moves to try")
)

// moving is a set over two directories, /a and /b, with a topic of one partition.
type moving struct {
	t     *testing.T
	set   *Set
	dirs  []*logstore.Dir
	rate  atomic.Int64
	log   strings.Builder
	image *controller.Image
	fs    vfs.FS
}

// oneTopic is metadata of topic t with one partition.
func oneTopic(t *testing.T) (*controller.Controller, *controller.Image) {
	t.Helper()
	c := controller.New(controller.NewMemStore(), controller.Options{NodeID: self, DefaultPartitions: 1, DefaultReplicationFactor: 1, Logger: slog.New(slog.DiscardHandler)})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.RegisterBroker(t.Context(), controller.Broker{ID: self}); err != nil {
		t.Fatal(err)
	}
	results, rev := c.CreateTopics(t.Context(), []controller.NewTopic{{Name: "t", Partitions: 1, ReplicationFactor: 1}}, false)
	if results[0].Err != nil {
		t.Fatal(results[0].Err)
	}
	image, err := c.WaitRevision(t.Context(), rev)
	if err != nil {
		t.Fatal(err)
	}
	return c, image
}

func newMoving(t *testing.T, fs vfs.FS, image *controller.Image, flushMessages int64) *moving {
	t.Helper()
	m := &moving{t: t, image: image, fs: fs}
	m.rate.Store(1 << 62)
	logger := slog.New(slog.NewTextHandler(&m.log, nil))
	for _, path := range []string{"/a", "/b"} {
		d, err := logstore.OpenDirOrOffline(fs, path, logstore.DirOptions{NodeID: self, Logger: logger})
		if err != nil {
			t.Fatal(err)
		}
		m.dirs = append(m.dirs, d)
	}
	m.set = NewSet(SetOptions{NodeID: self, Dirs: m.dirs, Logger: logger,
		MoveRate:        func(*controller.Image) int64 { return m.rate.Load() },
		RecoveryThreads: func(*controller.Image) int { return 1 },
		Settings: func(*controller.Image, *controller.Topic) Settings {
			c := logstore.DefaultConfig()
			c.SegmentBytes, c.IndexIntervalBytes, c.FlushMessages = 2000, 200, flushMessages
			c.FileDeleteDelayMs = 0
			return Settings{Log: c, MinInsyncReplicas: 1}
		}})
	m.set.Apply(image)
	return m
}

// close is what an orderly stop does.
func (m *moving) close() {
	m.set.Stop()
	for _, d := range m.dirs {
		if err := d.Close(); err != nil {
			m.t.Error(err)
		}
	}
}

func (m *moving) partition() *Partition {
	m.t.Helper()
	p, err := m.set.Get("t", 0)
	if err != nil {
		m.t.Fatal(err)
	}
	return p
}

// arrive waits until nothing moves any more.
func (m *moving) arrive() {
	m.set.mu.RLock()
	var under []*move
	for _, move := range m.set.moves {
		under = append(under, move)
	}
	m.set.mu.RUnlock()
	for _, move := range under {
		<-move.done
	}
}

// check reads the whole log: record n has offset n and value n.
func (m *moving) check(from, atLeast int64) int64 {
	m.t.Helper()
	p := m.partition()
	end := p.Log().Offsets().LogEnd
	if end < atLeast {
		m.t.Errorf("the log ends at %d, %d were acknowledged", end, atLeast)
	}
	for at := from; at < end; {
		r, err := p.Fetch(FetchParams{Offset: at, MaxBytes: 700, AtLeastOne: true, ReplicaID: -1, CurrentLeaderEpoch: -1, LastFetchedEpoch: -1})
		if err != nil {
			m.t.Fatalf("fetch of %d: %v", at, err)
		}
		records, err := r.Slice.AppendTo(nil)
		r.Slice.Release()
		if err != nil || len(records) == 0 {
			m.t.Fatalf("fetch of %d: %d bytes, %v", at, len(records), err)
		}
		for len(records) > 0 {
			b, rest, err := batch.Next(records)
			if err != nil {
				m.t.Fatal(err)
			}
			for rec, err := range b.Records() {
				if err != nil || rec.Offset != at || string(rec.Value) != fmt.Sprint(at) {
					m.t.Fatalf("offset %d has value %s where %d is due, %v", rec.Offset, rec.Value, at, err)
				}
				at++
			}
			records = rest
		}
	}
	return end
}

func (m *moving) append(n int64) error {
	b := batch.NewBuilder().Add(batch.Record{Timestamp: 1, Value: fmt.Append(nil, n)}).Build()
	p := m.partition()
	a, err := p.Append(b, 1, Verification{})
	if err != nil {
		return err
	}
	if a.BaseOffset != n {
		m.t.Errorf("record %d got offset %d", n, a.BaseOffset)
	}
	return p.WaitFlushed(a)
}

// TestMove moves a replica there and back while it is appended to, and again with
// a start of the log that has moved.
func TestMove(t *testing.T) {
	_, image := oneTopic(t)
	mem := vfs.NewMem(time.Now)
	m := newMoving(t, mem, image, 1<<62)
	defer m.close()
	var next int64
	for ; next < 200; next++ {
		if err := m.append(next); err != nil {
			t.Fatal(err)
		}
	}
	from := int64(0)
	for round, to := range []int{1, 0, 1, 1} {
		var stop atomic.Bool
		var writing sync.WaitGroup
		writing.Go(func() {
			for ; !stop.Load(); next++ {
				if err := m.append(next); err != nil {
					t.Errorf("append of %d while it moves: %v", next, err)
					return
				}
			}
		})
		if err := m.set.Move("t", 0, m.dirs[to]); err != nil {
			t.Fatal(err)
		}
		m.arrive()
		stop.Store(true)
		writing.Wait()
		if d, err := m.set.DirOf("t", 0); err != nil || d != m.dirs[to] || m.partition().Log().Dir() != d {
			t.Fatalf("round %d: it is in %v, %v", round, d, err)
		}
		m.check(from, next)
		if start := m.partition().Log().Offsets().LogStart; start != from {
			t.Errorf("round %d: the log starts at %d, not %d", round, start, from)
		}
		if epoch, ok := m.partition().Log().EpochAt(from); !ok || epoch != 0 {
			t.Errorf("round %d: epoch %d, %v", round, epoch, ok)
		}
		other := m.dirs[1-to]
		if logs, futures := other.Logs(), other.Futures(); len(logs)+len(futures) > 0 {
			t.Errorf("round %d: left behind %v %v", round, logs, futures)
		}
		if logs := m.dirs[to].Logs(); len(logs) != 1 {
			t.Errorf("round %d: %v", round, logs)
		}
		from = next / 2
		if _, err := m.partition().Log().DeleteRecordsBefore(from); err != nil {
			t.Fatal(err)
		}
	}
	if m.set.load[m.dirs[0]] != 0 || m.set.load[m.dirs[1]] != 1 {
		t.Errorf("loads are %v", m.set.load)
	}
}

// TestMoveKeepsProducers: a batch that was sent before the move is known after it.
func TestMoveKeepsProducers(t *testing.T) {
	_, image := oneTopic(t)
	m := newMoving(t, vfs.NewMem(time.Now), image, 1<<62)
	defer m.close()
	sent := func(seq int32) batch.Batch {
		b := batch.NewBuilder()
		b.ProducerID, b.ProducerEpoch, b.BaseSequence = 7, 0, seq
		return b.Add(batch.Record{Timestamp: time.Now().UnixMilli(), Value: []byte("v")}).Build()
	}
	for seq := range int32(5) {
		if _, err := m.partition().Append(sent(seq), 1, Verification{}); err != nil {
			t.Fatal(err)
		}
	}
	// Their records go; what is known of them stays.
	if _, err := m.partition().Log().Roll(2); err != nil {
		t.Fatal(err)
	}
	if _, err := m.partition().Log().DeleteRecordsBefore(-1); err != nil {
		t.Fatal(err)
	}
	if _, err := m.partition().Log().Retain(2); err != nil {
		t.Fatal(err)
	}
	if err := m.set.Move("t", 0, m.dirs[1]); err != nil {
		t.Fatal(err)
	}
	m.arrive()
	a, err := m.partition().Append(sent(4), 1, Verification{})
	if err != nil || !a.Duplicate || a.BaseOffset != 4 {
		t.Errorf("a batch sent twice: %+v, %v", a, err)
	}
	if _, err := m.partition().Append(sent(7), 1, Verification{}); !errors.Is(err, kerr.OutOfOrderSequenceNumber) {
		t.Errorf("a gap in sequences: %v", err)
	}
	if a, err := m.partition().Append(sent(5), 1, Verification{}); err != nil || a.BaseOffset != 5 {
		t.Errorf("the next batch: %+v, %v", a, err)
	}
}

// TestMoveEnds: moves that are given up leave nothing, neither does a topic that is
// deleted while it moves; one that the process's end interrupts goes on later.
func TestMoveEnds(t *testing.T) {
	c, image := oneTopic(t)
	mem := vfs.NewMem(time.Now)
	m := newMoving(t, mem, image, 1<<62)
	for n := range int64(300) {
		if err := m.append(n); err != nil {
			t.Fatal(err)
		}
	}
	stall := func() {
		t.Helper()
		m.rate.Store(0)
		if err := m.set.Move("t", 0, m.dirs[1]); err != nil {
			t.Fatal(err)
		}
	}
	stall()
	if err := m.set.Move("t", 0, m.dirs[1]); err != nil {
		t.Errorf("asked for twice: %v", err)
	}
	n := 0
	for p, future := range m.set.Moves(m.dirs[1]) {
		if n++; p != m.partition() || future.Dir() != m.dirs[1] {
			t.Errorf("moves %v to %v", p, future.Dir())
		}
	}
	if n != 1 {
		t.Errorf("%d moves", n)
	}
	if err := m.set.Move("t", 0, m.dirs[0]); err != nil {
		t.Fatal(err)
	}
	if futures := m.dirs[1].Futures(); len(futures) > 0 || len(m.set.moves) > 0 {
		t.Errorf("left by a move that was given up: %v, %v", futures, m.set.moves)
	}
	m.check(0, 300)

	stall()
	m.close()
	m = newMoving(t, mem, image, 1<<62)
	m.arrive()
	if d, err := m.set.DirOf("t", 0); err != nil || d != m.dirs[1] {
		t.Errorf("after a restart it is in %v, %v\n%s", d.Path(), err, &m.log)
	}
	m.check(0, 300)

	m.rate.Store(0)
	if err := m.set.Move("t", 0, m.dirs[0]); err != nil {
		t.Fatal(err)
	}
	_, rev := c.DeleteTopics(t.Context(), []controller.TopicRef{{Name: "t"}})
	gone, err := c.WaitRevision(t.Context(), rev)
	if err != nil {
		t.Fatal(err)
	}
	m.set.Apply(gone)
	for _, d := range m.dirs {
		if logs, futures := d.Logs(), d.Futures(); len(logs)+len(futures) > 0 {
			t.Errorf("left by a topic that was deleted while it moved: %v %v", logs, futures)
		}
	}
	m.close()
}

// TestMoveToABadDisk: the move ends, the replica stays where it is.
func TestMoveToABadDisk(t *testing.T) {
	_, image := oneTopic(t)
	var bad atomic.Bool
	m := newMoving(t, vfs.Inject(vfs.NewMem(time.Now), func(op vfs.Op) error {
		if bad.Load() && strings.HasPrefix(op.Path, "/b/t-0.") && op.Kind == vfs.OpWrite {
			return syscall.EIO
		}
		return nil
	}), image, 1<<62)
	defer m.close()
	for n := range int64(100) {
		if err := m.append(n); err != nil {
			t.Fatal(err)
		}
	}
	m.rate.Store(0)
	if err := m.set.Move("t", 0, m.dirs[1]); err != nil {
		t.Fatal(err)
	}
	bad.Store(true)
	for n := int64(100); n < 200; n++ {
		if err := m.append(n); err != nil {
			t.Fatal(err)
		}
	}
	m.rate.Store(1 << 62)
	m.arrive()
	if m.dirs[1].Offline() == nil || m.dirs[0].Offline() != nil {
		t.Errorf("offline: %v, %v", m.dirs[0].Offline(), m.dirs[1].Offline())
	}
	m.check(0, 200)
	if err := m.set.Move("t", 0, m.dirs[1]); !errors.Is(err, kerr.KafkaStorageError) {
		t.Errorf("a move to a directory that is offline: %v", err)
	}
}

// TestMoveCrash ends the process, or the machine, at any operation of a move while
// somebody appends. What was acknowledged is there, once, in one directory; with
// flush.messages=1 also after the machine's end. The seed is printed and replays.
func TestMoveCrash(t *testing.T) {
	_, image := oneTopic(t)
	seeds := []uint64{*moveSeed}
	if *moveSeed == 0 {
		seeds = nil
		for range *moveCount {
			seeds = append(seeds, rand.Uint64()>>16)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprintf("moveseed=%d", seed), func(t *testing.T) { moveAndCrash(t, image, seed) })
		if t.Failed() {
			return
		}
	}
}

func moveAndCrash(t *testing.T, image *controller.Image, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	machine := rng.IntN(2) == 0
	flushMessages := int64(1 << 62)
	if machine {
		flushMessages = 1
	}
	mem := vfs.NewMem(time.Now)
	var countdown, acknowledged, known atomic.Int64
	var left atomic.Pointer[vfs.Mem]
	countdown.Store(-1)
	m := newMoving(t, vfs.Inject(mem, func(vfs.Op) error {
		if countdown.Add(-1) == 0 {
			known.Store(acknowledged.Load())
			if machine {
				left.Store(mem.CrashClone(rng))
			} else {
				left.Store(mem.Clone())
			}
		}
		return nil
	}), image, flushMessages)
	next := int64(0)
	for ; next < 100; next++ {
		if err := m.append(next); err != nil {
			t.Fatal(err)
		}
		acknowledged.Store(next + 1)
	}
	countdown.Store(1 + rng.Int64N(400))
	var stop atomic.Bool
	var writing sync.WaitGroup
	writing.Go(func() {
		for ; !stop.Load() || left.Load() == nil; next++ {
			if err := m.append(next); err != nil {
				t.Errorf("append of %d: %v", next, err)
				return
			}
			acknowledged.Store(next + 1)
		}
	})
	if err := m.set.Move("t", 0, m.dirs[1]); err != nil {
		t.Fatal(err)
	}
	m.arrive()
	stop.Store(true)
	writing.Wait()
	m.close()

	after := newMoving(t, left.Load(), image, flushMessages)
	defer after.close()
	defer func() {
		if t.Failed() {
			after.set.Stop()
			t.Logf("machine %v\n%s", machine, &after.log)
		}
	}()
	end := after.check(0, known.Load())
	after.arrive()
	if got := after.check(0, known.Load()); got != end {
		t.Errorf("the log ends at %d, and at %d when the move had ended", end, got)
	}
	if err := after.append(end); err != nil {
		t.Error(err)
	}
	if logs := len(after.dirs[0].Logs()) + len(after.dirs[1].Logs()); logs != 1 {
		t.Errorf("%d logs", logs)
	}
	if futures := len(after.dirs[0].Futures()) + len(after.dirs[1].Futures()); futures != 0 {
		t.Errorf("%d future logs", futures)
	}
}

// TestPace: so many bytes take so long, and who waits hears of a change.
func TestPace(t *testing.T) {
	p := newPace(1)
	begin := time.Now()
	if err := p.spend(t.Context(), 10_000, func() int64 { return 200_000 }); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < 50*time.Millisecond {
		t.Errorf("10,000 bytes at 200,000 a second took %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int32
	err := p.spend(ctx, 10_000, func() int64 {
		if asked.Add(1) > 1 {
			cancel()
		}
		return 1
	})
	if !errors.Is(err, context.Canceled) || asked.Load() < 2 {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
}
