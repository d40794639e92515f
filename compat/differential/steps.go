package main

import (
	"fmt"
	"io/fs"
	"strings"
)

// blocks are steps that many rows begin with, by name: how a transaction comes
// into a state, say. The files rows/*.steps hold them:
//
//	steps NAME
//	  STEP
//
// A row has them done by the line "do NAME", and so has another block. The row's
// variable is replaced in them too, and what they keep is the row's. Requests in
// them are of the highest version that both brokers serve, whatever the row is
// about.
type blocks map[string][]line

func readBlocks(from fs.FS) (blocks, error) {
	names, err := fs.Glob(from, "rows/*.steps")
	if err != nil {
		return nil, err
	}
	all := make(blocks)
	for _, name := range names {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		if err := all.read(string(text)); err != nil {
			return nil, fmt.Errorf("%s:%w", name, err)
		}
	}
	return all, nil
}

func (b blocks) read(text string) error {
	var name string
	for _, l := range logicalLines(text) {
		if l.indented {
			if name == "" {
				return fmt.Errorf("%d: a step outside of a block", l.number)
			}
			b[name] = append(b[name], l)
			continue
		}
		word, rest, _ := strings.Cut(l.text, " ")
		name = strings.TrimSpace(rest)
		if word != "steps" || name == "" || strings.Contains(name, " ") {
			return fmt.Errorf("%d: %q is not: steps NAME", l.number, l.text)
		}
		if b[name] != nil {
			return fmt.Errorf("%d: %s is there twice", l.number, name)
		}
	}
	return nil
}

// expand parses one line of a row, which has the row's variable in place: a
// step, or the steps of a block.
func (b blocks) expand(r *row, l line, subject int16, keys map[string]int16) ([]step, error) {
	name, ok := strings.CutPrefix(l.text, "do ")
	if !ok {
		s, err := readStep(l, subject, keys)
		return []step{s}, err
	}
	name = strings.TrimSpace(name)
	lines, ok := b[name]
	if !ok {
		return nil, fmt.Errorf("there are no steps %s", name)
	}
	before := make(blocks, len(b))
	for other, lines := range b {
		if other != name {
			before[other] = lines // so that no block comes to itself
		}
	}
	var all []step
	for _, in := range lines {
		in = r.substitute(in)
		steps, err := before.expand(r, in, -1, keys)
		if err != nil {
			return nil, fmt.Errorf("%s, %d: %w", name, in.number, err)
		}
		for _, s := range steps {
			s.line = l.number
			all = append(all, s)
		}
	}
	return all, nil
}
