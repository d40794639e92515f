package main

import (
	"fmt"
	"slices"
	"strings"
)

// comparison compares the answers of one row, at one version.
type comparison struct {
	row         string
	version     int16
	differences []*difference
	explained   int
	unexplained []string
}

// answers compares what both brokers said.
func (c *comparison) answers(kafka, ours []said) {
	if len(kafka) != len(ours) {
		c.unexplained = append(c.unexplained, fmt.Sprintf("%d answers, Kafka gives %d", len(ours), len(kafka)))
		return
	}
	for i := range kafka {
		before := len(c.unexplained)
		c.field("", "", kafka[i].answer, ours[i].answer)
		for j := before; j < len(c.unexplained) && len(kafka) > 1; j++ {
			c.unexplained[j] = fmt.Sprintf("step %d, %s", i+1, c.unexplained[j])
		}
	}
}

// field compares two fields at a path; where is the path with indexes.
func (c *comparison) field(path, where string, kafka, ours *field) {
	switch {
	case kafka.kind != ours.kind || kafka.kind == leafField:
		if kafka.String() != ours.String() {
			c.differ(path, where, kafka.String(), ours.String())
		}
	case kafka.kind == objectField:
		c.object(path, where, kafka, ours)
	default:
		c.list(path, where, kafka, ours)
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (c *comparison) object(path, where string, kafka, ours *field) {
	find := func(f *field, name string) *field {
		for _, child := range f.children {
			if child.name == name {
				return child
			}
		}
		return leaf(name, "absent")
	}
	for _, k := range kafka.children {
		c.field(join(path, k.name), join(where, k.name), k, find(ours, k.name))
	}
	for _, o := range ours.children {
		if find(kafka, o.name).text == "absent" {
			c.field(join(path, o.name), join(where, o.name), leaf(o.name, "absent"), o)
		}
	}
}

func (c *comparison) list(path, where string, kafka, ours *field) {
	k, o := kafka.children, ours.children
	if d := c.unordered(path); d != nil {
		ks, os := inOrder(k), inOrder(o)
		if !slices.EqualFunc(k, o, sameIdentity) && slices.EqualFunc(ks, os, sameIdentity) {
			d.used = true
		}
		k, o = ks, os
	}
	if !slices.EqualFunc(k, o, sameIdentity) {
		k, o = c.align(path, where, k, o)
	}
	for i := range min(len(k), len(o)) {
		c.field(path, fmt.Sprintf("%s[%d]", where, i), k[i], o[i])
	}
}

// align takes out of both lists the elements that only one has, each of which
// is a difference. Elements that change places are one too.
func (c *comparison) align(path, where string, k, o []*field) (bothK, bothO []*field) {
	left := slices.Clone(o)
	for _, e := range k {
		at := slices.IndexFunc(left, func(x *field) bool { return sameIdentity(e, x) })
		if at < 0 {
			c.differ(path, where, e.String(), "absent")
			continue
		}
		bothK, bothO = append(bothK, e), append(bothO, left[at])
		left = slices.Delete(left, at, at+1)
	}
	for _, e := range left {
		c.differ(path, where, "absent", e.String())
	}
	if len(bothK) == len(k) && len(bothO) == len(o) {
		c.differ(path, where, "order "+identities(k), "order "+identities(o))
	}
	return bothK, bothO
}

// identity tells the elements of a list apart: a structure by its name, number
// or id, which is the first of its fields that is set and not an error.
func identity(f *field) string {
	for _, c := range f.children {
		if c.kind == leafField && c.text != `""` && c.text != "null" && c.name != "ErrorCode" && c.name != "ErrorMessage" {
			return c.text
		}
	}
	return f.String()
}

func sameIdentity(a, b *field) bool { return identity(a) == identity(b) }

func identities(list []*field) string {
	all := make([]string, len(list))
	for i, f := range list {
		all[i] = identity(f)
	}
	return strings.Join(all, " ")
}

func inOrder(list []*field) []*field {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *field) int {
		if n := strings.Compare(identity(a), identity(b)); n != 0 {
			return n
		}
		return strings.Compare(a.String(), b.String())
	})
	return list
}

func (c *comparison) unordered(path string) *difference {
	for _, d := range c.differences {
		if d.unordered && d.applies(c.row, c.version, path) {
			return d
		}
	}
	return nil
}

func (c *comparison) differ(path, where, kafka, ours string) {
	for _, d := range c.differences {
		if d.applies(c.row, c.version, path) && d.explains(kafka, ours) {
			d.used = true
			c.explained++
			return
		}
	}
	c.unexplained = append(c.unexplained, fmt.Sprintf("%s: Kafka %s, ours %s", where, short(kafka), short(ours)))
}

func short(text string) string {
	const most = 400
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
