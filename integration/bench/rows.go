package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// load is what the rows have in common.
type load struct {
	pairs   int
	records int    // of recordBytes each
	bytes   int    // of values in each row that pumps
	kafka   string // the launcher, for Kafka's tools
}

// row is one comparison: what is done on both brokers in turn, and gives some figures each time.
type row struct {
	set  string // what -rows selects it by
	name string // in the table; unique
	// run does the work once, and cleans up after itself. It ends soon after ctx does. Its first figure is the row's in
	// README's table. errUnsupported: the row stays, and says so.
	run func(ctx context.Context, l load, b *broker) ([]measured, error)
	// young: measured on a process as it is, without a warm-up.
	young bool
	// bare: also done on the bare loop.
	bare bool
	// once: not repeated, because it would tell the same again.
	once bool
	// fills: load.bytes, or not much more, are written.
	fills bool
	// together: on all brokers at the same time, as they leave each other alone.
	together bool
	// detail: not in README's table.
	detail bool
	aims   []aim
}

type measured struct {
	figure
	value float64
}

// rows is the table from top to bottom, and what is measured in this order: brokers are started first, then idle, and
// their memory is read when the rows before it are done.
func rows() []row {
	return slices.Concat(
		[]row{startUpRow(0), idleRow(), startUpRow(1000)},
		produceRows(),
		[]row{memoryRow("produce", "the produce rows", aim{"after the produce rows: " + anonymousMemory.name, anonymousMemory})},
		fetchRows(), latencyRows(), toolRows(), connectionRows(), groupRows(), transactionRows(), topicRows(),
		[]row{memoryRow("memory", "all rows")},
	)
}

// choose returns the rows that a comma-separated list names, each word a set or else a part of rows' names; "" is all.
func choose(all []row, list string) ([]row, error) {
	if list == "" {
		return all, nil
	}
	words := strings.Split(list, ",")
	if slices.ContainsFunc(all, func(r row) bool { return strings.Contains(r.name, list) }) {
		words = []string{list} // names have commas
	}
	taken := make([]bool, len(all))
	for _, word := range words {
		word = strings.TrimSpace(word)
		isSet := slices.Contains(sets(all), word)
		used := false
		for i, r := range all {
			if isSet && r.set == word || !isSet && word != "" && strings.Contains(r.name, word) {
				taken[i], used = true, true
			}
		}
		if !used {
			return nil, fmt.Errorf("no row is called %q; the sets are %s", word, strings.Join(sets(all), ", "))
		}
	}
	var chosen []row
	for i, r := range all {
		if taken[i] {
			chosen = append(chosen, r)
		}
	}
	return chosen, nil
}

func sets(all []row) (list []string) {
	for _, r := range all {
		if !slices.Contains(list, r.set) {
			list = append(list, r.set)
		}
	}
	return list
}
