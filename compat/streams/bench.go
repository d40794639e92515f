package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"blumfeld/compat/kafka"
	"blumfeld/integration/process"
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
	own   ownBroker // nil if the case plays on the shared broker
	hosts []*host   // processes of the case's own
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
		if s.own, err = b.ownBroker(s.dir, c.own); err != nil {
			return err
		}
		if err := s.own.start(ctx); err != nil {
			return err
		}
		s.stop = append(s.stop, s.own.end)
	}
	return c.play(ctx, s)
}

// address is that of the broker that the case plays on.
func (s *scene) address() string {
	if s.own != nil {
		return s.own.addr()
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

// ownBroker is a broker that a case may kill. It comes back with its data, at its address.
type ownBroker interface {
	addr() string
	start(context.Context) error
	kill(context.Context) error
	end() error // in order, if it runs
}

func (b *bench) ownBroker(dir string, properties []string) (ownBroker, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if b.apache {
		return &apacheKafka{kafka.Node{Port: port, State: dir}, properties}, nil
	}
	o := process.Options{Binary: b.binary, Dir: filepath.Join(dir, "data"), Port: port}
	for _, p := range properties {
		o.Args = append(o.Args, "--override", p)
	}
	return &blumfeld{options: o}, nil
}

// freePort is a port whose thousandth successor, which is that of Apache Kafka's controller, is a port too.
func freePort() (int, error) {
	for range 100 {
		port, err := process.FreePort()
		if err != nil {
			return 0, err
		}
		if port < 64_000 {
			return port, nil
		}
	}
	return 0, errors.New("no free port below 64000")
}

// restart is a crash of the case's own broker, which comes back.
func (s *scene) restart(ctx context.Context) error {
	if err := s.own.kill(ctx); err != nil {
		return err
	}
	return s.own.start(ctx)
}

type blumfeld struct {
	options process.Options
	running *process.Broker
}

func (b *blumfeld) addr() string { return b.options.Addr() }

func (b *blumfeld) start(ctx context.Context) (err error) {
	b.running, err = process.Start(ctx, b.options)
	return err
}

func (b *blumfeld) kill(context.Context) error { return b.running.Kill() }

func (b *blumfeld) end() error {
	if b.running == nil {
		return nil // it did not come back, which was reported
	}
	select {
	case <-b.running.Exited():
		return fmt.Errorf("the broker has ended:\n%s", b.running.Stderr())
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	code, err := b.running.Stop(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("the broker's exit code is %d:\n%s", code, b.running.Stderr())
	}
	return err
}

type apacheKafka struct {
	node       kafka.Node
	properties []string
}

func (k *apacheKafka) addr() string { return process.Options{Port: k.node.Port}.Addr() }

func (k *apacheKafka) start(ctx context.Context) error { return k.node.Start(ctx, k.properties...) }

func (k *apacheKafka) kill(ctx context.Context) error { return k.node.Kill(ctx) }

func (k *apacheKafka) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return k.node.Stop(ctx)
}
