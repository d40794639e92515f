package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A player sends rows to one broker and keeps what it answers.
type player struct {
	addr     string
	symbols  *symbols
	t0       int64 // $t0, the same for both brokers, ms
	versions func(key int16) (low, high int16, ok bool)
	keys     map[string]int16 // of requests, by name
	conns    map[string]*conn
	settled  int // how often settle was called
}

// said is one answer to one step of a row.
type said struct {
	step   *step
	key    int16
	answer *field
}

func newPlayer(addr string, began time.Time, versions func(int16) (low, high int16, ok bool)) (*player, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return &player{
		addr:     addr,
		symbols:  newSymbols(port, began),
		t0:       began.Add(-24 * time.Hour).UnixMilli(),
		versions: versions,
		keys:     apiKeys(),
		conns:    make(map[string]*conn),
	}, nil
}

// begin learns what the broker is called and makes the topic that settle needs.
func (p *player) begin() error {
	if err := p.topic(settleTopic, 1, nil); err != nil {
		return err
	}
	meta := kmsg.NewPtrMetadataRequest()
	meta.Version = 12
	meta.Topics = []kmsg.MetadataRequestTopic{}
	response, err := p.call(meta)
	if err != nil {
		return err
	}
	if id := response.(*kmsg.MetadataResponse).ClusterID; id != nil {
		p.symbols.cluster = *id
	}
	dirs := kmsg.NewPtrDescribeLogDirsRequest()
	dirs.Version = 4
	if response, err = p.call(dirs); err != nil {
		return err
	}
	for _, d := range response.(*kmsg.DescribeLogDirsResponse).Dirs {
		p.symbols.dir = d.Dir
	}
	return nil
}

func (p *player) close() {
	for _, c := range p.conns {
		c.Close()
	}
}

// play runs a row once, at one version of its file's subject.
func (p *player) play(ctx context.Context, r *run) (all []said, err error) {
	p.symbols.forget()
	defer func() {
		for name, c := range p.conns {
			if name != "main" || len(c.waiting) > 0 {
				c.Close()
				delete(p.conns, name)
			}
		}
	}()
	vars := p.variables(r.version, r.number)
	for i := range r.row.steps {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		s := &r.row.steps[i]
		one, err := p.step(s, r.version, vars)
		if err != nil {
			return all, fmt.Errorf("%s:%d: %w", r.file.name, s.line, err)
		}
		if one != nil {
			all = append(all, *one)
		}
	}
	return all, nil
}

// setUp runs a step between rows; whatever does not succeed is an error.
func (p *player) setUp(f file, s *step) error {
	if _, err := p.step(s, 0, p.variables(0, 0)); err != nil {
		return fmt.Errorf("%s:%d: %w", f.name, s.line, err)
	}
	return nil
}

func (p *player) variables(version int16, run int) variables {
	return variables{
		"v":   strconv.Itoa(int(version)),
		"run": strconv.Itoa(run),
		"t0":  strconv.FormatInt(p.t0, 10),
		"now": strconv.FormatInt(time.Now().UnixMilli(), 10),
	}
}

// step runs one step; the answer is nil if the step has none to compare.
func (p *player) step(s *step, version int16, vars variables) (*said, error) {
	vars["@nope"], vars["@zero"] = "AAAAAAAAAAAAAAAAAAAABw", zeroID
	for name, id := range p.symbols.latest {
		vars["@"+name] = id
	}
	switch s.verb {
	case "topic":
		return nil, p.topicStep(s, vars)
	case "records":
		return nil, p.recordsStep(s, vars)
	case "raw":
		return p.raw(s, vars)
	case "close":
		if c := p.conns[s.conn]; c != nil {
			c.Close()
			delete(p.conns, s.conn)
		}
		return nil, nil
	}
	if s.mode == collect {
		return p.collect(s, vars)
	}
	key := p.keys[s.verb]
	v := version
	switch s.version {
	case subjectVersion:
	case latestVersion:
		_, high, ok := p.versions(key)
		if !ok {
			return nil, fmt.Errorf("%s is not served", s.verb)
		}
		v = high
	default:
		v = s.version
	}
	req, err := newRequest(key, v, s.items, vars)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(patience); ; {
		c, err := p.conn(s.conn)
		if err != nil {
			return nil, err
		}
		// A broker that has closed the connection is found out by answer.
		if err := c.send(req); err != nil && !isClosed(err) {
			return nil, err
		}
		if s.mode == post {
			return nil, nil
		}
		within := patience
		if s.briefly {
			within = time.Second
		}
		if produce, ok := req.(*kmsg.ProduceRequest); ok && produce.Acks == 0 {
			return p.unanswered(s, key, c)
		}
		answer, err := p.read(c, s, within)
		if err != nil {
			return nil, err
		}
		if !p.until(s, answer, vars) {
			if time.Now().After(deadline) {
				return nil, fmt.Errorf("%s: still %s", s.verb, answer)
			}
			// Nobody tells a client that a group or the metadata moved: ask again.
			time.Sleep(5 * time.Millisecond)
			continue
		}
		if changesMetadata(req, answer.fields) {
			if err := p.settle(); err != nil {
				return nil, err
			}
		}
		if err := capture(s, answer.raw, vars); err != nil {
			return nil, err
		}
		return &said{s, key, answer.fields}, nil
	}
}

