package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// results are what RESULTS.md holds: the whole table.
type results struct {
	machine string  // where all of it was measured
	run     string  // when all rows were, in one run; it ends with what they have as measured, and a full stop
	entries []entry // row by row
}

const (
	resultsTitle = "# Beside Apache Kafka"
	partialRun   = "Some rows only; all of them were not yet measured in one run."
	laterMark    = "; measured later, at "
)

var columns = []string{"row", "figure", "Blumfeld", "Apache Kafka", "ratio (range)", "bare loop", "ratio to it", "measured"}

// heading is when all rows were measured, and which of them again since.
func (r results) heading() string {
	if r.run == partialRun {
		return r.run
	}
	var whens []string
	rows := make(map[string][]string) // by when
	for _, e := range r.entries {
		if strings.HasSuffix(r.run, ": "+e.measured+".") {
			continue
		}
		if !slices.Contains(whens, e.measured) {
			whens = append(whens, e.measured)
		}
		if name := strconv.Quote(e.row); !slices.Contains(rows[e.measured], name) {
			rows[e.measured] = append(rows[e.measured], name)
		}
	}
	if len(whens) == 0 {
		return r.run
	}
	for i, when := range whens {
		whens[i] = when + ": " + strings.Join(rows[when], ", ")
	}
	return strings.TrimSuffix(r.run, ".") + laterMark + strings.Join(whens, "; at ") + "."
}

// render is the text of the file.
func (r results) render() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\n%s\n\n", resultsTitle, r.machine, r.heading())
	writeRow(&b, columns)
	b.WriteString(strings.Repeat("|---", len(columns)) + "|\n")
	last := ""
	for _, e := range r.entries {
		if e.row == last {
			e.row, e.measured = "", "" // said once is enough
		} else {
			last = e.row
		}
		var cells []string
		for _, c := range e.cells() {
			cells = append(cells, *c)
		}
		writeRow(&b, cells)
	}
	return b.String()
}

func writeRow(b *strings.Builder, cells []string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// parseResults reads what render wrote.
func parseResults(text string) (r results, err error) {
	head, table, ok := strings.Cut(text, "\n| ")
	parts := strings.Split(strings.TrimSpace(head), "\n\n")
	if !ok || len(parts) != 3 || parts[0] != resultsTitle {
		return results{}, errors.New("not a table of this bench")
	}
	r.machine, r.run = parts[1], parts[2]
	if run, _, ok := strings.Cut(r.run, laterMark); ok {
		r.run = run + "." // the rest comes from the rows
	}
	row, measured := "", ""
	for i, line := range strings.Split(strings.TrimSpace(table), "\n") {
		if i < 2 {
			continue // the table's head
		}
		cells := strings.Split(strings.TrimSuffix(strings.TrimPrefix(line, "| "), " |"), " | ")
		if len(cells) != len(columns) {
			return results{}, fmt.Errorf("line %d of the table has %d columns, want %d", i+1, len(cells), len(columns))
		}
		var e entry
		for i, c := range e.cells() {
			*c = strings.TrimSpace(cells[i])
		}
		if e.row != "" {
			row, measured = e.row, e.measured
		}
		e.row, e.measured = row, measured
		r.entries = append(r.entries, e)
	}
	return r, nil
}

// readResults reads a file of the same machine; one that is not there holds nothing.
func readResults(file, machine string) (results, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return results{machine: machine, run: partialRun}, nil
	}
	if err != nil {
		return results{}, err
	}
	r, err := parseResults(string(text))
	if err != nil {
		return results{}, fmt.Errorf("%s: %w", file, err)
	}
	if r.machine != machine {
		return results{}, fmt.Errorf("%s was measured elsewhere, all rows have to be measured again:\n- %s\n- %s", file, r.machine, machine)
	}
	return r, nil
}

// merge puts new entries in the place of what there was of their rows, in the order of all rows; of rows that there are
// no more nothing is kept.
func (r results) merge(all []row, fresh []entry) results {
	var merged []entry
	for _, x := range all {
		of := func(list []entry) (mine []entry) {
			for _, e := range list {
				if e.row == x.name {
					mine = append(mine, e)
				}
			}
			return mine
		}
		mine := of(fresh)
		if len(mine) == 0 {
			mine = of(r.entries)
		}
		merged = append(merged, mine...)
	}
	r.entries = merged
	return r
}

// find returns a figure of a row.
func (r results) find(row string, f figure) (entry, bool) {
	i := slices.IndexFunc(r.entries, func(e entry) bool { return e.row == row && e.figure == f.cell() })
	if i < 0 {
		return entry{}, false
	}
	return r.entries[i], true
}
