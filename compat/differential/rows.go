package main

import (
	"bufio"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// files are the table. README.md in that folder says how a row is written.
//
//go:embed rows
var files embed.FS

// A file is the rows of one API key, its subject: rows/NN_name.rows. Files
// without a number have no subject; their rows run once.
type file struct {
	name    string
	subject int16 // or -1
	with    []item
	parts   []part // in order
}

// part is a row or, between rows, a step of set-up.
type part struct {
	row   *row
	setup *step
}

type row struct {
	name     string
	line     int
	min, max int16 // versions, within those that are served
	// variable is that of a row that is one of many, and what it stands for.
	variable, text string
	steps          []step
}

var reference = regexp.MustCompile(`\$(?:\w+|\{\w+\})`)

// substitute puts the text of the row's variable into a line, before that is
// parsed: it may stand for anything.
func (r *row) substitute(l line) line {
	if r.variable != "" {
		l.text = reference.ReplaceAllStringFunc(l.text, func(ref string) string {
			if strings.Trim(ref, "${}") == r.variable {
				return r.text
			}
			return ref
		})
	}
	return l
}

// step is one line of a row.
type step struct {
	line int
	conn string
	mode stepMode
	// verb is a request's name, or one of topic, records, raw, close.
	verb    string
	version int16 // or subjectVersion, latestVersion
	items   []item
	until   []item
	capture []item
	briefly bool // no answer is expected: a second is enough to see that
}

type stepMode byte

const (
	ask     stepMode = iota // send, and wait for the answer
	post                    // send alone
	collect                 // wait alone
)

const (
	subjectVersion = -1 // the one that the row runs at
	latestVersion  = -2 // the highest that both serve
)

// readRows parses all row files, in the order in which they are played:
// prelude, then by key, then those without a key.
func readRows(from fs.FS) ([]file, error) {
	names, err := fs.Glob(from, "rows/*.rows")
	if err != nil {
		return nil, err
	}
	blocks, err := readBlocks(from)
	if err != nil {
		return nil, err
	}
	keys := apiKeys()
	var all []file
	for _, name := range names {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		f, err := readFile(strings.TrimSuffix(path.Base(name), ".rows"), string(text), keys, blocks)
		if err != nil {
			return nil, fmt.Errorf("%s:%w", name, err)
		}
		all = append(all, f)
	}
	order := func(f file) int {
		switch {
		case f.name == "prelude":
			return -1
		case f.subject < 0:
			return kmsg.MaxKey + 1
		}
		return int(f.subject)
	}
	slices.SortStableFunc(all, func(a, b file) int { return order(a) - order(b) })
	return all, nil
}

func readFile(base, text string, keys map[string]int16, blocks blocks) (file, error) {
	f := file{name: base, subject: -1}
	if number, name, ok := strings.Cut(base, "_"); ok {
		if key, err := strconv.ParseInt(number, 10, 16); err == nil {
			f.subject, f.name = int16(key), name
		}
	}
	var rows []*row // that the steps below belong to
	for _, l := range logicalLines(text) {
		switch word, rest, _ := strings.Cut(l.text, " "); {
		case l.indented:
			if len(rows) == 0 {
				return f, fmt.Errorf("%d: a step outside of a row", l.number)
			}
			for _, r := range rows {
				steps, err := blocks.expand(r, r.substitute(l), f.subject, keys)
				if err != nil {
					return f, fmt.Errorf("%d: %w", l.number, err)
				}
				r.steps = append(r.steps, steps...)
			}
		case word == "row":
			var err error
			if rows, err = readHeading(f.name, rest, l.number); err != nil {
				return f, fmt.Errorf("%d: %w", l.number, err)
			}
			for _, r := range rows {
				f.parts = append(f.parts, part{row: r})
			}
		case word == "with":
			rows = nil
			p := parser{rest}
			var err error
			if f.with, err = p.items(""); err != nil {
				return f, fmt.Errorf("%d: %w", l.number, err)
			}
		default:
			rows = nil
			s, err := readStep(l, f.subject, keys)
			if err != nil {
				return f, fmt.Errorf("%d: %w", l.number, err)
			}
			if s.version == subjectVersion {
				s.version = latestVersion
			}
			f.parts = append(f.parts, part{setup: &s})
		}
	}
	// What with says comes first: a row's own fields win.
	for i := range f.parts {
		if r := f.parts[i].row; r != nil {
			if len(r.steps) == 0 {
				return f, fmt.Errorf("%d: row %s has no steps", r.line, r.name)
			}
			for j := range r.steps {
				if r.steps[j].version == subjectVersion {
					r.steps[j].items = slices.Concat(f.with, r.steps[j].items)
				}
			}
		}
	}
	return f, nil
}

type line struct {
	number   int
	indented bool
	text     string
}

// logicalLines drops comments and joins a line with those below it that are
// indented by four spaces or more.
func logicalLines(text string) []line {
	var lines []line
	scanner := bufio.NewScanner(strings.NewReader(text))
	for n := 1; scanner.Scan(); n++ {
		raw := scanner.Text()
		trimmed := strings.TrimSpace(raw)
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case strings.HasPrefix(raw, "    ") && len(lines) > 0:
			lines[len(lines)-1].text += " " + trimmed
		default:
			lines = append(lines, line{n, raw[0] == ' ', trimmed})
		}
	}
	return lines
}

