package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
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

// line is one figure of one row: a value from each broker and each pair.
type line struct {
	row    string
	figure figure
	values map[string][]float64 // by broker, in the order they were measured
}

// table collects lines in the order in which they first appear in a row.
type table struct {
	date    string // of the run
	lines   []*line
	missing map[string][]string // by row: the brokers that do not support it
	kept    map[string][]string // by row: lines of an earlier run, rendered
}

func newTable() *table {
	return &table{date: time.Now().Format(time.DateOnly), missing: map[string][]string{}, kept: map[string][]string{}}
}

func (t *table) add(row, broker string, f figure, value float64) {
	i := slices.IndexFunc(t.lines, func(l *line) bool { return l.row == row && l.figure == f })
	if i < 0 {
		i = len(t.lines)
		t.lines = append(t.lines, &line{row: row, figure: f, values: map[string][]float64{}})
	}
	t.lines[i].values[broker] = append(t.lines[i].values[broker], value)
}

func (t *table) unsupported(row, broker string) {
	if !slices.Contains(t.missing[row], broker) {
		t.missing[row] = append(t.missing[row], broker)
	}
}

// keep takes over what a file has of the rows that are not measured now. A file that another machine wrote is an error;
// one that is not there has nothing.
func (t *table) keep(file, heading string, all, chosen []row) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if first, _, _ := strings.Cut(string(text), "\n"); first != heading {
		return fmt.Errorf("%s was measured elsewhere, all rows have to be measured again:\n- %s\n- %s", file, first, heading)
	}
	for l := range strings.Lines(string(text)) {
		name, _, ok := strings.Cut(strings.TrimPrefix(l, "| "), " | ")
		is := func(r row) bool { return r.name == name }
		if ok && slices.ContainsFunc(all, is) && !slices.ContainsFunc(chosen, is) {
			t.kept[name] = append(t.kept[name], l)
		}
	}
	return nil
}

// ratios are Blumfeld's values over another's, pair by pair.
func (l *line) ratios(other string) []float64 {
	ours, theirs := l.values[blumfeld], l.values[other]
	var ratios []float64
	for i := range min(len(ours), len(theirs)) {
		ratios = append(ratios, ours[i]/theirs[i])
	}
	return ratios
}

// render writes the rows in the order of all.
func (t *table) render(heading string, all []row) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", heading)
	b.WriteString("| row | figure | Blumfeld | Apache Kafka | ratio (range) | bare loop | ratio to it | measured |\n|---|---|---|---|---|---|---|---|\n")
	for _, r := range all {
		for _, kept := range t.kept[r.name] {
			b.WriteString(kept)
		}
		for _, l := range t.lines {
			if l.row == r.name {
				limit, distance := "", ""
				if bare := l.values[bareLoop]; len(bare) > 0 {
					limit, distance = show(median(bare)), showRatios(l.ratios(bareLoop))
				}
				fmt.Fprintf(&b, "| %s | %s, %s | %s | %s | %s | %s | %s | %s |\n", l.row, l.figure.name, l.figure.direction,
					show(median(l.values[blumfeld])), show(median(l.values[apacheKafka])), showRatios(l.ratios(apacheKafka)), limit, distance, t.date)
			}
		}
		for _, broker := range t.missing[r.name] {
			fmt.Fprintf(&b, "| %s | not supported by %s | | | | | | %s |\n", r.name, broker, t.date)
		}
	}
	return b.String()
}

// show has three digits that matter, and nothing for a value that was not taken.
func show(v float64) string {
	if math.IsNaN(v) {
		return "–"
	}
	digits := 0
	for size := math.Abs(v); size < 100 && digits < 3; size *= 10 {
		digits++
	}
	return strconv.FormatFloat(v, 'f', digits, 64)
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

func showRatios(ratios []float64) string {
	if len(ratios) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.3f (%.3f–%.3f)", median(ratios), slices.Min(ratios), slices.Max(ratios))
}

// machine says where the figures were taken.
func machine() string {
	model := "unknown CPU"
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	kernel := runtime.GOOS
	if out, err := exec.Command("uname", "-sr").Output(); err == nil {
		kernel = strings.TrimSpace(string(out))
	}
	return fmt.Sprintf("%d × %s, %s, %s; both brokers and the clients on this machine, in turn.",
		runtime.NumCPU(), model, kernel, runtime.Version())
}
