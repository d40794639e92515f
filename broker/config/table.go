package config

import (
	"cmp"
	"slices"
	"sync"
)

// row is a Def as the tables write it.
type row struct {
	name       string
	typ        Type
	def        string // Kafka's default, or null
	valid      Rule
	importance Importance
	update     Update
	doc        string
}

// null is the default of a key that has no value unless it is given one. No value
// holds a NUL.
const null = "\x00"

// The tables are built when first asked for and never change.
var (
	brokerDefs = sync.OnceValue(func() *Defs {
		return build("Unknown broker config name: ",
			listenerRows(), generalRows(), logRows(), replicationRows(), groupRows(), streamsRows(), shareRows(),
			transactionRows(), quorumRows(), quotaRows(), remoteRows(), securityRows(), saslRows(), internalRows()).
			mark(names(internalRows()), hide).
			mark(applied(), apply)
	})
	dynamicOnlyDefs = sync.OnceValue(func() *Defs { return build("", dynamicOnlyRows()).mark(appliedDynamically(), apply) })
	topicDefs       = sync.OnceValue(func() *Defs {
		return build("Unknown topic config name: ", topicRows(), internalTopicRows()).
			mark(names(internalTopicRows()), hide).
			mark(appliedToTopics(), apply)
	})
	groupDefs         = sync.OnceValue(func() *Defs { return build("Unknown group config name: ", groupResourceRows()) })
	clientMetricsDefs = sync.OnceValue(func() *Defs { return build("Unknown client metrics configuration: ", clientMetricsRows()) })
)

// BrokerDefs is the table of broker keys.
func BrokerDefs() *Defs { return brokerDefs() }

// TopicDefs is the table of topic keys.
func TopicDefs() *Defs { return topicDefs() }

// GroupDefs is the table of the keys a group may override.
func GroupDefs() *Defs { return groupDefs() }

// ClientMetricsDefs is the table of a client metrics subscription's keys.
func ClientMetricsDefs() *Defs { return clientMetricsDefs() }

func build(unknown string, subjects ...[]row) *Defs {
	n := 0
	for _, rows := range subjects {
		n += len(rows)
	}
	t := &Defs{defs: make([]Def, 0, n), byName: make(map[string]*Def, n), unknown: unknown}
	for _, rows := range subjects {
		for _, r := range rows {
			d := Def{rank: len(t.defs), Name: r.name, Type: r.typ, Default: r.def, Valid: r.valid, Importance: r.importance, Update: r.update, Doc: r.doc}
			if r.def == null {
				d.Default, d.Null = "", true
			}
			t.defs = append(t.defs, d)
		}
	}
	slices.SortFunc(t.defs, func(a, b Def) int { return cmp.Compare(a.Name, b.Name) })
	for i := range t.defs {
		t.byName[t.defs[i].Name] = &t.defs[i]
	}
	return t
}

// mark calls f for the definitions of these keys.
func (t *Defs) mark(names []string, f func(*Def)) *Defs {
	for _, name := range names {
		f(t.byName[name])
	}
	return t
}

func hide(d *Def)  { d.Internal = true }
func apply(d *Def) { d.Applied = true }

func names(rows []row) []string {
	list := make([]string, len(rows))
	for i, r := range rows {
		list[i] = r.name
	}
	return list
}
