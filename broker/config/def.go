package config

import (
	"iter"
	"slices"
	"strings"
)

// Type is a value's type. The numbers are those of DescribeConfigs (v3 on).
type Type int8

const (
	Unknown Type = iota
	Bool
	String
	Int
	Short
	Long
	Double
	List
	Class
	Password
)

func (t Type) String() string {
	return [...]string{"UNKNOWN", "BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"}[t]
}

// Importance is how many people need to know a key.
type Importance int8

const (
	Low Importance = iota
	Medium
	High
)

func (i Importance) String() string { return [...]string{"low", "medium", "high"}[i] }

// Update says how a broker key can change while the broker runs. It has no meaning
// for the keys of other resources, which can always change.
type Update int8

const (
	ReadOnly    Update = iota // only by a restart
	PerBroker                 // on one broker, by its id
	ClusterWide               // on one broker or on all of them
)

func (u Update) String() string { return [...]string{"read-only", "per-broker", "cluster-wide"}[u] }

// Def defines one key.
type Def struct {
	Name string
	Type Type
	// Default is Kafka's default as DescribeConfigs prints it. It is empty when
	// Null is set: the key has no value unless somebody gives it one.
	Default    string
	Null       bool
	Valid      Rule
	Importance Importance
	Update     Update
	// Doc is one or two sentences for people, with units.
	Doc  string
	rank int // its place in the tables' source
	// Internal keys are accepted but not shown by DescribeConfigs.
	Internal bool
	// Applied keys change what this broker does; the others are known and
	// reported, no more.
	Applied bool
}

// Sensitive says whether the value must never be shown.
func (d *Def) Sensitive() bool { return d.Type == Password }

// Defs is the table of one kind of resource's keys, in alphabetical order.
type Defs struct {
	defs   []Def
	byName map[string]*Def
	// unknown is what Kafka says about a key that is not here, in front of it.
	unknown string
}

// Len is the number of keys, internal ones included.
func (t *Defs) Len() int { return len(t.defs) }

// All goes through the table. The definitions are shared: read them only.
func (t *Defs) All() iter.Seq[*Def] {
	return func(yield func(*Def) bool) {
		for i := range t.defs {
			if !yield(&t.defs[i]) {
				return
			}
		}
	}
}

// Lookup answers the definition of a key. It is shared: read it only.
func (t *Defs) Lookup(name string) (*Def, bool) {
	d, ok := t.byName[name]
	return d, ok
}

// Nearest answers the key most like a misspelt one, and false if none is alike.
func (t *Defs) Nearest(name string) (string, bool) {
	name = strings.ToLower(strings.TrimSpace(name))
	// A third of the letters wrong is no longer a slip of the finger.
	best, limit := "", max(2, len(name)/3)
	for i := range t.defs {
		if t.defs[i].Internal {
			continue
		}
		if n := distance(name, t.defs[i].Name, limit); n <= limit && (best == "" || n < limit) {
			best, limit = t.defs[i].Name, n
		}
	}
	return best, best != ""
}

// distance is the number of letters to insert, delete, replace or swap with their
// neighbour to get from a to b, or limit+1 if it is more than limit.
func distance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) > limit {
		return limit + 1
	}
	before, last, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(last[j+1]+1, next[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		if slices.Min(next) > limit {
			return limit + 1
		}
		before, last, next = last, next, before
	}
	return last[len(b)]
}
