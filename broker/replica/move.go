package replica

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
	"blumfeld/logstore"
)

// Replicas move between the directories of this broker (KIP-113): a future log in
// the other directory follows the partition's log, and takes its place when it
// has everything. What of it a crash leaves is in logstore/future.go.

// move is a replica on its way to another directory.
type move struct {
	partition *Partition
	future    *logstore.Log
	cancel    context.CancelFunc
	done      chan struct{} // closed when one of the two logs is gone
}

func (m *move) to() *logstore.Dir { return m.future.Dir() }

// end gives the move up and waits until nothing is left of it.
func (m *move) end() {
	m.cancel()
	<-m.done
}

const (
	// copyBytes is how much is copied at a time.
	copyBytes = 1 << 20
	// copyUnderLock is how much may be left to copy while nobody can append; twice
	// as much with each attempt, for who appends may be as fast as who copies.
	copyUnderLock = 1 << 20
)

// Move begins to move a partition's replica to another directory. One that is on
// its way there goes on; to move it to where it is ends a move elsewhere. Errors:
// Get's; KAFKA_STORAGE_ERROR if a directory is offline, for it may hold a future
// log of an earlier move.
func (s *Set) Move(topic string, partition int32, to *logstore.Dir) error {
	s.moving.Lock()
	defer s.moving.Unlock()
	p, err := s.Get(topic, partition)
	if err != nil {
		return err
	}
	at := place{topic, partition}
	s.mu.RLock()
	m := s.moves[at]
	s.mu.RUnlock()
	if m != nil {
		if m.to() == to {
			return nil
		}
		m.end()
	}
	log := p.Log()
	if log.Dir() == to {
		return nil
	}
	for _, d := range s.opts.Dirs {
		if err := d.Offline(); err != nil {
			return fmt.Errorf("%w: %s is offline: %w", kerr.KafkaStorageError, d.Path(), err)
		}
	}
	cfg := log.Config()
	cfg.FlushMessages, cfg.FlushMs = math.MaxInt64, math.MaxInt64 // until it is the log, nobody relies on what is in it
	future, err := to.OpenFuture(topic, partition, log.TopicID(), cfg)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	m = &move{partition: p, future: future, cancel: cancel, done: make(chan struct{})}
	s.mu.Lock()
	h := s.topics[topic]
	here := h != nil && int(partition) < len(h.partitions) && h.partitions[partition] == p && s.ctx.Err() == nil
	if here {
		s.moves[at] = m
		s.moved.Add(1)
	}
	s.mu.Unlock()
	if !here { // it was deleted meanwhile
		cancel()
		return errors.Join(kerr.UnknownTopicOrPartition, to.Delete(future))
	}
	s.opts.Logger.Info("a replica moves", "topic", topic, "partition", partition, "from", log.Dir().Path(), "to", to.Path())
	go s.run(ctx, at, m)
	return nil
}

// Moves yields the partitions that are on their way to d, with the logs there.
func (s *Set) Moves(d *logstore.Dir) iter.Seq2[*Partition, *logstore.Log] {
	return func(yield func(*Partition, *logstore.Log) bool) {
		var moves []*move
		s.mu.RLock()
		for _, m := range s.moves {
			if m.to() == d && m.partition.Log() != m.future {
				moves = append(moves, m)
			}
		}
		s.mu.RUnlock()
		for _, m := range moves {
			if !yield(m.partition, m.future) {
				return
			}
		}
	}
}

// run copies, and ends the move one way or the other.
func (s *Set) run(ctx context.Context, at place, m *move) {
	defer s.moved.Done()
	defer close(m.done)
	defer func() {
		m.cancel()
		s.mu.Lock()
		delete(s.moves, at)
		s.mu.Unlock()
	}()
	old := m.partition.Log()
	resume := old.PauseCleaning()
	err := s.copy(ctx, m)
	if err == nil {
		s.arrived(at, m)
		if err := s.leave(ctx, at, m, old); err != nil {
			s.opts.Logger.Error("the log that a replica has left cannot be removed",
				"topic", at.topic, "partition", at.partition, "dir", old.Dir().Path(), "err", err)
		}
		s.opts.Logger.Info("a replica has moved", "topic", at.topic, "partition", at.partition, "to", m.to().Path())
		return
	}
	resume()
	if s.ctx.Err() != nil {
		return // the next start goes on
	}
	if ctx.Err() == nil {
		s.opts.Logger.Error("a replica cannot be moved", "topic", at.topic, "partition", at.partition, "to", m.to().Path(), "err", err)
	}
	if err := m.to().Delete(m.future); err != nil {
		s.opts.Logger.Error("the copy of a log cannot be removed", "topic", at.topic, "partition", at.partition, "dir", m.to().Path(), "err", err)
	}
}

