package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A value is what stands in a row for a field of a request.
//
//	word "quoted" $variable     a scalar; a word ends at space or any of { } [ ] ( ) =
//	{ITEM…}                     a structure
//	[VALUE…]                    an array
//	name(ITEM…)                 bytes that a function makes, such as batch(n=3)
//
// An ITEM is VALUE, which stands for the field after that of the last such, or
// FIELD=VALUE.
type value struct {
	kind  valueKind
	text  string // of a scalar; the name of a call
	plain bool   // a scalar that was not quoted: it may be null, a number, …
	items []item
}

type valueKind byte

const (
	scalar valueKind = iota
	structure
	array
	call
)

type item struct {
	name string // empty for an item by position
	value
}

// parser reads values from one line.
type parser struct{ rest string }

func (p *parser) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// end says whether the line is read to its end.
func (p *parser) end() bool {
	p.space()
	return p.rest == ""
}

const delimiters = " \t{}[]()="

// word takes a word off, which may be empty.
func (p *parser) word() string {
	p.space()
	n := strings.IndexAny(p.rest, delimiters+`"`)
	if n < 0 {
		n = len(p.rest)
	}
	w := p.rest[:n]
	p.rest = p.rest[n:]
	return w
}

// take takes prefix off, if it comes next.
func (p *parser) take(prefix string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, prefix)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *parser) value() (value, error) {
	p.space()
	switch {
	case p.take("{"):
		items, err := p.items("}")
		return value{kind: structure, items: items}, err
	case p.take("["):
		items, err := p.items("]")
		return value{kind: array, items: items}, err
	case strings.HasPrefix(p.rest, `"`):
		quoted, err := strconv.QuotedPrefix(p.rest)
		if err != nil {
			return value{}, fmt.Errorf("unterminated %s", p.rest)
		}
		p.rest = p.rest[len(quoted):]
		text, err := strconv.Unquote(quoted)
		return value{text: text}, err
	}
	w := p.word()
	switch {
	case w == "":
		return value{}, fmt.Errorf("a value is missing before %q", p.rest)
	case strings.HasPrefix(p.rest, "("):
		p.take("(")
		items, err := p.items(")")
		return value{kind: call, text: w, items: items}, err
	}
	return value{text: w, plain: true}, nil
}

// items reads up to and including closing. An empty closing is the line's end.
func (p *parser) items(closing string) ([]item, error) {
	var items []item
	for {
		switch {
		case closing == "" && p.end(), closing != "" && p.take(closing):
			return items, nil
		case p.end():
			return nil, fmt.Errorf("%s is missing", closing)
		}
		it, err := p.item()
		if err != nil {
			return nil, err
		}
		items = append(items, it)
	}
}

func (p *parser) item() (item, error) {
	v, err := p.value()
	if err != nil {
		return item{}, err
	}
	if !v.plain || !strings.HasPrefix(p.rest, "=") {
		return item{value: v}, nil
	}
	p.take("=")
	name := v.text
	v, err = p.value()
	return item{name: name, value: v}, err
}
