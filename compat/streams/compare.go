package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// byKey are the values of each key, in the order in which they were written: all of a key are in one partition.
func byKey(records []*kgo.Record) map[string][]string {
	values := make(map[string][]string)
	for _, r := range records {
		values[string(r.Key)] = append(values[string(r.Key)], string(r.Value))
	}
	return values
}

// last are the last value of each key, without those that were deleted.
func last(records []*kgo.Record) map[string][]string {
	values := make(map[string][]string)
	for _, r := range records {
		if r.Value == nil {
			delete(values, string(r.Key))
			continue
		}
		values[string(r.Key)] = []string{string(r.Value)}
	}
	return values
}

// newest are the last value of each key.
func newest(values map[string][]string) map[string][]string {
	newest := make(map[string][]string)
	for key, v := range values {
		newest[key] = v[len(v)-1:]
	}
	return newest
}

// sorted forgets the order in which the values of a key were written.
func sorted(values map[string][]string) map[string][]string {
	for _, v := range values {
		slices.Sort(v)
	}
	return values
}

// same compares the values of each key, and names the first differences.
func same(what string, want, got map[string][]string) error {
	keys := make(map[string]bool)
	for _, m := range []map[string][]string{want, got} {
		for key := range m {
			keys[key] = true
		}
	}
	if len(keys) == 0 {
		return fmt.Errorf("%s: nothing to compare", what)
	}
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		w, g := want[key], got[key]
		if slices.Equal(w, g) {
			continue
		}
		at := 0
		for at < min(len(w), len(g)) && w[at] == g[at] {
			at++
		}
		differ = append(differ, fmt.Sprintf("%q: %d values, not %d; the first that differs is %d: %s, not %s",
			key, len(g), len(w), at, around(g, at), around(w, at)))
	}
	if differ == nil {
		return nil
	}
	const most = 8
	if more := len(differ) - most; more > 0 {
		differ = append(differ[:most], fmt.Sprintf("and %d keys more", more))
	}
	return fmt.Errorf("%s, %d keys:\n%s", what, len(keys), strings.Join(differ, "\n"))
}

// around are a few values from one before at.
func around(values []string, at int) string {
	return fmt.Sprintf("%q", values[max(0, min(at-1, len(values))):min(at+3, len(values))])
}
