package main

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	// run does the work once, and cleans up after itself. errUnsupported: the row stays, and says so.
	run func(ctx context.Context, l load, b *broker) ([]measured, error)
	// young: measured on a process as it is. The others are done once on each broker and thrown away
	// before: a young JVM interprets.
	young bool
	// bare: also done on the bare loop.
	bare bool
	// once: not repeated, because it would tell the same again.
	once bool
}

type measured struct {
	figure
	value float64
}

// rows is the table from top to bottom. The last tells of all before it.
func rows() []row {
	return slices.Concat(startUpRows(), produceRows(), pumpRows(), consumeRows(), fetchRows(), latencyRows(), connectionRows(), groupRows(), transactionRows(),
		topicRows(), memoryRows())
}

// choose returns the rows whose set is named in a comma-separated list, or whose name contains a word of it; "" is all.
func choose(all []row, list string) ([]row, error) {
	if list == "" {
		return all, nil
	}
	var chosen []row
	words := strings.Split(list, ",")
	used := make([]bool, len(words))
	for _, r := range all {
		take := false
		for i, w := range words {
			if w = strings.TrimSpace(w); w != "" && (r.set == w || strings.Contains(r.name, w)) {
				take, used[i] = true, true
			}
		}
		if take {
			chosen = append(chosen, r)
		}
	}
	if i := slices.Index(used, false); i >= 0 {
		return nil, fmt.Errorf("no row is called %q; the sets are %s", words[i], strings.Join(sets(all), ", "))
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

// measure does the rows, A B A B.
func measure(ctx context.Context, t *table, chosen []row, brokers []*broker, l load) error {
	for _, r := range chosen {
		pairs := l.pairs
		if r.once {
			pairs = 1
		}
		for pair := range pairs + 1 {
			warming := pair == 0
			if warming && r.young {
				continue
			}
			for _, b := range brokers {
				if b.name == bareLoop && !r.bare {
					continue
				}
				fmt.Fprintf(os.Stderr, "%s: %s\n", r.name, b.name)
				got, err := r.run(ctx, l, b)
				if errors.Is(err, errUnsupported) {
					t.unsupported(r.name, b.name)
					continue
				}
				if err != nil {
					return fmt.Errorf("%s on %s: %w", r.name, b.name, err)
				}
				if warming {
					continue
				}
				for _, m := range got {
					t.add(r.name, b.name, m.figure, m.value)
				}
			}
		}
	}
	return nil
}
