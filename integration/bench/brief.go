package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// aim is a figure that tells most of a row, in words of its own.
type aim struct {
	what   string
	figure figure
}

const (
	briefBegin = "<!-- make bench writes what follows -->\n"
	briefEnd   = "<!-- make bench wrote this -->\n"
)

// brief is the part of README that the bench writes: the aims of all rows, and one line for each row.
func (r results) brief(all []row) string {
	var b strings.Builder
	b.WriteString(r.machine + " " + r.heading() + "\n\n")
	writeRow(&b, []string{"", blumfeld, apacheKafka, "ratio (range)", bareLoop, "ratio to it"})
	b.WriteString(strings.Repeat("|---", 6) + "|\n")
	for _, x := range all {
		for _, a := range x.aims {
			e, ok := r.find(x.name, a.figure)
			if !ok {
				e.ours, e.theirs, e.ratio = none, none, none
			}
			writeRow(&b, []string{a.what, e.ours, e.theirs, e.ratio, e.bare, e.toBare})
		}
	}
	b.WriteString("\n")
	writeRow(&b, []string{"row", "", blumfeld, apacheKafka, "ratio", "its broker CPU", "its p99"})
	b.WriteString(strings.Repeat("|---", 7) + "|\n")
	for _, x := range all {
		if !x.detail {
			r.writeLine(&b, x)
		}
	}
	return b.String()
}

// writeLine writes the first figure of a row, and of its cost and latency the ratios.
func (r results) writeLine(b *strings.Builder, x row) {
	cells := []string{x.name, none, none, none, none, "", ""}
	seen := false
	for _, e := range r.entries {
		switch {
		case e.row != x.name:
		case strings.HasPrefix(e.figure, failedNote) || e.ours == "":
			if cells[1] == none {
				cells[1] = e.figure
			}
		case !seen:
			seen = true
			cells[1], cells[2], cells[3], cells[4] = nameOf(e.figure), e.ours, e.theirs, medianOf(e.ratio)
		case strings.HasPrefix(e.figure, costPrefix) && cells[5] == "":
			cells[5] = medianOf(e.ratio)
		case strings.Contains(e.figure, p99.name) && cells[6] == "":
			cells[6] = medianOf(e.ratio)
		}
	}
	writeRow(b, cells)
}

// nameOf is a figure's cell without its direction.
func nameOf(cell string) string {
	if i := strings.LastIndex(cell, ", "); i >= 0 {
		return cell[:i]
	}
	return cell
}

// medianOf is a ratio's cell without its range.
func medianOf(cell string) string {
	median, _, _ := strings.Cut(cell, " (")
	return median
}

// between puts a text between the marks of another, in the place of what stands there.
func between(text, brief string) (string, error) {
	before, rest, ok := strings.Cut(text, briefBegin)
	_, after, ended := strings.Cut(rest, briefEnd)
	if !ok || !ended {
		return "", errors.New("it has no place for the table: two marks, " + strings.TrimSpace(briefBegin) + " and " + strings.TrimSpace(briefEnd))
	}
	return before + briefBegin + "\n" + brief + "\n" + briefEnd + after, nil
}

// readBrief reads a file that has a place for the bench's part.
func readBrief(file string) (text string, err error) {
	p, err := os.ReadFile(file)
	if err == nil {
		_, err = between(string(p), "")
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return string(p), nil
}

// writeBrief brings the bench's part of a file up to date.
func writeBrief(file, brief string) error {
	text, err := readBrief(file)
	if err != nil {
		return err
	}
	if text, err = between(text, brief); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
