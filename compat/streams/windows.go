package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// clicks are events of three keys, most of them in order; some come late and still count, some too late.
func clicks() (events []event) {
	for i := range 200 {
		at := time.Minute + time.Duration(i)*700*time.Millisecond + time.Duration(i/20)*25*time.Second // with pauses, which end sessions
		switch {
		case i%17 == 9:
			at -= 4 * time.Second
		case i%29 == 13:
			at -= 50 * time.Second
		}
		events = append(events, event{key: fmt.Sprint("user", i%3), value: "click", at: at})
	}
	return events
}

// windowCounts follows the rules of Kafka Streams: time is the latest of all records so far; a record does not count for
// a window that ended longer than its grace ago.
type windowCounts struct {
	s                           *scene
	now                         time.Duration
	tumbling, hopping, sessions map[string][]string
	open                        map[string][]session
}

type session struct {
	start, end time.Duration
	count      int
}

func (w *windowCounts) click(e event) {
	w.now = max(w.now, e.at)
	if start := e.at.Truncate(windowSize); start+windowSize > w.now-windowGrace {
		w.count(w.tumbling, e.key, start)
	}
	for start := max(0, e.at.Truncate(windowAdvance)-windowAdvance); start <= e.at; start += windowAdvance {
		if start+windowSize > w.now-windowGrace {
			w.count(w.hopping, e.key, start)
		}
	}
	// A session goes on as long as the gaps are no longer than a window; a click between two makes them one.
	merged := session{e.at, e.at, 1}
	var apart []session
	for _, old := range w.open[e.key] {
		if old.start > e.at+windowSize || old.end < e.at-windowSize {
			apart = append(apart, old)
			continue
		}
		merged = session{min(merged.start, old.start), max(merged.end, old.end), merged.count + old.count}
	}
	if merged.end >= w.now-windowGrace-windowSize {
		w.open[e.key] = append(apart, merged)
	}
}

func (w *windowCounts) count(counts map[string][]string, key string, start time.Duration) {
	name := w.s.windowed(key, start, start+windowSize)
	counts[name] = append(counts[name], strconv.Itoa(len(counts[name])+1))
}

// windows restarts the application in the middle, when windows are open: what it holds back until they close has to be
// there again.
func windows(ctx context.Context, s *scene, guarantee string) error {
	input, hopping := s.name+"-clicks", s.name+"-hopping"
	outputs := []string{s.name + "-tumbling", hopping, s.name + "-sessions"}
	if err := s.create(ctx, 1, append(outputs, input)...); err != nil {
		return err
	}
	f, err := s.follow(outputs...)
	if err != nil {
		return err
	}
	w := &windowCounts{s: s, tumbling: map[string][]string{}, hopping: map[string][]string{}, sessions: map[string][]string{}, open: map[string][]session{}}
	all := clicks()
	// The first of the second run is not late: only from records does an application know the time, again after a restart.
	for run, events := range [][]event{all[:110], all[110:]} {
		if run == 1 {
			// All windows have ended then, but those of this one.
			events = append(events, event{key: "end", value: "click", at: 90 * time.Minute})
		}
		if err := s.happen(ctx, input, events); err != nil {
			return err
		}
		for _, e := range events {
			w.click(e)
		}
		instance := s.name + "-" + strconv.Itoa(run)
		if err := s.shared.start(instance, "windows", s.settings("a", guarantee)); err != nil {
			return err
		}
		if err := f.await(ctx, hopping, total(w.hopping)); err != nil {
			return err
		}
		if run == 0 {
			if err := s.shared.close(ctx, instance); err != nil {
				return err
			}
			continue
		}
		closed := func(name string) bool { return name[:3] != "end" }
		want := map[string]map[string][]string{hopping: w.hopping, s.name + "-tumbling": {}, s.name + "-sessions": {}}
		for name, counts := range w.tumbling {
			if closed(name) {
				want[s.name+"-tumbling"][name] = counts[len(counts)-1:]
			}
		}
		for key, sessions := range w.open {
			for _, one := range sessions {
				if name := s.windowed(key, one.start, one.end); closed(name) {
					want[s.name+"-sessions"][name] = []string{strconv.Itoa(one.count)}
				}
			}
		}
		for topic, counts := range want {
			if err := f.await(ctx, topic, total(counts)); err != nil {
				return err
			}
		}
		if err := s.shared.close(ctx, instance); err != nil {
			return err
		}
		for topic, counts := range want {
			if err := s.both(ctx, f, topic, counts, inOrder); err != nil {
				return err
			}
		}
	}
	return s.consumed(ctx, input)
}
