package main

import (
	"encoding/base64"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// symbols gives names to what two brokers may rightly choose differently: ids,
// ports, the time. The name says which one it is, in the order in which they
// came up: two brokers agree if they use the same ones at the same places, so
// that nothing has to be ignored.
type symbols struct {
	port      string
	cluster   string // id, once known
	dir       string // log directory, once known
	began     time.Time
	topics    map[string]string // id, as Kafka prints it -> name; the second topic of a name is name'2
	latest    map[string]string // name -> id
	of        map[string]string // everything else that has a name in this run of a row
	count     map[string]int
	producers map[int64]int // ids that this broker gave: the how manyth each is
	before    int           // of them were given before this run of a row
}

func newSymbols(port string, began time.Time) *symbols {
	s := &symbols{port: port, began: began, topics: make(map[string]string), latest: make(map[string]string), producers: make(map[int64]int)}
	s.forget()
	return s
}

// forget begins a run of a row. Topics and producers keep their names.
func (s *symbols) forget() {
	s.of = make(map[string]string)
	s.count = make(map[string]int)
	s.before = len(s.producers)
}

// name returns the symbol of a value of that class.
func (s *symbols) name(class, value string) string {
	key := class + " " + value
	if s.of[key] == "" {
		s.count[class]++
		s.of[key] = fmt.Sprintf("<%s %d>", class, s.count[class])
	}
	return s.of[key]
}

const zeroID = "AAAAAAAAAAAAAAAAAAAAAA"

// learn finds out which topic has which id, wherever a response says both.
func (s *symbols) learn(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			s.learn(v.Elem())
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Struct {
			for i := range v.Len() {
				s.learn(v.Index(i))
			}
		}
	case reflect.Struct:
		name, id := v.FieldByName("Topic"), v.FieldByName("TopicID")
		failed := v.FieldByName("ErrorCode")
		if name.IsValid() && id.IsValid() && (!failed.IsValid() || failed.IsZero()) {
			if name.Kind() == reflect.Pointer {
				name = name.Elem() // the zero Value if nil
			}
			if name.IsValid() && name.String() != "" && !id.IsZero() {
				raw := id.Interface().([16]byte)
				s.topic(name.String(), base64.RawURLEncoding.EncodeToString(raw[:]))
			}
		}
		for i := range v.NumField() {
			if _, ok := v.Field(i).Addr().Interface().(*kmsg.Tags); !ok {
				s.learn(v.Field(i))
			}
		}
	}
}

func (s *symbols) topic(name, id string) {
	if s.topics[id] != "" {
		return
	}
	s.latest[name] = id
	s.count["'"+name]++
	s.topics[id] = name
	for n := 2; ; n++ {
		taken := 0
		for _, other := range s.topics {
			if other == s.topics[id] {
				taken++
			}
		}
		if taken == 1 {
			return
		}
		s.topics[id] = fmt.Sprintf("%s'%d", name, n)
	}
}

func (s *symbols) id(id string) string {
	switch {
	case id == zeroID:
		return "<zero>"
	case s.topics[id] != "":
		return "<id of " + s.topics[id] + ">"
	}
	return s.name("id", id)
}

var (
	javaUUID  = regexp.MustCompile(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`) // in member ids
	millis    = regexp.MustCompile(`\b[0-9]{13}\b`)
	kafkaUUID = regexp.MustCompile(`[A-Za-z0-9_-]{22}`) // of topics, in messages
)

// string names what is in a text. A member id is a client's name and a UUID: the
// client's name is compared.
func (s *symbols) string(name, text string) string {
	if name == "ClusterID" && s.cluster != "" && text == s.cluster {
		return "<cluster>"
	}
	if s.dir != "" {
		text = strings.ReplaceAll(text, s.dir, "<dir>")
	}
	if s.cluster != "" {
		text = strings.ReplaceAll(text, s.cluster, "<cluster>")
	}
	text = strings.ReplaceAll(text, ":"+s.port, ":<port>")
	text = javaUUID.ReplaceAllStringFunc(text, func(id string) string { return s.name("uuid", id) })
	text = millis.ReplaceAllStringFunc(text, func(n string) string {
		ms, _ := strconv.ParseInt(n, 10, 64) // 13 digits fit
		return s.time(ms)
	})
	return kafkaUUID.ReplaceAllStringFunc(text, func(id string) string {
		if topic := s.topics[id]; topic != "" {
			return "<id of " + topic + ">"
		}
		return id
	})
}

func (s *symbols) int(name string, n int64) string {
	switch {
	case name == "Port" && fmt.Sprint(n) == s.port:
		return "<port>"
	case name == "Port" && fmt.Sprint(n-controllerPort) == s.port:
		return "<controller's port>"
	case name == "UsableBytes" && n > 0:
		return "<free>"
	case name == "ProducerID":
		return s.producer(n)
	case name == "SessionID" && n > 0:
		return s.name("session", fmt.Sprint(n))
	}
	return s.time(n)
}

// time is n, or <now> if it lies around the time of this run, in ms. A row that
// wants a time of its own takes $t0, the day before.
func (s *symbols) time(n int64) string {
	t := time.UnixMilli(n)
	if t.After(s.began.Add(-time.Minute)) && t.Before(s.began.Add(time.Hour)) {
		return "<now>"
	}
	return fmt.Sprint(n)
}

// newProducer notes an id that the broker gave. 0, which it gives once, in the
// prelude, is also what stands in fields that say nothing.
func (s *symbols) newProducer(id int64) {
	if id > 0 && s.producers[id] == 0 {
		s.producers[id] = len(s.producers) + 1
	}
}

// producer names an id. Those of earlier rows come up in lists without an order,
// so that the first one there may be another one on each broker.
func (s *symbols) producer(id int64) string {
	switch n := s.producers[id]; {
	case n == 0:
		return fmt.Sprint(id)
	case n <= s.before:
		return fmt.Sprintf("<earlier producer %d>", n)
	}
	return s.name("producer", fmt.Sprint(id))
}
