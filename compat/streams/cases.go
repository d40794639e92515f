package main

import (
	"context"
	"path/filepath"
	"strings"
)

const (
	atLeastOnce = "at_least_once"
	exactlyOnce = "exactly_once_v2"
)

// impatient are properties of a broker that soon gives up whom it does not hear of, and often looks for what to compact.
func impatient() []string {
	return []string{
		"group.min.session.timeout.ms=500",
		"transaction.abort.timed.out.transaction.cleanup.interval.ms=100",
		"log.cleaner.backoff.ms=200",
		"offsets.topic.num.partitions=3",
		"transaction.state.log.num.partitions=3",
	}
}

// cases are all cases by name.
func cases() map[string]testCase {
	with := func(guarantee string, play func(context.Context, *scene, string) error) func(context.Context, *scene) error {
		return func(ctx context.Context, s *scene) error { return play(ctx, s, guarantee) }
	}
	smoke := func(guarantee string, killed bool) func(context.Context, *scene) error {
		return func(ctx context.Context, s *scene) error { return smokeTest(ctx, s, guarantee, killed) }
	}
	return map[string]testCase{
		"streams/smoke-test/at-least-once":      {impatient(), smoke(atLeastOnce, false)},
		"streams/smoke-test/exactly-once":       {impatient(), smoke(exactlyOnce, true)},
		"streams/word-count/kafka-demo":         {nil, wordCountDemo},
		"streams/word-count/at-least-once":      {nil, with(atLeastOnce, wordCount)},
		"streams/word-count/exactly-once":       {nil, with(exactlyOnce, wordCount)},
		"streams/joins/at-least-once":           {nil, with(atLeastOnce, joins)},
		"streams/joins/exactly-once":            {nil, with(exactlyOnce, joins)},
		"streams/windows/at-least-once":         {nil, with(atLeastOnce, windows)},
		"streams/windows/exactly-once":          {nil, with(exactlyOnce, windows)},
		"streams/rebalance/at-least-once":       {nil, with(atLeastOnce, rebalance)},
		"streams/rebalance/exactly-once":        {nil, with(exactlyOnce, rebalance)},
		"streams/aborted/exactly-once":          {impatient(), aborted},
		"streams/reset/at-least-once":           {nil, with(atLeastOnce, reset)},
		"streams/reset/exactly-once":            {nil, with(exactlyOnce, reset)},
		"streams/standby/at-least-once":         {impatient(), with(atLeastOnce, standby)},
		"streams/standby/exactly-once":          {impatient(), with(exactlyOnce, standby)},
		"streams/restore/at-least-once":         {impatient(), with(atLeastOnce, restore)},
		"streams/restore/exactly-once":          {impatient(), with(exactlyOnce, restore)},
		"streams/instance-killed/at-least-once": {impatient(), instanceKilledAtLeastOnce},
		"streams/instance-killed/exactly-once":  {impatient(), instanceKilledExactlyOnce},
		"streams/broker-killed/at-least-once":   {impatient(), brokerKilledAtLeastOnce},
		"streams/broker-killed/exactly-once":    {impatient(), brokerKilledExactlyOnce},
		"streams/zombie/exactly-once":           {impatient(), zombie},
	}
}

// settings are the StreamsConfig of an instance of the case's application; pairs are key=value.
func (s *scene) settings(instance, guarantee string, pairs ...string) map[string]string {
	config := map[string]string{
		"application.id":             s.name,
		"bootstrap.servers":          s.address(),
		"processing.guarantee":       guarantee,
		"state.dir":                  s.stateDir(instance),
		"commit.interval.ms":         "100",
		"statestore.cache.max.bytes": "0", // every update is written
		"num.stream.threads":         "2",
		"session.timeout.ms":         "6000",
		"heartbeat.interval.ms":      "300",
	}
	if s.own != nil {
		config["session.timeout.ms"] = "1500"
	}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		config[key] = value
	}
	return config
}

// stateDir is where an instance keeps its state.
func (s *scene) stateDir(instance string) string { return filepath.Join(s.dir, "state-"+instance) }
