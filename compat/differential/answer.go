package main

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A field is one field of an answer, or an element of an array in it. What may
// differ between two brokers that are both right, such as ids, is in it under a
// name that symbols gave it.
type field struct {
	kind     fieldKind
	name     string // empty for an element
	text     string // of a leaf
	children []*field
}

type fieldKind byte

const (
	leafField fieldKind = iota
	objectField
	listField
)

func leaf(name, text string) *field { return &field{name: name, text: text} }

func (f *field) add(child *field) { f.children = append(f.children, child) }

// String is the field as FAIL lines show it.
func (f *field) String() string {
	switch f.kind {
	case leafField:
		return f.text
	case listField:
		parts := make([]string, len(f.children))
		for i, c := range f.children {
			parts[i] = c.String()
		}
		return "[" + strings.Join(parts, " ") + "]"
	}
	parts := make([]string, len(f.children))
	for i, c := range f.children {
		parts[i] = c.name + "=" + c.String()
	}
	return "{" + strings.Join(parts, " ") + "}"
}

// at finds the field at a path such as Topics.0.Partitions.1.Offset, or nil.
func (f *field) at(path string) *field {
	for _, step := range strings.Split(path, ".") {
		if n, err := strconv.Atoi(step); err == nil && f.kind == listField {
			if n >= len(f.children) {
				return nil
			}
			f = f.children[n]
			continue
		}
		var next *field
		for _, c := range f.children {
			if c.name == step {
				next = c
			}
		}
		if next == nil {
			return nil
		}
		f = next
	}
	return f
}

// outcome is an answer that has no body: the connection was closed, say.
func outcome(what string) *field {
	return &field{kind: objectField, children: []*field{leaf("outcome", what)}}
}

// responseFields shows a response of kmsg's.
func responseFields(r kmsg.Response, s *symbols) *field {
	s.learn(reflect.ValueOf(r))
	switch r := r.(type) {
	case *kmsg.InitProducerIDResponse:
		s.newProducer(r.ProducerID)
	case *kmsg.EndTxnResponse:
		s.newProducer(r.ProducerID) // after the last epoch of the one before
	}
	return structFields(reflect.ValueOf(r).Elem(), s)
}

func structFields(v reflect.Value, s *symbols) *field {
	o := &field{kind: objectField}
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if name == "Version" {
			continue
		}
		if tags, ok := v.Field(i).Addr().Interface().(*kmsg.Tags); ok {
			tags.Each(func(tag uint32, p []byte) {
				o.add(leaf(fmt.Sprintf("Tag%d", tag), fmt.Sprintf("%x", p)))
			})
			continue
		}
		f := fieldOf(name, v.Field(i), s)
		f.name = name
		o.add(f)
	}
	return o
}

// fieldOf shows one value; name is that of the field that it, or the array
// around it, is.
func fieldOf(name string, v reflect.Value, s *symbols) *field {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return leaf("", "null")
		}
		return fieldOf(name, v.Elem(), s)
	case reflect.Struct:
		return structFields(v, s)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return bytesField(name, v.Bytes(), s)
		}
		if v.IsNil() {
			return leaf("", "null")
		}
		list := &field{kind: listField}
		for i := range v.Len() {
			list.add(fieldOf(name, v.Index(i), s))
		}
		return list
	case reflect.Array:
		id := make([]byte, v.Len())
		reflect.Copy(reflect.ValueOf(id), v)
		return leaf("", s.id(base64.RawURLEncoding.EncodeToString(id)))
	case reflect.String:
		return leaf("", strconv.Quote(s.string(name, v.String())))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return leaf("", s.int(name, v.Int()))
	case reflect.Uint16:
		return leaf("", s.int(name, int64(v.Uint())))
	}
	return leaf("", fmt.Sprint(v.Interface()))
}

func bytesField(name string, p []byte, s *symbols) *field {
	switch {
	case p == nil:
		return leaf("", "null")
	case name == "RecordBatches":
		return recordFields(p, s)
	}
	return leaf("", strconv.Quote(string(p)))
}
