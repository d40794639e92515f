package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"blumfeld/compat/broker"
)

// bench is what all cases share.
type bench struct {
	addr   string // the broker of cases that leave it alive
	apache bool   // brokers of cases' own are Apache Kafka
	binary string // else this Blumfeld
	jars   string
	work   string
	shared *host // the process of applications that nobody kills
}

// scene is where one case plays: a directory, a broker, processes of applications, which end with the case.
type scene struct {
	*bench
	name  string // unique on the broker too: the application's id
	began time.Time
	dir   string
	own   broker.Broker // nil if the case plays on the shared broker
	hosts []*host       // processes of the case's own
	stop  []func() error
}

// testCase is one case. own lists the properties of a broker of its own; a case without any plays on the shared one.
type testCase struct {
	own  []string
	play func(context.Context, *scene) error
}

func (b *bench) run(ctx context.Context, name string, c testCase) (err error) {
	ctx, cancel := context.WithTimeout(ctx, caseLimit)
	defer cancel()
	unique := strings.ReplaceAll(name, "/", "-") + "-" + strconv.FormatInt(time.Now().UnixMilli()%1e8, 36)
	s := &scene{bench: b, name: unique, began: time.Now(), dir: filepath.Join(b.work, unique)}
	if err := os.Mkdir(s.dir, 0o755); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.said())
		}
		for i := len(s.stop) - 1; i >= 0; i-- {
			err = errors.Join(err, s.stop[i]())
		}
	}()
	if c.own != nil {
		if s.own, err = b.broker(s.dir, c.own); err != nil {
			return err
		}
		if err := s.own.Start(ctx); err != nil {
			return err
		}
		s.stop = append(s.stop, s.own.Stop)
	}
	return c.play(ctx, s)
}

// address is that of the broker that the case plays on.
func (s *scene) address() string {
	if s.own != nil {
		return s.own.Addr()
	}
	return s.addr
}

// process starts a process of applications that the case may kill.
func (s *scene) process(name string) (*host, error) {
	h, err := s.host(s.dir, name)
	if err == nil {
		s.hosts = append(s.hosts, h)
		s.stop = append(s.stop, func() error { h.kill(); return nil })
	}
	return h, err
}

// said is what the case's applications have said and logged, as an error.
func (s *scene) said() error {
	said := []error{errors.New(s.shared.tail(s.name))}
	for _, h := range s.hosts {
		said = append(said, errors.New(h.tail("")))
	}
	return errors.Join(said...)
}

// broker is one of a case's own.
func (b *bench) broker(dir string, properties []string) (broker.Broker, error) {
	if b.apache {
		return broker.Kafka(dir, properties...)
	}
	return broker.Blumfeld(b.binary, filepath.Join(dir, "data"), properties...)
}

// restart is a crash of the case's own broker, which comes back.
func (s *scene) restart(ctx context.Context) error {
	if err := s.own.Kill(ctx); err != nil {
		return err
	}
	return s.own.Start(ctx)
}
