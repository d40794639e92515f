package main

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// testRunner has three brokers that are this process, and notes which of them are started again.
func testRunner(restarts *[]string) *runner {
	r := newRunner(nil, load{pairs: 3})
	r.say = func(string, ...any) {}
	for _, name := range []string{blumfeld, apacheKafka, bareLoop} {
		b := &broker{name: name, addr: "127.0.0.1:1", pid: os.Getpid()}
		b.stop = func(context.Context) error { return nil }
		b.start = func(context.Context) error {
			*restarts = append(*restarts, name)
			return nil
		}
		r.brokers = append(r.brokers, b)
	}
	r.settleLimit = 0
	return r
}

// What is run on whom, in which order, and what is thrown away.
func TestRunnerTurns(t *testing.T) {
	initial := map[string]string{blumfeld: "B", apacheKafka: "K", bareLoop: "l"}
	for _, c := range []struct {
		name  string
		row   row
		costs []float64 // of Apache Kafka's runs; the others' are 1
		want  string
	}{
		{"warm-up until the cost stays", row{}, []float64{10, 5, 4, 3.9}, "BB KKKK BKBKBK"},
		{"costs that only grow", row{}, []float64{1, 2}, "BB KK BKBKBK"},
		{"beside the bare loop", row{bare: true}, nil, "BB KK ll BKlBKlBKl"},
		{"no warm-up", row{young: true}, nil, "BKBKBK"},
		{"once", row{young: true, once: true}, nil, "BK"},
		{"what has no cost is warmed up once", row{}, []float64{-1}, "BB K BKBKBK"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var order []string
			warm := map[string]int{}
			x := c.row
			x.name = c.name
			x.run = func(_ context.Context, _ load, b *broker) ([]measured, error) {
				order = append(order, initial[b.name])
				n := warm[b.name]
				warm[b.name]++
				cost := 1.0
				if b.name == apacheKafka && len(c.costs) > 0 {
					cost = c.costs[min(n, len(c.costs)-1)]
				}
				list := []measured{{testSpeed, float64(n)}}
				if cost >= 0 {
					list = append(list, measured{testCost, cost})
				}
				return list, nil
			}
			var restarts []string
			r := testRunner(&restarts)
			o := r.row(t.Context(), x)
			want := strings.ReplaceAll(c.want, " ", "")
			if got := strings.Join(order, ""); got != want || o.failed != nil {
				t.Errorf("ran %s, want %s: %v", got, want, o.failed)
			}
			measuredRuns := c.want[strings.LastIndex(c.want, " ")+1:]
			if got, want := len(o.values(blumfeld, testSpeed)), strings.Count(measuredRuns, "B"); got != want {
				t.Errorf("%d runs count, want %d", got, want)
			}
		})
	}
}

// A row of brokers together runs on both before either ends.
func TestRunnerTogether(t *testing.T) {
	var restarts []string
	r := testRunner(&restarts)
	arrived := make(chan string)
	x := row{name: "together", young: true, once: true, together: true, run: func(ctx context.Context, _ load, b *broker) ([]measured, error) {
		select { // one sends what the other receives
		case arrived <- b.name:
		case <-arrived:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		return []measured{{testSpeed, 1}}, nil
	}}
	if o := r.row(t.Context(), x); o.failed != nil || len(o.samples) != 2 {
		t.Errorf("%+v", o)
	}
}

// A row that fails, is not supported, takes too long or hangs says so, and the others are done.
func TestRunnerFailures(t *testing.T) {
	good := func(context.Context, load, *broker) ([]measured, error) { return []measured{{testSpeed, 1}}, nil }
	on := func(name string, do func(ctx context.Context) error) func(context.Context, load, *broker) ([]measured, error) {
		return func(ctx context.Context, l load, b *broker) ([]measured, error) {
			if b.name == name {
				return nil, do(ctx)
			}
			return good(ctx, l, b)
		}
	}
	var restarts []string
	r := testRunner(&restarts)
	r.rowLimit, r.endLimit = 50*time.Millisecond, 50*time.Millisecond
	ctx, cancel := context.WithCancelCause(t.Context())
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	got := r.collect(ctx, []row{
		{name: "fails", young: true, bare: true, run: on(bareLoop, func(context.Context) error { return errors.New("broke") })},
		{name: "unsupported", run: on(blumfeld, func(context.Context) error { return errUnsupported })},
		{name: "too long", young: true, bare: true, run: on(bareLoop, func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("a connection was closed")
		})},
		{name: "good", run: good},
	})
	cancel(errors.New("time is over"))
	got = append(got, r.collect(ctx, []row{{name: "late", run: good}})...)
	hanging, over := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer over()
	got = append(got, r.collect(hanging, []row{{name: "hangs", young: true, run: on(blumfeld, func(context.Context) error {
		<-hold
		return nil
	})}, {name: "behind it", run: good}})...)

	for i, want := range []struct {
		row, failed string
		unsupported string
		samples     int
	}{
		{row: "fails", failed: "bare loop: broke", samples: 2},
		{row: "unsupported", unsupported: blumfeld, samples: 3},
		{row: "too long", failed: "bare loop: the row took more than 50ms", samples: 2},
		{row: "good", samples: 6},
		{row: "late", failed: "time is over"},
		{row: "hangs", failed: "hangs, or was held up by a row that does"},
		{row: "behind it", failed: "hangs, or was held up by a row that does"},
	} {
		if i >= len(got) {
			t.Fatalf("%d outcomes", len(got))
		}
		o, failed := got[i], ""
		if o.failed != nil {
			failed = o.failed.Error()
		}
		if o.row != want.row || failed != want.failed || strings.Join(o.unsupported, "") != want.unsupported || len(o.samples) != want.samples {
			t.Errorf("outcome %+v, want %+v", o, want)
		}
	}
	if want := []string{bareLoop, bareLoop}; !slices.Equal(restarts, want) {
		t.Errorf("started again: %v, want %v", restarts, want)
	}
}
