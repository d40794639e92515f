package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Rule is which values of its type a key takes. The zero Rule takes all.
type Rule struct {
	kind     ruleKind
	min, max float64  // inRange; infinite where there is no bound
	words    []string // oneOf, list
	empty    bool     // list: whether it may be empty
}

type ruleKind int8

const (
	anything ruleKind = iota
	inRange
	gzipRange // 1 to 9, or -1
	wordExact
	wordAnyCase
	wordList
	notEmpty
	throttledReplicas
	quorumVoters
	bootstrapServers
	offsetReset
)

func atLeast(n float64) Rule         { return Rule{kind: inRange, min: n, max: math.Inf(1)} }
func between(lo, hi float64) Rule    { return Rule{kind: inRange, min: lo, max: hi} }
func oneOf(words ...string) Rule     { return Rule{kind: wordExact, words: words} }
func oneOfFold(words ...string) Rule { return Rule{kind: wordAnyCase, words: words} }

// list takes lists without empty elements (KIP-1161), of the given words if there
// are any.
func list(words ...string) Rule { return Rule{kind: wordList, words: words, empty: true} }

// fullList is list with at least one element.
func fullList(words ...string) Rule { return Rule{kind: wordList, words: words} }

// String describes the rule to people; it is empty for one that takes everything.
func (r Rule) String() string {
	switch r.kind {
	case inRange:
		if math.IsInf(r.max, 1) {
			return "[" + number(r.min) + ",...]"
		}
		return "[" + number(r.min) + ",...," + number(r.max) + "]"
	case gzipRange:
		return "[1,...,9] or -1"
	case wordExact:
		return "[" + strings.Join(r.words, ", ") + "]"
	case wordAnyCase:
		return "(case insensitive) [" + strings.Join(r.words, ", ") + "]"
	case wordList:
		if len(r.words) > 0 {
			return "[" + strings.Join(r.words, ", ") + "]"
		}
	case notEmpty:
		return "non-empty string"
	case throttledReplicas:
		return "partition:broker pairs, or *"
	case quorumVoters:
		return "id@host:port entries"
	case bootstrapServers:
		return "host:port entries"
	case offsetReset:
		return "[latest, earliest, by_duration:PnDTnHnMn.nS]"
	}
	return ""
}

