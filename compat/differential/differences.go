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
// of lines NAME VALUE; an indented line goes on with the one before. An entry may
// be about several fields: what comes before the first field and the reason are
// said once.
func readDifferences(text string) ([]*difference, error) {
	var all, entry []*difference // entry: one for each field
	var d *difference            // the last of it
	end := func() error {
		for _, e := range entry {
			e.because = d.because
			switch {
			case e.rows == "" || e.field == "" || e.because == "":
				return fmt.Errorf("line %d: an entry needs rows, field and because", e.line)
			case e.unordered == (e.kafka != "" || e.ours != ""):
				return fmt.Errorf("line %d: an entry is either unordered or has kafka and ours", e.line)
			case !e.unordered && (e.kafka == "" || e.ours == ""):
				return fmt.Errorf("line %d: an entry needs kafka and ours", e.line)
			}
		}
		all = append(all, entry...)
		entry, d = nil, nil
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
		name, text, _ := strings.Cut(trimmed, " ")
		text = strings.TrimSpace(text)
		switch {
		case d == nil:
			d = &difference{line: i + 1, max: 1<<15 - 1}
			entry = append(entry, d)
		case name == "field" && d.field != "":
			d = &difference{line: i + 1, rows: d.rows, min: d.min, max: d.max, sometimes: d.sometimes}
			entry = append(entry, d)
		}
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
