package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const totalsKeys = 20

// totals is a play of src/…/Totals.java: numbers go in while things happen to the application, every key's running total
// comes out.
type totals struct {
	*scene
	f        *follower
	producer *kgo.Client
	written  int
	numbers  map[string][]string // what was written for each key
	sums     map[string]int      // of numbers
	want     map[string][]string // what has to come out
}

func (s *scene) totals(ctx context.Context) (*totals, error) {
	t := &totals{scene: s, numbers: make(map[string][]string), sums: make(map[string]int), want: make(map[string][]string)}
	if err := s.create(ctx, 4, t.in(), t.out()); err != nil {
		return nil, err
	}
	if err := s.create(ctx, 1, t.journal()); err != nil {
		return nil, err
	}
	var err error
	if t.f, err = s.follow(t.out(), t.journal()); err != nil {
		return nil, err
	}
	if t.producer, err = client(s.address(), kgo.ProducerLinger(0)); err != nil {
		return nil, err
	}
	s.stop = append(s.stop, func() error { t.producer.Close(); return nil })
	return t, nil
}

func (t *totals) in() string        { return t.name + "-in" }
func (t *totals) out() string       { return t.name + "-out" }
func (t *totals) journal() string   { return t.name + "-journal" }
func (t *totals) changelog() string { return t.name + "-totals-changelog" }

// write writes n records, one in a millisecond, so that commits fall between them. poison marks the last of them.
func (t *totals) write(ctx context.Context, n int, poison bool) <-chan error {
	done := make(chan error, 1)
	var records []*kgo.Record
	for i := range n {
		key := "key" + strconv.Itoa(t.written%totalsKeys)
		number := t.written*31%101 + 1 // none twice for a key, for a while
		r := &kgo.Record{Topic: t.in(), Key: []byte(key), Value: []byte(strconv.Itoa(number))}
		if poison && i == n-1 {
			r.Headers = []kgo.RecordHeader{{Key: "poison"}}
		}
		records = append(records, r)
		t.numbers[key] = append(t.numbers[key], strconv.Itoa(number))
		t.sums[key] += number
		t.want[key] = append(t.want[key], fmt.Sprint(len(t.want[key])+1, " ", t.sums[key]))
		t.written++
	}
	go func() {
		var first kgo.FirstErrPromise
		pace := time.NewTicker(time.Millisecond)
		defer pace.Stop()
		for _, r := range records {
			t.producer.Produce(ctx, r, first.Promise())
			<-pace.C
		}
		done <- first.Err()
	}()
	return done
}

// stage is a part of the play: while n records come in, and a third of them has come out, something happens; the stage
// ends when all came out.
func (t *totals) stage(ctx context.Context, n int, happens func() error) error {
	before := t.written
	writing := t.write(ctx, n, false)
	if err := t.f.await(ctx, t.out(), before+n/3); err != nil {
		return err
	}
	if err := happens(); err != nil {
		return err
	}
	if err := <-writing; err != nil {
		return err
	}
	return t.f.await(ctx, t.out(), before+n)
}

// check compares all that is left behind: what both outputs and the changelog hold, and how much was consumed. Every
// update of the state is in the changelog, as long as nobody compacts it.
func (t *totals) check(ctx context.Context, compacted bool) error {
	changelog, err := t.read(ctx, t.changelog(), committed)
	if err != nil {
		return err
	}
	want, got := t.want, byKey(changelog)
	if compacted {
		want, got = newest(want), last(changelog)
	}
	return errors.Join(
		same(t.changelog(), want, got),
		t.both(ctx, t.f, t.out(), t.want, inOrder),
		t.both(ctx, t.f, t.journal(), t.want, inOrder),
		t.consumed(ctx, t.in()))
}

// idle returns when everything is committed: what is killed then has nothing to do again.
func (t *totals) idle(ctx context.Context) error {
	return eventually(ctx, func() error { return t.consumed(ctx, t.in()) })
}

func nothing() error { return nil }

// rebalance lets a second instance join and the first leave.
func rebalance(ctx context.Context, s *scene, guarantee string) error {
	t, err := s.totals(ctx)
	if err != nil {
		return err
	}
	a, b := s.name+"-a", s.name+"-b"
	if err := s.shared.start(a, "totals", s.settings(a, guarantee)); err != nil {
		return err
	}
	bJoins := func() error {
		if err := s.shared.start(b, "totals", s.settings(b, guarantee)); err != nil {
			return err
		}
		return s.shared.await(ctx, b, "state RUNNING")
	}
	if err := t.stage(ctx, 600, bJoins); err != nil {
		return err
	}
	if err := t.stage(ctx, 600, func() error { return s.shared.close(ctx, a) }); err != nil {
		return err
	}
	if err := t.stage(ctx, 300, nothing); err != nil {
		return err
	}
	if err := s.shared.close(ctx, b); err != nil {
		return err
	}
	return t.check(ctx, false)
}

// aborted has an exception end transactions in which every topic was written to.
func aborted(ctx context.Context, s *scene) error {
	t, err := s.totals(ctx)
	if err != nil {
		return err
	}
	// The transaction has to have begun, and its records to have been sent, when the exception comes.
	if err := s.shared.start(s.name, "totals", s.settings("a", exactlyOnce, "num.stream.threads=1", "producer.linger.ms=0")); err != nil {
		return err
	}
	const rounds = 3
	for range rounds {
		if err := <-t.write(ctx, 200, true); err != nil {
			return err
		}
		if err := t.f.await(ctx, t.out(), t.written); err != nil {
			return err
		}
	}
	all, err := s.read(ctx, t.out(), uncommitted)
	if err != nil {
		return err
	}
	if len(all) <= t.written {
		return fmt.Errorf("%d records were written, of which %d were to be committed: nothing was aborted", len(all), t.written)
	}
	if err := s.shared.stop(ctx, s.name); err != nil {
		return err
	}
	if threw := s.shared.said(s.name, "threw"); len(threw) != rounds {
		return fmt.Errorf("%d exceptions, not %d: %q", len(threw), rounds, threw)
	}
	return t.check(ctx, false)
}