func number(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// Error is a refused configuration. Its text is Kafka's where Kafka has one: it
// is what INVALID_CONFIG answers carry, and what users search the web for.
type Error string

func (e Error) Error() string { return string(e) }

func errorf(format string, args ...any) error { return Error(fmt.Sprintf(format, args...)) }

// invalid is the text of Kafka's ConfigException.
func invalid(value, name, why string) error {
	return errorf("Invalid value %s for configuration %s: %s", value, name, why)
}

// Parse answers the value in its normal form, the one in which DescribeConfigs
// prints it: white space trimmed, numbers without leading zeros, lists without
// blanks and, if there is a rule for their elements, without repeated ones. The
// error's text is that of Kafka's ConfigException.
//
// A class is any name: there is no Java here that could look for it.
func (d *Def) Parse(value string) (string, error) {
	v := strings.TrimFunc(value, javaSpace)
	switch d.Type {
	case Bool:
		switch {
		case strings.EqualFold(v, "true"):
			return "true", nil
		case strings.EqualFold(v, "false"):
			return "false", nil
		}
		return "", invalid(value, d.Name, "Expected value to be either true or false")
	case Int, Short, Long:
		n, err := strconv.ParseInt(v, 10, d.Type.bits())
		if err != nil {
			return "", invalid(value, d.Name, "Not a number of type "+d.Type.String())
		}
		v = strconv.FormatInt(n, 10)
		return v, d.Valid.checkNumber(d.Name, v, float64(n))
	case Double:
		f, ok := parseJavaDouble(v)
		if !ok {
			return "", invalid(value, d.Name, "Not a number of type DOUBLE")
		}
		v = formatJavaDouble(f)
		return v, d.Valid.checkNumber(d.Name, v, f)
	case List:
		elems := splitList(v)
		if d.Valid.kind == wordList {
			elems = distinct(elems)
		}
		return strings.Join(elems, ","), d.Valid.checkList(d.Name, elems)
	}
	return v, d.Valid.checkString(d.Name, v)
}

func (t Type) bits() int {
	switch t {
	case Short:
		return 16
	case Int:
		return 32
	}
	return 64
}

// Validate is Parse without its result.
func (d *Def) Validate(value string) error {
	_, err := d.Parse(value)
	return err
}

// distinct are the elements in the order in which they come first (KIP-1161).
func distinct(elems []string) []string {
	seen := make(map[string]bool, len(elems))
	return slices.DeleteFunc(elems, func(e string) bool {
		again := seen[e]
		seen[e] = true
		return again
	})
}

// javaSpace is what String.trim of Java takes off.
func javaSpace(r rune) bool { return r <= ' ' }

// splitList splits at commas with white space around them. An empty string is an
// empty list; "," is a list of two empty elements.
func splitList(v string) []string {
	if v == "" {
		return nil
	}
	elems := strings.Split(v, ",")
	for i := range elems {
		elems[i] = strings.Trim(elems[i], " \t\n\v\f\r")
	}
	return elems
}

func (r Rule) checkNumber(name, shown string, f float64) error {
	switch r.kind {
	case inRange:
		if f < r.min {
			return invalid(shown, name, "Value must be at least "+number(r.min))
		}
		if f > r.max {
			return invalid(shown, name, "Value must be no more than "+number(r.max))
		}
	case gzipRange:
		if f != -1 && (f < 1 || f > 9) {
			return invalid(shown, name, "Value must be between 1 and 9 or equal to -1")
		}
	}
	return nil
}

func (r Rule) checkString(name, v string) error {
	switch r.kind {
	case wordExact:
		for _, w := range r.words {
			if v == w {
				return nil
			}
		}
		return invalid(v, name, "String must be one of: "+strings.Join(r.words, ", "))
	case wordAnyCase:
		for _, w := range r.words {
			if strings.EqualFold(v, w) {
				return nil
			}
		}
		return invalid(v, name, "String must be one of (case insensitive): "+strings.Join(r.words, ", "))
	case notEmpty:
		if v == "" {
			return invalid(v, name, "String must be non-empty")
		}
	case offsetReset:
		if after, found := strings.CutPrefix(v, "by_duration:"); v != "earliest" && v != "latest" && !(found && isDuration(after)) {
			return invalid(v, name, fmt.Sprintf("Invalid value `%s` for configuration %s. The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.", v, name))
		}
	}
	return nil
}

func (r Rule) checkList(name string, elems []string) error {
	switch r.kind {
	case wordList:
		return r.checkWords(name, elems)
	case throttledReplicas:
		if len(elems) == 1 && elems[0] == "*" {
			return nil
		}
		for _, e := range elems {
			p, b, _ := strings.Cut(e, ":")
			if e != "" && (!digits(p) || !digits(b)) {
				return invalid("["+strings.Join(elems, ", ")+"]", name, name+
					" must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...")
			}
		}
	case quorumVoters:
		for _, e := range elems {
			id, addr, found := strings.Cut(e, "@")
			if !found {
				return errorf("Invalid configuration value for %s. Each entry should be in the form `{id}@{host}:{port}`.", name)
			}
			if _, err := strconv.ParseInt(id, 10, 32); err != nil {
				return errorf("Failed to parse voter ID as an integer from entry %s for the configuration %s.", e, name)
			}
			if !hostPort(addr) {
				return errorf("Failed to parse host name from entry %s for the configuration %s. Each entry should be in the form `{id}@{host}:{port}`.", e, name)
			}
		}
	case bootstrapServers:
		for _, e := range elems {
			if !hostPort(e) {
				return errorf("Failed to parse host name from %s for the configuration %s. Each entry should be in the form \"{host}:{port}\"", e, name)
			}
		}
	}
	return nil
}

func (r Rule) checkWords(name string, elems []string) error {
	if len(elems) == 0 && !r.empty {
		valid := "any non-empty value"
		if len(r.words) > 0 {
			valid = r.String()
		}
		return errorf("Configuration '%s' must not be empty. Valid values include: %s", name, valid)
	}
	for _, e := range elems {
		if e == "" {
			return errorf("Configuration '%s' values must not be empty.", name)
		}
		if len(r.words) > 0 {
			if err := oneOf(r.words...).checkString(name, e); err != nil {
				return err
			}
		}
	}
	return nil
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// hostPort says whether s is host:port or [address]:port.
func hostPort(s string) bool {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 || !digits(s[i+1:]) {
		return false
	}
	return validHost(strings.TrimSuffix(strings.TrimPrefix(s[:i], "["), "]"))
}