// readHeading parses NAME [vMIN[-MAX]|vMIN+] [for VARIABLE in VALUE…], which
// is a row for each value. A value with spaces is quoted.
func readHeading(file, text string, number int) ([]*row, error) {
	text, values, many := strings.Cut(text, " in ")
	words := strings.Fields(text)
	if len(words) == 0 {
		return nil, fmt.Errorf("a row without a name")
	}
	r := row{name: file + "/" + words[0], line: number, max: 1<<15 - 1}
	words = words[1:]
	if len(words) > 0 && words[0][0] == 'v' {
		var err error
		if r.min, r.max, err = versionRange(words[0]); err != nil {
			return nil, err
		}
		words = words[1:]
	}
	if len(words) == 0 && !many {
		return []*row{&r}, nil
	}
	if len(words) != 2 || words[0] != "for" || !many {
		return nil, fmt.Errorf("%q is not: for VARIABLE in VALUE…", strings.Join(words, " "))
	}
	var rows []*row
	for values = strings.TrimSpace(values); values != ""; values = strings.TrimSpace(values) {
		one := r
		one.variable = words[1]
		if quoted, err := strconv.QuotedPrefix(values); err == nil {
			values = values[len(quoted):]
			if one.text, err = strconv.Unquote(quoted); err != nil {
				return nil, err
			}
		} else {
			one.text, values, _ = strings.Cut(values, " ")
		}
		one.name += "=" + strings.ReplaceAll(one.text, " ", "_")
		rows = append(rows, &one)
	}
	return rows, nil
}

func versionRange(word string) (low, high int16, err error) {
	from, to, isRange := strings.Cut(strings.TrimPrefix(word, "v"), "-")
	from, open := strings.CutSuffix(from, "+")
	a, err := strconv.ParseInt(from, 10, 16)
	if err != nil {
		return 0, 0, err
	}
	switch {
	case open:
		return int16(a), 1<<15 - 1, nil
	case !isRange:
		return int16(a), int16(a), nil
	}
	b, err := strconv.ParseInt(to, 10, 16)
	return int16(a), int16(b), err
}

// readStep parses [CONN:|CONN!|CONN?] VERB[/vN] ITEM… [briefly]
// [until PATH=TEXT… PATH!=TEXT…] [-> VARIABLE=PATH…].
func readStep(l line, subject int16, keys map[string]int16) (step, error) {
	s := step{line: l.number, conn: "main", version: latestVersion}
	text := l.text
	if word, rest, _ := strings.Cut(text, " "); len(word) > 1 {
		at := strings.IndexByte(":!?", word[len(word)-1])
		if at >= 0 {
			s.conn, s.mode, text = word[:len(word)-1], stepMode(at), rest
		}
	}
	p := parser{text}
	if s.mode != collect {
		verb, version, fixed := strings.Cut(p.word(), "/v")
		s.verb = verb
		key, isRequest := keys[verb]
		switch {
		case fixed:
			v, err := strconv.ParseInt(version, 10, 16)
			if err != nil {
				return s, err
			}
			s.version = int16(v)
		case isRequest && key == subject:
			s.version = subjectVersion
		}
		if !isRequest && !slices.Contains([]string{"topic", "records", "raw", "close"}, verb) {
			return s, fmt.Errorf("there is no request %s", verb)
		}
	}
	items, err := p.items("")
	if err != nil {
		return s, err
	}
	into := &s.items
	for _, it := range items {
		switch {
		case it.name == "" && it.plain && it.text == "until":
			into = &s.until
		case it.name == "" && it.plain && it.text == "briefly":
			s.briefly = true
		case it.name == "" && it.plain && it.text == "->":
			into = &s.capture
		default:
			*into = append(*into, it)
		}
	}
	return s, nil
}