// flushAgain is how long to wait before the flush that ends a move is tried again.
const flushAgain = time.Second

// leave removes the log that a replica has left. What was flushed there is flushed
// in the new one first. Lack of room for that passes; until it does both are there,
// also for the next start (see replacePlaced). If it never will, the old log is
// kept aside: a start that finds it, and not the new one, would take it for the log,
// and lose what was acknowledged since. So it is if the replica moves on before the
// flush: what was flushed here is then promised by a copy of the new log only.
func (s *Set) leave(ctx context.Context, at place, m *move, old *logstore.Log) error {
	for {
		err := m.future.Settle()
		if err == nil {
			return old.Dir().Delete(old)
		}
		if m.to().Offline() == nil {
			s.opts.Logger.Warn("a log that has moved cannot be flushed yet",
				"topic", old.Topic(), "partition", old.Partition(), "to", m.to().Path(), "err", err)
			timer := time.NewTimer(flushAgain)
			select {
			case <-timer.C:
				continue
			case <-ctx.Done():
				timer.Stop()
			}
			if s.ctx.Err() != nil {
				return nil
			}
		}
		if !s.hosts(at, m.partition) {
			return old.Dir().Delete(old)
		}
		return errors.Join(err, old.Dir().SetAside(old))
	}
}

// hosts says whether a partition has not been deleted meanwhile.
func (s *Set) hosts(at place, p *Partition) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	h := s.topics[at.topic]
	return h != nil && int(at.partition) < len(h.partitions) && h.partitions[at.partition] == p
}

// arrived takes note that the future log is the log.
func (s *Set) arrived(at place, m *move) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.topics[at.topic]
	if h == nil || int(at.partition) >= len(h.partitions) || h.partitions[at.partition] != m.partition {
		return // deleted, and the log with it
	}
	s.load[h.dirs[at.partition]]--
	h.dirs[at.partition] = m.to()
	s.placed[at] = m.to()
	s.load[m.to()]++
}

// copy brings the future log to where the log is, and lets it take its place.
func (s *Set) copy(ctx context.Context, m *move) error {
	if err := s.pace.begin(ctx); err != nil {
		return err
	}
	defer s.pace.end()
	var buf []byte
	flushed := false
	for most := copyUnderLock; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var err error
		if buf, err = copySome(m.partition.Log(), m.future, buf[:0]); err != nil {
			return err
		}
		if err := s.pace.spend(ctx, len(buf), s.moveRate); err != nil {
			return err
		}
		from, end := m.future.Offsets().LogEnd, m.partition.Log().Offsets().LogEnd
		left, err := m.partition.Log().Extent(from, end)
		if err != nil || left > most {
			continue // copying will tell
		}
		if left == 0 && from < end {
			if err := m.future.SkipTo(end); err != nil { // no batch reaches the log's end
				return err
			}
			continue
		}
		if !flushed {
			// Two logs are there until the new one is flushed: not for long, if most of it is on disk before. What is
			// appended meanwhile is flushed then, or this might never end.
			if err := m.future.Flush(); err != nil {
				return err
			}
			flushed = true
			continue
		}
		if done, err := m.partition.replaceLog(ctx, m.future, most); done || err != nil {
			return err
		}
		most = min(2*most, math.MaxInt32)
	}
}

func (s *Set) moveRate() int64 {
	if s.opts.MoveRate == nil {
		return 1 << 62
	}
	return s.opts.MoveRate(s.Image())
}

// copySome appends to the future log what comes next in the log, and returns it.
func copySome(log, future *logstore.Log, buf []byte) ([]byte, error) {
	if err := future.Follow(log); err != nil {
		return buf, err
	}
	from, end := future.Offsets().LogEnd, log.Offsets().LogEnd
	if from >= end {
		return buf, nil
	}
	slice, err := log.Read(from, end, copyBytes, true)
	if errors.Is(err, kerr.OffsetOutOfRange) {
		return buf, nil // retention was quicker
	}
	if err != nil {
		return buf, err
	}
	buf, err = slice.AppendTo(buf)
	slice.Release()
	if err != nil {
		return buf, err
	}
	if err := future.AppendAsFollower(buf); err != nil {
		return buf, err
	}
	future.SetHighWatermark(log.Offsets().HighWatermark)
	return buf, nil
}

