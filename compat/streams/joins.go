package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What src/…/Joins.java and Windows.java are set to.
const (
	joinDifference = 10 * time.Second
	windowSize     = 10 * time.Second
	windowAdvance  = 5 * time.Second
	windowGrace    = 5 * time.Second
)

// event is a record that an application sees at a time of its own.
type event struct {
	key, value string
	at         time.Duration
}

// joins writes all input first, so that the application takes it by time: what is joined with what follows from the
// times alone.
func joins(ctx context.Context, s *scene, guarantee string) error {
	var orders, payments, customers, cities, currencies []event
	for i := range 10 {
		customers = append(customers, event{key: fmt.Sprint("c", i), value: fmt.Sprint("city", i%3)})
	}
	// One moves, in the middle.
	customers = append(customers, event{"c4", "city0", 50 * time.Second})
	for i := range 3 {
		cities = append(cities, event{key: fmt.Sprint("city", i), value: fmt.Sprint("City ", i)})
	}
	for _, c := range []string{"EUR", "USD"} {
		currencies = append(currencies, event{key: c, value: c + "."})
	}
	for i := range 100 {
		at := time.Duration(i+1) * time.Second
		key := fmt.Sprint("c", i%10)
		orders = append(orders, event{key, fmt.Sprint("order", i, "-", []string{"EUR", "USD"}[i%2]), at})
		// Within the window, at its edge, and outside.
		payments = append(payments, event{key, fmt.Sprint("payment", i), at + time.Duration(i%5)*5*time.Second})
	}
	slices.SortStableFunc(payments, func(a, b event) int { return int(a.at - b.at) })
	// Much later, in every partition, so that all windows have been closed.
	for i := range 20 {
		orders = append(orders, event{fmt.Sprint("late", i), "order-EUR", time.Hour})
	}

	want := map[string]map[string][]string{
		"inner":       {},
		"left":        {},
		"outer":       {},
		"of-customer": {},
		"in-currency": {},
		"in-city":     {},
	}
	put := func(topic, key, left, right string) {
		want[topic][key] = append(want[topic][key], left+"+"+right)
	}
	paid := make(map[string]bool)
	for _, o := range orders {
		alone := true
		for _, p := range payments {
			if o.key == p.key && (o.at-p.at).Abs() <= joinDifference {
				alone = false
				paid[p.value] = true
				for _, topic := range []string{"inner", "left", "outer"} {
					put(topic, o.key, o.value, p.value)
				}
			}
		}
		if alone && o.at < time.Hour { // the last windows stay open
			put("left", o.key, o.value, "null")
			put("outer", o.key, o.value, "null")
		}
		customer := "null"
		for _, c := range customers {
			if c.key == o.key && c.at <= o.at {
				customer = c.value
			}
		}
		put("of-customer", o.key, o.value, customer)
		currency := o.value[len(o.value)-3:]
		put("in-currency", o.key, o.value, currency+".")
	}
	for _, p := range payments {
		if !paid[p.value] {
			put("outer", p.key, "null", p.value)
		}
	}
	for _, c := range customers {
		want["in-city"][c.key] = []string{c.value + "+City " + c.value[len("city"):]}
	}

	input := map[string][]event{"orders": orders, "payments": payments, "customers": customers, "cities": cities, "currencies": currencies}
	for topic, events := range input {
		if err := s.create(ctx, 2, s.name+"-"+topic); err != nil {
			return err
		}
		if err := s.happen(ctx, s.name+"-"+topic, events); err != nil {
			return err
		}
	}
	var outputs []string
	for topic := range want {
		outputs = append(outputs, s.name+"-"+topic)
	}
	if err := s.create(ctx, 2, outputs...); err != nil {
		return err
	}
	f, err := s.follow(outputs...)
	if err != nil {
		return err
	}
	// Results of records without a partner are otherwise looked for once in a second, and only when a record comes.
	const always = "__emit.interval.ms.kstreams.outer.join.spurious.results.fix__=0"
	if err := s.shared.start(s.name, "joins", s.settings("a", guarantee, always)); err != nil {
		return err
	}
	for topic, values := range want {
		if err := f.await(ctx, s.name+"-"+topic, total(values)); err != nil {
			return err
		}
	}
	// A join by foreign key ends with the right result; which came before depends on what overtook what.
	if err := eventually(ctx, func() error {
		return same(s.name+"-in-city", want["in-city"], last(f.read(s.name+"-in-city")))
	}); err != nil {
		return err
	}
	if err := s.shared.close(ctx, s.name); err != nil {
		return err
	}
	for topic, values := range want {
		order := inOrder
		switch topic {
		case "in-city":
			order = newest
		case "inner", "left", "outer":
			order, values = sorted, sorted(values) // a record's partners come in any order
		}
		if err := s.both(ctx, f, s.name+"-"+topic, values, order); err != nil {
			return err
		}
	}
	for _, topic := range []string{"orders", "payments", "customers", "cities"} {
		if err := s.consumed(ctx, s.name+"-"+topic); err != nil {
			return err
		}
	}
	return nil
}

// epoch is when events begin: long enough ago for an hour of them, and so late that nothing is deleted for its age. It
// is at the beginning of every window.
func (s *scene) epoch() time.Time { return s.began.Add(-2 * time.Hour).Truncate(time.Hour) }

// happen writes events in their order.
func (s *scene) happen(ctx context.Context, topic string, events []event) error {
	var records []*kgo.Record
	for _, e := range events {
		records = append(records, &kgo.Record{Topic: topic, Key: []byte(e.key), Value: []byte(e.value), Timestamp: s.epoch().Add(e.at)})
	}
	return s.write(ctx, records...)
}

// windowed is the name of a window of a key, as Windows.java gives it.
func (s *scene) windowed(key string, start, end time.Duration) string {
	ms := func(d time.Duration) string { return strconv.FormatInt(s.epoch().Add(d).UnixMilli(), 10) }
	return key + "@" + ms(start) + "-" + ms(end)
}
