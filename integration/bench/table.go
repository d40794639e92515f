package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

type direction string

const (
	lowerIsBetter  direction = "less is better"
	higherIsBetter direction = "more is better"
)

// figure is something measured, by name with its unit.
type figure struct {
	name string
	direction
}

// costPrefix begins the name of every figure of processor time.
const costPrefix = "broker CPU"

// cell is the figure as the table has it.
func (f figure) cell() string { return f.name + ", " + string(f.direction) }

// entry is one line of the table, as it is shown and as it is read again: a figure of a row, or a note of what became of
// it.
type entry struct {
	row      string
	figure   string // its cell
	ours     string // medians
	theirs   string
	ratio    string // median and range of the pairs
	bare     string // empty where the bare loop takes no part
	toBare   string
	measured string // when, and at which commit
}

// cells are an entry's, from left to right.
func (e *entry) cells() []*string {
	return []*string{&e.row, &e.figure, &e.ours, &e.theirs, &e.ratio, &e.bare, &e.toBare, &e.measured}
}

const failedNote = "failed: "

// entries are the lines of a row.
func (o outcome) entries(measured string) (list []entry) {
	note := func(text string) {
		list = append(list, entry{row: o.row, figure: text, measured: measured})
	}
	if o.failed != nil {
		// The table is one of lines and bars.
		reason := strings.Join(strings.Fields(strings.ReplaceAll(o.failed.Error(), "|", "/")), " ")
		if runes := []rune(reason); len(runes) > 300 {
			reason = string(runes[:300]) + "…"
		}
		note(failedNote + reason)
	}
	for _, broker := range o.unsupported {
		note("not supported by " + broker)
	}
	var figures []figure
	for _, s := range o.samples {
		if !slices.Contains(figures, s.figure) {
			figures = append(figures, s.figure)
		}
	}
	for _, f := range figures {
		ours, theirs, bare := o.values(blumfeld, f), o.values(apacheKafka, f), o.values(bareLoop, f)
		e := entry{row: o.row, figure: f.cell(), ours: show(median(ours)), theirs: show(median(theirs)),
			ratio: showRatios(ratios(ours, theirs)), measured: measured}
		if len(bare) > 0 {
			e.bare, e.toBare = show(median(bare)), showRatios(ratios(ours, bare))
		}
		list = append(list, e)
	}
	return list
}

// values are a broker's, in the order they were measured.
func (o outcome) values(broker string, f figure) (list []float64) {
	for _, s := range o.samples {
		if s.broker == broker && s.figure == f {
			list = append(list, s.value)
		}
	}
	return list
}

// ratios are ours over theirs, pair by pair; a pair that has none, as both are 0, is left out.
func ratios(ours, theirs []float64) (list []float64) {
	for i := range min(len(ours), len(theirs)) {
		if r := ours[i] / theirs[i]; !math.IsNaN(r) && !math.IsInf(r, 0) {
			list = append(list, r)
		}
	}
	return list
}

// none is shown for what was not measured.
const none = "–"

// show has three digits that matter.
func show(v float64) string {
	if math.IsNaN(v) {
		return none
	}
	digits := 0
	for size := math.Abs(v); size < 100 && digits < 3; size *= 10 {
		digits++
	}
	if v == math.Trunc(v) {
		digits = 0
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	for at := len(text) - 3; digits == 0 && at > 0 && text[at-1] != '-'; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// median of no values is not a number.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	switch {
	case n == 0:
		return math.NaN()
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

func showRatios(list []float64) string {
	if len(list) == 0 {
		return none
	}
	return fmt.Sprintf("%s (%s–%s)", show(median(list)), show(slices.Min(list)), show(slices.Max(list)))
}