// replaceLog copies what is left, if that is no more than so many bytes and a
// piece, and makes the future log the partition's. It answers false if it has to
// be tried again.
func (p *Partition) replaceLog(ctx context.Context, future *logstore.Log, most int) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return false, context.Canceled
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	log := p.Log()
	var buf []byte
	for copied := 0; future.Offsets().LogEnd < log.Offsets().LogEnd; copied += len(buf) {
		var err error
		if buf, err = copySome(log, future, buf[:0]); err != nil {
			return false, err
		}
		if len(buf) == 0 || copied > most {
			return false, nil
		}
	}
	future.SetConfig(log.Config())
	p.hw.Lock()
	defer p.hw.Unlock()
	if err := future.TakePlace(log); logstore.IsBusy(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	p.current.Store(future)
	return true, nil
}

// replacePlaced decides between two logs of one partition, which a crash in the
// middle of a move leaves: the one counts that a replica would follow (see
// logstore/future.go). The other is set aside.
func (s *Set) replacePlaced(at place, cfg logstore.Config, t *controller.Topic, d *logstore.Dir) {
	first := s.placed[at]
	a, err := first.Open(at.topic, at.partition, t.ID, cfg)
	var b *logstore.Log
	if err == nil {
		b, err = d.Open(at.topic, at.partition, t.ID, cfg)
	}
	if err == nil {
		if b.Succeeds(a) {
			a, b = b, a
		}
		err = b.Dir().SetAside(b)
		s.load[first]--
		s.placed[at] = a.Dir()
		s.load[a.Dir()]++
	}
	if err != nil {
		s.opts.Logger.Error("a partition has two logs", "topic", at.topic, "partition", at.partition, "dir", first.Path(), "and", d.Path(), "err", err)
	}
}

// adoptFutures decides what becomes of the future logs that the directories hold:
// their moves go on, once the partitions are there. One whose log is nowhere
// becomes the log (Kafka's LogManager.recoverAbandonedFutureLogs), unless that may
// be in a directory that is offline.
func (s *Set) adoptFutures(image *controller.Image) {
	complete := true
	for _, d := range s.opts.Dirs {
		complete = complete && d.Offline() == nil
	}
	for _, d := range s.opts.Dirs {
		for _, f := range d.Futures() {
			at := place{f.Topic, f.Partition}
			t, ok := image.Topic(f.Topic)
			var err error
			switch {
			case !ok || t.ID != f.TopicID || s.placed[at] == d || s.unfinished[at] != nil:
				err = d.RemoveFuture(f)
			case s.placed[at] != nil:
				s.unfinished[at] = d
			case complete:
				s.opts.Logger.Warn("a copy whose original is gone becomes the log", "topic", f.Topic, "partition", f.Partition, "dir", d.Path())
				if err = d.AdoptFuture(f); err == nil {
					s.placed[at] = d
					s.load[d]++
				}
			}
			if err != nil {
				s.opts.Logger.Error("a future log cannot be dealt with", "topic", f.Topic, "partition", f.Partition, "dir", d.Path(), "err", err)
			}
		}
	}
}

// resume goes on with the moves that the last stop interrupted.
func (s *Set) resume() {
	for at, to := range s.unfinished {
		if err := s.Move(at.topic, at.partition, to); err != nil {
			s.opts.Logger.Error("a replica cannot be moved on", "topic", at.topic, "partition", at.partition, "to", to.Path(), "err", err)
		}
	}
	clear(s.unfinished)
}

// pace bounds how many replicas are copied at a time, and how fast all of them.
type pace struct {
	running chan struct{} // has an element for each
	paying  chan struct{} // has one while somebody waits for what was copied
}

func newPace(atATime int) pace {
	return pace{running: make(chan struct{}, max(atATime, 1)), paying: make(chan struct{}, 1)}
}

func (p pace) begin(ctx context.Context) error { return take(ctx, p.running) }

func (p pace) end() { <-p.running }

func take(ctx context.Context, c chan struct{}) error {
	select {
	case c <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// spend waits for as long as n bytes take at the given rate, which may change
// meanwhile.
func (p pace) spend(ctx context.Context, n int, bytesPerSecond func() int64) error {
	if n == 0 {
		return nil
	}
	if err := take(ctx, p.paying); err != nil {
		return err
	}
	defer func() { <-p.paying }()
	for owed := float64(n); owed >= 1; {
		rate := float64(bytesPerSecond())
		wait := time.Second
		if owed < rate {
			wait = time.Duration(owed / rate * float64(time.Second))
		}
		if wait < time.Microsecond {
			return nil
		}
		begin := time.Now()
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		owed -= rate * time.Since(begin).Seconds()
	}
	return nil
}
