package main

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// apiKeys are the names of the requests that there are, as kmsg spells them.
func apiKeys() map[string]int16 {
	keys := make(map[string]int16, kmsg.MaxKey+1)
	for key := range int16(kmsg.MaxKey + 1) {
		if kmsg.RequestForKey(key) != nil {
			keys[kmsg.NameForKey(key)] = key
		}
	}
	return keys
}

// variables are what $name stands for: topic ids, member ids, the version, …
type variables map[string]string

// expand replaces $name and ${name} in text.
func (v variables) expand(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		var name string
		if braced, ok := strings.CutPrefix(rest, "{"); ok {
			name, text, found = strings.Cut(braced, "}")
			if !found {
				return "", fmt.Errorf("${%s: } is missing", braced)
			}
		} else {
			n := 0
			for n < len(rest) && (rest[n] == '_' || '0' <= rest[n] && rest[n] <= '9' || 'a' <= rest[n]|0x20 && rest[n]|0x20 <= 'z') {
				n++
			}
			name, text = rest[:n], rest[n:]
		}
		s, ok := v[name]
		if !ok {
			return "", fmt.Errorf("no variable $%s", name)
		}
		out.WriteString(s)
	}
}

// newRequest returns a request with kmsg's defaults and what items set.
func newRequest(key, version int16, items []item, vars variables) (kmsg.Request, error) {
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	if d, ok := req.(interface{ Default() }); ok {
		d.Default()
	}
	if err := fill(reflect.ValueOf(req).Elem(), items, vars); err != nil {
		return nil, fmt.Errorf("%s: %w", kmsg.NameForKey(key), err)
	}
	return req, nil
}

// fill sets the fields of a structure of kmsg's.
func fill(s reflect.Value, items []item, vars variables) error {
	next := 0
	for _, it := range items {
		at := next
		if it.name != "" {
			f, ok := s.Type().FieldByName(it.name)
			if !ok {
				return fmt.Errorf("%s has no field %s", s.Type().Name(), it.name)
			}
			at = f.Index[0]
		} else {
			for at < s.NumField() && s.Type().Field(at).Name == "Version" {
				at++
			}
			if at == s.NumField() {
				return fmt.Errorf("%s has no more fields", s.Type().Name())
			}
			next = at + 1
		}
		if err := set(s.Field(at), it.value, vars); err != nil {
			return fmt.Errorf("%s: %w", s.Type().Field(at).Name, err)
		}
	}
	return nil
}

func set(to reflect.Value, v value, vars variables) error {
	null := v.kind == scalar && v.plain && v.text == "null"
	if tags, ok := to.Addr().Interface().(*kmsg.Tags); ok {
		return setTags(tags, v, vars)
	}
	switch to.Kind() {
	case reflect.Pointer:
		if null {
			to.SetZero()
			return nil
		}
		to.Set(reflect.New(to.Type().Elem()))
		return set(to.Elem(), v, vars)
	case reflect.Struct:
		if v.kind != structure {
			return fmt.Errorf("%s wants {…}", to.Type().Name())
		}
		if d, ok := to.Addr().Interface().(interface{ Default() }); ok {
			d.Default()
		}
		return fill(to, v.items, vars)
	case reflect.Slice:
		if null {
			to.SetZero()
			return nil
		}
		if to.Type().Elem().Kind() == reflect.Uint8 {
			p, err := v.bytes(vars)
			to.SetBytes(p)
			return err
		}
		if v.kind != array {
			return fmt.Errorf("an array wants […]")
		}
		to.Set(reflect.MakeSlice(to.Type(), len(v.items), len(v.items)))
		for i, it := range v.items {
			if err := set(to.Index(i), it.value, vars); err != nil {
				return err
			}
		}
		return nil
	}
	text, err := v.string(vars)
	if err != nil {
		return err
	}
	switch to.Kind() {
	case reflect.String:
		to.SetString(text)
		return nil
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		to.SetBool(b)
		return err
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, err := number(text, to.Type().Bits())
		to.SetInt(n)
		return err
	case reflect.Uint16:
		n, err := number(text, 32)
		to.SetUint(uint64(n))
		return err
	case reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		to.SetFloat(f)
		return err
	case reflect.Array: // of 16 bytes, an id as Kafka prints it
		id, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(id) != to.Len() {
			return fmt.Errorf("%q is not an id", text)
		}
		reflect.Copy(to, reflect.ValueOf(id))
		return nil
	}
	return fmt.Errorf("no notation for a field of type %s", to.Type())
}

// setTags sets tagged fields that nobody knows, {[1234 text]}.
func setTags(tags *kmsg.Tags, v value, vars variables) error {
	for _, it := range v.items {
		if it.kind != array || len(it.items) != 2 {
			return fmt.Errorf("a tagged field is [TAG BYTES]")
		}
		tag, err := strconv.ParseUint(it.items[0].text, 10, 32)
		if err != nil {
			return err
		}
		p, err := it.items[1].bytes(vars)
		if err != nil {
			return err
		}
		tags.Set(uint32(tag), p)
	}
	return nil
}

// string is the text of a scalar. If it is not quoted, word*N is N times the
// word, and @topic the id of a topic.
func (v value) string(vars variables) (string, error) {
	if v.kind != scalar {
		return "", fmt.Errorf("a structure where a scalar belongs")
	}
	text, err := vars.expand(v.text)
	if err != nil || !v.plain {
		return text, err
	}
	if topic, ok := strings.CutPrefix(text, "@"); ok {
		id, known := vars["@"+topic]
		if !known {
			return "", fmt.Errorf("the id of topic %s is not known", topic)
		}
		return id, nil
	}
	if word, count, ok := strings.Cut(text, "*"); ok && word != "" {
		if n, err := strconv.Atoi(count); err == nil && n >= 0 {
			return strings.Repeat(word, n), nil
		}
	}
	return text, nil
}

func (v value) bytes(vars variables) ([]byte, error) {
	if v.kind == call {
		return v.call(vars)
	}
	text, err := v.string(vars)
	return []byte(text), err
}

// number reads a number of so many bits, or a sum a+b or a-b of them.
func number(text string, bits int) (int64, error) {
	n, err := strconv.ParseInt(text, 0, bits)
	if err == nil {
		return n, nil
	}
	if at := strings.LastIndexAny(text, "+-"); at > 0 {
		a, errA := number(text[:at], bits)
		b, errB := number(text[at:], bits)
		if errA == nil && errB == nil {
			return a + b, nil
		}
	}
	return 0, fmt.Errorf("%q is no number of %d bits", text, bits)
}
