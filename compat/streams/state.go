package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// standby: where one instance dies the other has its state already, and reads none of it again.
func standby(ctx context.Context, s *scene, guarantee string) error {
	t, err := s.totals(ctx)
	if err != nil {
		return err
	}
	processes := make(map[string]*host)
	run := func(name string) error {
		h, err := s.process(name)
		if err != nil {
			return err
		}
		processes[name] = h
		if err := h.start(name, "totals", s.settings(name, guarantee, "num.standby.replicas=1", "num.stream.threads=1")); err != nil {
			return err
		}
		return h.await(ctx, name, "state RUNNING")
	}
	for _, name := range []string{"a", "b"} {
		if err := run(name); err != nil {
			return err
		}
	}
	if err := t.stage(ctx, 800, nothing); err != nil {
		return err
	}
	if err := t.idle(ctx); err != nil {
		return err
	}
	// Each reads the other's changelogs.
	changelog, err := s.read(ctx, t.changelog(), committed)
	if err != nil {
		return err
	}
	ends := make(map[int32]int64)
	for _, r := range changelog {
		ends[r.Partition] = r.Offset
	}
	if err := eventually(ctx, func() error {
		var up []string
		for name, h := range processes {
			up = append(up, h.said(name, "standby")...)
		}
		for p, end := range ends {
			if !slices.Contains(up, fmt.Sprintf("%s-%d %d", t.changelog(), p, end)) {
				return fmt.Errorf("no standby task has read partition %d to %d: %q", p, end, up)
			}
		}
		return nil
	}); err != nil {
		return err
	}
	before := len(processes["b"].said("b", "restored"))
	processes["a"].kill()
	if err := t.stage(ctx, 400, nothing); err != nil {
		return err
	}
	restored := processes["b"].said("b", "restored")[before:]
	if len(restored) == 0 {
		return errors.New("no standby task has become active")
	}
	for _, event := range restored {
		if !strings.HasSuffix(event, " 0") {
			return fmt.Errorf("a standby task had read everything, and yet there was something to restore: %q", restored)
		}
	}
	if err := processes["b"].close(ctx, "b"); err != nil {
		return err
	}
	return t.check(ctx, false)
}

// restore: an application that lost its state reads it from its changelogs, which were compacted meanwhile.
func restore(ctx context.Context, s *scene, guarantee string) error {
	t, err := s.totals(ctx)
	if err != nil {
		return err
	}
	settings := func(instance string) map[string]string {
		return s.settings(instance, guarantee, "group.instance.id=one", "topic.segment.ms=300",
			"topic.min.cleanable.dirty.ratio=0.01", "topic.delete.retention.ms=100")
	}
	first, err := s.process("first")
	if err != nil {
		return err
	}
	if err := first.start("first", "totals", settings("first")); err != nil {
		return err
	}
	// Segments end with time, and with a record that comes later.
	var kept []*kgo.Record
	if err := eventually(ctx, func() error {
		if err := t.stage(ctx, 400, nothing); err != nil {
			return err
		}
		if kept, err = s.read(ctx, t.changelog(), committed); err != nil {
			return err
		}
		if len(kept) > t.written*3/4 {
			return fmt.Errorf("%d of %d records are left in %s", len(kept), t.written, t.changelog())
		}
		return nil
	}); err != nil {
		return err
	}
	if err := t.idle(ctx); err != nil {
		return err
	}
	first.kill()
	second, err := s.process("second")
	if err != nil {
		return err
	}
	if err := second.start("second", "totals", settings("second")); err != nil {
		return err
	}
	if err := t.stage(ctx, 400, nothing); err != nil {
		return err
	}
	if err := second.close(ctx, "second"); err != nil {
		return err
	}
	restored, counted := 0, make(map[string]bool)
	for _, event := range second.said("second", "restored") {
		partition, count, _ := strings.Cut(event, " ")
		if counted[partition] {
			continue // once more, because the group was rebalanced
		}
		counted[partition] = true
		n, err := strconv.Atoi(count)
		if err != nil {
			return err
		}
		restored += n
	}
	// The cleaner may have gone on meanwhile.
	if restored < totalsKeys || restored > len(kept) {
		return fmt.Errorf("%d records were restored, of %d keys and %d records", restored, totalsKeys, len(kept))
	}
	return t.check(ctx, true)
}
