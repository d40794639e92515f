package main

import (
	"context"
	"time"
)

// idlePeriod is how long the brokers are left alone.
const idlePeriod = 10 * time.Second

var (
	anonymousMemory = figure{"RssAnon MiB", lowerIsBetter}
	idleCores       = figure{costPrefix + " cores", lowerIsBetter}
)

// idleRow is to follow a start of the brokers. They idle together: it disturbs none.
func idleRow() row {
	return row{set: "idle", name: "idle, just started, without a topic", run: idle, together: true, aims: []aim{
		{"idle: " + idleCores.name, idleCores},
		{"idle: " + anonymousMemory.name, anonymousMemory},
	}}
}

// idle measures what a broker costs that nobody asks for anything.
func idle(ctx context.Context, l load, b *broker) ([]measured, error) {
	before, err := b.usage()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(idlePeriod):
	}
	after, err := b.usage()
	if err != nil {
		return nil, err
	}
	list, err := memory(ctx, l, b)
	return append([]measured{{idleCores, (after.CPU - before.CPU).Seconds() / time.Since(began).Seconds()}}, list...), err
}

// memoryRow tells what the brokers hold after all that was measured before, whatever that was.
func memoryRow(set, after string, aims ...aim) row {
	return row{set: set, name: "memory after " + after, young: true, once: true, run: memory, aims: aims}
}

func memory(_ context.Context, _ load, b *broker) ([]measured, error) {
	u, err := b.usage()
	if err != nil {
		return nil, err
	}
	return []measured{
		{anonymousMemory, float64(u.RSSAnon) / (1 << 20)},
		{figure{"peak RSS MiB", lowerIsBetter}, float64(u.PeakRSS) / (1 << 20)},
	}, nil
}
