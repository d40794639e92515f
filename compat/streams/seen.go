package main

import (
	"context"
	"errors"
	"strings"
)

// seen is a play of the topology of that name, at least once: it may get a record twice, and then has nothing to add to
// what it has seen. What the application is run in is killed twice.
func (s *scene) seen(ctx context.Context, running *host, kill func() (*host, error)) error {
	t, err := s.totals(ctx)
	if err != nil {
		return err
	}
	if err := s.startSeen(running); err != nil {
		return err
	}
	for range 2 {
		if err := t.stage(ctx, 600, func() (err error) { running, err = kill(); return err }); err != nil {
			return err
		}
	}
	want := make(map[string][]string)
	for key, numbers := range t.numbers {
		want[key] = []string{" " + strings.Join(numbers, " ")}
	}
	if err := eventually(ctx, func() error { return same(t.out(), want, last(t.f.read(t.out()))) }); err != nil {
		return err
	}
	if err := eventually(ctx, func() error { return s.purged(ctx, s.name+"-numbers-repartition") }); err != nil {
		return err
	}
	if err := running.stop(ctx, s.name); err != nil {
		return err
	}
	changelog := s.name + "-seen-changelog"
	kept, err := s.read(ctx, changelog, committed)
	if err != nil {
		return err
	}
	return errors.Join(same(changelog, want, last(kept)), t.consumed(ctx, t.in()))
}

func (s *scene) startSeen(h *host) error {
	return h.start(s.name, "seen", s.settings("one", atLeastOnce, "group.instance.id=one", "repartition.purge.interval.ms=200"))
}

// instanceKilledAtLeastOnce kills the application, which comes back with its state.
func instanceKilledAtLeastOnce(ctx context.Context, s *scene) error {
	running, err := s.process("first")
	if err != nil {
		return err
	}
	return s.seen(ctx, running, func() (*host, error) {
		running.kill()
		if running, err = s.process("next"); err != nil {
			return nil, err
		}
		return running, s.startSeen(running)
	})
}

// brokerKilledAtLeastOnce kills the broker; the application notices and goes on.
func brokerKilledAtLeastOnce(ctx context.Context, s *scene) error {
	return s.seen(ctx, s.shared, func() (*host, error) { return s.shared, s.restart(ctx) })
}