// reply is an answer as it is compared and as it came.
type reply struct {
	fields *field
	raw    kmsg.Response // nil if there was none
}

func (r reply) String() string { return r.fields.String() }

func (p *player) read(c *conn, s *step, within time.Duration) (reply, error) {
	fields, raw, err := c.answer(p.symbols, within)
	if err != nil {
		return reply{}, err
	}
	if raw == nil { // whatever it was, this connection is done
		c.Close()
		delete(p.conns, s.conn)
	}
	return reply{fields, raw}, nil
}

func (p *player) collect(s *step, vars variables) (*said, error) {
	c := p.conns[s.conn]
	if c == nil || len(c.waiting) == 0 {
		return nil, fmt.Errorf("nothing was asked on %s", s.conn)
	}
	key := c.waiting[0].Key()
	answer, err := p.read(c, s, patience)
	if err != nil {
		return nil, err
	}
	if err := capture(s, answer.raw, vars); err != nil {
		return nil, err
	}
	return &said{s, key, answer.fields}, nil
}

// unanswered is for a request that gets no answer: the next one's must be the
// first to come.
func (p *player) unanswered(s *step, key int16, c *conn) (*said, error) {
	c.waiting = nil
	if c.open() {
		return &said{s, key, outcome("no answer, then open")}, nil
	}
	c.Close()
	delete(p.conns, s.conn)
	return &said{s, key, outcome("closed")}, nil
}

func (p *player) until(s *step, answer reply, vars variables) bool {
	for _, it := range s.until {
		want, err := it.string(vars)
		if err != nil {
			return true // and let the comparison show it
		}
		path, not := strings.CutSuffix(it.name, "!")
		got := answer.fields.at(path)
		if got == nil || (strings.Trim(got.text, `"`) == want) == not {
			return false
		}
	}
	return true
}

func isClosed(err error) bool {
	var op *net.OpError
	return errors.As(err, &op)
}

// conn returns the connection of that name; the first use opens it.
func (p *player) conn(name string) (*conn, error) {
	if c := p.conns[name]; c != nil {
		return c, nil
	}
	c, err := dial(p.addr)
	if err != nil {
		return nil, err
	}
	p.conns[name] = c
	return c, nil
}

// call asks on a connection that no row uses.
func (p *player) call(req kmsg.Request) (kmsg.Response, error) {
	const own = "set-up"
	c, err := p.conn(own)
	if err != nil {
		return nil, err
	}
	if err := c.send(req); err != nil {
		return nil, err
	}
	fields, response, err := c.answer(p.symbols, patience)
	if err != nil {
		return nil, err
	}
	if response == nil {
		return nil, fmt.Errorf("%s: %s", kmsg.NameForKey(req.Key()), fields)
	}
	return response, nil
}

// capture keeps fields of an answer for later steps, under names of this row's.
func capture(s *step, response kmsg.Response, vars variables) error {
	for _, it := range s.capture {
		text, err := rawText(response, it.text)
		if err != nil {
			return fmt.Errorf("%s=%s: %w", it.name, it.text, err)
		}
		vars[it.name] = text
	}
	return nil
}

// idText is an id as Kafka prints it.
func idText(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }
