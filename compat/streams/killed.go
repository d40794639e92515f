package main

import "context"

// instanceKilledExactlyOnce kills the application twice: it comes back as the same member with its state, which it may
// not trust; and then, with the broker killed as well, as another that has nothing, while the transaction of the first is
// open. What it restores its state from has aborted updates in it, then.
func instanceKilledExactlyOnce(ctx context.Context, s *scene) error {
	t, err := s.totals(ctx)
	if err != nil {
		return err
	}
	var running *host
	run := func(process, instance string) error {
		var err error
		if running, err = s.process(process); err != nil {
			return err
		}
		return running.start(instance, "totals", s.settings(instance, exactlyOnce, "group.instance.id="+instance, "producer.transaction.timeout.ms=2000"))
	}
	if err := run("first", "one"); err != nil {
		return err
	}
	if err := t.stage(ctx, 600, func() error {
		running.kill()
		return run("second", "one")
	}); err != nil {
		return err
	}
	if err := t.stage(ctx, 600, func() error {
		running.kill()
		if err := s.restart(ctx); err != nil {
			return err
		}
		return run("third", "other")
	}); err != nil {
		return err
	}
	if err := t.stage(ctx, 300, nothing); err != nil {
		return err
	}
	if err := running.close(ctx, "other"); err != nil {
		return err
	}
	return t.check(ctx, false)
}

// brokerKilledExactlyOnce kills the broker twice; the application notices and goes on.
func brokerKilledExactlyOnce(ctx context.Context, s *scene) error {
	t, err := s.totals(ctx)
	if err != nil {
		return err
	}
	if err := s.shared.start(s.name, "totals", s.settings("a", exactlyOnce)); err != nil {
		return err
	}
	for range 2 {
		if err := t.stage(ctx, 600, func() error { return s.restart(ctx) }); err != nil {
			return err
		}
	}
	if err := t.stage(ctx, 300, nothing); err != nil {
		return err
	}
	if err := s.shared.stop(ctx, s.name); err != nil {
		return err
	}
	return t.check(ctx, false)
}

// zombie stops an instance in the middle of a transaction until the group has given it up and another does its work; then
// it wakes up and has to notice.
func zombie(ctx context.Context, s *scene) error {
	t, err := s.totals(ctx)
	if err != nil {
		return err
	}
	processes := make(map[string]*host)
	for _, name := range []string{"a", "b"} {
		h, err := s.process(name)
		if err != nil {
			return err
		}
		processes[name] = h
		if err := h.start(name, "totals", s.settings(name, exactlyOnce, "num.stream.threads=1", "producer.transaction.timeout.ms=2000")); err != nil {
			return err
		}
		if err := h.await(ctx, name, "state RUNNING"); err != nil {
			return err
		}
	}
	if err := t.stage(ctx, 800, func() error { return processes["a"].signal(sleep) }); err != nil {
		return err
	}
	if err := t.stage(ctx, 800, func() error { return processes["a"].signal(wake) }); err != nil {
		return err
	}
	// The one that had been given up does the work alone.
	if err := t.stage(ctx, 200, func() error { return processes["b"].close(ctx, "b") }); err != nil {
		return err
	}
	if err := t.stage(ctx, 100, nothing); err != nil {
		return err
	}
	if err := processes["a"].stop(ctx, "a"); err != nil {
		return err
	}
	return t.check(ctx, false)
}
