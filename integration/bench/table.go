package main

import (
	"bufio"
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

// table collects lines in the order in which they first appear.
type table struct {
	lines   []*line
	missing []string // rows that a broker does not support
}

func newTable() *table { return new(table) }

func (t *table) add(row, broker string, f figure, value float64) {
	i := slices.IndexFunc(t.lines, func(l *line) bool { return l.row == row && l.figure == f })
	if i < 0 {
		i = len(t.lines)
		t.lines = append(t.lines, &line{row: row, figure: f, values: map[string][]float64{}})
	}
	t.lines[i].values[broker] = append(t.lines[i].values[broker], value)
}

func (t *table) unsupported(row, broker string) {
	note := fmt.Sprintf("%s: not supported by %s", row, broker)
	if !slices.Contains(t.missing, note) {
		t.missing = append(t.missing, note)
	}
}

// ratios are Blumfeld's values over Kafka's, pair by pair.
func (l *line) ratios() []float64 {
	ours, theirs := l.values[blumfeld], l.values[apacheKafka]
	var ratios []float64
	for i := range min(len(ours), len(theirs)) {
		ratios = append(ratios, ours[i]/theirs[i])
	}
	return ratios
}

func (t *table) render(heading string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", heading)
	b.WriteString("| row | figure | Blumfeld | Apache Kafka | ratio (range) |\n|---|---|---|---|---|\n")
	for _, l := range t.lines {
		fmt.Fprintf(&b, "| %s | %s, %s | %s | %s | %s |\n", l.row, l.figure.name, l.figure.direction,
			show(median(l.values[blumfeld])), show(median(l.values[apacheKafka])), showRatios(l.ratios()))
	}
	for _, note := range t.missing {
		fmt.Fprintf(&b, "\n%s\n", note)
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

// machine says where and when the figures were taken.
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
	return fmt.Sprintf("%s: %d × %s, %s, %s; both brokers and the clients on this machine, in turn.",
		time.Now().Format(time.DateOnly), runtime.NumCPU(), model, kernel, runtime.Version())
}
