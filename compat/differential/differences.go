package main

import (
	_ "embed"
	"fmt"
	"path"
	"strings"
)

// differencesText is the only place where a difference is allowed.
//
//go:embed differences
var differencesText string

// A difference is one entry of that file: where Blumfeld deliberately answers
// otherwise, or where Apache Kafka's answer means nothing.
type difference struct {
	line     int
	rows     string // a pattern of row names, as path.Match has it
	min, max int16  // versions
	field    string // a path without indexes; * stands for a step of it
	// The answers, as patterns in which * stands for any text.
	kafka, ours string
	unordered   bool // the array field has no order
	sometimes   bool // it depends on chance whether it occurs
	because     string
	used        bool
}

// readDifferences parses entries, which empty lines separate. Each is a number
// of lines NAME VALUE; an indented line goes on with the one before.
func readDifferences(text string) ([]*difference, error) {
	var all []*difference
	var d *difference
	end := func() error {
		switch {
		case d == nil:
			return nil
		case d.rows == "" || d.field == "" || d.because == "":
			return fmt.Errorf("line %d: an entry needs rows, field and because", d.line)
		case d.unordered == (d.kafka != "" || d.ours != ""):
			return fmt.Errorf("line %d: an entry is either unordered or has kafka and ours", d.line)
		case !d.unordered && (d.kafka == "" || d.ours == ""):
			return fmt.Errorf("line %d: an entry needs kafka and ours", d.line)
		}
		all = append(all, d)
		d = nil
		return nil
	}
	for i, raw := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(raw)
		switch {
		case trimmed == "":
			if err := end(); err != nil {
				return nil, err
			}
			continue
		case trimmed[0] == '#':
			continue
		case raw[0] == ' ' && d != nil:
			d.because += " " + trimmed
			continue
		}
		if d == nil {
			d = &difference{line: i + 1, max: 1<<15 - 1}
		}
		name, text, _ := strings.Cut(trimmed, " ")
		text = strings.TrimSpace(text)
		var err error
		switch name {
		case "rows":
			d.rows = text
			_, err = path.Match(text, "")
		case "versions":
			d.min, d.max, err = versionRange(text)
		case "field":
			d.field = text
		case "kafka":
			d.kafka = text
		case "ours":
			d.ours = text
		case "unordered":
			d.unordered, d.field = true, text
		case "sometimes":
			d.sometimes = true
		case "because":
			d.because = text
		default:
			err = fmt.Errorf("there is no %s", name)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return all, end()
}

// applies says whether the entry is about that field of that row.
func (d *difference) applies(row string, version int16, field string) bool {
	ok, _ := path.Match(d.rows, row)
	if !ok || version < d.min || version > d.max {
		return false
	}
	// A path's steps are separated like those of a file's path, and * has the
	// same meaning.
	ok, _ = path.Match(strings.ReplaceAll(d.field, ".", "/"), strings.ReplaceAll(field, ".", "/"))
	return ok
}

// explains says whether the entry allows these two answers.
func (d *difference) explains(kafka, ours string) bool {
	return !d.unordered && like(d.kafka, kafka) && like(d.ours, ours)
}

// like says whether text matches pattern, in which * stands for any text.
func like(pattern, text string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !strings.HasPrefix(text, first) {
		return false
	}
	text = text[len(first):]
	for wild {
		first, rest, wild = strings.Cut(rest, "*")
		if !wild {
			return strings.HasSuffix(text, first)
		}
		at := strings.Index(text, first)
		if at < 0 {
			return false
		}
		text = text[at+len(first):]
	}
	return text == ""
}
